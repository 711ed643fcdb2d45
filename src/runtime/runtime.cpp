// One step: ingress, user code, checkpoint, egress.
//
// The order is the protocol: the own outcome is looked up first, everything is evaluated before
// anything is written, the checkpoint stands before any look or invocation, and edges are run from
// the stored outcome only.
#include "unum/runtime.hpp"

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

#include "base/activity.hpp"
#include "base/json.hpp"
#include "base/log.hpp"
#include "base/utf8.hpp"
#include "runtime/session_owner.hpp"
#include "unum/task_group.hpp"
#include "workflow/failure.hpp"
#include "workflow/ir.hpp"
#include "workflow/payload.hpp"
#include "workflow/plan.hpp"

namespace unum {
namespace {

// The first byte of a stored outcome that is not a result; no JSON text begins with either.
constexpr char kCaughtFailure = '!';
constexpr std::string_view kCollected = "~";

/// Functions whose edges depend on a stored outcome are checkpointed whatever their IR says.
bool is_checkpointed(const FunctionIr& ir, bool by_default) {
  const bool fans =
      ir.parallel_width() > 0 ||
      std::any_of(ir.edges.begin(), ir.edges.end(), [](const Edge& edge) {
        return edge.input_type == InputType::map || edge.input_type == InputType::fan_in;
      });
  return ir.start || ir.edges.empty() || fans || ir.checkpoint.value_or(by_default);
}

/// Whether the data store or the way to it failed, and not the step: at another time the same step
/// may well succeed, and no function is to blame.
bool is_of_the_store(const Error& error) {
  static constexpr std::array<std::string_view, 10> kOfTheWay = {
      "Unum.RedisProtocol", "Unum.RedisReplyTooLarge", "Unum.ClusterTooLarge", "Unum.Resolving",
      "Unum.Tls",           "Unum.BadReply",           "Unum.BadAnswer",       "Unum.BadChecksum",
      "Unum.NoRandomness",  "Unum.ChecksumMismatch"};
  if (error.origin() == "aws") return true;  // settings and credentials of a store
  switch (error.kind()) {
    case ErrorKind::throttled:
    case ErrorKind::timeout:
    case ErrorKind::disconnected:
    case ErrorKind::denied:
    case ErrorKind::cancelled: return true;
    default: return std::find(kOfTheWay.begin(), kOfTheWay.end(), error.code()) != kOfTheWay.end();
  }
}

/// Not what became of a worker ("Unum.WorkerCrashed", "Unum.Cancelled"): the platform delivers
/// that step again.
bool is_own_error(const Error& error) {
  return error.code().starts_with("Unum.") && error.origin() != "worker" && !is_of_the_store(error);
}

std::vector<FanIn> fan_ins_of(const Plan& plan) {
  std::vector<FanIn> fan_ins;
  fan_ins.reserve(plan.fan_ins.size());
  for (const PlannedFanIn& planned : plan.fan_ins) fan_ins.push_back(planned.fan_in());
  return fan_ins;
}

std::string array_of(const std::vector<std::string>& values) {
  std::size_t bytes = 2;
  for (const std::string& value : values) bytes += value.size() + 1;
  std::string out;
  out.reserve(bytes + 64);
  out += '[';
  for (const std::string& value : values) {
    if (&value != values.data()) out += ',';
    out += value;
  }
  out += ']';
  return out;
}

constexpr std::string_view to_text(FanInState::Status status) {
  constexpr std::array<std::string_view, 4> kTexts = {"incomplete", "claimed", "taken", "mismatch"};
  return kTexts[static_cast<std::size_t>(status)];
}

Payload read_payload(const FunctionIr& ir, std::string_view text) {
  if (ir.start && !is_payload(text)) {
    Payload payload;
    payload.data.source = "http";
    payload.data.value = json::trim(text);
    return payload;
  }
  return parse_payload(text);
}

}  // namespace

Runtime::Runtime(DataStore& store, Invoker& invoker, RuntimeOptions options)
    : store_(store), invoker_(invoker), options_(std::move(options)) {}

/// The state of one step; lives in the frame of the call that runs it. Of a public class, and no
/// business of the shared library's users.
struct [[gnu::visibility("hidden")]] Runtime::Step {
  Runtime& runtime;
  const Function& function;
  const Payload& payload;
  SessionContext context;
  Wait wait;
  StepReport report{};
  Activity* activity = nullptr;  ///< Of the call that runs it.

