// The only seam to the kernel: submit, cancel, wait, now, the time of day, random bytes.
//
// UringPort and EpollPort behave the same and pass the same tests. A port never runs anybody's
// code: it moves completed operations to a queue, and the reactor runs them. Nothing else in the
// process asks a clock or the kernel's generator, so that a port of a test's own drives time and
// chance; but for the log and the list of what waits, which are for people and decide nothing.
#pragma once

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "unum/reactor.hpp"

namespace unum {

// What the ports work on.
using detail::Opcode;
using detail::Operation;
using detail::Request;

/// Operations that have completed, in order of completion.
class ReadyQueue {
 public:
  void push(Ready& ready) noexcept {
    ready.next_ready = nullptr;
    *last_ = &ready;
    last_ = &ready.next_ready;
  }
  Ready* pop() noexcept {
    Ready* ready = first_;
    if (ready == nullptr) return nullptr;
    first_ = ready->next_ready;
    if (first_ == nullptr) last_ = &first_;
    return ready;
  }
  bool empty() const noexcept { return first_ == nullptr; }

 private:
  Ready* first_ = nullptr;
  Ready** last_ = &first_;
};

/// A doubly linked list of operations; an operation is in at most one.
class OperationList {
 public:
  bool empty() const noexcept { return first_ == nullptr; }
  Operation* front() const noexcept { return first_; }
  void push_back(Operation& operation) noexcept {
    operation.next = nullptr;
    operation.previous = last_;
    (last_ != nullptr ? last_->next : first_) = &operation;
    last_ = &operation;
  }
  void remove(Operation& operation) noexcept {
    (operation.previous != nullptr ? operation.previous->next : first_) = operation.next;
    (operation.next != nullptr ? operation.next->previous : last_) = operation.previous;
  }
  Operation* pop_front() noexcept {
    Operation* operation = first_;
    if (operation == nullptr) return nullptr;
    first_ = operation->next;
    (first_ != nullptr ? first_->previous : last_) = nullptr;
    return operation;
  }

 private:
  Operation* first_ = nullptr;
  Operation* last_ = nullptr;
};

/// Whether the operation may wait for as long as some peer likes; all others end by themselves.
constexpr bool waits_for_readiness(Opcode opcode) noexcept { return opcode >= Opcode::stream_read; }

// Operations with the kernel at once. What ends by itself queues beyond its limit. What waits for
// others must not (it may wait for one that stands behind it), and fails with -ENOBUFS: far above
// the descriptors that a process usually may have.
inline constexpr std::size_t kEndingInFlightMax = 1022;
inline constexpr std::size_t kWaitingInFlightMax = 3072;

class Port {
 public:
  Port() noexcept = default;
  virtual ~Port() = default;
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;

  /// Takes the operation (idle or done) over. It reaches the kernel at the next `wait`, not before:
  /// so that one that is cancelled until then never does.
  void submit(Operation& operation) noexcept {
    operation.state = Operation::State::queued;
    operation.cancelling = Operation::Cancel::none;
    changed(operation, 1);
    queue_of(operation).push_back(operation);
  }
  /// Asks for the end of an operation that was submitted and is not done. It completes in any case,
  /// once the kernel has said its last word on it: with its success, or with -ECANCELED.
  void cancel(Operation& operation) noexcept {
    if (operation.state == Operation::State::queued) {
      queue_of(operation).remove(operation);
      complete(operation, -ECANCELED);
    } else if (operation.state == Operation::State::in_flight &&
               operation.cancelling == Operation::Cancel::none) {
      cancel_in_flight(operation);
    }
  }
  /// Submits what is queued, then waits until something is ready or `until` passes; moves what has
  /// completed to the ready queue. `kAlreadyPassed`: does not wait. Whatever fails, fails in the
  /// operation that it concerns.
  virtual void wait(Deadline until) noexcept = 0;

