// The reactor's tick, and the choice of its port.
#include "unum/reactor.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>

#include "base/activity.hpp"
#include "base/log.hpp"
#include "reactor/port.hpp"
#include "reactor/slow_tick.hpp"
#include "reactor/timer_heap.hpp"
#include "reactor/watch_table.hpp"
#include "unum/error.hpp"

namespace unum {
namespace {

// Things run in one tick before the kernel is looked at again: long enough to share one entry among
// many, short enough that a timer is not late by more than a fraction of a millisecond.
constexpr int kReadyPerTickMax = 1024;

Reactor::Backend backend_from_environment() {
  const char* value = std::getenv("UNUM_REACTOR");
  if (value == nullptr || *value == '\0') return Reactor::Backend::automatic;
  const std::string_view name(value);
  if (name == "uring") return Reactor::Backend::uring;
  if (name == "epoll") return Reactor::Backend::epoll;
  throw Error(ErrorKind::invalid, "reactor", "UNUM_REACTOR",
              "UNUM_REACTOR is \"" + std::string(name) + "\"; it may be \"uring\" or \"epoll\"");
}

/// A peer that closes its end is an error of one write (EPIPE), not the end of the process. There
/// is no way to say so for each write to a pipe. Whoever has a handler of its own keeps it.
void ignore_broken_pipes() noexcept {
  struct sigaction action {};
  if (::sigaction(SIGPIPE, nullptr, &action) == 0 && (action.sa_flags & SA_SIGINFO) == 0 &&
      action.sa_handler == SIG_DFL) {
    action.sa_handler = SIG_IGN;
    ::sigaction(SIGPIPE, &action, nullptr);
  }
}

PortAttempt choose_port(const Reactor::Options& options) {
  using Backend = Reactor::Backend;
  Backend wanted = options.backend;
  const char* by = "by choice";
  if (wanted == Backend::automatic) {
    wanted = backend_from_environment();
    by = "UNUM_REACTOR";
  }
  PortAttempt attempt;
  if (wanted != Backend::epoll) {
    attempt = make_uring_port(options.helper_threads_max);
    if (!attempt.port && wanted == Backend::uring) {
      throw Error(ErrorKind::denied, "reactor", "io_uring",
                  "io_uring was asked for, but " + attempt.reason +
                      "; leave UNUM_REACTOR unset to use epoll");
    }
  }
  if (!attempt.port) {
    const std::string why = wanted == Backend::epoll ? std::string(by) : attempt.reason;
    attempt = make_epoll_port(options.helper_threads_max);
    attempt.reason = "epoll (" + why + ")";
  }
  return attempt;
}

}  // namespace

Reactor::Reactor(const Options& options) : timers_(std::make_unique<TimerHeap>()) {
  log::read_environment();
  ignore_broken_pipes();
  PortAttempt attempt = choose_port(options);
  port_ = std::move(attempt.port);
  backend_reason_ = std::move(attempt.reason);
  watches_ = std::make_unique<WatchTable>(*this);
  port_->tick_began = coarse_time();
  log::info(LogArea::reactor, "begins: {}", backend_reason_);
}

Reactor::Reactor(std::unique_ptr<Port> port, std::string reason)
    : timers_(std::make_unique<TimerHeap>()),
      port_(std::move(port)),
      watches_(std::make_unique<WatchTable>(*this)),
      backend_reason_(std::move(reason)) {
  log::read_environment();
  ignore_broken_pipes();
  port_->tick_began = coarse_time();
  log::info(LogArea::reactor, "begins: {}", backend_reason_);
}

Reactor reactor_on(std::unique_ptr<Port> port, std::string reason) {
  return Reactor(std::move(port), std::move(reason));
}

Reactor::~Reactor() {
  // Cancelled watches of foreign libraries may still be on their way out.
  while (port_->in_flight() > 0 || !port_->ready.empty()) {
    UNUM_ASSERT(watches_->only_removed_in_flight(port_->in_flight()));
    run_once(kNoDeadline);
  }
}

Reactor::Backend Reactor::backend() const noexcept { return port_->backend(); }

Deadline Reactor::now() noexcept {
  if (!now_is_known_) {
    now_ = port_->now();
    now_is_known_ = true;
  }
  return now_;
}

Deadline Reactor::exact_now() noexcept { return port_->now(); }
WallTime Reactor::wall_time() noexcept { return port_->wall_time(); }
void Reactor::random_bytes(std::span<std::byte> out) { port_->random_bytes(out); }

double Reactor::random_fraction() noexcept {
  if (!is_seeded_) {
    is_seeded_ = true;
    try {
      random_bytes(std::as_writable_bytes(std::span(&jitter_, 1)));
    } catch (const std::exception&) {
      jitter_ = static_cast<std::uint64_t>(exact_now().time_since_epoch().count());
    }
  }
  // SplitMix64 (Steele, Lea and Flood: "Fast splittable pseudorandom number generators", 2014).
  jitter_ += 0x9e3779b97f4a7c15;
  std::uint64_t bits = jitter_;
  bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9;
  bits = (bits ^ (bits >> 27)) * 0x94d049bb133111eb;
  bits ^= bits >> 31;
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

bool Reactor::run_once(Deadline until) {
  if (port_->ready.empty()) {
    const Deadline nearest = std::min(until, timers_->nearest());
    // Whoever waits here without an end waits for something.
    UNUM_ASSERT(nearest != kNoDeadline || port_->in_flight() > 0 || port_->has_unsubmitted());
    port_->wait(nearest);
  } else {
    // Work that is ready does not wait for the kernel, but gives it a look so that neither starves.
    port_->wait(kAlreadyPassed);
  }
  now_is_known_ = false;
  port_->tick_began = coarse_time();
  const SlowTick slow_tick(*port_);
  // Only those there are now: one that sets itself again for "at once" runs in the next tick.
  for (std::size_t count = timers_->size(); count > 0; --count) {
    Timer* timer = timers_->pop_due(now());
    if (timer == nullptr) break;
    timer->fire(*timer);
  }
  const bool ran = run_ready();
  if (until == kAlreadyPassed) {
    while (port_->has_unsubmitted()) port_->wait(kAlreadyPassed);
  }
  now_is_known_ = false;  // whoever asks between two ticks is told the time as it is then
  return ran;
}

bool Reactor::run_ready() {
  int count = 0;
  while (count < kReadyPerTickMax) {
    Ready* ready = port_->ready.pop();
    if (ready == nullptr) break;
    ++count;
    ready->run(*ready);
  }
  return count > 0;
}

void Reactor::run_until(Deadline until) {
  while (port_->now() < until) run_once(until);
}

int Reactor::pollable_fd() { return port_->pollable_fd(); }

Deadline Reactor::next_deadline() const noexcept {
  if (!port_->ready.empty() || port_->has_unsubmitted()) return kAlreadyPassed;
  return timers_->nearest();
}

void Reactor::prepare_stream(int fd) { port_->prepare_stream(fd); }
WatchId Reactor::watch(int fd, unsigned events, WatchCallback callback, void* context) {
  return watches_->add(fd, events, callback, context);
}
void Reactor::change_watch(WatchId id, unsigned events) { watches_->change(id, events); }
void Reactor::unwatch(WatchId id) { watches_->remove(id); }
void Reactor::add_timer(Timer& timer) { timers_->add(timer); }
void Reactor::remove_timer(Timer& timer) noexcept { timers_->remove(timer); }
void Reactor::post(Ready& ready) noexcept { port_->ready.push(ready); }
Reactor::Counters Reactor::counters() const noexcept { return port_->counters; }
std::size_t Reactor::in_flight() const noexcept { return port_->in_flight(); }

}  // namespace unum
