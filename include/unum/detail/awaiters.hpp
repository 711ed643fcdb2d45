// What the reactor's calls return. No API: the compiler has to see these types, users only
// co_await them.
#pragma once

#include <cerrno>
#include <coroutine>
#include <cstddef>
#include <cstdint>

#include "unum/api.hpp"
#include "unum/assert.hpp"
#include "unum/stop.hpp"
#include "unum/time.hpp"
#include "unum/timer.hpp"
#include "unum/wait.hpp"

namespace unum {
class Reactor;
}  // namespace unum

namespace unum::detail {

enum class Opcode : std::uint8_t {
  nop,
  open_at,
  close,
  read,   ///< At an offset, of a file.
  write,  ///< At an offset, to a file.
  sync_data,
  sync_all,
  statx,
  link_at,
  rename_at,
  unlink_at,
  make_dir_at,
  call,  ///< A plain function on a helper thread, for what the kernel cannot do asynchronously.
  // Those that wait for a peer come last.
  stream_read,   ///< Of a pipe, socket or terminal: waits until there is something.
  stream_write,  ///< To a pipe, socket or terminal: waits until there is room; may be partial.
  poll,          ///< One-shot readiness of any descriptor.
};

/// A system call's arguments. Which fields count depends on the opcode.
struct Request {
  Opcode opcode = Opcode::nop;
  std::int32_t fd = -1;
  std::int32_t fd2 = -1;
  std::uint32_t flags = 0;
  std::uint32_t mode = 0;  ///< Permissions, a statx mask, or poll events.
  void* address = nullptr;
  const void* address2 = nullptr;
  std::uint64_t length = 0;
  std::uint64_t offset = 0;
};

/// One request and its completion. It lives in its awaiter (nothing is allocated for a request);
/// its address identifies it in the kernel until it has completed.
struct Operation : Ready {
  enum class State : std::uint8_t { idle, queued, in_flight, done };
  enum class Cancel : std::uint8_t { none, wanted, sent };

  Request request{};
  std::int32_t result = 0;
  State state = State::idle;
  Cancel cancelling = Cancel::none;
  std::uint8_t completions_due = 0;  ///< Of the request itself and of its cancellation.
  Operation* next = nullptr;         ///< Lists of the port.
  Operation* previous = nullptr;

  Operation() = default;
  explicit Operation(const Request& what) noexcept : request(what) {}
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;
  ~Operation() { UNUM_ASSERT(state == State::idle || state == State::done); }
};

/// The base of awaiters that wait for an event within a Wait's bounds: the timer of the deadline
/// and the callback of the stop. Neither copied nor moved.
class UNUM_API BoundedWait : private Timer {
 public:
  BoundedWait(const BoundedWait&) = delete;
  BoundedWait& operator=(const BoundedWait&) = delete;

 protected:
  /// Called with -ETIME or -ECANCELED, each at most once, until `end_wait`. Never called from
  /// inside `begin_wait`: `await_ready` checks first whether a stop was requested.
  using GiveUp = void (*)(BoundedWait& self, int why) noexcept;

  BoundedWait(Reactor& reactor, const Wait& wait, GiveUp give_up) noexcept
      : reactor_(reactor), token_(wait.stop), give_up_(give_up) {
    when = wait.deadline;
  }
  ~BoundedWait() = default;

  bool stop_requested() const noexcept { return token_.stop_requested(); }
  /// Arms the timer if there is a deadline, and links the stop callback. May throw std::bad_alloc;
  /// then neither is done.
  void begin_wait(std::coroutine_handle<> waiter);
  void end_wait() noexcept;
  void resume() const { waiter_.resume(); }
  Deadline deadline() const noexcept { return when; }
  Reactor& reactor() const noexcept { return reactor_; }

 private:
  Reactor& reactor_;
  StopToken token_;
  GiveUp give_up_;
  std::coroutine_handle<> waiter_;
  StopCallback stop_;
};

/// Awaits one operation. Neither copied nor moved.
class [[nodiscard]] UNUM_API OperationAwaiter final : private Operation, private BoundedWait {
 public:
  OperationAwaiter(Reactor& reactor, const Wait& wait, const Request& what) noexcept
      : Operation(what), BoundedWait(reactor, wait, &on_given_up) {}
  bool await_ready() noexcept {
    if (!stop_requested()) return false;
    interrupted_ = result = -ECANCELED;
    return true;
  }
  void await_suspend(std::coroutine_handle<> waiter);
  int await_resume() noexcept {
    // -EINTR: the kernel broke off an attempt that was under way, because it was cancelled.
    const bool ended = result == -ECANCELED || result == -EINTR;
    return interrupted_ != 0 && ended ? interrupted_ : result;
  }

 private:
  static void on_done(Ready& ready) noexcept;
  static void on_given_up(BoundedWait& wait, int why) noexcept;

  int interrupted_ = 0;  ///< -ETIME or -ECANCELED once the wait was given up.
};

/// Awaits a point in time: true when it came, false when a stop was requested first.
class [[nodiscard]] UNUM_API SleepAwaiter final : private BoundedWait, private Ready {
 public:
  SleepAwaiter(Reactor& reactor, Deadline until, StopToken stop) noexcept
      : BoundedWait(reactor, {until, stop}, &on_ended) {}
  bool await_ready() const noexcept { return stop_requested(); }
  void await_suspend(std::coroutine_handle<> waiter);
  bool await_resume() const noexcept { return came_; }

 private:
  static void on_ended(BoundedWait& wait, int why) noexcept;

  bool came_ = false;
};

/// Lets everything else that is ready run first.
class [[nodiscard]] UNUM_API YieldAwaiter final : private Ready {
 public:
  explicit YieldAwaiter(Reactor& reactor) noexcept : reactor_(reactor) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) noexcept;
  void await_resume() const noexcept {}

 private:
  Reactor& reactor_;
  std::coroutine_handle<> waiter_;
};

}  // namespace unum::detail
