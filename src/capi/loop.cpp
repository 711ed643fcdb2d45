#include "capi/loop.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <mutex>

#include "capi/op.hpp"
#include "capi/store.hpp"

namespace unum::capi {
namespace {

/// This thread's number: never used again, as thread ids are.
std::uint64_t this_thread() noexcept {
  static std::atomic<std::uint64_t> last{0};
  thread_local const std::uint64_t number = ++last;
  return number;
}

/// Where a loop is found. Places are never freed, so that a handle from anywhere can be looked up.
struct Place {
  std::atomic<std::uint64_t> owner{0};  ///< Its thread; 0: there is no loop here.
  std::atomic<std::uint32_t> generation{0};
  Loop* loop = nullptr;  ///< Only for its own thread.
  std::mutex mutex;      ///< Of `wakes`.
  int wakes = -1;
};
std::array<Place, kLoopsMax> places;
std::mutex places_mutex;
std::size_t next_place = 0;
std::uint32_t loops_made = 0;

unum_loop* handle_of_loop(std::size_t place) {
  return handle_of<unum_loop>(to_number({Kind::loop, place, places[place].generation.load(), 0}));
}

[[noreturn]] void throw_bug(std::string_view code, std::string message) {
  throw Error(ErrorKind::bug, "capi", code, std::move(message));
}

/// Takes a place that is free, the one that was freed longest ago.
std::size_t reserve_place() {
  const std::lock_guard lock(places_mutex);
  for (std::size_t tried = 0; tried < kLoopsMax; ++tried) {
    const std::size_t place = next_place;
    next_place = (next_place + 1) % kLoopsMax;
    std::uint64_t none = 0;
    if (places[place].owner.compare_exchange_strong(none, this_thread())) {
      places[place].generation = ++loops_made & kGenerationMask;
      return place;
    }
  }
  throw Error(ErrorKind::exhausted, "capi", "Unum.TooManyLoops",
              fmt::format("there are {} loops; free those that are not used", kLoopsMax));
}

void free_place(std::size_t place) noexcept {
  {
    const std::lock_guard lock(places[place].mutex);
    places[place].wakes = -1;
  }
  places[place].loop = nullptr;
  places[place].owner = 0;
}

Deadline deadline_after(Reactor& reactor, std::int64_t timeout_ms) {
  if (timeout_ms < 0) return kNoDeadline;
  if (timeout_ms == 0) return kAlreadyPassed;
  return reactor.exact_now() + time_of(timeout_ms);
}

}  // namespace

void throw_stale(HandleNumber number, Kind kind) {
  throw_bug("Unum.StaleHandle",
            fmt::format("the {} {:#x} was freed, or never was one", name_of(kind), number));
}

Loop& loop_of(HandleNumber number, Kind kind) {
  if (number == 0) throw_bug("Unum.NoHandle", fmt::format("the {} is NULL", name_of(kind)));
  const HandleParts parts = parts_of(number);
  if (parts.kind == Kind::none) throw_stale(number, kind);
  if (parts.kind != kind) {
    throw_bug("Unum.OtherKind", fmt::format("a {} was passed where a {} belongs",
                                            name_of(parts.kind), name_of(kind)));
  }
  Place& place = places[parts.place];
  const std::uint64_t owner = place.owner.load(std::memory_order_acquire);
  if (owner == 0) throw_stale(number, kind);
  if (owner != this_thread()) {
    throw_bug("Unum.OtherThread",
              fmt::format("the {} belongs to the loop of another thread; only unum_loop_wake may "
                          "be called from here",
                          name_of(kind)));
  }
  if (place.loop == nullptr) throw_stale(number, kind);  // being made, or freed
  if (kind == Kind::loop && parts.generation != place.generation.load()) throw_stale(number, kind);
  return *place.loop;
}

Loop::Loop(const Reactor::Options& options, std::size_t place, std::uint32_t first_generation)
    : reactor(options),
      handles(place, first_generation),
      wakes(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!wakes) throw system_error("capi", errno, "making an eventfd");
  watch_ = reactor.watch(wakes.get(), POLLIN, &Loop::on_wake, this);
}

Loop::~Loop() { reactor.unwatch(watch_); }

void Loop::on_wake(void* loop, unsigned) noexcept {
  Loop& self = *static_cast<Loop*>(loop);
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t taken = ::read(self.wakes.get(), &count, sizeof count);
  self.woken_ = true;
}

bool Loop::turn(Deadline until, const char* doing) {
  if (is_turning_) {
    throw_bug("Unum.Reentered", fmt::format("{} was called inside a callback", doing));
  }
  is_turning_ = true;
  try {
    const bool ran = reactor.run_once(until);
    is_turning_ = false;
    return ran;
  } catch (...) {
    is_turning_ = false;
    throw;
  }
}

void Loop::end() {
  for (Op* op = running.first; op != nullptr; op = op->next_running) op->abandon();
  while (running.first != nullptr) turn(kNoDeadline, "unum_loop_free");
  handles.remove_all(Kind::op);
  handles.remove_all(Kind::call);
  handles.remove_all(Kind::invocation);
  handles.remove_all(Kind::runtime);
  for (const std::shared_ptr<void>& object : handles.remove_all(Kind::store)) {
    is_turning_ = true;
    try {
      reactor.run(std::static_pointer_cast<StoreObject>(object)->store->close());
    } catch (const std::exception&) {  // it is gone either way, and what was written is kept
    }
    is_turning_ = false;
  }
}

}  // namespace unum::capi

