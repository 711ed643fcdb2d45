// Coroutines that wait for an event of another one, each with its own deadline and stop. One thread
// only.
//
// Woken waiters resume through the reactor's queue, in the order in which they waited, unless who
// wakes asks for it in its own call. Who gives up takes itself off the list. A list must outlive
// its waiters.
#pragma once

#include <cerrno>
#include <coroutine>
#include <cstddef>

#include "unum/assert.hpp"
#include "unum/reactor.hpp"

namespace unum {

class WaitList {
 public:
  WaitList() = default;
  ~WaitList() { UNUM_ASSERT(first_ == nullptr); }
  WaitList(const WaitList&) = delete;
  WaitList& operator=(const WaitList&) = delete;

  class [[nodiscard]] Awaiter final : private Timer, private Ready {
   public:
    Awaiter(WaitList& list, Reactor& reactor, const Wait& wait) noexcept
        : list_(list), reactor_(reactor), wait_(wait) {}
    bool await_ready() noexcept {
      if (!wait_.stop.stop_requested()) return false;
      result_ = -ECANCELED;
      return true;
    }
    void await_suspend(std::coroutine_handle<> waiter) {
      waiter_ = waiter;
      run = [](Ready& ready) noexcept { static_cast<Awaiter&>(ready).waiter_.resume(); };
      if (wait_.deadline != kNoDeadline) {
        when = wait_.deadline;
        fire = [](Timer& timer) noexcept { static_cast<Awaiter&>(timer).give_up(-ETIME); };
        reactor_.add_timer(*this);  // may throw: nothing else was done yet
      }
      list_.append(*this);
      stop_.link(
          wait_.stop, [](void* self) noexcept { static_cast<Awaiter*>(self)->give_up(-ECANCELED); },
          this);
    }
    /// 0 when woken, -ETIME or -ECANCELED.
    int await_resume() const noexcept { return result_; }

   private:
    friend class WaitList;
    void settle(int result) noexcept {
      list_.remove(*this);
      result_ = result;
      reactor_.remove_timer(*this);
      stop_.unlink();
    }
    void wake(int result) noexcept {
      settle(result);
      reactor_.post(*this);
    }
    void give_up(int result) noexcept {
      if (waiting_) wake(result);
    }

    WaitList& list_;
    Reactor& reactor_;
    const Wait wait_;
    std::coroutine_handle<> waiter_;
    StopCallback stop_;
    Awaiter* next_ = nullptr;
    Awaiter* previous_ = nullptr;
    int result_ = 0;
    bool waiting_ = false;
  };

  Awaiter wait(Reactor& reactor, const Wait& until) noexcept {
    return Awaiter(*this, reactor, until);
  }
  bool empty() const noexcept { return first_ == nullptr; }
  std::size_t size() const noexcept { return size_; }
  /// Wakes who has waited longest.
  void wake_one() noexcept {
    if (first_ != nullptr) first_->wake(0);
  }
  /// The same in this very call: what it does until it waits again is done when this returns.
  void wake_one_here() noexcept {
    if (first_ == nullptr) return;
    Awaiter& waiter = *first_;
    waiter.settle(0);
    waiter.waiter_.resume();
  }
  void wake_all() noexcept {
    while (first_ != nullptr) first_->wake(0);
  }
  /// Makes all of them give up, as their own stop would.
  void stop_all() noexcept {
    while (first_ != nullptr) first_->wake(-ECANCELED);
  }

 private:
  void append(Awaiter& waiter) noexcept {
    waiter.waiting_ = true;
    waiter.previous_ = last_;
    (last_ != nullptr ? last_->next_ : first_) = &waiter;
    last_ = &waiter;
    ++size_;
  }
  void remove(Awaiter& waiter) noexcept {
    waiter.waiting_ = false;
    (waiter.previous_ != nullptr ? waiter.previous_->next_ : first_) = waiter.next_;
    (waiter.next_ != nullptr ? waiter.next_->previous_ : last_) = waiter.previous_;
    --size_;
  }

  Awaiter* first_ = nullptr;
  Awaiter* last_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace unum
