// Gates: nobody enters one that was closed, and closing waits for those inside.
#include "reactor/gate.hpp"

#include <stdexcept>

#include "ports.hpp"

using namespace unum;
using namespace unum::test;

namespace {

/// Stays inside until it is told to stop.
Task<void> stay(Reactor& reactor, Gate& gate, int& left) {
  const bool came = co_await reactor.sleep_until(kNoDeadline, gate.stop_token());
  CHECK_FALSE(came);
  ++left;
}

}  // namespace

TEST_CASE("a gate that is closed refuses whoever comes, and a refused task never begins") {
  ON_EACH_PORT(reactor);
  Gate gate(reactor);
  bool began = false;
  const auto begin = [&]() -> Task<void> {
    began = true;
    co_return;
  };
  CHECK(gate.enter());
  CHECK(gate.spawn(begin()));
  CHECK(std::exchange(began, false));
  CHECK(gate.inside() == 0);
  reactor.run(gate.close());
  CHECK(gate.is_closed());
  CHECK_FALSE(gate.enter());
  CHECK_FALSE(gate.spawn(begin()));
  CHECK_FALSE(began);
}

TEST_CASE("closing a gate waits until the last one has left") {
  ON_EACH_PORT(reactor);
  Gate gate(reactor);
  TaskGroup group;
  int closed = 0;
  const auto close = [&]() -> Task<void> {
    co_await gate.close();
    CHECK(gate.inside() == 0);
    ++closed;
  };
  {
    Gate::Pass first = gate.enter();
    const Gate::Pass moved = std::move(first);
    CHECK(gate.inside() == 1);
    {
      const Gate::Pass second = gate.enter();
      CHECK(gate.inside() == 2);
      group.spawn(close());
      group.spawn(close());
      CHECK_FALSE(gate.enter());
    }
    reactor.run_once(kAlreadyPassed);
    CHECK(closed == 0);
  }
  reactor.run(group.drain());
  CHECK(closed == 2);
  reactor.run(gate.close());  // once more waits for nobody
}

TEST_CASE("cancelling a gate stops those inside and waits for them") {
  ON_EACH_PORT(reactor);
  Gate gate(reactor);
  int left = 0;
  for (int i = 0; i < 3; ++i) REQUIRE(gate.spawn(stay(reactor, gate, left)));
  CHECK(gate.inside() == 3);
  reactor.run(gate.cancel("enough"));
  CHECK(left == 3);
  CHECK(gate.stop_token().reason() == "enough");
}

TEST_CASE("what a task inside throws is thrown by the close that waits for it") {
  ON_EACH_PORT(reactor);
  Gate gate(reactor);
  const auto fail = [&]() -> Task<void> {
    co_await reactor.yield();
    throw std::runtime_error("no");
  };
  REQUIRE(gate.spawn(fail()));
  CHECK_THROWS_AS(reactor.run(gate.close()), std::runtime_error);
  reactor.run(gate.close());  // once only
}
