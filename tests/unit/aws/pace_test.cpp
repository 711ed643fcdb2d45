// The pace of a service that asks for a slower one, by a clock of the test's own.
#include "aws/pace.hpp"

#include "aws_testing.hpp"

using namespace unum;
using namespace unum::test;
using namespace std::chrono_literals;

namespace {

const Deadline kBegin = Deadline() + 1000h;

/// A service that does `limit` requests a second and refuses the others, asked as fast as the pace
/// allows, at most 1,000 times a second. Returns how many it did and how many it refused.
struct Served {
  int done = 0;
  int refused = 0;
};

Served ask(Pace& pace, Deadline from, Clock::duration time, double limit) {
  Served served;
  double tokens = 1;
  Deadline next = from;
  for (Deadline now = from; now < from + time; now += 1ms) {
    tokens = std::min(std::max(1.0, limit / 4), tokens + limit / 1000);
    if (pace.is_limited() && now < next) continue;
    if (pace.is_limited()) {
      next = now + std::chrono::duration_cast<Clock::duration>(
                       std::chrono::duration<double>(1 / pace.rate()));
    }
    const unsigned epoch = pace.epoch();
    if (tokens >= 1) {
      tokens -= 1;
      ++served.done;
      pace.answered(now);
    } else {
      ++served.refused;
      pace.refused(epoch, now);
    }
  }
  return served;
}

}  // namespace

TEST_CASE("a service that refuses nothing is asked without any limit", "[retry]") {
  Reactor reactor;
  Pace pace(reactor);
  const Served served = ask(pace, kBegin, 10s, 2000);
  CHECK(served.done == 10'000);
  CHECK(!pace.is_limited());
}

TEST_CASE("the pace finds what a service does in a second, and most of it is used (found 15)",
          "[retry]") {
  Reactor reactor;
  for (const double limit : {10.0, 25.0, 300.0}) {
    CAPTURE(limit);
    Pace pace(reactor);
    ask(pace, kBegin, 5s, limit);
    const Served served = ask(pace, kBegin + 5s, 60s, limit);
    CAPTURE(served.done, served.refused);
    CHECK(served.done > 0.75 * 60 * limit);
    CHECK(served.refused < 0.3 * 60 * limit);
    CHECK(pace.is_limited());
    // Once it refuses nothing any more, nothing is held back.
    ask(pace, kBegin + 65s, 60s, 2000);
    CHECK(!pace.is_limited());
  }
}

TEST_CASE("what was under way together slows down once, and a tenth of refusals not at all",
          "[retry]") {
  Reactor reactor;
  Pace pace(reactor);
  for (int i = 0; i < 1000; ++i) pace.answered(kBegin);
  const unsigned sent_in = pace.epoch();
  for (int i = 0; i < 100; ++i) pace.refused(sent_in, kBegin);
  CHECK(!pace.is_limited());
  for (int i = 0; i < 400; ++i) pace.refused(sent_in, kBegin);
  CHECK(pace.is_limited());
  CHECK(pace.cuts() == 1);
  CHECK(pace.rate() > 1000);  // 0.7 of what was answered in half a second, twice
  pace.refused(pace.epoch(), kBegin);
  CHECK(pace.cuts() == 2);
}

TEST_CASE("a service that refuses everything is asked a few times a second, not less", "[retry]") {
  Reactor reactor;
  Pace pace(reactor);
  for (int i = 0; i < 100; ++i) pace.refused(pace.epoch(), kBegin + i * 1s);
  CHECK(pace.rate() == Pace::kRateMin);
  pace.answered(kBegin + 100s);
  CHECK(pace.is_limited());
}

TEST_CASE("turns come in order at the rate, and all at once when there is no limit any more",
          "[retry]") {
  ON_EACH_PORT(reactor);
  Pace pace(reactor);
  std::vector<int> order;
  const auto call = [&](int number) -> Task<void> {
    const bool mine = co_await pace.turn(Wait{far_away(), {}});
    CHECK(mine);
    order.push_back(number);
  };
  const auto body = [&]() -> Task<void> {
    pace.lost();
    const Clock::time_point before = Clock::now();
    TaskGroup calls;
    for (int i = 0; i < 4; ++i) calls.spawn(call(i));
    co_await calls.drain();
    CHECK(order == std::vector<int>{0, 1, 2, 3});
    // The first at once, the others a tenth of a second apart.
    CHECK(Clock::now() - before >= 250ms);
    for (int i = 0; i < 500; ++i) calls.spawn(call(i));
    const bool late = co_await pace.turn(Wait{reactor.now() + 1ms, {}});
    CHECK(!late);
    pace.answered(reactor.now());
    co_await calls.drain();
    CHECK(Clock::now() - before < 20s);
    CHECK(order.size() == 504);
  };
  reactor.run(body());
}
