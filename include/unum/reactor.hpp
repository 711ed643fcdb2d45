// The reactor: one thread, one io_uring (or epoll where the kernel refuses one), all I/O of a
// process.
//
// Everything here belongs to the thread that made the reactor. Awaitables are used at once:
// `int n = co_await reactor.read(fd, buffer, 0);`. Results are those of the system call: >= 0, or a
// negative errno; -ETIME when the deadline passed first, -ECANCELED when a stop was requested. An
// operation that succeeded although it was being cancelled reports its success. Buffers and paths
// must live until the co_await returns, and they may die right after it: it returns only when the
// kernel no longer has them.
#pragma once

#include <sys/stat.h>

#include <cerrno>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "unum/api.hpp"
#include "unum/stop.hpp"
#include "unum/task.hpp"
#include "unum/time.hpp"

namespace unum {

class Reactor;
class Port;

/// How long to wait, and for whom to stop waiting.
struct Wait {
  Deadline deadline = kNoDeadline;
  StopToken stop{};
};

/// A node of the queue of things to run; lives in its owner.
struct Ready {
  Ready* next_ready;  ///< Set by the queue.
  void (*run)(Ready&) noexcept;
};

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
  call,  ///< A plain function on a helper thread, for what the kernel offers no asynchronous way.
  // Those that wait for a peer come last.
  stream_read,   ///< Of a pipe, socket or terminal: waits until there is something.
  stream_write,  ///< To a pipe, socket or terminal: waits until there is room; may be partial.
  poll,          ///< One-shot readiness of any descriptor.
};

/// What is asked of the kernel. Which fields count depends on the opcode.
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

/// A place in the reactor's heap of timers; lives in its owner.
struct Timer {
  Deadline when = kNoDeadline;
  std::size_t heap_index = kNotInHeap;
  void (*fire)(Timer&) noexcept = nullptr;

  ~Timer() { UNUM_ASSERT(heap_index == kNotInHeap); }

  static constexpr std::size_t kNotInHeap = static_cast<std::size_t>(-1);
};

/// What every wait for an event has in common: it ends early at its deadline or at a request to
/// stop, whichever is first. The base of awaiters; neither copied nor moved.
class UNUM_API BoundedWait : private Timer {
 public:
  BoundedWait(const BoundedWait&) = delete;
  BoundedWait& operator=(const BoundedWait&) = delete;

 protected:
  /// Called with -ETIME or -ECANCELED, each once at most, until `end_wait`; never from inside
  /// `begin_wait`, since `await_ready` looks for a stop first.
  using GiveUp = void (*)(BoundedWait& self, int why) noexcept;

  BoundedWait(Reactor& reactor, const Wait& wait, GiveUp give_up) noexcept
      : reactor_(reactor), token_(wait.stop), give_up_(give_up) {
    when = wait.deadline;
  }
  ~BoundedWait() = default;

  bool stop_requested() const noexcept { return token_.stop_requested(); }
  /// Sets the timer if there is a deadline and listens for the stop. May throw std::bad_alloc;
  /// nothing has begun then.
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

/// Awaits one operation. Made by the reactor's calls below; neither copied nor moved.
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
    // -EINTR: the kernel broke off an attempt that was under way, because we asked for its end.
    const bool ended = result == -ECANCELED || result == -EINTR;
    return interrupted_ != 0 && ended ? interrupted_ : result;
  }

 private:
  static void on_done(Ready& ready) noexcept;
  static void on_given_up(BoundedWait& wait, int why) noexcept;

  int interrupted_ = 0;  ///< -ETIME or -ECANCELED once the wait was given up.
};

/// Awaits a point of time: true if it came, false if a stop was requested before.
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

/// A watch on a descriptor that another library owns. The generation tells a slot's users apart, so
/// that a late event of a closed descriptor reaches nobody.
struct WatchId {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
  friend bool operator==(const WatchId&, const WatchId&) = default;
};

