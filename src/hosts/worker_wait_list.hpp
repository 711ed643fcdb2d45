// Coroutines that wait for an event of this process: first come, first served, with deadline and
// stop.
#pragma once

#include <coroutine>
#include <cstddef>

#include "unum/reactor.hpp"

namespace unum {

class WorkerWaitList {
 public:
  enum class Outcome : unsigned char { waiting, woken, timeout, stopped };

  explicit WorkerWaitList(Reactor& reactor) noexcept : reactor_(reactor) {}
  ~WorkerWaitList() { UNUM_ASSERT(first_ == nullptr); }
  WorkerWaitList(const WorkerWaitList&) = delete;
  WorkerWaitList& operator=(const WorkerWaitList&) = delete;

  /// Awaited at once; it must not be destroyed while it waits.
  class [[nodiscard]] Awaiter final : private Timer, private Ready {
   public:
    Awaiter(WorkerWaitList& list, const Wait& wait) noexcept : list_(list), wait_(wait) {}
    bool await_ready() noexcept {
      if (!wait_.stop.stop_requested()) return false;
      outcome_ = Outcome::stopped;
      return true;
    }
    void await_suspend(std::coroutine_handle<> waiter) {
      waiter_ = waiter;
      run = [](Ready& ready) noexcept { static_cast<Awaiter&>(ready).waiter_.resume(); };
      if (wait_.deadline != kNoDeadline) {
        when = wait_.deadline;
        fire = [](Timer& timer) noexcept { static_cast<Awaiter&>(timer).leave(Outcome::timeout); };
        list_.reactor_.add_timer(*this);
      }
      stop_.link(
          wait_.stop,
          [](void* self) noexcept { static_cast<Awaiter*>(self)->leave(Outcome::stopped); }, this);
      list_.push(*this);
    }
    Outcome await_resume() const noexcept { return outcome_; }

   private:
    friend class WorkerWaitList;
    void settle(Outcome outcome) noexcept {
      list_.remove(*this);
      list_.reactor_.remove_timer(*this);
      stop_.unlink();
      outcome_ = outcome;
    }
    void leave(Outcome outcome) noexcept {
      settle(outcome);
      list_.reactor_.post(*this);
    }

    WorkerWaitList& list_;
    Wait wait_;
    StopCallback stop_;
    std::coroutine_handle<> waiter_;
    Awaiter* next_ = nullptr;
    Awaiter* previous_ = nullptr;
    Outcome outcome_ = Outcome::waiting;
  };

  Awaiter wait(const Wait& wait) noexcept { return Awaiter(*this, wait); }

  bool empty() const noexcept { return first_ == nullptr; }
  std::size_t size() const noexcept { return size_; }

  /// Wakes who has waited longest: in this call, or in this tick.
  void wake_first_here() noexcept {
    Awaiter& awaiter = *first_;
    awaiter.settle(Outcome::woken);
    awaiter.waiter_.resume();
  }
  void wake_first() noexcept { first_->leave(Outcome::woken); }
  void wake_all() noexcept {
    while (first_ != nullptr) wake_first();
  }
  /// Tells all of them to give up.
  void stop_all() noexcept {
    while (first_ != nullptr) first_->leave(Outcome::stopped);
  }

 private:
  void push(Awaiter& awaiter) noexcept {
    awaiter.previous_ = last_;
    (last_ != nullptr ? last_->next_ : first_) = &awaiter;
    last_ = &awaiter;
    ++size_;
  }
  void remove(Awaiter& awaiter) noexcept {
    (awaiter.previous_ != nullptr ? awaiter.previous_->next_ : first_) = awaiter.next_;
    (awaiter.next_ != nullptr ? awaiter.next_->previous_ : last_) = awaiter.previous_;
    --size_;
  }

  Reactor& reactor_;
  Awaiter* first_ = nullptr;
  Awaiter* last_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace unum
