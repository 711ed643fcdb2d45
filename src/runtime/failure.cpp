// What becomes of a step that failed.
#include <optional>
#include <string>
#include <utility>

#include "runtime/step.hpp"
#include "workflow/stored_outcome.hpp"

namespace unum {

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

}  // namespace unum
