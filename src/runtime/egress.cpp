// Egress: user code, the checkpoint, the edges, which are run from the stored outcome only.
#include <algorithm>
#include <array>
#include <exception>
#include <utility>

#include "base/json.hpp"
#include "runtime/step.hpp"
#include "unum/task_group.hpp"
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

constexpr std::string_view to_text(FanInState::Status status) {
  constexpr std::array<std::string_view, 4> kTexts = {"incomplete", "claimed", "taken", "mismatch"};
  return kTexts[static_cast<std::size_t>(status)];
}

}  // namespace

/// If the stream breaks on a collected input, this step's own outcome is returned.
Task<std::optional<std::string>> Runtime::Step::call_streaming(UserCode& code, const UserCall& call,
                                                               StreamedInput& stream,
                                                               UserResult& result) {
  std::exception_ptr error;
  try {
    result = co_await code.call(call, wait);
  } catch (...) {
    error = std::current_exception();
  }
  co_return co_await end_stream(stream, std::move(error));
}

Task<void> Runtime::Step::run_and_commit(UserCode& code, json::View input, StreamedInput* stream) {
  const UserCall call{function.name(),
                      report.instance,
                      report.session,
                      input,
                      traceparent,
                      payload.retry.attempt - 1 + delivery,
                      std::chrono::seconds(ir().timeout_seconds.value_or(0)),
                      stream};
  waits_for("user code");
  UserResult result;
  if (stream == nullptr) {
    result = co_await code.call(call, wait);
  } else {
    std::optional<std::string> outcome = co_await call_streaming(code, call, *stream, result);
    if (outcome) {
      co_await adopt(std::move(*outcome));
      co_return;
    }
  }
  report.user_code_ran = true;
  if (!result.succeeded) {
    co_await fail(std::move(result.error), std::move(result.cause),
                  stream == nullptr ? &input : nullptr);
    co_return;
  }
  const json::View value = result.value;
  const Plan plan = make_plan(ir(), payload.frames, value);
  const auto too_large = [&](const PlannedChild& child) { return is_too_large(child); };
  // What ends a session that is collected is kept: nothing else would bring it back.
  const bool ends = report.collects && plan.empty();
  if (ends || is_checkpointed(ir(), runtime.options_.checkpoint_default) ||
      std::any_of(plan.children.begin(), plan.children.end(), too_large)) {
    const bool mine = co_await commit(plan, value);
    if (!mine) co_return;
  } else {
    co_await follow(plan, {});
  }
  finish(std::move(result.value));
}

/// Writes the outcome, create-if-absent, and goes on from whatever stands there then: another one
/// is adopted, to its end.
Task<bool> Runtime::Step::commit(const Plan& plan, std::string_view outcome) {
  const std::vector<FanIn> fan_ins = fan_ins_of(plan);
  waits_for("the store: its outcome to be written");
  std::optional<SessionContext> kept;
  if (report.collects) kept = context.with_redelivery(beside_outcome(plan));
  CommitResult written = co_await store().commit(kept ? *kept : context, outcome, fan_ins, wait);
  report.has_outcome = true;
  if (written.write.status == WriteResult::Status::already_there &&
      written.write.stored != outcome) {
    co_await adopt(std::move(written.write.stored));
    co_return false;
  }
  stored_outcome = outcome;
  co_await follow(plan, std::move(written.fan_ins));
  co_return true;
}

