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
#include "workflow/ir.hpp"
#include "workflow/payload.hpp"
#include "workflow/plan.hpp"
#include "workflow/stored_outcome.hpp"

namespace unum {
namespace {

bool is_checkpointed(const FunctionIr& ir, bool by_default) {
  return ir.checkpoint.value_or(by_default) || !always_checkpointed_because(ir).empty();
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

json::Text array_of(const std::vector<json::View>& values) {
  std::size_t bytes = 2;
  for (const json::View value : values) bytes += value.size() + 1;
  std::string out;
  out.reserve(bytes + 64);
  out += '[';
  for (const json::View value : values) {
    if (out.size() > 1) out += ',';
    out += value.text();
  }
  out += ']';
  return json::Text::trusted(std::move(out));
}

constexpr std::string_view to_text(FanInState::Status status) {
  constexpr std::array<std::string_view, 4> kTexts = {"incomplete", "claimed", "taken", "mismatch"};
  return kTexts[static_cast<std::size_t>(status)];
}

Payload read_payload(const FunctionIr& ir, json::View text) {
  if (!ir.start) return parse_payload(text);
  if (std::optional<Payload> payload = parse_if_payload(text)) return std::move(*payload);
  Payload payload;
  payload.data.source = "http";
  payload.data.value = text;
  return payload;
}

}  // namespace

Runtime::Runtime(Store& store, Invoker& invoker, RuntimeOptions options)
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
  Store& store() const { return runtime.store_; }
  const FunctionIr& ir() const { return function.ir(); }
  ItemId own_item(ItemKind kind) const { return {report.instance, kind}; }

  Task<void> run(UserCode& code, int attempt);
  Task<void> go_on(std::optional<std::string> outcome, UserCode& code, int attempt);
  Task<void> or_report(Task<void> work, int attempt);
  Task<void> begin_session();
  Task<void> keep_input();
  Task<std::optional<std::string>> input_or_own_outcome(json::Text& input);
  json::Text input_of(const std::vector<json::View>& values) const;
  Task<void> run_and_commit(UserCode& code, int attempt, json::View input);
  Task<bool> commit(const Plan& plan, std::string_view outcome);
  Task<void> adopt(std::string stored);
  Task<void> follow(const Plan& plan, std::vector<FanInState> states);
  Task<void> follow_fan_in(const PlannedFanIn& fan_in, FanInState state);
  Task<void> invoke_children(const Plan& plan);
  std::string edge_origin(const Edge& edge) const;
  Task<void> fail(std::string error, std::string cause, int attempt);
  Task<void> report_failure(int attempt);
  void finish(json::View result);
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
  const SessionContext context =
      payload.session.empty() ? create_session_context(store_) : session_context(payload.session);
  const std::string instance = instance_name(function.name(), payload.frames);
  Step step{*this, function, payload, context.bound_to(instance), wait};
  step.report.session = context.session();
  step.report.instance = instance;
  return step;
}

Task<StepReport> Runtime::step(const Function& function, json::View payload_text, UserCode& code,
                               int attempt, Wait wait) {
  const Payload payload = read_payload(function.ir(), payload_text);
  Step step = begin(function, payload, wait);
  Activity activity("step", step.report.instance, step.report.session);
  step.activity = &activity;
  log::debug(LogArea::runtime, step.about(), "step begins, attempt {}", attempt);
  co_await step.run(code, attempt);
  step.tell_end();
  co_return std::move(step.report);
}

Task<StepReport> Runtime::give_up(const Function& function, json::View payload_text,
                                  std::string_view error, std::string_view cause, int attempt,
                                  Wait wait) {
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
    co_await step.or_report(step.fail(std::string(error), std::string(cause), attempt), attempt);
  }
  co_return std::move(step.report);
}

Task<void> Runtime::Step::run(UserCode& code, int attempt) {
  waits_for("the store: its session");
  if (ir().start && payload.frames.empty()) co_await begin_session();
  waits_for("the store: whether it has an outcome");
  std::optional<std::string> outcome =
      co_await store().get(context, own_item(ItemKind::outcome), wait);
  co_await or_report(go_on(std::move(outcome), code, attempt), attempt);
}