  log::About about() const { return {report.session, report.instance}; }
  void waits_for(std::string_view what, std::size_t number = 0) {
    activity->waits_for(what, number);
  }
  DataStore& store() const { return runtime.store_; }
  const FunctionIr& ir() const { return function.ir(); }
  ItemId own_item(ItemKind kind) const { return {report.instance, kind}; }

  Task<void> run(UserCode& code, int attempt);
  Task<void> begin_session();
  Task<void> keep_input();
  Task<std::optional<std::string>> input_or_own_outcome(std::string& input);
  Task<void> run_and_commit(UserCode& code, int attempt, const std::string& input);
  Task<void> commit(const Plan& plan, std::string_view outcome);
  Task<void> adopt(std::string outcome);
  void check_stored(std::string_view value) const;
  Plan plan_of_failure(std::string_view stored);
  Task<void> follow(const Plan& plan, std::vector<FanInState> states);
  Task<void> follow_fan_in(const PlannedFanIn& fan_in, FanInState state);
  Task<void> invoke_children(const Plan& plan);
  std::string edge_origin(const Edge& edge) const;
  Task<void> fail(std::string error, std::string cause, int attempt);
  Task<void> report_failure(int attempt);
  void finish(std::string_view outcome);
  void tell_end() const;
};

/// Names the instance a payload is for and binds the step to its session.
Runtime::Step Runtime::begin(const Function& function, const Payload& payload, Wait wait) {
  if (payload.session.empty() && !function.is_entry()) {
    throw Error(ErrorKind::invalid, "payload", "Unum.NoSession",
                "the input payload of " + function.name() +
                    " has no \"Session\": only an entry function (\"Start\": "
                    "true) may begin one");
  }
  const SessionContext context = payload.session.empty() ? store_.create_session_context()
                                                         : store_.session_context(payload.session);
  const std::string instance = instance_name(function.name(), payload.frames);
  Step step{*this, function, payload, context.bound_to(instance), wait};
  step.report.session = context.session();
  step.report.instance = instance;
  return step;
}

Task<StepReport> Runtime::step(const Function& function, std::string_view payload_text,
                               UserCode& code, int attempt, Wait wait) {
  json::validate(payload_text, "the input payload", kPayloadLevels);
  const Payload payload = read_payload(function.ir(), payload_text);
  Step step = begin(function, payload, wait);
  Activity activity("step", step.report.instance, step.report.session);
  step.activity = &activity;
  log::debug(LogArea::runtime, step.about(), "step begins, attempt {}", attempt);
  co_await step.run(code, attempt);
  step.tell_end();
  co_return std::move(step.report);
}

Task<StepReport> Runtime::give_up(const Function& function, std::string_view payload_text,
                                  std::string_view error, std::string_view cause, int attempt,
                                  Wait wait) {
  json::validate(payload_text, "the input payload", kPayloadLevels);
  const Payload payload = read_payload(function.ir(), payload_text);
  Step step = begin(function, payload, wait);
  Activity activity("step", step.report.instance, step.report.session);
  step.activity = &activity;
  log::warn(LogArea::runtime, step.about(), "given up after attempt {}: {}", attempt, error);
  const std::optional<std::string> outcome =
      co_await store_.get(step.context, step.own_item(ItemKind::outcome), wait);
  if (outcome) {
    step.report.status = StepReport::Status::failed;
    step.report.error = error;
    step.report.cause = cause;
  } else {
    co_await step.fail(std::string(error), std::string(cause), attempt);
  }
  co_return std::move(step.report);
}

Task<void> Runtime::Step::run(UserCode& code, int attempt) {
  waits_for("the store: its session");
  if (ir().start && payload.frames.empty()) co_await begin_session();
  waits_for("the store: whether it has an outcome");
  std::optional<std::string> outcome =
      co_await store().get(context, own_item(ItemKind::outcome), wait);
  std::string input;
  std::optional<Error> own_error;
  try {
    if (!outcome) outcome = co_await input_or_own_outcome(input);
    if (outcome) {
      co_await adopt(std::move(*outcome));
    } else {
      co_await run_and_commit(code, attempt, input);
    }
  } catch (const Error& error) {
    if (!is_own_error(error)) throw;
    own_error = error;
  }
  if (!own_error) co_return;
  // Errors of the runtime's own are final: the same step would meet them again. No edge takes them.
  report.error = own_error->code();
  report.cause = own_error->message();
  co_await report_failure(attempt);
}

/// The session keeps whose it is and what it was begun with.
Task<void> Runtime::Step::begin_session() {
  std::array<std::exception_ptr, 2> errors;
  const auto begin = [&](std::size_t i) -> Task<void> {
    try {
      if (i == 1) {
        co_await keep_input();
      } else if (runtime.options_.application) {
        co_await claim_session(store(), context, ir().name, *runtime.options_.application, wait);
      }
    } catch (...) {
      errors[i] = std::current_exception();
    }
  };
  co_await for_each_bounded(errors.size(), errors.size(), begin);
  for (const std::exception_ptr& error : errors) {
    if (error) std::rethrow_exception(error);
  }
}

/// A session can be resumed with what it was begun with, and refuses to be begun with something
/// else.
Task<void> Runtime::Step::keep_input() {
  if (payload.data.shape != PayloadData::Shape::value) co_return;
  const WriteResult kept =
      co_await store().create(context, own_item(ItemKind::input), payload.data.value, wait);
  if (kept.status == WriteResult::Status::already_there && kept.stored != payload.data.value &&
      json::minify(kept.stored) != json::minify(payload.data.value)) {
    throw Error(ErrorKind::invalid, "runtime", "Unum.OtherInput",
                "session " + context.session() +
                    " was begun with another input; use another session, or resume "
                    "this one without giving an input");
  }
}

/// Puts the input together. If an input was collected meanwhile, a duplicate of this very step is
/// done, and its outcome is returned instead.
Task<std::optional<std::string>> Runtime::Step::input_or_own_outcome(std::string& input) {
  const PayloadData& data = payload.data;
  if (data.shape == PayloadData::Shape::value) {
    input = data.value;
    co_return std::nullopt;
  }
  if (data.source != store().type() && !(data.source == "efs" && store().type() == "fs") &&
      !(data.source == "elasticache" && store().type() == "redis")) {
    throw Error(ErrorKind::invalid, "payload", "Unum.Payload",
                "the input payload of " + report.instance + " points into a data store of type " +
                    std::string(data.source) + ", but this function's is of type " +
                    std::string(store().type()));
  }
  std::vector<Pointer> pointers;
  pointers.reserve(data.pointers.size());
  for (const std::string& name : data.pointers) pointers.push_back(store().pointer(context, name));
  waits_for("the store: inputs,", pointers.size());
  std::vector<std::string> values = co_await store().read_input(context, pointers, wait);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const bool collected = values[i] == kCollected;
    if (values[i].empty() || values[i].front() == kCaughtFailure ||
        (values[i].front() == kCollected.front() && !collected)) {
      throw Error(ErrorKind::corrupt, "runtime", "Unum.NoValue",
                  "the input " + data.pointers[i] + " of " + report.instance +
                      " is not the result of a function");
    }
    if (!collected) continue;
    std::optional<std::string> own =
        co_await store().get(context, own_item(ItemKind::outcome), wait);
    if (own) co_return own;
    throw Error(
        ErrorKind::corrupt, "runtime", "Unum.CollectedInput",
        "the input " + data.pointers[i] + " of " + report.instance + " has already been collected");
  }
  switch (data.shape) {
    case PayloadData::Shape::list: input = array_of(values); break;
    case PayloadData::Shape::single: input = std::move(values.front()); break;
    default: {
      const auto elements = json::type_of(values.front()) == json::Type::array
                                ? json::elements(values.front())
                                : std::vector<std::string_view>{};
      if (data.element >= elements.size()) {
        throw Error(ErrorKind::invalid, "payload", "Unum.Payload",
                    "the input payload of " + report.instance + " wants element " +
                        std::to_string(data.element) + " of " + data.pointers.front() +
                        ", which has " + std::to_string(elements.size()));
      }
      input = elements[data.element];
    }
  }
  co_return std::nullopt;
}