class WatchTable;
class TimerHeap;

class UNUM_API Reactor {
 public:
  enum class Backend : std::uint8_t {
    automatic,
    uring,
    epoll,
    simulated,  ///< None of the kernel's: a test or a simulator drives time and randomness.
  };

  struct Options {
    /// `automatic`: what UNUM_REACTOR=uring|epoll says, else io_uring if the kernel allows it, else
    /// epoll.
    Backend backend = Backend::automatic;
    /// Helper threads at most, started when first needed: file operations on epoll, `call` on both.
    unsigned helper_threads_max = 4;
  };

  /// Throws `invalid` for an unknown UNUM_REACTOR, `denied` or `not_found` when a demanded backend
  /// is not to be had, `exhausted` when descriptors are (which is never taken for "not here").
  /// SIGPIPE is ignored from then on, unless the process has a handler of its own for it.
  Reactor() : Reactor(Options{}) {}
  explicit Reactor(const Options& options);
  /// Every task must have ended: an operation in flight is a defect and asserts.
  ~Reactor();
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  /// The backend in use, never `automatic`.
  Backend backend() const noexcept;
  /// What was chosen and why, in one line for people: "io_uring (SINGLE_ISSUER, DEFER_TASKRUN)", or
  /// "epoll: io_uring_setup was refused with EPERM (a seccomp profile, usually)".
  const std::string& backend_reason() const noexcept { return backend_reason_; }

  // --- Running ------------------------------------------------------------------------------

  /// Runs the loop until the task ends; its result or its exception. Not from inside a task.
  template <class T>
  T run(Task<T> task) {
    if (!task.start([](void*) noexcept {}, nullptr)) {
      while (!task.done()) run_once(kNoDeadline);
    }
    return task.take();
  }
  /// The same for anything else that can be awaited and has no result, `group.drain()` for example.
  template <class Awaitable>
  void run(Awaitable awaitable) {
    run(await(awaitable));
  }

  /// One tick: submits what is queued, waits until something completes, a timer is due or `until`
  /// passes, then runs a bounded batch of what is ready. With `kAlreadyPassed` it never blocks and
  /// leaves nothing unsubmitted, as a foreign loop needs. Returns whether anything ran.
  bool run_once(Deadline until);
  /// Ticks until `until` passes; not kNoDeadline.
  void run_until(Deadline until);

  // --- Being driven by a foreign loop -------------------------------------------------------

  /// Becomes readable (POLLIN) when run_once has work. Owned by the reactor, always the same.
  /// Throws `exhausted` when there is no descriptor for it.
  int pollable_fd();
  /// When run_once must be called although pollable_fd() is silent; kAlreadyPassed: now.
  Deadline next_deadline() const noexcept;

  // --- Time and randomness, all of which the process has from here --------------------------

  /// The monotonic time, which stands still within a tick.
  Deadline now() noexcept;
  /// The same read anew: for measuring within a tick, and for libraries that have clocks of their
  /// own.
  Deadline exact_now() noexcept;
  /// The time of day, read anew by each call.
  WallTime wall_time() noexcept;
  /// Fills `out` from the kernel's generator, fit for names and keys that nobody may guess. Throws
  /// system_error of origin "reactor" when the kernel refuses.
  void random_bytes(std::span<std::byte> out);
  /// A number in [0, 1), evenly spread, of a generator that is seeded from `random_bytes` once: for
  /// the jitter of pauses, never for what nobody may guess.
  double random_fraction() noexcept;

  // --- Awaitables ---------------------------------------------------------------------------

  SleepAwaiter sleep_until(Deadline when, StopToken stop = {}) noexcept {
    return {*this, when, stop};
  }
  YieldAwaiter yield() noexcept { return YieldAwaiter(*this); }

