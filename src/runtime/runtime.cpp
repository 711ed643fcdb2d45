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

#include "base/json.hpp"
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

/// Of the errors of edges that were run beside each other, the one that decides what becomes of the
/// delivery: the first of those that ask for most. A final one must not hide one that passes, whose
/// edge has yet to be run.
class EdgeErrors {
 public:
  /// For the catch of any exception.
  void add_current() noexcept {
    const int weight = weight_of_current();
    if (first_ && weight <= weight_) return;
    first_ = std::current_exception();
    weight_ = weight;
  }
  void rethrow() const {
    if (first_) std::rethrow_exception(first_);
  }

 private:
  static int weight_of_current() noexcept {
    try {
      throw;
    } catch (const Error& error) {
      switch (error.delivery()) {
        case Delivery::final: return 0;
        case Delivery::bounded: return 1;
        case Delivery::again: return 2;
      }
    } catch (...) {
      return 2;  // nobody knows
    }
    return 2;
  }

  std::exception_ptr first_;
  int weight_ = 0;
};

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

/// The state of one step; lives in the frame of the call that runs it.
struct Runtime::Step {
  Runtime& runtime;
  const Function& function;
  const Payload& payload;
  SessionContext context;
  Wait wait;
  StepReport report{};

  DataStore& store() const { return runtime.store_; }
  const FunctionIr& ir() const { return function.ir(); }
  ItemId own_item(ItemKind kind) const { return {report.instance, kind}; }

  Task<void> run(UserCode& code, int attempt);
  Task<void> go_on(std::optional<std::string> outcome, UserCode& code, int attempt);
  Task<void> or_report(Task<void> work, int attempt);
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
};

/// Names the instance a payload is for and binds the step to its session.
Runtime::Step Runtime::begin(const Function& function, const Payload& payload, Wait wait) {
  if (payload.session.empty() && !function.is_entry()) {
    throw Error(ErrorKind::invalid, "payload", "Unum.NoSession",
                "the input payload of " + function.name() +
                    " has no \"Session\": only an entry function (\"Start\": "
                    "true) may begin one");
  }
  const SessionContext context =
      payload.session.empty() ? create_session_context(store_) : session_context(payload.session);
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
  co_await step.run(code, attempt);
  co_return std::move(step.report);
}

Task<StepReport> Runtime::give_up(const Function& function, std::string_view payload_text,
                                  std::string_view error, std::string_view cause, int attempt,
                                  Wait wait) {
  json::validate(payload_text, "the input payload", kPayloadLevels);
  const Payload payload = read_payload(function.ir(), payload_text);
  Step step = begin(function, payload, wait);
  const std::optional<std::string> outcome =
      co_await store_.get(step.context, step.own_item(ItemKind::outcome), wait);
  if (outcome) {
    step.report.status = StepReport::Status::failed;
    step.report.error = error;
    step.report.cause = cause;
  } else {
    co_await step.or_report(step.fail(std::string(error), std::string(cause), attempt), attempt);
  }
  co_return std::move(step.report);
}

Task<void> Runtime::Step::run(UserCode& code, int attempt) {
  if (ir().start && payload.frames.empty()) co_await begin_session();
  std::optional<std::string> outcome =
      co_await store().get(context, own_item(ItemKind::outcome), wait);
  co_await or_report(go_on(std::move(outcome), code, attempt), attempt);
}

Task<void> Runtime::Step::go_on(std::optional<std::string> outcome, UserCode& code, int attempt) {
  std::string input;
  if (!outcome) outcome = co_await input_or_own_outcome(input);
  if (outcome) {
    co_await adopt(std::move(*outcome));
  } else {
    co_await run_and_commit(code, attempt, input);
  }
}

/// A final error of the work fails the step: the same step would meet it again, and no edge takes
/// it. All others leave the step undone.
Task<void> Runtime::Step::or_report(Task<void> work, int attempt) {
  std::optional<Error> final_error;
  try {
    co_await std::move(work);
  } catch (const Error& error) {
    if (error.delivery() != Delivery::final) throw;
    final_error = error;
  }
  if (!final_error) co_return;
  report.error = final_error->code();
  report.cause = final_error->message();
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
  if (data.source != store().type()) {
    throw Error(ErrorKind::invalid, "payload", "Unum.Payload",
                "the input payload of " + report.instance + " points into a data store of type " +
                    std::string(data.source) + ", but this function's is of type " +
                    std::string(store().type()));
  }
  std::vector<Pointer> pointers;
  pointers.reserve(data.pointers.size());
  for (const std::string& name : data.pointers) pointers.push_back(pointer(context, name));
  std::vector<std::string> values = co_await read_input(store(), context, pointers, wait);
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
  EdgeErrors errors;
  try {
    co_await invoke_children(plan);
  } catch (...) {
    errors.add_current();
  }
  for (std::size_t i = 0; i < states.size(); ++i) {
    try {
      co_await follow_fan_in(plan.fan_ins[i], std::move(states[i]));
    } catch (...) {
      errors.add_current();
    }
  }
  errors.rethrow();
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
  if (state.status != FanInState::Status::claimed) co_return;
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
  EdgeErrors errors;
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
      errors.add_current();
    }
  };
  co_await for_each_bounded(plan.children.size(), runtime.options_.invocations_in_flight_max,
                            invoke_one);
  errors.rethrow();
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
  std::string text = failure_text(report.error, report.cause);
  text.insert(text.size() - 1, ",\"Attempt\":" + std::to_string(attempt));
  co_await store().put(context, own_item(ItemKind::report), text, wait);
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
