// A reactor on a port of the test's own: its clock, its time of day and its chance are the port's.
#include "reactor/port.hpp"

#include <array>

#include "base/backoff.hpp"
#include "ports.hpp"
#include "reactor/random_text.hpp"
#include "support/scripted_port.hpp"
#include "unum/detail/wait_list.hpp"

using namespace unum;
using namespace unum::test;
using namespace std::chrono_literals;

TEST_CASE("timers fire by the port's clock, in their order and without waiting") {
  Script script;
  Reactor reactor = scripted_reactor(script);
  const Deadline begun = reactor.now();
  const WallTime day_begun = reactor.wall_time();
  std::vector<std::chrono::hours> order;
  const auto sleeper = [&](std::chrono::hours time) -> Task<void> {
    const bool came = co_await reactor.sleep_until(begun + time);
    CHECK(came);
    CHECK(reactor.now() == begun + time);
    order.push_back(time);
  };
  TaskGroup group;
  for (const auto time : {8760h, 1h, 24h}) group.spawn(sleeper(time));
  reactor.run(group.drain());
  CHECK(order == std::vector<std::chrono::hours>{1h, 24h, 8760h});
  CHECK(reactor.wall_time() == day_begun + 8760h);
  CHECK(reactor.backend() == Reactor::Backend::simulated);
  CHECK(reactor.backend_reason() == "a script");
}

TEST_CASE("operations and waits end by the port's clock") {
  Script script;
  Reactor reactor = scripted_reactor(script);
  const auto body = [&]() -> Task<void> {
    int result = co_await reactor.nop();
    CHECK(result == 0);
    const Deadline poll_until = reactor.now() + 5min;
    result = co_await reactor.poll(0, 1, Wait{poll_until, {}});
    CHECK(result == -ETIME);
    CHECK(reactor.now() == poll_until);
    detail::WaitList list;
    const Deadline wait_until = reactor.now() + 5min;
    result = co_await list.wait(reactor, Wait{wait_until, {}});
    CHECK(result == -ETIME);
    CHECK(reactor.now() == wait_until);
  };
  reactor.run(body());
}

TEST_CASE("the time of a tick stands still, the exact time is the port's") {
  Script script;
  Reactor reactor = scripted_reactor(script);
  const auto body = [&]() -> Task<void> {
    co_await reactor.nop();
    const Deadline before = reactor.now();
    script.now += 3ms;
    CHECK(reactor.now() == before);
    CHECK(reactor.exact_now() == before + 3ms);
    co_await reactor.nop();
    CHECK(reactor.now() == before + 3ms);
  };
  reactor.run(body());
}

TEST_CASE("the loop runs until a point of the port's time") {
  Script script;
  Reactor reactor = scripted_reactor(script);
  const Deadline until = reactor.now() + 100h;
  reactor.run_until(until);
  CHECK(script.now == until);
}

TEST_CASE("random names are made of the port's bytes") {
  Script script;
  Reactor reactor = scripted_reactor(script);
  script.next_byte = 0xfe;
  CHECK(random_hex(reactor, 4) == "feff0001");
  CHECK(script.bytes_given == 4);
}

TEST_CASE("the jitter of a backoff is seeded once, and the same again from the same bytes") {
  constexpr Backoff kBackoff{20ms, 1000ms};
  const auto pauses_of = [&](unsigned char first_byte) {
    Script script;
    script.next_byte = first_byte;
    Reactor reactor = scripted_reactor(script);
    std::vector<Clock::duration> pauses;
    for (unsigned attempt = 0; attempt < 8; ++attempt) {
      pauses.push_back(kBackoff.pause(attempt, reactor.random_fraction()));
    }
    CHECK(script.bytes_given == 8);
    return pauses;
  };
  CHECK(pauses_of(1) == pauses_of(1));
  CHECK(pauses_of(1) != pauses_of(2));
}

TEST_CASE("random numbers are spread over [0, 1) and differ from one reactor to the next") {
  ON_EACH_PORT(reactor);
  Reactor other(options_for(backend));
  int low = 0;
  int same = 0;
  for (int i = 0; i < 1000; ++i) {
    const double number = reactor.random_fraction();
    REQUIRE(number >= 0.0);
    REQUIRE(number < 1.0);
    low += number < 0.5 ? 1 : 0;
    same += number == other.random_fraction() ? 1 : 0;
  }
  CHECK(low > 400);
  CHECK(low < 600);
  CHECK(same < 10);
}

TEST_CASE("both ports give the system's time and its random bytes") {
  ON_EACH_PORT(reactor);
  const Deadline before = Clock::now();
  const Deadline now = reactor.exact_now();
  CHECK(before <= now);
  CHECK(now <= Clock::now());
  const WallTime day_before = std::chrono::system_clock::now();
  CHECK(day_before <= reactor.wall_time());
  std::array<std::byte, 1000> bytes{};  // more than the kernel gives in one piece under a signal
  reactor.random_bytes(bytes);
  std::array<int, 256> seen{};
  for (const std::byte byte : bytes) ++seen[std::to_integer<std::size_t>(byte)];
  CHECK(*std::max_element(seen.begin(), seen.end()) < 100);
  CHECK(random_hex(reactor, 16) != random_hex(reactor, 16));
}
