// The port on io_uring.
//
// Entries are written when the ring is entered, never earlier: an operation cancelled before that
// never reaches the kernel. A completion's user_data is the operation's address; bit 0 set marks
// the completion of its cancellation. An operation is done when all completions it is due are in.
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <new>
#include <optional>
#include <utility>

#include "reactor/descriptor.hpp"
#include "reactor/helper_threads.hpp"
#include "reactor/port.hpp"
#include "unum/error.hpp"

namespace unum {
namespace {

// Entries of the submission queue: one flush of a full queue costs a system call, so a tick's
// worth.
constexpr unsigned kSubmissionEntries = 512;
// Space for the completion of everything in flight and of its cancellation, for the helpers' event,
// the alarm, and its move.
constexpr unsigned kCompletionEntries = 8192;
static_assert(2 * (kEndingInFlightMax + kWaitingInFlightMax) + 4 <= kCompletionEntries);
constexpr std::uint64_t kCancellationBit = 1;
// User data that is no operation's address.
constexpr std::uint64_t kHelperEvent = 2;
constexpr std::uint64_t kNobody = 4;
constexpr std::uint64_t kAlarm = 6;
// A wait that ends sooner brings its own time-out; the alarm is for what mostly does not come.
constexpr std::chrono::milliseconds kShortWait{1};

struct RingFlags {
  unsigned flags;
  const char* description;
};

// Full flags first. TASKRUN_FLAG tells in shared memory whether the kernel has deferred work for
// us.
constexpr RingFlags kRingFlags[] = {
    {IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL |
         IORING_SETUP_TASKRUN_FLAG,
     "io_uring (SINGLE_ISSUER, DEFER_TASKRUN)"},
    {IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_TASKRUN_FLAG,
     "io_uring (COOP_TASKRUN; this kernel has no DEFER_TASKRUN)"},
    {0, "io_uring (no flags; this kernel has neither DEFER_TASKRUN nor COOP_TASKRUN)"},
};

[[gnu::always_inline]] inline void prepare(io_uring_sqe* sqe, const Request& r) {
  const auto path = static_cast<const char*>(r.address2);
  const auto length = static_cast<unsigned>(r.length);
  switch (r.opcode) {
    case Opcode::nop: io_uring_prep_nop(sqe); break;
    case Opcode::open_at:
      io_uring_prep_openat(sqe, r.fd, path, static_cast<int>(r.flags), r.mode);
      break;
    case Opcode::close: io_uring_prep_close(sqe, r.fd); break;
    case Opcode::read: io_uring_prep_read(sqe, r.fd, r.address, length, r.offset); break;
    case Opcode::write: io_uring_prep_write(sqe, r.fd, r.address2, length, r.offset); break;
    case Opcode::stream_read:
      io_uring_prep_read(sqe, r.fd, r.address, length, static_cast<__u64>(-1));
      break;
    case Opcode::stream_write:
      io_uring_prep_write(sqe, r.fd, r.address2, length, static_cast<__u64>(-1));
      break;
    case Opcode::sync_data: io_uring_prep_fsync(sqe, r.fd, IORING_FSYNC_DATASYNC); break;
    case Opcode::sync_all: io_uring_prep_fsync(sqe, r.fd, 0); break;
    case Opcode::statx:
      io_uring_prep_statx(sqe, r.fd, path, static_cast<int>(r.flags), r.mode,
                          static_cast<struct ::statx*>(r.address));
      break;
    case Opcode::link_at:
      io_uring_prep_linkat(sqe, r.fd, static_cast<const char*>(r.address), r.fd2, path,
                           static_cast<int>(r.flags));
      break;
    case Opcode::rename_at:
      io_uring_prep_renameat(sqe, r.fd, static_cast<const char*>(r.address), r.fd2, path, r.flags);
      break;
    case Opcode::unlink_at:
      io_uring_prep_unlinkat(sqe, r.fd, path, static_cast<int>(r.flags));
      break;
    case Opcode::make_dir_at: io_uring_prep_mkdirat(sqe, r.fd, path, r.mode); break;
    case Opcode::poll: io_uring_prep_poll_add(sqe, r.fd, r.mode); break;
    case Opcode::call: UNUM_ASSERT(!"a call never reaches the ring");
  }
}

class UringPort final : public SystemPort {
 public:
  UringPort(const io_uring& ring, unsigned helper_threads_max) noexcept
      : ring_(ring), helper_threads_max_(helper_threads_max) {}

  ~UringPort() override {
    UNUM_ASSERT(in_flight() == 0 && queued_.empty() && queued_waiting_.empty());
    io_uring_queue_exit(&ring_);
  }

