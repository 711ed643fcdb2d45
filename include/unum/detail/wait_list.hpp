// Coroutines that wait for an event of another one, each with its own deadline and stop. One thread
// only. No API: what users have is unum/event.hpp.
//
// Woken waiters resume through the reactor's queue, in the order in which they waited, unless who
// wakes asks for it in its own call. Who gives up takes itself off the list. A list must outlive
// its waiters.
#pragma once

#include <cerrno>
#include <coroutine>
#include <cstddef>
#include <string_view>

#include "unum/api.hpp"
#include "unum/assert.hpp"
#include "unum/reactor.hpp"

namespace unum::detail {

class WaitList {
 public:
  WaitList() = default;
  ~WaitList() { UNUM_ASSERT(first_ == nullptr); }
  WaitList(const WaitList&) = delete;
  WaitList& operator=(const WaitList&) = delete;

  class [[nodiscard]] Awaiter final : private BoundedWait, private Ready {
   public:
    Awaiter(WaitList& list, Reactor& reactor, const Wait& wait) noexcept
        : BoundedWait(reactor, wait, &on_given_up), list_(list) {}
    bool await_ready() noexcept {
      if (!stop_requested()) return false;
      result_ = -ECANCELED;
      return true;
    }
    void await_suspend(std::coroutine_handle<> waiter) {
      run = [](Ready& ready) noexcept { static_cast<Awaiter&>(ready).resume(); };
      begin_wait(waiter);  // may throw: nothing else was done yet
      list_.append(*this);
    }
    /// 0 when woken, -ETIME or -ECANCELED.
    int await_resume() const noexcept { return result_; }

   private:
    friend class WaitList;
    void settle(int result) noexcept {
      list_.remove(*this);
      result_ = result;
      end_wait();
    }
    void wake(int result) noexcept {
      settle(result);
      reactor().post(*this);
    }
    static void on_given_up(BoundedWait& wait, int why) noexcept {
      static_cast<Awaiter&>(wait).wake(why);
    }

    WaitList& list_;
    Awaiter* next_ = nullptr;
    Awaiter* previous_ = nullptr;
    int result_ = 0;
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
    waiter.resume();
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
    waiter.previous_ = last_;
    (last_ != nullptr ? last_->next_ : first_) = &waiter;
    last_ = &waiter;
    ++size_;
  }
  void remove(Awaiter& waiter) noexcept {
    (waiter.previous_ != nullptr ? waiter.previous_->next_ : first_) = waiter.next_;
    (waiter.next_ != nullptr ? waiter.next_->previous_ : last_) = waiter.previous_;
    --size_;
  }

  Awaiter* first_ = nullptr;
  Awaiter* last_ = nullptr;
  std::size_t size_ = 0;
};

/// Throws the error of a wait for `what` that ended in -ETIME or -ECANCELED: `timeout`
/// "Unum.Timeout" or `cancelled` "Unum.Cancelled".
[[noreturn]] UNUM_API void throw_not_woken(int result, std::string_view what, const Wait& wait);

}  // namespace unum::detail
