// What tasks wait for: an event that another task sets, and a bounded channel that carries values
// from tasks to tasks, such as payloads from whoever receives them to whoever runs their steps. One
// thread only; nobody polls.
#pragma once

#include <cerrno>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "unum/api.hpp"
#include "unum/assert.hpp"
#include "unum/detail/wait_list.hpp"
#include "unum/error.hpp"
#include "unum/reactor.hpp"
#include "unum/task.hpp"
#include "unum/wait.hpp"

namespace unum {

/// Set or not. While it is not, tasks can wait for it. It must outlive them.
class Event {
 public:
  explicit Event(Reactor& reactor) noexcept : reactor_(reactor) {}

  bool is_set() const noexcept { return is_set_; }
  /// All that wait go on, in the order in which they began to, through the reactor's queue. Who
  /// comes later does not wait, until `clear`.
  void set() noexcept {
    is_set_ = true;
    waiters_.wake_all();
  }
  void clear() noexcept { is_set_ = false; }

  /// Returns once it was set, at once if it is, even if it was cleared since. When `wait` ends
  /// before, throws `timeout` "Unum.Timeout" or `cancelled` "Unum.Cancelled", which name `what`.
  Task<void> wait(Wait wait = {}, std::string_view what = "an event") {
    if (is_set_) co_return;
    const int woken = co_await waiters_.wait(reactor_, wait);
    if (woken < 0) detail::throw_not_woken(woken, what, wait);
  }

 private:
  Reactor& reactor_;
  detail::WaitList waiters_;
  bool is_set_ = false;
};

/// Up to `capacity` values on their way. Each goes to one receiver, in the order in which they were
/// accepted. Any number of tasks may send and receive; the channel must outlive those that wait.
template <class T>
class Channel {
 public:
  /// `capacity`: 1 at least.
  Channel(Reactor& reactor, std::size_t capacity) noexcept
      : reactor_(reactor), capacity_(capacity) {
    UNUM_ASSERT(capacity > 0);
  }

  std::size_t size() const noexcept { return values_.size(); }
  std::size_t capacity() const noexcept { return capacity_; }
  bool is_closed() const noexcept { return is_closed_; }

  /// Waits while the channel is full. False if it was closed, also meanwhile: `value` is then lost.
  /// When `wait` ends before, throws `timeout` "Unum.Timeout" or `cancelled` "Unum.Cancelled".
  Task<bool> send(T value, Wait wait = {}) {
    while (!is_closed_ && values_.size() >= capacity_) {
      const int woken = co_await senders_.wait(reactor_, wait);
      if (woken < 0) detail::throw_not_woken(woken, "room in a channel", wait);
    }
    co_return try_send(value);
  }
  /// False if the channel is full or closed; `value` is then as it was.
  bool try_send(T& value) {
    if (is_closed_ || values_.size() >= capacity_) return false;
    values_.push_back(std::move(value));
    receivers_.wake_one();
    return true;
  }
  bool try_send(T&& value) { return try_send(value); }

  /// Waits while the channel is empty. Nothing once it is closed and all that was in it was taken.
  /// When `wait` ends before, throws `timeout` "Unum.Timeout" or `cancelled` "Unum.Cancelled".
  Task<std::optional<T>> receive(Wait wait = {}) {
    while (!is_closed_ && values_.empty()) {
      const int woken = co_await receivers_.wait(reactor_, wait);
      if (woken < 0) detail::throw_not_woken(woken, "a value in a channel", wait);
    }
    co_return try_receive();
  }
  /// Nothing if the channel is empty.
  std::optional<T> try_receive() {
    if (values_.empty()) return std::nullopt;
    std::optional<T> value(std::move(values_.front()));
    values_.pop_front();
    senders_.wake_one();
    return value;
  }

  /// Takes no more values. Those that are there can still be received. Again: nothing.
  void close() noexcept {
    is_closed_ = true;
    senders_.wake_all();
    receivers_.wake_all();
  }

 private:
  Reactor& reactor_;
  const std::size_t capacity_;
  std::deque<T> values_;
  detail::WaitList senders_;
  detail::WaitList receivers_;
  bool is_closed_ = false;
};

}  // namespace unum
