// What becomes of a step that failed: another attempt, an edge for errors, or a report.
#include <optional>
#include <string>
#include <utility>

#include "runtime/step.hpp"
#include "workflow/stored_outcome.hpp"

namespace unum {

/// A final error of the work fails the step: the same step would meet it again, and neither Retry
/// nor an edge takes it. All others leave the step undone.
Task<void> Runtime::Step::or_report(Task<void> work) {
  std::optional<Error> final_error;
  try {
    co_await std::move(work);
  } catch (const Error& error) {
    if (error.delivery() != Delivery::final) throw;
    final_error = error;
  }
  if (!final_error) co_return;
  // One that was met while a failure was looked after is reported with it.
  std::string cause = final_error->message();
  if (!report.error.empty()) {
    cause += "; it was met while the step's own failure was handled: " + report.error + ": " +
             report.cause;
  }
  report.error = final_error->code();
  report.cause = std::move(cause);
  co_await report_failure();
}

/// A failure of user code or of its process. `input` is the step's, null where it is not held.
Task<void> Runtime::Step::fail(std::string error, std::string cause, const json::View* input) {
  report.error = std::move(error);
  report.cause = std::move(cause);
  const bool tries_again = co_await try_again();
  if (tries_again) co_return;
  json::Text failure = failure_json(report.error, report.cause);
  const Edge* const catcher = find_catcher(ir(), payload.frames, failure);
  if (catcher == nullptr) {
    co_await report_failure();
    co_return;
  }
  std::optional<std::string> outcome;
  if (needs_input(*catcher)) outcome = co_await add_input(failure, input);
  if (outcome) {
    co_await adopt(std::move(*outcome));
  } else {
    co_await catch_failure(failure);
  }
}

/// Hands the platform the next attempt of `Retry`, if there is one. The attempt stands in its
/// payload alone: two deliveries of one attempt that both fail ask for the same next one.
Task<bool> Runtime::Step::try_again() {
  const std::optional<NextAttempt> next =
      next_attempt(ir().retriers, payload.retry, report.error, report.cause);
  if (!next) co_return false;
  Reactor& reactor = store().reactor();
  const Retrier& retrier = ir().retriers[next->retrier];
  const auto delay = retry_delay(retrier, next->uses, reactor.random_fraction());
  check_delays(runtime.invoker_, function);
  Invocation invocation{function.name(),
                        report.instance,
                        report.instance + ", tried again",
                        payload_of_attempt(payload, report.session, next->state),
                        next->state.attempt,
                        reactor.wall_time() + delay};
  const WallTime not_before = invocation.not_before;
  log::info(LogArea::runtime, about(), "attempt {} follows in {} ms: {}", next->state.attempt,
            delay.count(), report.error);
  waits_for("the platform: its next attempt");
  co_await runtime.invoker_.invoke(std::move(invocation), wait);
  report.status = StepReport::Status::will_retry;
  report.not_before = not_before;
  co_return true;
}

/// Puts the step's input beside its failure. If a duplicate of this step has ended meanwhile, its
/// outcome is returned instead.
Task<std::optional<std::string>> Runtime::Step::add_input(json::Text& failure,
                                                          const json::View* input) {
  StepInput read;
  json::View value = payload.data.value;
  if (input != nullptr) {
    value = *input;
  } else if (payload.data.shape != PayloadData::Shape::value) {
    std::optional<std::string> outcome = co_await input_or_own_outcome(read, true);
    if (!outcome && read.stream) outcome = co_await take_whole(read);
    if (outcome) co_return outcome;
    value = read.text;
  }
  failure = failure_with_input(failure, value);
  co_return std::nullopt;
}

Task<void> Runtime::Step::catch_failure(const json::Text& failure) {
  const Plan plan = make_failure_plan(ir(), payload.frames, failure);
  report.status = StepReport::Status::caught;
  const std::string outcome = stored_failure(failure);
  const bool mine = co_await commit(plan, outcome);
  if (mine) report.result_bytes = failure.size();
}

Task<void> Runtime::Step::report_failure() {
  report.status = StepReport::Status::failed;
  waits_for("the store: its report of a failure");
  std::string text = failure_json(report.error, report.cause).text();
  text.insert(text.size() - 1, ",\"Attempt\":" + std::to_string(report.attempt));
  co_await store().put(context, own_item(ItemKind::report), text, wait);
}

}  // namespace unum
