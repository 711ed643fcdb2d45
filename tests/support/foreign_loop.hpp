// A loop of somebody else's that drives a reactor by its descriptor and its next deadline alone.
#pragma once

#include <poll.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cstdint>
#include <stdexcept>

#include "catch.hpp"
#include "reactor/descriptor.hpp"
#include "unum/reactor.hpp"

namespace unum::test {

enum class Loop { poll, nested_epoll };

/// It has nothing else to do, and never calls the reactor without being
/// told to.
class ForeignLoop {
 public:
  ForeignLoop(Reactor& reactor, Loop loop) : reactor_(reactor), loop_(loop) {
    if (loop_ == Loop::poll) return;
    epoll_ = Descriptor(::epoll_create1(EPOLL_CLOEXEC));
    epoll_event event{};
    event.events = EPOLLIN;
    REQUIRE(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, reactor.pollable_fd(), &event) == 0);
  }

  template <class T>
  T run(Task<T> task) {
    if (!task.start([](void*) noexcept {}, nullptr)) {
      while (!task.done()) turn();
    }
    return task.take();
  }
  int idle_turns() const { return idle_; }

 private:
  void turn() {
    const Deadline next = reactor_.next_deadline();
    int timeout = 0;
    // Silence this long means that the reactor did not say what it waits for.
    constexpr int kTooLong = 20'000;
    if (next != kAlreadyPassed) {
      const Deadline limit = std::min(next, Clock::now() + std::chrono::milliseconds(kTooLong));
      timeout = static_cast<int>(std::max<std::int64_t>(
          0, std::chrono::ceil<std::chrono::milliseconds>(limit - Clock::now()).count()));
    }
    int count = 0;
    if (loop_ == Loop::poll) {
      pollfd entry{reactor_.pollable_fd(), POLLIN, 0};
      count = ::poll(&entry, 1, timeout);
    } else {
      epoll_event event{};
      count = ::epoll_wait(epoll_.get(), &event, 1, timeout);
    }
    if (count == 0 && Clock::now() < next && timeout > 0) {
      throw std::logic_error("the reactor was silent although it had work");
    }
    if (!reactor_.run_once(kAlreadyPassed)) ++idle_;
  }

  Reactor& reactor_;
  const Loop loop_;
  Descriptor epoll_;
  int idle_ = 0;
};

}  // namespace unum::test