  /// The monotonic clock that `wait` waits by.
  virtual Deadline now() noexcept = 0;
  virtual WallTime wall_time() noexcept = 0;
  /// Fills `out` with bytes that nobody can guess; throws when there are none to be had.
  virtual void random_bytes(std::span<std::byte> out) = 0;

  virtual void prepare_stream(int fd) = 0;
  virtual int pollable_fd() = 0;
  /// Whether operations are queued that the kernel has not seen and could take.
  virtual bool has_unsubmitted() const noexcept {
    return !queued_waiting_.empty() || (!queued_.empty() && ending_in_flight_ < kEndingInFlightMax);
  }
  std::size_t in_flight() const noexcept { return waiting_in_flight_ + ending_in_flight_; }
  virtual Reactor::Backend backend() const noexcept = 0;

  Reactor::Counters counters{};
  ReadyQueue ready;  ///< What has completed and what was posted; the reactor runs it.

  /// Operations of one kind that were submitted and are not done, for people.
  struct UnderWay {
    std::int32_t count = 0;
    std::chrono::nanoseconds changed{};  ///< The tick in which one last began or ended.
  };
  std::array<UnderWay, static_cast<std::size_t>(Opcode::poll) + 1> under_way{};
  std::chrono::nanoseconds tick_began{};  ///< Coarse time, set by the reactor.

 protected:
  void changed(const Operation& operation, std::int32_t by) noexcept {
    UnderWay& kind = under_way[static_cast<std::size_t>(operation.request.opcode)];
    kind.count += by;
    kind.changed = tick_began;
  }
  virtual void cancel_in_flight(Operation& operation) noexcept = 0;

  OperationList& queue_of(const Operation& operation) noexcept {
    return waits_for_readiness(operation.request.opcode) ? queued_waiting_ : queued_;
  }
  std::size_t& in_flight_of(const Operation& operation) noexcept {
    return waits_for_readiness(operation.request.opcode) ? waiting_in_flight_ : ending_in_flight_;
  }
  void begin(Operation& operation) noexcept {
    operation.state = Operation::State::in_flight;
    ++in_flight_of(operation);
  }
  /// The last step of an operation that is not in flight.
  void complete(Operation& operation, int result) noexcept {
    operation.result = result;
    operation.state = Operation::State::done;
    ++counters.operations;
    changed(operation, -1);
    ready.push(operation);
  }
  /// The last step of one that is.
  void end(Operation& operation, int result) noexcept {
    --in_flight_of(operation);
    complete(operation, result);
  }

  OperationList queued_;
  OperationList queued_waiting_;
  std::size_t ending_in_flight_ = 0;
  std::size_t waiting_in_flight_ = 0;
};

/// What both ports have from the system: its clocks and its generator of random bytes.
class SystemPort : public Port {
 public:
  Deadline now() noexcept final;
  WallTime wall_time() noexcept final;
  void random_bytes(std::span<std::byte> out) final;
};

/// A reactor on a port of the caller's own, a simulator's or a test's. `reason` is its
/// `backend_reason`.
Reactor reactor_on(std::unique_ptr<Port> port, std::string reason);

/// What came of asking for a port: the port, or why there is none.
struct PortAttempt {
  std::unique_ptr<Port> port;
  std::string reason;
};

/// Probes io_uring with a real NOP: full flags, then fewer, then none. EPERM, ENOSYS, EINVAL,
/// EACCES and ENOMEM mean "not here" (many containers refuse io_uring, or the memory that it
/// locks); anything else throws.
PortAttempt make_uring_port(unsigned helper_threads_max);
PortAttempt make_epoll_port(unsigned helper_threads_max);

/// Executes a request of a file (or a call) on the calling thread; >= 0 or -errno. One attempt,
/// which a signal may break off (-EINTR), and as many as it takes.
int execute_once(const Request& request) noexcept;
int execute_blocking(const Request& request) noexcept;

}  // namespace unum
