// Ops: a task each, its end, and what it gave.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "capi/loop.hpp"
#include "unum/run.hpp"
#include "unum/runtime.hpp"
#include "unum/store.hpp"
#include "unum/task.hpp"
#include "unum/timer.hpp"

namespace unum::capi {

using Values = std::vector<std::optional<std::string>>;
using States = std::vector<FanInState>;
struct OpenedStore {
  HandleNumber handle = 0;
};
/// What an op can give. What is large is elsewhere, since most ops give a number.
using Result = std::variant<std::monostate, std::int64_t, Values, WriteResult, States,
                            std::vector<ListedItem>, OpenedStore, std::unique_ptr<CommitResult>,
                            std::unique_ptr<StepReport>, std::unique_ptr<RunResult>>;
/// What the functions that give a pointer point to, and text that it needs besides the result.
struct Shown {
  std::variant<std::monostate, unum_item, unum_fan_in_state, unum_report, unum_run_result,
               unum_failure>
      what;
  std::string text;
};

/// Owned by its handle, and by itself until it has ended.
struct Op final : Ready {
  explicit Op(Loop& own) noexcept : Ready{nullptr, &Op::on_ended}, loop(own) {}
  ~Op() = default;
  Op(const Op&) = delete;
  Op& operator=(const Op&) = delete;

  /// For the calls of its task.
  Wait wait() noexcept { return {deadline, stop.token()}; }
  /// Runs its task until that waits for something.
  void begin(std::shared_ptr<Op> self) noexcept;
  /// Cancels it, and calls nobody at its end.
  void abandon() noexcept;

  Loop& loop;
  HandleNumber handle = 0;
  std::shared_ptr<Op> keeps_itself;
  Op* previous_running = nullptr;
  Op* next_running = nullptr;
  Task<void> task;
  StopSource stop;
  Deadline deadline = kNoDeadline;
  unum_done done = nullptr;
  void* user = nullptr;
  unum_status status = UNUM_PENDING;
  std::unique_ptr<ErrorText> error;
  Result result;
  std::unique_ptr<Shown> shown;

 private:
  static void on_ended(Ready& op) noexcept;
};

/// An op that is about to begin: with its handle, and the bounds of `start`.
std::shared_ptr<Op> new_op(Loop& loop);
/// Begins it with the task that `make(op)` returns; with an error if that throws one.
unum_op* begin_op(Loop& loop, const unum_start* start,
                  const std::function<Task<void>(Op&)>& make) noexcept;

/// What the op gave, if it has ended well and that is a `Given`; else null.
template <class Given>
const Given* given_by(const Op& op) noexcept {
  return op.status == UNUM_OK ? std::get_if<Given>(&op.result) : nullptr;
}
template <class Given>
const Given* large_given_by(const Op& op) noexcept {
  const auto* given = given_by<std::unique_ptr<Given>>(op);
  return given != nullptr ? given->get() : nullptr;
}

/// Keeps what a function is about to point to, until the op is freed or it is asked again.
template <class What>
const What* show(Op& op, const What& what) {
  if (!op.shown) op.shown = std::make_unique<Shown>();
  return &op.shown->what.template emplace<What>(what);
}

}  // namespace unum::capi
