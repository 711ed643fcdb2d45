// A gate: a task group that can be closed. Whoever is inside is counted; once it is closed nobody
// else gets in, and closing waits until all have left, or asks them to leave first.
//
// One thread only. A gate must outlive those inside and those that wait for its end.
#pragma once

#include <cstddef>
#include <string_view>
#include <utility>

#include "unum/assert.hpp"
#include "unum/detail/wait_list.hpp"
#include "unum/reactor.hpp"
#include "unum/stop.hpp"
#include "unum/task.hpp"
#include "unum/task_group.hpp"

namespace unum {

class Gate {
 public:
  explicit Gate(Reactor& reactor) noexcept : reactor_(reactor) {}
  ~Gate() { UNUM_ASSERT(inside_ == 0); }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  /// A place inside, from `enter` to the end of this object; false if the gate was closed.
  class [[nodiscard]] Pass {
   public:
    Pass() = default;
    Pass(Pass&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)) {}
    Pass& operator=(Pass&&) = delete;
    ~Pass() {
      if (gate_ != nullptr) gate_->leave();
    }
    explicit operator bool() const noexcept { return gate_ != nullptr; }

   private:
    friend class Gate;
    explicit Pass(Gate* gate) noexcept : gate_(gate) { ++gate->inside_; }
    Gate* gate_ = nullptr;
  };

  Pass enter() noexcept { return is_closed_ ? Pass() : Pass(this); }
  /// Runs the task inside; false, and the task never begins, if the gate was closed. The first
  /// exception of those that run so is thrown by the first `close` that waits for them.
  bool spawn(Task<void> task) {
    if (is_closed_) return false;
    tasks_.spawn(run_inside(enter(), std::move(task)));
    return true;
  }

  bool is_closed() const noexcept { return is_closed_; }
  std::size_t inside() const noexcept { return inside_; }
  /// Hears of `cancel`. For the waits of those inside.
  StopToken stop_token() noexcept { return stop_.token(); }

  /// Lets nobody else in; waits for nobody.
  void shut() noexcept { is_closed_ = true; }
  /// The same, and waits until all have left. Any number may wait, each of them any number of
  /// times.
  Task<void> close() {
    shut();
    while (inside_ > 0) co_await left_.wait(reactor_, Wait());
    co_await tasks_.drain();
  }
  /// The same, and asks those inside to leave.
  Task<void> cancel(std::string_view reason) {
    shut();
    stop_.request(reason);
    return close();
  }

 private:
  static Task<void> run_inside([[maybe_unused]] Pass pass, Task<void> task) {
    co_await std::move(task);
  }
  void leave() noexcept {
    if (--inside_ == 0) left_.wake_all();
  }

  Reactor& reactor_;
  bool is_closed_ = false;
  std::size_t inside_ = 0;
  detail::WaitList left_;
  StopSource stop_;
  TaskGroup tasks_;
};

}  // namespace unum