Task<void> Runtime::Step::run_and_commit(UserCode& code, int attempt, const std::string& input) {
  const UserCall call{function.name(), report.instance,     report.session,
                      input,           payload.traceparent, attempt};
  waits_for("user code");
  UserResult result = co_await code.call(call, wait);
  report.user_code_ran = true;
  if (!result.succeeded) {
    co_await fail(std::move(result.error), std::move(result.cause), attempt);
    co_return;
  }
  std::optional<Error> not_json;
  try {
    json::validate(result.value, "the result of " + report.instance);
  } catch (const Error& error) {
    not_json = error;
  }
  if (not_json) {
    co_await fail("Runtime.MarshalError", not_json->message(), attempt);
    co_return;
  }
  const std::string_view value = json::trim(result.value);
  const Plan plan = make_plan(ir(), payload.frames, value);
  if (is_checkpointed(ir(), runtime.options_.checkpoint_default)) {
    co_await commit(plan, value);
    co_return;
  }
  co_await follow(plan, {});
  finish(value);
}

/// Writes the outcome, create-if-absent, and goes on from whatever stands there then.
Task<void> Runtime::Step::commit(const Plan& plan, std::string_view outcome) {
  const std::vector<FanIn> fan_ins = fan_ins_of(plan);
  waits_for("the store: its outcome to be written");
  CommitResult written = co_await store().commit(context, outcome, fan_ins, wait);
  if (written.write.status == WriteResult::Status::already_there &&
      written.write.stored != outcome) {
    co_await adopt(std::move(written.write.stored));
    co_return;
  }
  co_await follow(plan, std::move(written.fan_ins));
  finish(outcome);
}

