// The reactor: one thread, one io_uring (or epoll where the kernel refuses it), and all of a
// process's I/O.
//
// A reactor and everything on it belong to the thread that created it. Await what its calls return
// in the same expression: `int n = co_await reactor.read(fd, buffer, 0);`. Results are those of the
// system call: >= 0, or a negative errno. -ETIME means that the deadline passed first, -ECANCELED
// that a stop was requested. An operation that succeeded while it was being cancelled reports its
// success. Buffers and paths must stay valid until the co_await returns and may be freed right
// after: it returns only once the kernel has let go of them.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "unum/api.hpp"
#include "unum/detail/awaiters.hpp"
#include "unum/stop.hpp"
#include "unum/task.hpp"
#include "unum/time.hpp"
#include "unum/timer.hpp"
#include "unum/wait.hpp"

namespace unum {

class Port;
class TimerHeap;
class WatchTable;

/// Identifies a watch on a descriptor that another library owns. The generation distinguishes
/// successive watches in one slot, so that a late event of a closed descriptor is dropped.
struct WatchId {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
  friend bool operator==(const WatchId&, const WatchId&) = default;
};

class UNUM_API Reactor {
 public:
  enum class Backend : std::uint8_t {
    automatic,
    uring,
    epoll,
    simulated,  ///< Not the kernel: a test or a simulator drives time and randomness.
  };

  struct Options {
    /// `automatic`: the one named by UNUM_REACTOR=uring|epoll, else io_uring if the kernel allows
    /// it, else epoll.
    Backend backend = Backend::automatic;
    /// The most helper threads, started when first needed: for file operations on epoll, and for
    /// `call` on both backends.
    unsigned helper_threads_max = 4;
  };

  /// Throws `invalid` for an unknown UNUM_REACTOR, `denied` or `not_found` when the requested
  /// backend is unavailable, and `exhausted` when descriptors run out (`automatic` does not fall
  /// back to epoll then). Ignores SIGPIPE from then on, unless the process has a handler for it.
  Reactor() : Reactor(Options{}) {}
  explicit Reactor(const Options& options);
  /// Every task must have ended: the process aborts if an operation is still in flight.
  ~Reactor();
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  /// The backend in use, never `automatic`.
  Backend backend() const noexcept;
  /// Which backend was chosen and why, in one readable line: "io_uring (SINGLE_ISSUER,
  /// DEFER_TASKRUN)", or "epoll: io_uring_setup was refused with EPERM (a seccomp profile,
  /// usually)".
  const std::string& backend_reason() const noexcept { return backend_reason_; }

  // --- Running ------------------------------------------------------------------------------

  /// Runs the loop until the task ends. Returns its result or rethrows its exception. Must not be
  /// called from inside a task.
  template <class T>
  T run(Task<T> task) {
    if (!task.start([](void*) noexcept {}, nullptr)) {
      while (!task.done()) run_once(kNoDeadline);
    }
    return task.take();
  }
  /// The same for any other awaitable without a result, `group.drain()` for example.
  template <class Awaitable>
  void run(Awaitable awaitable) {
    run(await(awaitable));
  }

  /// One tick: submits queued operations, waits until one completes, a timer is due or `until`
  /// passes, then runs a bounded batch of ready callbacks. With `kAlreadyPassed` it never blocks
  /// and leaves nothing unsubmitted, as a foreign loop requires. Returns whether anything ran.
  bool run_once(Deadline until);
  /// Runs ticks until `until`, which must not be kNoDeadline.
  void run_until(Deadline until);

  // --- Being driven by a foreign loop -------------------------------------------------------

  /// A descriptor that becomes readable (POLLIN) when run_once has work. Owned by the reactor;
  /// always the same one. Throws `exhausted` when no descriptor is left for it.
  int pollable_fd();
  /// When run_once must be called even if pollable_fd() is not readable; kAlreadyPassed: now.
  Deadline next_deadline() const noexcept;

  // --- Time and randomness: the process's only source of both -------------------------------

  /// The monotonic time, constant within a tick.
  Deadline now() noexcept;
  /// The monotonic time, read anew by each call: for measuring within a tick, and for libraries
  /// with clocks of their own.
  Deadline exact_now() noexcept;
  /// The time of day, read anew by each call.
  WallTime wall_time() noexcept;
  /// Fills `out` with cryptographically secure random bytes from the kernel. Throws system_error of
  /// origin "reactor" if the kernel refuses.
  void random_bytes(std::span<std::byte> out);
  /// A uniformly distributed number in [0, 1), from a generator seeded once from `random_bytes`.
  /// For the jitter of pauses; never for secrets.
  double random_fraction() noexcept;

  // --- Awaitables ---------------------------------------------------------------------------