/// Goes on from an outcome that is already stored; user code does not run (again).
Task<void> Runtime::Step::adopt(std::string stored) {
  stored_outcome = stored;
  report.adopted = true;
  report.status = StepReport::Status::succeeded;
  report.error.clear();
  report.cause.clear();
  const StoredOutcome outcome =
      StoredOutcome::read(stored, "the stored outcome of " + report.instance);
  report.has_outcome = true;
  report.was_collected = outcome.kind == StoredOutcome::Kind::collected;
  if (report.was_collected) co_return;  // all that follows is done
  Plan plan;
  if (outcome.kind == StoredOutcome::Kind::caught_failure) {
    report.status = StepReport::Status::caught;
    StoredFailure failure = read_failure(outcome.value);
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
  const bool is_whole = outcome.value.size() == stored.size();
  finish(is_whole ? json::Text::trusted(std::move(stored)) : json::Text(outcome.value));
}

/// Runs the edges. They are independent: one that fails does not stop the others, then the step
/// fails.
Task<void> Runtime::Step::follow(const Plan& plan, std::vector<FanInState> states) {
  EdgeErrors errors;
  prepare_collecting(plan);
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
  const bool keeps = runtime.invoker_.keeps_every_delivery();
  const bool confirms = !keeps && runtime.invoker_.accepts_at_once();
  if (state.status == FanInState::Status::taken && !keeps) {
    const bool done = co_await is_confirmed(fan_in.aggregator);
    if (done) co_return;
  } else if (state.status != FanInState::Status::claimed) {
    co_return;
  }
  waits_for("the platform: an aggregator's invocation");
  // Both kinds of set are lists of this runtime's: FanInListReader made the observer's.
  const auto& list = static_cast<const FanInList&>(*set);
  Invocation invocation{
      *fan_in.target, fan_in.aggregator, fan_in_origin(*set),
      payload_by_reference(store().type(), list.names(), report.session, list.frames(), traceparent,
                           gc_of_aggregator(fan_in, list.names()))};
  co_await runtime.invoker_.invoke(std::move(invocation), wait);
  ++report.invocations;
  if (!confirms) co_return;
  waits_for("the store: a fan-in's confirmation");
  const ItemId confirmation{fan_in.aggregator, ItemKind::invoked};
  std::string owner;
  json::append_string(owner, report.instance);
  co_await store().put(context, confirmation, owner, wait);
}

/// Whether the aggregator of a claim of another's is known to have been invoked: that was said, or,
/// where nobody says it before it is true, it has an outcome. Either may be about to come: a second
/// look after a while spares most invocations that nobody needs.
Task<bool> Runtime::Step::is_confirmed(const std::string& aggregator) {
  waits_for("the store: a fan-in's confirmation");
  const bool is_said = runtime.invoker_.accepts_at_once();
  const ItemId sign{aggregator, is_said ? ItemKind::invoked : ItemKind::outcome};
  std::optional<std::string> found = co_await store().get(context, sign, wait);
  if (found) co_return true;
  const Deadline second_look = store().reactor().now() + runtime.options_.confirmation_patience;
  co_await store().reactor().sleep_until(std::min(second_look, wait.deadline), wait.stop);
  found = co_await store().get(context, sign, wait);
  co_return found.has_value();
}

Task<void> Runtime::Step::invoke_children(const Plan& plan) {
  EdgeErrors errors;
  auto invoke_one = [&](std::size_t i) -> Task<void> {
    const PlannedChild& child = plan.children[i];
    const Edge& edge = *child.edge;
    Invocation invocation{edge.target, instance_name(edge.target, child.frames), edge_origin(edge),
                          payload_of(child)};
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

/// Whether the child's payload would be larger than the host takes.
bool Runtime::Step::is_too_large(const PlannedChild& child) const {
  constexpr std::size_t kOtherBytes = 1024;
  const std::size_t other_bytes =
      kOtherBytes + report.session.size() + child.frames.size() * 64 + gc_of_children.size();
  const std::size_t bytes_max = runtime.invoker_.payload_bytes_max();
  return child.value.size() > bytes_max || other_bytes > bytes_max - child.value.size();
}

json::Text Runtime::Step::payload_of(const PlannedChild& child) const {
  const InputType type = child.edge->input_type;
  if (stored_outcome.empty() || type == InputType::error || !is_too_large(child)) {
    return payload_by_value(child.value, report.session, child.frames, traceparent, gc_of_children);
  }
  if (type == InputType::scalar) {
    return payload_by_pointer(store().type(), report.instance, report.session, child.frames,
                              traceparent, gc_of_children);
  }
  const auto offset = static_cast<std::size_t>(child.value.text().data() - stored_outcome.data());
  return payload_by_element(
      store().type(), report.instance, static_cast<std::size_t>(child.frames.front().index),
      {offset, child.value.size()}, report.session, child.frames, traceparent, gc_of_children);
}

/// "Load, edge 2 (Map)": two edges of one instance are two ways.
std::string Runtime::Step::edge_origin(const Edge& edge) const {
  const auto number = static_cast<std::size_t>(&edge - ir().edges.data()) + 1;
  std::string origin = report.instance;
  if (ir().edges.size() == 1) return origin;
  return origin.append(", edge ").append(std::to_string(number));
}

void Runtime::Step::finish(json::Text result) {
  report.result_bytes = result.size();
  if (report.invocations == 0 && report.fan_ins.empty() &&
      report.status == StepReport::Status::succeeded) {
    report.result.emplace(std::move(result));
  }
}

std::string fan_in_origin(const FanInSet& set) { return "fan-in " + set.digest(); }

}  // namespace unum