/// Goes on from an outcome that is already stored; user code does not run (again).
Task<void> Runtime::Step::adopt(std::string outcome) {
  report.adopted = true;
  report.status = StepReport::Status::succeeded;
  if (outcome == kCollected) co_return;  // all that follows is done
  Plan plan;
  if (outcome.starts_with(kCaughtFailure)) {
    report.status = StepReport::Status::caught;
    plan = plan_of_failure(std::string_view(outcome).substr(1));
  } else {
    check_stored(outcome);
    plan = make_plan(ir(), payload.frames, outcome);
  }
  const std::vector<FanIn> fan_ins = fan_ins_of(plan);
  std::vector<FanInState> states;
  waits_for("the store: its fan-ins,", fan_ins.size());
  if (!fan_ins.empty()) states = co_await store().join(context, fan_ins, wait);
  co_await follow(plan, std::move(states));
  finish(outcome);
}

// A store may be edited, cut short or damaged: its text is walked only once it is known to be JSON.

void Runtime::Step::check_stored(std::string_view value) const {
  try {
    json::validate(value, "the stored outcome of " + report.instance);
  } catch (const Error& error) {
    throw Error(ErrorKind::corrupt, "runtime", "Unum.NoValue", error.message());
  }
}

Plan Runtime::Step::plan_of_failure(std::string_view stored) {
  std::optional<StoredFailure> failure = parse_failure(stored);
  if (!failure) {
    throw Error(ErrorKind::corrupt, "runtime", "Unum.NoValue",
                "the stored outcome of " + report.instance +
                    " is a caught failure, but not {\"Error\": ..., \"Cause\": ...}");
  }
  report.error = std::move(failure->error);
  report.cause = std::move(failure->cause);
  return make_failure_plan(ir(), payload.frames, stored);
}

/// Runs the edges. They are independent: one that fails does not stop the others, then the step
/// fails.
Task<void> Runtime::Step::follow(const Plan& plan, std::vector<FanInState> states) {
  std::exception_ptr first_error;
  waits_for("the platform: invocations,", plan.children.size());
  try {
    co_await invoke_children(plan);
  } catch (...) {
    first_error = std::current_exception();
  }
  for (std::size_t i = 0; i < states.size(); ++i) {
    try {
      co_await follow_fan_in(plan.fan_ins[i], std::move(states[i]));
    } catch (...) {
      if (!first_error) first_error = std::current_exception();
    }
  }
  if (first_error) std::rethrow_exception(first_error);
}

Task<void> Runtime::Step::follow_fan_in(const PlannedFanIn& fan_in, FanInState state) {
  const bool observes = fan_in.role == FanInRole::observer;
  std::shared_ptr<const FanInSet> set = observes ? std::move(state.set) : fan_in.list;
  if (!set) co_return;  // no request names this instance, so far
  report.fan_ins.push_back({fan_in.aggregator, fan_in.role, state.status, set});
  if (state.status == FanInState::Status::mismatch) {
    report.disagreements.push_back("the contributors of " + fan_in.aggregator +
                                   " disagree about its fan-in: " + report.instance + " has " +
                                   set->summary() + ", another one has " + state.detail);
  }
  log::debug(LogArea::runtime, about(), "fan-in of {} values for {}: {}", set->size(),
             fan_in.aggregator, to_text(state.status));
  if (state.status != FanInState::Status::claimed) co_return;
  waits_for("the platform: an aggregator's invocation");
  // Both kinds of set are lists of this runtime's: FanInListReader made the observer's.
  const auto& list = static_cast<const FanInList&>(*set);
  const std::vector<std::string> names = list.names().names();
  Invocation invocation{*fan_in.target, fan_in.aggregator, fan_in_origin(*set),
                        payload_by_reference(store().type(), names, report.session, list.frames(),
                                             payload.traceparent)};
  co_await runtime.invoker_.invoke(std::move(invocation), wait);
  ++report.invocations;
}

