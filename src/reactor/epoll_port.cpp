// The port on epoll: readiness by epoll, file operations on helper threads.
//
// Stream operations are tried at once and wait for readiness only when the descriptor says so. A
// descriptor's interest is changed at the end of the tick, so that one that is removed and added
// again (as curl does for each request) costs nothing.
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <exception>
#include <utility>
#include <vector>

#include "reactor/descriptor.hpp"
#include "reactor/helper_threads.hpp"
#include "reactor/port.hpp"
#include "unum/assert.hpp"
#include "unum/error.hpp"

namespace unum {
namespace {

constexpr int kEventsPerWait = 256;
constexpr std::uint64_t kHelperEvent = ~std::uint64_t{0};  // no descriptor's

std::uint32_t interest_of(const Request& request) {
  switch (request.opcode) {
    case Opcode::stream_read: return EPOLLIN;
    case Opcode::stream_write: return EPOLLOUT;
    default: return request.mode;  // poll(2) and epoll(7) share the values of their events
  }
}

/// What poll(2) says of a descriptor that epoll does not take, a regular file for example.
int poll_now(const Request& request) {
  pollfd entry{request.fd, static_cast<short>(request.mode), 0};
  const int count = ::poll(&entry, 1, 0);
  if (count < 0) return -errno;
  if (count == 0) return -EPERM;
  return (entry.revents & POLLNVAL) != 0 ? -EBADF : entry.revents;
}

class EpollPort final : public SystemPort {
 public:
  EpollPort(Descriptor epoll, unsigned helper_threads_max)
      : epoll_(std::move(epoll)), helpers_(helper_threads_max) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = kHelperEvent;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, helpers_.event_fd(), &event) != 0) {
      throw system_error("reactor", errno, "epoll_ctl");
    }
  }

  ~EpollPort() override {
    UNUM_ASSERT(in_flight() == 0 && queued_.empty() && queued_waiting_.empty());
  }

  void wait(Deadline until) noexcept override {
    flush();
    apply_changes();
    if (!ready.empty()) until = kAlreadyPassed;  // something ended at once
    if (until == kAlreadyPassed && in_flight() == 0) return;
    std::array<epoll_event, kEventsPerWait> events;
    const int count = wait_for_events(events, until);
    UNUM_ASSERT(count >= 0 || errno == EINTR);
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      if (event.data.u64 == kHelperEvent) {
        collect_helpers();
      } else {
        on_event(event);
      }
    }
  }

  void prepare_stream(int fd) override {
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
      throw system_error("reactor", errno, "fcntl(F_SETFL) of a stream");
    }
  }
  int pollable_fd() override { return epoll_.get(); }
  bool has_unsubmitted() const noexcept override {
    return Port::has_unsubmitted() || first_changed_ != kNone;
  }
  Reactor::Backend backend() const noexcept override { return Reactor::Backend::epoll; }

 private:
  static constexpr int kNone = -1;

  /// What epoll was told about a descriptor. An entry outlives the file that had the number: epoll
  /// forgets that file by itself, and the next one is added anew.
  struct Entry {
    OperationList waiting;
    std::uint32_t events = 0;
    std::uint32_t generation = 0;  ///< Of the last arming; older events are for somebody gone.
    bool armed = false;            ///< One-shot: no longer after an event.
    bool added = false;
    bool must_arm =
        false;  ///< Somebody left, perhaps because the file was closed: do not trust `armed`.
    bool changed = false;  ///< Linked in the list of changed entries.
    int next_changed = kNone;
  };

  void cancel_in_flight(Operation& operation) noexcept override {
    if (waits_for_readiness(operation.request.opcode)) {
      Entry& entry = entries_[static_cast<std::size_t>(operation.request.fd)];
      entry.waiting.remove(operation);
      entry.must_arm = true;
      mark_changed(operation.request.fd, entry);
    } else {
      operation.cancelling = Operation::Cancel::sent;
      if (!helpers_.take_back(operation)) return;  // begun: its own result comes
    }
    end(operation, -ECANCELED);
  }

  /// Begins what is queued.
  void flush() noexcept {
    while (Operation* operation = queued_waiting_.pop_front()) begin_waiting(*operation);
    OperationList for_helpers;
    while (!queued_.empty() && ending_in_flight_ < kEndingInFlightMax) {
      Operation& operation = *queued_.pop_front();
      if (operation.request.opcode == Opcode::nop) {
        complete(operation, 0);
      } else {
        begin(operation);
        for_helpers.push_back(operation);
      }
    }
    if (for_helpers.empty()) return;
    // Without a single thread they are done here, and everything else waits meanwhile.
    const int error = helpers_.submit(for_helpers);
    while (Operation* operation = for_helpers.pop_front()) {
      UNUM_ASSERT(error == -EAGAIN);
      end(*operation, execute_blocking(operation->request));
    }
  }

  void begin_waiting(Operation& operation) noexcept {
    const Request& request = operation.request;
    if (request.opcode != Opcode::poll) {
      // Data is often there, and room nearly always. O_NONBLOCK: see prepare_stream.
      if (const int result = execute_blocking(request); result != -EAGAIN) {
        complete(operation, result);
        return;
      }
    }
    if (request.fd < 0 || waiting_in_flight_ == kWaitingInFlightMax) {
      complete(operation, request.fd < 0 ? -EBADF : -ENOBUFS);
      return;
    }
    const auto index = static_cast<std::size_t>(request.fd);
    if (index >= entries_.size()) {
      try {
        entries_.resize(std::max(index + 1, 2 * entries_.size()));
      } catch (const std::exception&) {
        complete(operation, -ENOMEM);
        return;
      }
    }
    begin(operation);
    entries_[index].waiting.push_back(operation);
    mark_changed(request.fd, entries_[index]);
  }

  void mark_changed(int fd, Entry& entry) noexcept {
    if (entry.changed) return;
    entry.changed = true;
    entry.next_changed = first_changed_;
    first_changed_ = fd;
  }

  void apply_changes() noexcept {
    while (first_changed_ != kNone) {
      const int fd = first_changed_;
      Entry& entry = entries_[static_cast<std::size_t>(fd)];
      first_changed_ = entry.next_changed;
      entry.changed = false;
      if (!entry.waiting.empty()) {
        arm(fd, entry);
      } else if (entry.armed) {
        ++counters.kernel_entries;
        ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);  // may be closed already
        entry.armed = entry.added = false;
      }
    }
  }

  void arm(int fd, Entry& entry) noexcept {
    std::uint32_t wanted = 0;
    for (Operation* o = entry.waiting.front(); o != nullptr; o = o->next) {
      wanted |= interest_of(o->request);
    }
    if (entry.armed && !entry.must_arm && wanted == entry.events) return;
    entry.must_arm = false;
    epoll_event event{};
    event.events = wanted | EPOLLONESHOT;
    event.data.u64 = (std::uint64_t{++entry.generation} << 32) | static_cast<std::uint32_t>(fd);
    int result = -1;
    if (entry.added) {
      ++counters.kernel_entries;
      result = ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
    }
    if (result != 0) {
      ++counters.kernel_entries;
      result = ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
    }
    entry.added = entry.armed = result == 0;
    entry.events = wanted;
    if (result != 0) end_unwatchable(entry, errno);
  }

  /// Ends what waits on a descriptor that epoll does not take.
  void end_unwatchable(Entry& entry, int error) noexcept {
    while (Operation* operation = entry.waiting.pop_front()) {
      const bool poll = operation->request.opcode == Opcode::poll;
      end(*operation, error == EPERM && poll ? poll_now(operation->request) : -error);
    }
  }

  void on_event(const epoll_event& event) noexcept {
    const auto fd = static_cast<int>(event.data.u64 & 0xffffffff);
    Entry& entry = entries_[static_cast<std::size_t>(fd)];
    if (entry.generation != event.data.u64 >> 32) return;
    entry.armed = false;
    for (Operation* operation = entry.waiting.front(); operation != nullptr;) {
      Operation* next = operation->next;
      const std::uint32_t came =
          event.events & (interest_of(operation->request) | EPOLLERR | EPOLLHUP);
      int result = -EAGAIN;
      if (came != 0) {
        result = operation->request.opcode == Opcode::poll ? static_cast<int>(came)
                                                           : execute_blocking(operation->request);
      }
      if (result != -EAGAIN) {
        entry.waiting.remove(*operation);
        end(*operation, result);
      }
      operation = next;
    }
    if (!entry.waiting.empty()) mark_changed(fd, entry);
  }

  void collect_helpers() noexcept {
    OperationList finished;
    helpers_.collect(finished);
    while (Operation* operation = finished.pop_front()) end(*operation, operation->result);
  }

  int wait_for_events(std::array<epoll_event, kEventsPerWait>& events, Deadline until) noexcept {
    ++counters.kernel_entries;
    if (until == kAlreadyPassed || until == kNoDeadline) {
      return ::epoll_wait(epoll_.get(), events.data(), kEventsPerWait,
                          until == kNoDeadline ? -1 : 0);
    }
    const auto left = std::max(until - now(), Clock::duration::zero());
    if (has_pwait2_) {
      const timespec timeout{
          static_cast<time_t>(std::chrono::floor<std::chrono::seconds>(left).count()),
          static_cast<long>((left % std::chrono::seconds(1)).count())};
      // Not by its wrapper, which glibc has since 2.35: the library runs with 2.34, too.
      const auto count = static_cast<int>(::syscall(SYS_epoll_pwait2, epoll_.get(), events.data(),
                                                    kEventsPerWait, &timeout, nullptr, 0));
      if (count >= 0 || (errno != ENOSYS && errno != EPERM)) return count;
      has_pwait2_ = false;  // Linux before 5.11, or a filter that does not know it
    }
    const auto left_ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    return ::epoll_wait(epoll_.get(), events.data(), kEventsPerWait,
                        static_cast<int>(std::min<std::int64_t>(left_ms, 1'000'000'000)));
  }

  const Descriptor epoll_;
  HelperThreads helpers_;
  std::vector<Entry> entries_;  ///< By descriptor.
  int first_changed_ = kNone;
  bool has_pwait2_ = true;
};

}  // namespace

PortAttempt make_epoll_port(unsigned helper_threads_max) {
  Descriptor epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) throw system_error("reactor", errno, "epoll_create1");
  return {std::make_unique<EpollPort>(std::move(epoll), helper_threads_max), "epoll"};
}

}  // namespace unum