using namespace unum;
using namespace unum::capi;

extern "C" {

unum_status unum_loop_new(const unum_loop_options* options, unum_loop** loop) {
  return guarded([&] {
    if (loop == nullptr) refuse("loop", "NULL; it must say where the handle goes");
    *loop = nullptr;
    const unum_loop_options wanted = struct_of(options, "unum_loop_options");
    Reactor::Options chosen;
    switch (wanted.backend) {
      case UNUM_BACKEND_AUTOMATIC: break;
      case UNUM_BACKEND_URING: chosen.backend = Reactor::Backend::uring; break;
      case UNUM_BACKEND_EPOLL: chosen.backend = Reactor::Backend::epoll; break;
      default: refuse("unum_loop_options.backend", fmt::format("{} is none", wanted.backend));
    }
    if (wanted.helper_threads_max > 0) chosen.helper_threads_max = wanted.helper_threads_max;
    const std::size_t place = reserve_place();
    try {
      // Loops that come after one another in one place begin far from each other's generations.
      const std::uint32_t first = places[place].generation.load() * 0x9e3779u;
      auto made = std::make_unique<Loop>(chosen, place, first & kGenerationMask);
      const std::lock_guard lock(places[place].mutex);
      places[place].wakes = made->wakes.get();
      places[place].loop = made.release();
    } catch (...) {
      free_place(place);
      throw;
    }
    *loop = handle_of_loop(place);
  });
}

unum_status unum_loop_free(unum_loop* loop) {
  if (loop == nullptr) return UNUM_OK;
  return guarded([&] {
    Loop& ending = loop_of(number_of(loop), Kind::loop);
    if (ending.is_turning()) {
      throw_bug("Unum.Reentered", "unum_loop_free was called inside a callback");
    }
    ending.end();
    const std::unique_ptr<Loop> owned(&ending);
    free_place(parts_of(number_of(loop)).place);
  });
}

const char* unum_loop_backend(unum_loop* loop) {
  return guarded_or<const char*>(nullptr, [&] {
    return loop_of(number_of(loop), Kind::loop).reactor.backend_reason().c_str();
  });
}

int unum_loop_fd(unum_loop* loop) {
  return guarded_or(-1, [&] { return loop_of(number_of(loop), Kind::loop).reactor.pollable_fd(); });
}

int64_t unum_loop_timeout_ms(unum_loop* loop) {
  return guarded_or(std::int64_t{-1}, [&]() -> std::int64_t {
    Loop& own = loop_of(number_of(loop), Kind::loop);
    const Deadline next = own.reactor.next_deadline();
    if (next == kNoDeadline) return -1;
    if (next == kAlreadyPassed) return 0;
    const Deadline now = own.reactor.exact_now();
    if (next <= now) return 0;
    return std::chrono::ceil<std::chrono::milliseconds>(next - now).count();
  });
}

unum_status unum_loop_dispatch(unum_loop* loop) {
  return guarded(
      [&] { loop_of(number_of(loop), Kind::loop).turn(kAlreadyPassed, "unum_loop_dispatch"); });
}

unum_status unum_loop_run(unum_loop* loop, int64_t timeout_ms) {
  return guarded([&]() -> unum_status {
    Loop& own = loop_of(number_of(loop), Kind::loop);
    if (own.is_turning()) own.turn(kAlreadyPassed, "unum_loop_run");
    const bool was_woken = own.take_wake();
    const Deadline until = was_woken ? kAlreadyPassed : deadline_after(own.reactor, timeout_ms);
    const bool ran = own.turn(until, "unum_loop_run");
    return own.take_wake() || was_woken || !ran ? UNUM_PENDING : UNUM_OK;
  });
}

unum_status unum_loop_wake(unum_loop* loop) {
  return guarded([&] {
    const HandleParts parts = parts_of(number_of(loop));
    if (parts.kind != Kind::loop) throw_stale(number_of(loop), Kind::loop);
    Place& place = places[parts.place];
    const std::lock_guard lock(place.mutex);
    const bool is_it = parts.generation == place.generation.load() && place.wakes >= 0;
    if (!is_it) throw_stale(number_of(loop), Kind::loop);
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t added = ::write(place.wakes, &one, sizeof one);
  });
}

unum_status unum_op_wait(unum_op* op, int64_t timeout_ms) {
  return guarded([&]() -> unum_status {
    Loop* loop = nullptr;
    const std::shared_ptr<Op> waited = object_of(op, &loop);
    const Deadline until = deadline_after(loop->reactor, timeout_ms);
    if (loop->is_turning()) loop->turn(until, "unum_op_wait");
    while (waited->status == UNUM_PENDING) {
      if (loop->take_wake()) return UNUM_PENDING;
      const bool ran = loop->turn(until, "unum_op_wait");
      if (waited->status != UNUM_PENDING) break;
      // The time is up, or a signal came.
      if (!ran || loop->reactor.exact_now() >= until) return UNUM_PENDING;
    }
    return waited->status;
  });
}

}  // extern "C"