Task<void> Runtime::Step::invoke_children(const Plan& plan) {
  std::exception_ptr first_error;
  auto invoke_one = [&](std::size_t i) -> Task<void> {
    const PlannedChild& child = plan.children[i];
    const Edge& edge = *child.edge;
    Invocation invocation{
        edge.target, instance_name(edge.target, child.frames), edge_origin(edge),
        payload_by_value(child.value, report.session, child.frames, payload.traceparent)};
    try {
      co_await runtime.invoker_.invoke(std::move(invocation), wait);
      ++report.invocations;
    } catch (...) {
      if (!first_error) first_error = std::current_exception();
    }
  };
  co_await for_each_bounded(plan.children.size(), runtime.options_.invocations_in_flight_max,
                            invoke_one);
  if (first_error) std::rethrow_exception(first_error);
}

/// "Load, edge 2 (Map)": two edges of one instance are two ways.
std::string Runtime::Step::edge_origin(const Edge& edge) const {
  const auto number = static_cast<std::size_t>(&edge - ir().edges.data()) + 1;
  std::string origin = report.instance;
  if (ir().edges.size() == 1) return origin;
  return origin.append(", edge ").append(std::to_string(number));
}

/// A failure of user code or of its process: an edge for errors takes it, or it is reported.
Task<void> Runtime::Step::fail(std::string error, std::string cause, int attempt) {
  report.error = std::move(error);
  report.cause = std::move(cause);
  const std::string outcome = kCaughtFailure + failure_text(report.error, report.cause);
  const Plan plan = make_failure_plan(ir(), payload.frames, std::string_view(outcome).substr(1));
  if (plan.empty()) {
    co_await report_failure(attempt);
    co_return;
  }
  report.status = StepReport::Status::caught;
  co_await commit(plan, outcome);
}

Task<void> Runtime::Step::report_failure(int attempt) {
  report.status = StepReport::Status::failed;
  waits_for("the store: its report of a failure");
  std::string text = failure_text(report.error, report.cause);
  text.insert(text.size() - 1, ",\"Attempt\":" + std::to_string(attempt));
  co_await store().put(context, own_item(ItemKind::report), text, wait);
}

void Runtime::Step::tell_end() const {
  constexpr std::array<std::string_view, 3> kEndings = {"succeeded", "caught a failure", "failed"};
  const LogLevel level =
      report.status == StepReport::Status::failed ? LogLevel::warn : LogLevel::debug;
  log::event(level, LogArea::runtime, about(),
             "step {}{}{}{}: {} invocations, {} fan-ins, {} bytes",
             kEndings[static_cast<std::size_t>(report.status)],
             report.adopted ? ", its outcome was there" : "", report.error.empty() ? "" : ", ",
             report.error, report.invocations, report.fan_ins.size(), report.result_bytes);
}

void Runtime::Step::finish(std::string_view outcome) {
  report.result_bytes = outcome.size();
  if (report.invocations == 0 && report.fan_ins.empty() &&
      report.status == StepReport::Status::succeeded) {
    report.result = outcome;
  }
}

std::string fan_in_origin(const FanInSet& set) { return "fan-in " + set.digest(); }

std::string entry_payload(std::string_view input, std::string_view session) {
  if (!is_utf8(session)) {
    throw Error(ErrorKind::invalid, "payload", "Unum.Payload",
                "the session's name is not UTF-8, as all text of a payload must be");
  }
  try {
    json::validate(input, "the input");
  } catch (const json::SyntaxError& error) {
    // Only a payload may be deeper, by its own levels.
    if (error.kind() != ErrorKind::exhausted) throw;
    json::validate(input, "the input", kPayloadLevels);
    if (!is_payload(input)) throw;
  }
  if (!is_payload(input)) return payload_by_value(json::trim(input), session, {}, {});
  const Payload payload = parse_payload(input);
  if (payload.data.shape != PayloadData::Shape::value || !payload.frames.empty()) {
    throw Error(ErrorKind::invalid, "payload", "Unum.Payload",
                "the input of a workflow must be given by value and without \"Fan-out\"");
  }
  if (!payload.session.empty() && !session.empty() && payload.session != session) {
    throw Error(ErrorKind::invalid, "payload", "Unum.Payload",
                "the input names session " + payload.session + ", but session " +
                    std::string(session) + " was asked for");
  }
  return payload_by_value(payload.data.value, payload.session.empty() ? session : payload.session,
                          {}, payload.traceparent);
}

PayloadIdentity identify_payload(const Function& function, std::string_view text) {
  json::validate(text, "the input payload", kPayloadLevels);
  const Payload payload = read_payload(function.ir(), text);
  return {payload.session, instance_name(function.name(), payload.frames)};
}

}  // namespace unum
