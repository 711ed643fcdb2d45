// Time: the heap of timers against a plain model, sleeping, deadlines.
#include "reactor/timer_heap.hpp"

#include <map>
#include <random>

#include "ports.hpp"

using namespace unum;
using namespace unum::test;
using std::chrono::milliseconds;

TEST_CASE("the heap of timers gives them back as a sorted multimap does") {
  const auto seed = GENERATE(1u, 2u, 3u, 4u, 5u, 6u, 7u, 8u);
  std::mt19937 random(seed);
  std::vector<Timer> timers(300);
  TimerHeap heap;
  std::multimap<Deadline, Timer*> model;
  const auto forget = [&](Timer* timer) {
    auto [at, end] = model.equal_range(timer->when);
    while (at->second != timer) REQUIRE(++at != end);
    model.erase(at);
  };
  for (int step = 0; step < 20'000; ++step) {
    Timer& timer = timers[random() % timers.size()];
    if (timer.heap_index == Timer::kNotInHeap) {
      timer.when = Deadline(std::chrono::nanoseconds(random() % 100));
      heap.add(timer);
      model.emplace(timer.when, &timer);
    } else if (random() % 3 == 0) {
      heap.remove(timer);
      heap.remove(timer);  // once more changes nothing
      forget(&timer);
    } else if (random() % 4 == 0) {
      const Deadline now(std::chrono::nanoseconds(random() % 100));
      while (Timer* due = heap.pop_due(now)) {
        REQUIRE(due->when == model.begin()->first);
        forget(due);
      }
      REQUIRE((model.empty() || model.begin()->first > now));
    }
    REQUIRE(heap.size() == model.size());
    REQUIRE(heap.nearest() == (model.empty() ? kNoDeadline : model.begin()->first));
  }
  for (Timer& timer : timers) heap.remove(timer);
  CHECK(heap.empty());
}

TEST_CASE("sleepers wake in the order of their deadlines and not before") {
  ON_EACH_PORT(reactor);
  std::vector<int> order;
  TaskGroup group;
  const Deadline start = Clock::now();
  auto sleeper = [&](int ms) -> Task<void> {
    const bool came = co_await reactor.sleep_until(start + milliseconds(ms));
    CHECK(came);
    CHECK(Clock::now() >= start + milliseconds(ms));
    order.push_back(ms);
  };
  for (const int ms : {9, 3, 6, 0, -5}) group.spawn(sleeper(ms));
  reactor.run(group.drain());
  CHECK(order == std::vector<int>{-5, 0, 3, 6, 9});
}

TEST_CASE("a nearer deadline ends the wait, whatever was waited for before") {
  ON_EACH_PORT(reactor);
  const Deadline start = Clock::now();
  const auto sleep = [&](std::chrono::microseconds time) -> Task<void> {
    const Deadline until = Clock::now() + time;
    co_await reactor.sleep_until(until);
    CHECK(Clock::now() >= until);
  };
  TaskGroup group;
  StopSource stop;
  const auto sleep_long = [&](int seconds) -> Task<void> {
    const bool came =
        co_await reactor.sleep_until(start + std::chrono::seconds(seconds), stop.token());
    CHECK_FALSE(came);
  };
  const auto body = [&]() -> Task<void> {
    for (int round = 0; round < 20; ++round) {
      group.spawn(sleep_long(200 - round));  // each is the nearest of all
      co_await reactor.nop();                // a wait with only those
      co_await sleep(milliseconds(3));
      co_await sleep(std::chrono::microseconds(200));
      co_await sleep(milliseconds(2));
    }
    stop.request("enough");
    co_await group.drain();
    co_await sleep(milliseconds(5));
  };
  reactor.run(body());
  CHECK(Clock::now() < start + std::chrono::seconds(60));
}

