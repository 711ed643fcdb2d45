// Many tasks at once: a group that must drain, and bounded loops over tasks. One thread only.
#pragma once

#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <utility>
#include <vector>

#include "unum/api.hpp"
#include "unum/assert.hpp"
#include "unum/task.hpp"

namespace unum {

/// Runs tasks beside each other. Every task that was spawned must have ended before the group dies:
/// `co_await group.drain()`. To end them early request a stop of the source whose token they hold.
class UNUM_API TaskGroup {
 public:
  TaskGroup() = default;
  ~TaskGroup() { UNUM_ASSERT(running_ == 0); }
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  /// Starts the task at once; it runs until its first suspension before this returns. If it throws,
  /// the first such exception of the group is kept for `drain`.
  void spawn(Task<void> task);

  std::size_t running() const noexcept { return running_; }

  /// What `drain` gives: awaited at once.
  struct Drain {
    TaskGroup& group;
    bool await_ready() const noexcept { return group.running_ == 0; }
    void await_suspend(std::coroutine_handle<> waiter) const noexcept {
      UNUM_ASSERT(!group.waiter_);
      group.waiter_ = waiter;
    }
    void await_resume() const { group.rethrow_first(); }
    /// For who wants a task of it.
    operator Task<void>() const { return as_task(group); }
  };
  /// Waits until nothing runs any more (tasks spawned meanwhile included), then throws the first
  /// exception that a task threw since the last drain, if any. One waiter at a time. Allocates
  /// nothing, so that a group can be drained whatever has failed.
  [[nodiscard]] Drain drain() noexcept { return Drain{*this}; }

 private:
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

namespace detail {

/// The state of a bounded loop: slots that each run one task after another.
template <class Make>
class BoundedLoop {
 public:
  BoundedLoop(std::size_t count, std::size_t in_flight_max, Make make)
      : count_(count),
        make_(std::move(make)),
        slots_(std::min(count, std::max<std::size_t>(1, in_flight_max))) {
    for (Slot& slot : slots_) slot.loop = this;
  }
  // The slots point here: it is made where it is awaited, and stays.
  BoundedLoop(const BoundedLoop&) = delete;
  BoundedLoop& operator=(const BoundedLoop&) = delete;

  bool await_ready() {
    ++running_;  // The loop itself, until all slots have begun: a task may end while another
                 // starts.
    for (Slot& slot : slots_) advance(slot);
    --running_;
    return running_ == 0;
  }
  void await_suspend(std::coroutine_handle<> waiter) noexcept { waiter_ = waiter; }
  void await_resume() {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  struct Slot {
    BoundedLoop* loop = nullptr;
    Task<void> task;
  };

  static void on_done(void* address) noexcept {
    auto& slot = *static_cast<Slot*>(address);
    BoundedLoop& loop = *slot.loop;
    --loop.running_;
    loop.take(slot);
    loop.advance(slot);
    if (loop.running_ == 0) loop.waiter_.resume();  // may destroy the loop
  }

  void take(Slot& slot) noexcept {
    try {
      slot.task.take();
    } catch (...) {
      if (!error_) error_ = std::current_exception();
    }
    slot.task = Task<void>();
  }

  void advance(Slot& slot) noexcept {
    while (next_ < count_ && !error_) {
      try {
        slot.task = make_(next_++);
      } catch (...) {
        error_ = std::current_exception();
        return;
      }
      ++running_;  // before it starts, since it may resume others that end
      if (!slot.task.start(&on_done, &slot)) return;
      --running_;
      take(slot);
    }
  }

  const std::size_t count_;
  Make make_;
  std::vector<Slot> slots_;
  std::size_t next_ = 0;
  std::size_t running_ = 0;  ///< Tasks that have begun, also those whose start has not returned.
  std::exception_ptr error_;
  std::coroutine_handle<> waiter_;
};

}  // namespace detail

/// Awaits `make(0)` to `make(count - 1)`, at most `in_flight_max` of them at once, each made only
/// when its turn comes. After the first exception no further task begins; those that run are
/// awaited, then it is thrown. `make` returns a Task<void>. Awaited at once, in the expression that
/// calls this.
template <class Make>
detail::BoundedLoop<Make> for_each_bounded(std::size_t count, std::size_t in_flight_max,
                                           Make make) {
  return detail::BoundedLoop<Make>(count, in_flight_max, std::move(make));
}

/// The results of all tasks, in their order, at most `in_flight_max` running at once.
template <class T>
Task<std::vector<T>> when_all(std::vector<Task<T>> tasks, std::size_t in_flight_max) {
  std::vector<T> results(tasks.size());
  co_await for_each_bounded(tasks.size(), in_flight_max, [&](std::size_t i) -> Task<void> {
    results[i] = co_await std::move(tasks[i]);
  });
  co_return results;
}

/// Awaits all tasks, at most `in_flight_max` running at once. No frame beside the tasks' own.
inline Task<void> when_all(std::vector<Task<void>> tasks, std::size_t in_flight_max) {
  co_await for_each_bounded(tasks.size(), in_flight_max,
                            [&](std::size_t i) { return std::move(tasks[i]); });
}

}  // namespace unum
