// Several tasks at once: a group that must be drained, and bounded loops over tasks. One thread
// only.
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <utility>
#include <vector>

#include "unum/api.hpp"
#include "unum/assert.hpp"
#include "unum/detail/bounded_loop.hpp"
#include "unum/task.hpp"

namespace unum {

/// Runs tasks concurrently. Every spawned task must have ended before the group is destroyed:
/// `co_await group.drain()`. To end them early, request a stop from the source whose token they
/// hold.
class UNUM_API TaskGroup {
  struct Drain;

 public:
  TaskGroup() = default;
  ~TaskGroup() { UNUM_ASSERT(running_ == 0); }
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  /// Starts the task, which runs until its first suspension before this returns. The first
  /// exception that a task of the group throws is kept for `drain`.
  void spawn(Task<void> task);

  std::size_t running() const noexcept { return running_; }

  /// Waits until no task is running, including those spawned meanwhile, then rethrows the first
  /// exception since the last drain, if any. Await it in the same expression; one waiter at a time.
  /// Allocates nothing, so a group can be drained even when memory is exhausted.
  [[nodiscard]] Drain drain() noexcept { return Drain{*this}; }

 private:
  struct Drain {
    TaskGroup& group;
    bool await_ready() const noexcept { return group.running_ == 0; }
    void await_suspend(std::coroutine_handle<> waiter) const noexcept {
      UNUM_ASSERT(!group.waiter_);
      group.waiter_ = waiter;
    }
    void await_resume() const { group.rethrow_first(); }
    /// Where a Task is needed, at the cost of a coroutine frame.
    operator Task<void>() const { return as_task(group); }
  };
  struct Spawned {
    TaskGroup* group;
    Task<void> task;
  };
  static void on_done(void* spawned) noexcept;
  void collect(Spawned* spawned) noexcept;

  void rethrow_first();
  static Task<void> as_task(TaskGroup& group);

  std::size_t running_ = 0;
  std::exception_ptr error_;
  std::coroutine_handle<> waiter_;
};

/// Awaits the tasks `make(0)` to `make(count - 1)`, at most `in_flight_max` of them at once; each
/// is created when its turn comes. `make` returns a Task<void>. After the first exception no
/// further task starts; the running ones are awaited, then it is rethrown. Await it in the same
/// expression.
template <class Make>
detail::BoundedLoop<Make> for_each_bounded(std::size_t count, std::size_t in_flight_max,
                                           Make make) {
  return detail::BoundedLoop<Make>(count, in_flight_max, std::move(make));
}

/// The results of all tasks, in the order of the tasks, with at most `in_flight_max` running at
/// once. Throws as `for_each_bounded` does.
template <class T>
Task<std::vector<T>> when_all(std::vector<Task<T>> tasks, std::size_t in_flight_max) {
  std::vector<T> results(tasks.size());
  co_await for_each_bounded(tasks.size(), in_flight_max, [&](std::size_t i) -> Task<void> {
    results[i] = co_await std::move(tasks[i]);
  });
  co_return results;
}

/// Awaits all tasks, with at most `in_flight_max` running at once.
inline Task<void> when_all(std::vector<Task<void>> tasks, std::size_t in_flight_max) {
  co_await for_each_bounded(tasks.size(), in_flight_max,
                            [&](std::size_t i) { return std::move(tasks[i]); });
}

}  // namespace unum
