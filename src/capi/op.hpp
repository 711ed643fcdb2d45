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
/// What the functions that give a pointer point to.
struct Shown {
  /// Stays as it is, with a text that it needs besides the result.
  std::variant<std::monostate, unum_report, unum_run_result> whole;
  std::string text;
  /// One of many, the one that was asked for last.
  std::variant<std::monostate, unum_item, unum_fan_in_state, unum_failure> part;
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

/// Begins an op with the task that `make(op)` returns; with an error if that throws one.
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

inline Shown& shown_of(Op& op) {
  if (!op.shown) op.shown = std::make_unique<Shown>();
  return *op.shown;
}
/// Keeps what a function is about to point to until the op is freed.
template <class Whole>
const Whole* show_whole(Op& op, const Whole& whole) {
  return &shown_of(op).whole.template emplace<Whole>(whole);
}
/// The same until another one is asked for.
template <class Part>
const Part* show_part(Op& op, const Part& part) {
  return &shown_of(op).part.template emplace<Part>(part);
}

}  // namespace unum::capi