  void wait(Deadline until) noexcept override {
    if (event_) clear_event();  // before looking: what comes later sets it again
    flush();
    if (!ready.empty()) until = kAlreadyPassed;  // something ended without the kernel
    if (until == kAlreadyPassed) {
      if (io_uring_sq_ready(&ring_) > 0 || needs_entering()) enter(0);
    } else if (io_uring_cq_ready(&ring_) > 0 && io_uring_sq_ready(&ring_) == 0 &&
               !needs_entering()) {
      // Something is there already: no system call is needed to take it.
    } else if (until == kNoDeadline) {
      enter(1);
    } else {
      enter_until(until);
    }
    reap();
  }

  void prepare_stream(int fd) override {
    // The ring itself waits for data, but answers -EAGAIN for a descriptor that says O_NONBLOCK.
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags < 0 ||
        ((flags & O_NONBLOCK) != 0 && ::fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) != 0)) {
      throw system_error("reactor", errno, "fcntl(F_SETFL) of a stream");
    }
  }
  int pollable_fd() override {
    if (!event_) make_event();
    return event_.get();
  }
  bool has_unsubmitted() const noexcept override {
    return Port::has_unsubmitted() || !cancels_.empty() || io_uring_sq_ready(&ring_) > 0;
  }
  Reactor::Backend backend() const noexcept override { return Reactor::Backend::uring; }