  /// Awaits `when`: true when it came, false when a stop was requested first.
  detail::SleepAwaiter sleep_until(Deadline when, StopToken stop = {}) noexcept {
    return {*this, when, stop};
  }
  /// Lets everything else that is ready run first.
  detail::YieldAwaiter yield() noexcept { return detail::YieldAwaiter(*this); }

  /// A round trip through the kernel that does nothing.
  detail::OperationAwaiter nop(const Wait& wait = {}) noexcept {
    return {*this, wait, detail::Request{}};
  }
  /// openat(2); the descriptor is close-on-exec and belongs to the caller.
  detail::OperationAwaiter open_at(int directory, const char* path, int flags, unsigned mode = 0,
                                   const Wait& wait = {});
  /// close(2). Cannot be cancelled.
  detail::OperationAwaiter close(int fd);
  /// pread(2) and pwrite(2); `offset` in bytes. The count may be less than the buffer's size.
  detail::OperationAwaiter read(int fd, std::span<std::byte> buffer, std::uint64_t offset,
                                const Wait& wait = {});
  detail::OperationAwaiter write(int fd, std::span<const std::byte> buffer, std::uint64_t offset,
                                 const Wait& wait = {});
  /// read(2) and write(2) of a pipe, socket or terminal that was passed to `prepare_stream`: wait
  /// for data or room. The count may be less than the buffer's size; 0 is the end of the stream.
  detail::OperationAwaiter stream_read(int fd, std::span<std::byte> buffer, const Wait& wait = {});
  detail::OperationAwaiter stream_write(int fd, std::span<const std::byte> buffer,
                                        const Wait& wait = {});
  /// fdatasync(2) and fsync(2).
  detail::OperationAwaiter sync_data(int fd, const Wait& wait = {});
  detail::OperationAwaiter sync_all(int fd, const Wait& wait = {});
  /// The system calls of these names, with their flags; renameat2(2) and mkdirat(2) for two.
  detail::OperationAwaiter statx(int directory, const char* path, int flags, unsigned mask,
                                 struct ::statx* buffer, const Wait& wait = {});
  detail::OperationAwaiter link_at(int from_directory, const char* from, int to_directory,
                                   const char* to, int flags, const Wait& wait = {});
  detail::OperationAwaiter rename_at(int from_directory, const char* from, int to_directory,
                                     const char* to, unsigned flags = 0, const Wait& wait = {});
  detail::OperationAwaiter unlink_at(int directory, const char* path, int flags = 0,
                                     const Wait& wait = {});
  detail::OperationAwaiter make_dir_at(int directory, const char* path, unsigned mode,
                                       const Wait& wait = {});
  /// Waits until `fd` is ready for one of `events`, the mask of poll(2); returns the mask of those
  /// that it is ready for.
  detail::OperationAwaiter poll(int fd, unsigned events, const Wait& wait = {});
  /// Runs `function(argument)` on a helper thread; returns what it returns (a negative errno for
  /// failure). A deadline or a stop drops a call that has not begun; one that runs is awaited, so
  /// `argument` is never used after the co_await returns.
  detail::OperationAwaiter call(int (*function)(void*) noexcept, void* argument,
                                const Wait& wait = {});

  /// Prepares the descriptor of a pipe, socket or terminal for stream_read and stream_write.
  void prepare_stream(int fd);

  // --- For callbacks of foreign libraries ---------------------------------------------------

  using WatchCallback = void (*)(void* context, unsigned events) noexcept;
  /// Calls `callback` from the loop, never from inside this call, whenever `fd` is ready for one of
  /// `events`, the mask of poll(2). Level-triggered: armed again after each callback. Throws
  /// std::bad_alloc. `context` must outlive the watch.
  WatchId watch(int fd, unsigned events, WatchCallback callback, void* context);
  void change_watch(WatchId id, unsigned events);
  /// Ends the watch; its callback is not called again. Call it while the descriptor is still open.
  void unwatch(WatchId id);

  /// Arms the timer, which must not be armed. Throws std::bad_alloc.
  void add_timer(Timer& timer);
  /// Disarms the timer; does nothing if it is not armed.
  void remove_timer(Timer& timer) noexcept;
  /// Calls `ready.run` in this tick or the next, in the order of the posts. It cannot be withdrawn.
  void post(Ready& ready) noexcept;

  // --- Counters, for tests and benchmarks ---------------------------------------------------

  struct Counters {
    std::uint64_t kernel_entries = 0;  ///< System calls of the loop itself.
    std::uint64_t operations = 0;      ///< Completed operations.
  };
  Counters counters() const noexcept;
  /// Operations that the kernel or a helper thread is working on.
  std::size_t in_flight() const noexcept;

 private:
  friend class detail::OperationAwaiter;
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