  OperationAwaiter nop(const Wait& wait = {}) noexcept { return {*this, wait, Request{}}; }
  /// openat(2); the descriptor is opened close-on-exec.
  OperationAwaiter open_at(int directory, const char* path, int flags, unsigned mode = 0,
                           const Wait& wait = {});
  OperationAwaiter close(int fd);
  OperationAwaiter read(int fd, std::span<std::byte> buffer, std::uint64_t offset,
                        const Wait& wait = {});
  OperationAwaiter write(int fd, std::span<const std::byte> buffer, std::uint64_t offset,
                         const Wait& wait = {});
  /// For descriptors passed to `prepare_stream`.
  OperationAwaiter stream_read(int fd, std::span<std::byte> buffer, const Wait& wait = {});
  OperationAwaiter stream_write(int fd, std::span<const std::byte> buffer, const Wait& wait = {});
  OperationAwaiter sync_data(int fd, const Wait& wait = {});
  OperationAwaiter sync_all(int fd, const Wait& wait = {});
  OperationAwaiter statx(int directory, const char* path, int flags, unsigned mask,
                         struct ::statx* buffer, const Wait& wait = {});
  OperationAwaiter link_at(int from_directory, const char* from, int to_directory, const char* to,
                           int flags, const Wait& wait = {});
  OperationAwaiter rename_at(int from_directory, const char* from, int to_directory, const char* to,
                             unsigned flags = 0, const Wait& wait = {});
  OperationAwaiter unlink_at(int directory, const char* path, int flags = 0, const Wait& wait = {});
  OperationAwaiter make_dir_at(int directory, const char* path, unsigned mode,
                               const Wait& wait = {});
  /// One-shot readiness; `events` are those of poll(2); the result is the mask that came.
  OperationAwaiter poll(int fd, unsigned events, const Wait& wait = {});
  /// Runs `function(argument)` on a helper thread; its return value (a negative errno for failure).
  /// A deadline or stop only drops a call that has not begun.
  OperationAwaiter call(int (*function)(void*) noexcept, void* argument, const Wait& wait = {});

  /// Makes a pipe's, socket's or terminal's descriptor fit for stream_read and stream_write here.
  void prepare_stream(int fd);

  // --- For callbacks of foreign libraries ---------------------------------------------------

  using WatchCallback = void (*)(void* context, unsigned events) noexcept;
  /// Calls `callback` from the loop, never from inside this call, each time `fd` is ready for one
  /// of `events` (level-like: armed again after the callback if the watch still stands).
  WatchId watch(int fd, unsigned events, WatchCallback callback, void* context);
  void change_watch(WatchId id, unsigned events);
  /// Ends the watch; its callback is not called again. Call it while the descriptor is still open.
  void unwatch(WatchId id);

  void add_timer(Timer& timer);
  void remove_timer(Timer& timer) noexcept;
  /// Runs `ready` in this or the next tick, in order.
  void post(Ready& ready) noexcept;

  // --- Counters, for tests and benchmarks ---------------------------------------------------

  struct Counters {
    std::uint64_t kernel_entries = 0;  ///< System calls the loop itself made.
    std::uint64_t operations = 0;      ///< Operations completed.
  };
  Counters counters() const noexcept;
  /// Operations that the kernel or a helper thread has.
  std::size_t in_flight() const noexcept;

 private:
  friend class OperationAwaiter;
  friend class WatchTable;
  friend std::string describe_waiting(Reactor& reactor);
  friend Reactor reactor_on(std::unique_ptr<Port> port, std::string reason);
  Reactor(std::unique_ptr<Port> port, std::string reason);
  template <class Awaitable>
  static Task<void> await(Awaitable& awaitable) {
    co_await awaitable;
  }
  bool run_ready();

  std::unique_ptr<TimerHeap> timers_;
  std::unique_ptr<Port> port_;
  std::unique_ptr<WatchTable> watches_;
  std::string backend_reason_;
  Deadline now_{};
  bool now_is_known_ = false;
  bool is_seeded_ = false;
  std::uint64_t jitter_ = 0;  ///< The state of `random_fraction`.
};

}  // namespace unum