Task<void> Runtime::Step::go_on(std::optional<std::string> outcome, UserCode& code, int attempt) {
  json::Text read;
  const bool by_value = payload.data.shape == PayloadData::Shape::value;
  if (!outcome && !by_value) outcome = co_await input_or_own_outcome(read);
  if (outcome) {
    co_await adopt(std::move(*outcome));
  } else {
    const json::View input = by_value ? payload.data.value : read.view();
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
  if (kept.status != WriteResult::Status::already_there || payload.data.value == kept.stored) {
    co_return;
  }
  const json::View stored = stored_json(kept.stored, "the stored input of " + report.instance);
  if (json::minify(stored) != json::minify(payload.data.value).text()) {
    throw Error(ErrorKind::invalid, "runtime", "Unum.OtherInput",
                "session " + context.session() +
                    " was begun with another input; use another session, or resume "
                    "this one without giving an input");
  }
}

/// Puts the input together of what the payload points to. If some of it was collected meanwhile, a
/// duplicate of this very step is done, and its outcome is returned instead.
Task<std::optional<std::string>> Runtime::Step::input_or_own_outcome(json::Text& input) {
  const PayloadData& data = payload.data;
  if (data.source != store().type()) {
    throw Error(ErrorKind::invalid, "payload", "Unum.Payload",
                "the input payload of " + report.instance + " points into a data store of type " +
                    std::string(data.source) + ", but this function's is of type " +
                    std::string(store().type()));
  }
  std::vector<Pointer> pointers;
  pointers.reserve(data.names.size());
  data.names.for_each([&](std::string_view name) { pointers.push_back(pointer(context, name)); });
  waits_for("the store: inputs,", pointers.size());
  const std::vector<std::string> stored = co_await read_input(store(), context, pointers, wait);
  std::vector<json::View> values;
  values.reserve(stored.size());
  for (std::size_t i = 0; i < stored.size(); ++i) {
    const auto fail = [&](std::string_view code, std::string_view rest) {
      throw Error(ErrorKind::corrupt, "runtime", code,
                  "the input " + pointers[i].name() + " of " + report.instance + std::string(rest));
    };
    StoredOutcome input_outcome;
    try {
      input_outcome = StoredOutcome::read(stored[i], pointers[i].name());
    } catch (const Error& error) {
      fail(error.code(), " is not the result of a function: " + error.message());
    }
    if (input_outcome.kind == StoredOutcome::Kind::caught_failure) {
      fail("Unum.NoValue", " is not the result of a function, but a failure that was caught");
    }
    if (input_outcome.kind == StoredOutcome::Kind::collected) {
      std::optional<std::string> own =
          co_await store().get(context, own_item(ItemKind::outcome), wait);
      if (own) co_return own;
      fail("Unum.CollectedInput", " has already been collected");
    }
    values.push_back(input_outcome.value);
  }
  input = input_of(values);
  co_return std::nullopt;
}

json::Text Runtime::Step::input_of(const std::vector<json::View>& values) const {
  const PayloadData& data = payload.data;
  if (data.shape == PayloadData::Shape::list) return array_of(values);
  const json::View value = values.front();
  if (data.shape == PayloadData::Shape::single) return json::Text(value);
  std::size_t count = 0;
  if (json::type_of(value) == json::Type::array) {
    json::ElementReader reader(value);
    for (json::View element; reader.next(element); ++count) {
      if (count == data.element) return json::Text(element);
    }
  }
  throw Error(ErrorKind::invalid, "payload", "Unum.Payload",
              "the input payload of " + report.instance + " wants element " +
                  std::to_string(data.element) + " of " + data.names.name(0) + ", which has " +
                  std::to_string(count));
}

Task<void> Runtime::Step::run_and_commit(UserCode& code, int attempt, json::View input) {
  const UserCall call{function.name(), report.instance,     report.session,
                      input,           payload.traceparent, attempt};
  waits_for("user code");
  UserResult result = co_await code.call(call, wait);
  report.user_code_ran = true;
  if (!result.succeeded) {
    co_await fail(std::move(result.error), std::move(result.cause), attempt);
    co_return;
  }
  const json::View value = result.value;
  const Plan plan = make_plan(ir(), payload.frames, value);
  if (is_checkpointed(ir(), runtime.options_.checkpoint_default)) {
    const bool mine = co_await commit(plan, value);
    if (!mine) co_return;
  } else {
    co_await follow(plan, {});
  }
  finish(value);
}

/// Writes the outcome, create-if-absent, and goes on from whatever stands there then: another one
/// is adopted, to its end.
Task<bool> Runtime::Step::commit(const Plan& plan, std::string_view outcome) {
  const std::vector<FanIn> fan_ins = fan_ins_of(plan);
  waits_for("the store: its outcome to be written");
  CommitResult written = co_await store().commit(context, outcome, fan_ins, wait);
  if (written.write.status == WriteResult::Status::already_there &&
      written.write.stored != outcome) {
    co_await adopt(std::move(written.write.stored));
    co_return false;
  }
  co_await follow(plan, std::move(written.fan_ins));
  co_return true;
}

/// Goes on from an outcome that is already stored; user code does not run (again).
Task<void> Runtime::Step::adopt(std::string stored) {
  report.adopted = true;
  report.status = StepReport::Status::succeeded;
  const StoredOutcome outcome =
      StoredOutcome::read(stored, "the stored outcome of " + report.instance);
  if (outcome.kind == StoredOutcome::Kind::collected) co_return;  // all that follows is done
  Plan plan;
  if (outcome.kind == StoredOutcome::Kind::caught_failure) {
    report.status = StepReport::Status::caught;
    Failure failure = read_failure(outcome.value);
    report.error = std::move(failure.error);
    report.cause = std::move(failure.cause);
    plan = make_failure_plan(ir(), payload.frames, outcome.value);
  } else {
    plan = make_plan(ir(), payload.frames, outcome.value);
  }
  const std::vector<FanIn> fan_ins = fan_ins_of(plan);
  std::vector<FanInState> states;
  waits_for("the store: its fan-ins,", fan_ins.size());
  if (!fan_ins.empty()) states = co_await store().join(context, fan_ins, wait);
  co_await follow(plan, std::move(states));
  finish(outcome.value);
}

/// Runs the edges. They are independent: one that fails does not stop the others, then the step
/// fails.
Task<void> Runtime::Step::follow(const Plan& plan, std::vector<FanInState> states) {
  EdgeErrors errors;
  waits_for("the platform: invocations,", plan.children.size());
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
  log::debug(LogArea::runtime, about(), "fan-in of {} values for {}: {}", set->size(),
             fan_in.aggregator, to_text(state.status));
  if (state.status != FanInState::Status::claimed) co_return;
  waits_for("the platform: an aggregator's invocation");
  // Both kinds of set are lists of this runtime's: FanInListReader made the observer's.
  const auto& list = static_cast<const FanInList&>(*set);
  Invocation invocation{*fan_in.target, fan_in.aggregator, fan_in_origin(*set),
                        payload_by_reference(store().type(), list.names(), report.session,
                                             list.frames(), payload.traceparent)};
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
  const json::Text failure = failure_json(report.error, report.cause);
  const Plan plan = make_failure_plan(ir(), payload.frames, failure);
  if (plan.empty()) {
    co_await report_failure(attempt);
    co_return;
  }
  report.status = StepReport::Status::caught;
  const std::string outcome = stored_failure(failure);
  const bool mine = co_await commit(plan, outcome);
  if (mine) finish(failure);
}

Task<void> Runtime::Step::report_failure(int attempt) {
  report.status = StepReport::Status::failed;
  waits_for("the store: its report of a failure");
  std::string text = failure_json(report.error, report.cause).text();
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

void Runtime::Step::finish(json::View result) {
  report.result_bytes = result.size();
  if (report.invocations == 0 && report.fan_ins.empty() &&
      report.status == StepReport::Status::succeeded) {
    report.result.emplace(result);
  }
}

std::string fan_in_origin(const FanInSet& set) { return "fan-in " + set.digest(); }

UserResult UserResult::success(std::string text, std::string_view what) {
  try {
    return success(json::Text::parse(std::move(text), what));
  } catch (const Error& error) {
    return failure("Runtime.MarshalError", error.message());
  }
}

json::View validate_payload(std::string_view text) {
  return json::validate(text, "the input payload", kPayloadLevels);
}

json::Text entry_payload(std::string_view input, std::string_view session) {
  if (!is_utf8(session)) {
    throw Error(ErrorKind::invalid, "payload", "Unum.Payload",
                "the session's name is not UTF-8, as all text of a payload must be");
  }
  json::View value;
  std::optional<Payload> payload;
  try {
    value = json::validate(input, "the input");
    payload = parse_if_payload(value);
  } catch (const json::SyntaxError& error) {
    // Only a payload may be deeper, by its own levels.
    if (error.kind() != ErrorKind::exhausted) throw;
    value = json::validate(input, "the input", kPayloadLevels);
    payload = parse_if_payload(value);
    if (!payload) throw;
  }
  if (!payload) return payload_by_value(value, session, {}, {});
  if (payload->data.shape != PayloadData::Shape::value || !payload->frames.empty()) {
    throw Error(ErrorKind::invalid, "payload", "Unum.Payload",
                "the input of a workflow must be given by value and without \"Fan-out\"");
  }
  if (!payload->session.empty() && !session.empty() && payload->session != session) {
    throw Error(ErrorKind::invalid, "payload", "Unum.Payload",
                "the input names session " + payload->session + ", but session " +
                    std::string(session) + " was asked for");
  }
  return payload_by_value(payload->data.value,
                          payload->session.empty() ? session : payload->session, {},
                          payload->traceparent);
}

PayloadIdentity identify_payload(const Function& function, json::View text) {
  const Payload payload = read_payload(function.ir(), text);
  return {payload.session, instance_name(function.name(), payload.frames)};
}

}  // namespace unum