TEST_CASE("a deadline that was given up does not end a later one's wait") {
  ON_EACH_PORT(reactor);
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  reactor.prepare_stream(ends[0]);
  const auto body = [&]() -> Task<void> {
    std::byte byte{};
    REQUIRE(::write(ends[1], "x", 1) == 1);
    int result = co_await reactor.stream_read(ends[0], {&byte, 1}, Wait{soon(4), {}});
    CHECK(result == 1);
    const Deadline later = soon(30);
    result = co_await reactor.stream_read(ends[0], {&byte, 1}, Wait{later, {}});
    CHECK(result == -ETIME);
    CHECK(Clock::now() >= later);
  };
  reactor.run(body());
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_CASE("a stop request wakes a sleeper") {
  ON_EACH_PORT(reactor);
  StopSource stop;
  TaskGroup group;
  int woken = 0;
  auto sleeper = [&]() -> Task<void> {
    const bool came = co_await reactor.sleep_until(far_away(), stop.token());
    CHECK_FALSE(came);
    ++woken;
  };
  group.spawn(sleeper());
  group.spawn(sleeper());
  stop.request("enough");
  CHECK(woken == 0);  // nobody resumes inside the request
  group.spawn(sleeper());
  CHECK(woken == 1);  // stopped before it slept
  reactor.run(group.drain());
  CHECK(woken == 3);
}

TEST_CASE("time stands still within a tick") {
  ON_EACH_PORT(reactor);
  auto body = [&]() -> Task<void> {
    co_await reactor.yield();
    const Deadline before = reactor.now();
    while (Clock::now() < before + milliseconds(2)) {
    }
    CHECK(reactor.now() == before);
    co_await reactor.sleep_until(before + milliseconds(1));
    CHECK(reactor.now() >= before + milliseconds(2));
  };
  reactor.run(body());
}

TEST_CASE("an operation that waits ends at its deadline, which is absolute") {
  ON_EACH_PORT(reactor);
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  reactor.prepare_stream(ends[0]);
  const Deadline deadline = soon(20);
  auto body = [&]() -> Task<void> {
    std::byte byte{};
    // Two waits for one deadline: the second has only what is left, the third nothing.
    int result = co_await reactor.stream_read(ends[0], {&byte, 1}, Wait{soon(5), {}});
    CHECK(result == -ETIME);
    result = co_await reactor.stream_read(ends[0], {&byte, 1}, Wait{deadline, {}});
    CHECK(result == -ETIME);
    CHECK(Clock::now() >= deadline);
    const Deadline before = Clock::now();
    result = co_await reactor.poll(ends[0], 1, Wait{deadline, {}});
    CHECK(result == -ETIME);
    result = co_await reactor.poll(ends[0], 1, Wait{kAlreadyPassed, {}});
    CHECK(result == -ETIME);
    CHECK(Clock::now() < before + std::chrono::seconds(10));
  };
  reactor.run(body());
  CHECK(reactor.in_flight() == 0);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_CASE("what is there already is had although the deadline has passed") {
  ON_EACH_PORT(reactor);
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  REQUIRE(::write(ends[1], "x", 1) == 1);
  reactor.prepare_stream(ends[0]);
  auto body = [&]() -> Task<int> {
    std::byte byte{};
    co_return co_await reactor.stream_read(ends[0], {&byte, 1}, Wait{kAlreadyPassed, {}});
  };
  CHECK(reactor.run(body()) == 1);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_CASE("a timer that sets itself again for now waits for the next tick") {
  ON_EACH_PORT(reactor);
  struct Again : Timer {
    Reactor* reactor = nullptr;
    int fired = 0;
  } again;
  again.reactor = &reactor;
  again.when = kAlreadyPassed;
  again.fire = [](Timer& timer) noexcept {
    auto& self = static_cast<Again&>(timer);
    ++self.fired;
    self.reactor->add_timer(self);
  };
  reactor.add_timer(again);
  for (int tick = 1; tick <= 3; ++tick) {
    reactor.run_once(kAlreadyPassed);
    CHECK(again.fired == tick);
    CHECK(reactor.next_deadline() == kAlreadyPassed);
  }
  reactor.remove_timer(again);
  CHECK(reactor.next_deadline() == kNoDeadline);
}

TEST_CASE("the loop runs until a point of time") {
  ON_EACH_PORT(reactor);
  const Deadline until = soon(3);
  reactor.run_until(until);
  CHECK(Clock::now() >= until);
}