 private:
  /// The ring's own descriptor will not do: with DEFER_TASKRUN a poll(2) that already sleeps is not
  /// woken by deferred work (seen on Linux 6.18). An event counter is. It costs a little for each
  /// completion, so only who asks for it has it.
  void make_event() {
    Descriptor event(
        ::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK));  // 1: something may be there already
    if (!event) throw system_error("reactor", errno, "eventfd");
    if (const int error = io_uring_register_eventfd(&ring_, event.get()); error != 0) {
      throw system_error("reactor", -error, "registering an eventfd with the ring");
    }
    event_ = std::move(event);
  }

  void clear_event() noexcept {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = ::read(event_.get(), &count, sizeof count);
    ++counters.kernel_entries;
  }

  static __u64 address_of(const Operation& operation) noexcept {
    return reinterpret_cast<__u64>(&operation);
  }

  bool needs_entering() const noexcept {
    return (*ring_.sq.kflags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0 ||
           (ring_.flags & IORING_SETUP_TASKRUN_FLAG) == 0;
  }

  void cancel_in_flight(Operation& operation) noexcept override {
    if (operation.request.opcode == Opcode::call) {
      operation.cancelling = Operation::Cancel::sent;
      if (helpers_->take_back(operation)) end(operation, -ECANCELED);
      return;
    }
    operation.cancelling = Operation::Cancel::wanted;
    cancels_.push_back(operation);
  }

  /// An entry to write at once. A full queue is submitted first, which may complete operations.
  io_uring_sqe* next_entry() noexcept {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    return sqe != nullptr ? sqe : next_entry_of_full_queue();
  }
  [[gnu::noinline]] io_uring_sqe* next_entry_of_full_queue() noexcept {
    io_uring_sqe* sqe = nullptr;
    while (sqe == nullptr) {
      enter(0);
      reap();
      sqe = io_uring_get_sqe(&ring_);
    }
    return sqe;
  }

  void flush() noexcept {
    while (!cancels_.empty()) write_cancellation(next_entry());
    while (Operation* operation = queued_waiting_.pop_front()) {
      if (waiting_in_flight_ < kWaitingInFlightMax) {
        write_entry(*operation);
      } else {
        complete(*operation, -ENOBUFS);
      }
    }
    while (!queued_.empty() && ending_in_flight_ < kEndingInFlightMax) {
      Operation& operation = *queued_.pop_front();
      if (operation.request.opcode == Opcode::call) {
        begin(operation);
        calls_.push_back(operation);
      } else {
        write_entry(operation);
      }
    }
    if (!calls_.empty()) hand_over_calls();
  }

  void write_entry(Operation& operation) noexcept {
    io_uring_sqe* sqe = next_entry();
    begin(operation);
    operation.completions_due = 1;
    prepare(sqe, operation.request);
    io_uring_sqe_set_data64(sqe, address_of(operation));
  }

  void write_cancellation(io_uring_sqe* sqe) noexcept {
    Operation* operation = cancels_.pop_front();
    if (operation == nullptr) {  // it ended while the entry was made free
      io_uring_prep_nop(sqe);
      io_uring_sqe_set_data64(sqe, kNobody);
      return;
    }
    operation->cancelling = Operation::Cancel::sent;
    ++operation->completions_due;
    io_uring_prep_cancel64(sqe, address_of(*operation), 0);
    io_uring_sqe_set_data64(sqe, address_of(*operation) | kCancellationBit);
  }

  void hand_over_calls() noexcept {
    int error = 0;
    try {
      if (!helpers_) {
        helpers_.emplace(helper_threads_max_);
        watch_helpers();
      }
      error = helpers_->submit(calls_);
    } catch (const Error&) {
      error = -EMFILE;  // no descriptor for the helpers' event
    } catch (const std::bad_alloc&) {
      error = -ENOMEM;
    }
    if (error != 0) {
      while (Operation* operation = calls_.pop_front()) end(*operation, error);
    }
  }

  void watch_helpers() noexcept {
    io_uring_sqe* sqe = next_entry();
    io_uring_prep_poll_add(sqe, helpers_->event_fd(), POLLIN);
    io_uring_sqe_set_data64(sqe, kHelperEvent);
  }

  void enter(unsigned wait_for) noexcept {
    ++counters.kernel_entries;
    const int result = wait_for > 0 ? io_uring_submit_and_wait(&ring_, wait_for)
                                    : io_uring_submit_and_get_events(&ring_);
    check_entered(result);
  }

  /// A wait's own time-out is a timer that the kernel starts and cancels each time (0.7 us). The
  /// alarm stays, and is moved only for a nearer deadline; it may end a wait for nothing.
  void enter_until(Deadline until) noexcept {
    if (until >= alarm_at_) {
      enter(1);
      return;
    }
    const auto left = until - now();
    if (left <= Clock::duration::zero()) {
      enter(0);
    } else if (left < kShortWait) {
      __kernel_timespec timeout = timespec_of(left);
      io_uring_cqe* cqe = nullptr;
      ++counters.kernel_entries;
      check_entered(io_uring_submit_and_wait_timeout(&ring_, &cqe, 1, &timeout, nullptr));
    } else {
      set_alarm_and_wait(until);
    }
  }

  void set_alarm_and_wait(Deadline until) noexcept {
    io_uring_sqe* sqe = next_entry();  // may take completions first, the alarm's among them
    alarm_time_ = timespec_of(until.time_since_epoch());
    unsigned wait_for = 1;
    if (alarm_at_ == kNoDeadline) {
      io_uring_prep_timeout(sqe, &alarm_time_, 0, IORING_TIMEOUT_ABS);
      io_uring_sqe_set_data64(sqe, kAlarm);
    } else {
      io_uring_prep_timeout_update(sqe, &alarm_time_, kAlarm, IORING_TIMEOUT_ABS);
      io_uring_sqe_set_data64(sqe, kNobody);
      wait_for = 2;  // moving it completes at once
    }
    alarm_at_ = until;
    enter(ready.empty() ? wait_for : 0);
  }

  static __kernel_timespec timespec_of(Clock::duration time) noexcept {
    const auto nanoseconds = std::chrono::duration_cast<std::chrono::nanoseconds>(time).count();
    __kernel_timespec result{};
    result.tv_sec = nanoseconds / 1'000'000'000;
    result.tv_nsec = nanoseconds % 1'000'000'000;
    return result;
  }

  static void check_entered(int result) noexcept {
    // A signal, the time-out, no memory just now, or the kernel asking to take completions first:
    // all mean "look, come again".
    UNUM_ASSERT(result >= 0 || result == -EINTR || result == -ETIME || result == -EAGAIN ||
                result == -EBUSY || result == -ENOMEM);
  }

  void reap() noexcept {
    const unsigned count = io_uring_cq_ready(&ring_);
    const unsigned head = *ring_.cq.khead;
    const unsigned mask = ring_.cq.ring_mask;
    bool helpers_ready = false;
    for (unsigned i = 0; i < count; ++i) {
      const io_uring_cqe& cqe = ring_.cq.cqes[(head + i) & mask];
      const std::uint64_t data = cqe.user_data;
      if (data == kHelperEvent) {
        helpers_ready = true;
      } else if (data == kAlarm) {
        alarm_at_ = kNoDeadline;
      } else if (data != kNobody) {
        auto& operation = *reinterpret_cast<Operation*>(data & ~kCancellationBit);
        on_completion(operation, (data & kCancellationBit) != 0, cqe.res);
      }
    }
    io_uring_cq_advance(&ring_, count);
    if (helpers_ready) collect_helpers();
  }

  void on_completion(Operation& operation, bool of_cancellation, int result) noexcept {
    if (!of_cancellation) {
      operation.result = result;
      if (operation.cancelling == Operation::Cancel::wanted) {
        cancels_.remove(operation);  // it ended first; its cancellation was not sent
      } else if (result == -EINTR && operation.cancelling == Operation::Cancel::none &&
                 operation.request.opcode != Opcode::close) {
        // A signal reached the kernel's attempt; nobody asked for an end. (A close has taken
        // place.)
        --in_flight_of(operation);
        submit(operation);
        return;
      }
    }
    if (--operation.completions_due > 0) return;
    if (operation.result == -ECANCELED && operation.cancelling == Operation::Cancel::none &&
        !waits_for_readiness(operation.request.opcode)) {
      // The kernel does it on a thread of its own, and gives up when the limit of processes allows
      // none. What little is done then is done here.
      operation.result = execute_blocking(operation.request);
    }
    end(operation, operation.result);
  }

  void collect_helpers() noexcept {
    OperationList finished;
    helpers_->collect(finished);
    while (Operation* operation = finished.pop_front()) end(*operation, operation->result);
    watch_helpers();
  }

  io_uring ring_;
  const unsigned helper_threads_max_;
  OperationList cancels_;  ///< In flight, their cancellation not yet written.
  OperationList calls_;
  std::optional<HelperThreads> helpers_;
  Descriptor event_;  ///< For a foreign loop, once it has asked.
  Deadline alarm_at_ =
      kNoDeadline;                  ///< When the kernel's one lasting timer fires, if there is one.
  __kernel_timespec alarm_time_{};  ///< The same; read by the kernel when it takes the entry.
};

