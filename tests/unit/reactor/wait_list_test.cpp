// Waiting for an event of another coroutine: order, deadline, stop, and waking in the same call.
#include "unum/detail/wait_list.hpp"

#include <vector>

#include "ports.hpp"

using namespace unum;
using namespace unum::test;

namespace {

/// Coroutines 0, 1, 2 ... that wait on one list, and what each wait ended in, in this order.
struct Waiters {
  struct End {
    int who;
    int result;
    friend bool operator==(const End&, const End&) = default;
  };

  explicit Waiters(Reactor& reactor_of_all) : reactor(reactor_of_all) {}
  void add(int who, Wait wait = {}) { group.spawn(waiter(who, wait)); }
  Task<void> waiter(int who, Wait wait) {
    const int result = co_await list.wait(reactor, wait);
    ended.push_back({who, result});
  }

  Reactor& reactor;
  detail::WaitList list;
  std::vector<End> ended;
  TaskGroup group;
};

}  // namespace

TEST_CASE("waiters are woken in the order in which they came, one by one or together") {
  ON_EACH_PORT(reactor);
  Waiters waiters(reactor);
  for (int who = 0; who < 4; ++who) waiters.add(who);
  CHECK(waiters.list.size() == 4);
  waiters.list.wake_one();
  CHECK(waiters.list.size() == 3);
  CHECK(waiters.ended.empty());  // through the queue, not in the call
  waiters.list.wake_all();
  CHECK(waiters.list.empty());
  waiters.list.wake_one();  // nobody is there: nothing
  reactor.run(waiters.group.drain());
  CHECK(waiters.ended == std::vector<Waiters::End>{{0, 0}, {1, 0}, {2, 0}, {3, 0}});
}

TEST_CASE("a waiter may be woken in the very call, and may wait again in it") {
  ON_EACH_PORT(reactor);
  detail::WaitList list;
  int rounds = 0;
  TaskGroup group;
  const auto body = [&]() -> Task<void> {
    while (rounds < 2) {
      co_await list.wait(reactor, {});
      ++rounds;
    }
  };
  group.spawn(body());
  list.wake_one_here();
  CHECK(rounds == 1);
  CHECK(list.size() == 1);
  list.wake_one_here();
  CHECK(rounds == 2);
  list.wake_one_here();  // nobody is there: nothing
  CHECK(rounds == 2);
  reactor.run(group.drain());
}

TEST_CASE("a waiter gives up at its deadline, at its stop, or when all are told to") {
  ON_EACH_PORT(reactor);
  Waiters waiters(reactor);
  StopSource stop;
  StopSource stopped;
  stopped.request("before");
  waiters.add(0, {.deadline = far_away(), .stop = {}});
  waiters.add(1, {.deadline = soon(1), .stop = {}});
  waiters.add(2, {.deadline = far_away(), .stop = stop.token()});
  waiters.add(3, {.deadline = kNoDeadline, .stop = stopped.token()});
  CHECK(waiters.list.size() == 3);
  CHECK(waiters.ended == std::vector<Waiters::End>{{3, -ECANCELED}});
  stop.request("now");
  CHECK(waiters.list.size() == 2);
  while (waiters.ended.size() < 3) reactor.run_once(far_away());
  CHECK(waiters.ended[1] == Waiters::End{2, -ECANCELED});
  CHECK(waiters.ended[2] == Waiters::End{1, -ETIME});
  waiters.list.stop_all();
  CHECK(waiters.list.empty());
  reactor.run(waiters.group.drain());
  CHECK(waiters.ended.back() == Waiters::End{0, -ECANCELED});
}

TEST_CASE("a bounded loop goes on where a task ends while another is being started") {
  ON_EACH_PORT(reactor);
  // Each odd task wakes the even one before it, which then ends inside of the start of the odd one.
  const std::size_t at_once = GENERATE(2, 3, 8);
  constexpr std::size_t count = 8;
  detail::WaitList list;
  std::size_t ended = 0;
  const auto body = [&]() -> Task<void> {
    co_await for_each_bounded(count, at_once, [&](std::size_t i) -> Task<void> {
      if (i % 2 == 0) {
        const int result = co_await list.wait(reactor, {});
        CHECK(result == 0);
      } else {
        list.wake_one_here();
      }
      ++ended;
    });
  };
  reactor.run(body());
  CHECK(ended == count);
}
