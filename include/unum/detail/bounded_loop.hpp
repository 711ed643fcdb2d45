// What for_each_bounded returns. No API: the compiler has to see this type, users only co_await it.
#pragma once

#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <utility>
#include <vector>

#include "unum/task.hpp"

namespace unum::detail {

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
  // The slots point here: the loop is constructed where it is awaited, and never moves.
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

}  // namespace unum::detail