/// A NOP through the ring, for real: a filter may allow the setup and refuse the rest.
int probe_with_nop(io_uring& ring) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_nop(sqe);
  io_uring_sqe_set_data64(sqe, 0);
  int result = 0;
  do result = io_uring_submit_and_wait(&ring, 1);
  while (result == -EINTR);
  if (result < 0) return result;
  io_uring_cqe* cqe = nullptr;
  do result = io_uring_wait_cqe(&ring, &cqe);
  while (result == -EINTR);
  if (result < 0) return result;
  const int nop_result = cqe->res;
  io_uring_cqe_seen(&ring, cqe);
  return nop_result;
}

/// Whether this ring can do all that the port asks of it: Linux 5.15 was the first that could.
bool is_complete(io_uring& ring) {
  if ((ring.features & IORING_FEAT_EXT_ARG) == 0 || (ring.features & IORING_FEAT_NODROP) == 0) {
    return false;
  }
  io_uring_probe* probe = io_uring_get_probe_ring(&ring);
  const bool complete = probe != nullptr && io_uring_opcode_supported(probe, IORING_OP_MKDIRAT) &&
                        io_uring_opcode_supported(probe, IORING_OP_LINKAT);
  io_uring_free_probe(probe);
  return complete;
}

/// ENOMEM: kernels before 5.12 count a ring against the limit of locked memory, which containers
/// set low.
bool means_not_here(int error) {
  return error == -EPERM || error == -ENOSYS || error == -EINVAL || error == -EACCES ||
         error == -ENOMEM;
}

/// In parentheses: what usually is behind a refusal.
std::string usual_cause(int error) {
  if (error == -EPERM || error == -EACCES) {
    return "usually a container's seccomp profile or kernel.io_uring_disabled";
  }
  if (error != -ENOMEM) return "this kernel has no io_uring that fits";
  rlimit limit{};
  if (::getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
    return "the kernel has no memory for it";
  }
  return "usually the limit of locked memory, ulimit -l, which is " +
         std::to_string(limit.rlim_cur / 1024) + " KiB";
}

PortAttempt made(io_uring& ring, unsigned helper_threads_max, const char* description) {
  try {
    std::string reason = description;
    return {std::make_unique<UringPort>(ring, helper_threads_max), std::move(reason)};
  } catch (...) {
    io_uring_queue_exit(&ring);
    throw;
  }
}

}  // namespace

PortAttempt make_uring_port(unsigned helper_threads_max) {
  int error = 0;
  const char* failed_call = "io_uring_setup";
  for (const RingFlags& choice : kRingFlags) {
    io_uring ring{};
    io_uring_params params{};
    params.flags = choice.flags | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
    params.cq_entries = kCompletionEntries;
    error = io_uring_queue_init_params(kSubmissionEntries, &ring, &params);
    if (error == 0) {
      failed_call = "io_uring_enter";
      error = probe_with_nop(ring);
      // Every kernel with DEFER_TASKRUN has the rest.
      if (error == 0 && &choice != kRingFlags && !is_complete(ring)) error = -ENOSYS;
      if (error == 0) return made(ring, helper_threads_max, choice.description);
      io_uring_queue_exit(&ring);
    }
    if (!means_not_here(error)) {
      throw system_error("reactor", -error, std::string(failed_call) + " (an io_uring)");
    }
    if (error != -EINVAL) break;  // refused as a whole; fewer flags would not help
  }
  const char* symbol = strerrorname_np(-error);
  return {nullptr, std::string(failed_call) + " was refused with " +
                       (symbol ? symbol : "an error") + " (" + usual_cause(error) + ")"};
}

}  // namespace unum
