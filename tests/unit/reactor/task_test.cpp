// Tasks, groups, bounded loops and stop requests, which need no port.
#include "unum/task.hpp"

#include <stdexcept>

#include "ports.hpp"
#include "unum/stop.hpp"
#include "unum/task_group.hpp"

using namespace unum;
using namespace unum::test;

namespace {

Task<int> value(int n) { co_return n; }
Task<int> failing() {
  throw std::runtime_error("no");
  co_return 0;
}
Task<std::int64_t> sum_to(int n) {
  std::int64_t sum = 0;
  for (int i = 1; i <= n; ++i) sum += co_await value(i);
  co_return sum;
}

/// Suspends until somebody opens it; any number may wait.
class Door {
 public:
  auto operator co_await() noexcept {
    struct Awaiter {
      Door& door;
      bool await_ready() const noexcept { return door.open_; }
      void await_suspend(std::coroutine_handle<> waiter) { door.waiting_.push_back(waiter); }
      void await_resume() const noexcept {}
    };
    return Awaiter{*this};
  }
  void open() {
    open_ = true;
    for (const auto waiter : std::exchange(waiting_, {})) waiter.resume();
  }
  std::size_t waiting() const { return waiting_.size(); }

 private:
  bool open_ = false;
  std::vector<std::coroutine_handle<>> waiting_;
};

Task<void> through(Door& door) { co_await door; }
Task<int> through_with(Door& door, int n) {
  co_await door;
  co_return n;
}

struct MoveOnly {
  std::unique_ptr<int> n;
};
Task<MoveOnly> move_only() { co_return MoveOnly{std::make_unique<int>(5)}; }

}  // namespace

TEST_CASE("a task gives its value to who awaits it") {
  Reactor reactor;
  CHECK(reactor.run(sum_to(100)) == 5050);
  CHECK(*reactor.run(move_only()).n == 5);
}

TEST_CASE("a task does nothing until it is awaited") {
  bool ran = false;
  auto body = [&]() -> Task<void> {
    ran = true;
    co_return;
  };
  {
    Task<void> task = body();
    CHECK_FALSE(ran);
    CHECK_FALSE(task.done());
  }
  CHECK_FALSE(ran);
  Task<void> task = body();
  CHECK(task.start([](void*) noexcept {}, nullptr));
  CHECK(ran);
}

TEST_CASE("an exception passes from task to task") {
  Reactor reactor;
  auto outer = []() -> Task<int> { co_return co_await failing(); };
  CHECK_THROWS_WITH(reactor.run(outer()), "no");
  auto catching = []() -> Task<int> {
    try {
      co_return co_await failing();
    } catch (const std::runtime_error&) {
      co_return 3;
    }
  };
  CHECK(reactor.run(catching()) == 3);
}

TEST_CASE("a million tasks in a loop use no stack") {
  Reactor reactor;
  CHECK(reactor.run(sum_to(1'000'000)) == 500'000'500'000);
  // The same where each one really suspends.
  auto body = [&]() -> Task<int> {
    int count = 0;
    for (int i = 0; i < 100'000; ++i) {
      auto yielding = [&]() -> Task<int> {
        co_await reactor.yield();
        co_return 1;
      };
      count += co_await yielding();
    }
    co_return count;
  };
  CHECK(reactor.run(body()) == 100'000);
}

TEST_CASE("a group drains what was spawned, also what is spawned meanwhile") {
  Door door;
  TaskGroup group;
  int ended = 0;
  auto last = [&]() -> Task<void> {
    co_await door;
    ++ended;
  };
  auto first = [&]() -> Task<void> {
    co_await door;
    group.spawn(last());
    ++ended;
  };
  group.spawn(first());
  group.spawn(last());
  CHECK(group.running() == 2);
  auto draining = [&]() -> Task<void> { co_await group.drain(); };
  Task<void> drain = draining();
  bool drained = false;
  CHECK_FALSE(drain.start([](void* flag) noexcept { *static_cast<bool*>(flag) = true; }, &drained));
  door.open();
  CHECK(drained);
  CHECK(ended == 3);
  CHECK(group.running() == 0);
}

TEST_CASE("a group keeps the first error until it is drained, and can go on") {
  Reactor reactor;
  TaskGroup group;
  auto fail = [](const char* why) -> Task<void> {
    throw std::runtime_error(why);
    co_return;
  };
  group.spawn(fail("first"));
  group.spawn(fail("second"));
  CHECK_THROWS_WITH(reactor.run(group.drain()), "first");
  reactor.run(group.drain());
  group.spawn(fail("third"));
  CHECK_THROWS_WITH(reactor.run(group.drain()), "third");
}

TEST_CASE("a bounded loop never has more in flight than it may") {
  const std::size_t bound = GENERATE(1u, 2u, 7u, 64u, 1000u);
  Reactor reactor;
  std::size_t now = 0, most = 0, made = 0;
  auto body = [&]() -> Task<void> {
    co_await for_each_bounded(100, bound, [&](std::size_t i) -> Task<void> {
      CHECK(i == made++);
      most = std::max(most, ++now);
      co_await reactor.yield();
      --now;
    });
  };
  reactor.run(body());
  CHECK(made == 100);
  CHECK(now == 0);
  CHECK(most == std::min<std::size_t>(bound, 100));
}

TEST_CASE("a bounded loop over nothing ends at once") {
  Reactor reactor;
  auto body = [&]() -> Task<void> {
    co_await for_each_bounded(0, 8, [](std::size_t) -> Task<void> { co_return; });
  };
  reactor.run(body());
}

TEST_CASE("after a failure a bounded loop begins nothing more and awaits what runs") {
  Reactor reactor;
  std::size_t begun = 0, ended = 0;
  auto body = [&]() -> Task<void> {
    co_await for_each_bounded(100, 4, [&](std::size_t i) -> Task<void> {
      ++begun;
      co_await reactor.yield();
      if (i == 1) throw std::runtime_error("the second");
      co_await reactor.yield();
      ++ended;
    });
  };
  CHECK_THROWS_WITH(reactor.run(body()), "the second");
  CHECK(begun < 10);
  CHECK(ended == begun - 1);
}

TEST_CASE("when_all gives the results in order, whatever the order of their ends") {
  Reactor reactor;
  Door early, late;
  std::vector<Task<int>> tasks;
  tasks.push_back(through_with(late, 1));
  tasks.push_back(through_with(early, 2));
  tasks.push_back(value(3));
  Task<std::vector<int>> all = when_all(std::move(tasks), 8);
  CHECK_FALSE(all.start([](void*) noexcept {}, nullptr));
  early.open();
  CHECK_FALSE(all.done());
  late.open();
  REQUIRE(all.done());
  CHECK(all.take() == std::vector<int>{1, 2, 3});
}

TEST_CASE("when_all takes results that can only be moved, and flags") {
  Reactor reactor;
  std::vector<Task<MoveOnly>> tasks;
  tasks.push_back(move_only());
  tasks.push_back(move_only());
  CHECK(*reactor.run(when_all(std::move(tasks), 2)).at(1).n == 5);
  std::vector<Task<void>> nothing;
  Door door;
  nothing.push_back(through(door));
  door.open();
  reactor.run(when_all(std::move(nothing), 2));
}

TEST_CASE("a stop request is heard once, with the first reason") {
  StopSource source;
  CHECK_FALSE(StopToken().stop_requested());
  const StopToken token = source.token();
  CHECK_FALSE(token.stop_requested());
  CHECK(token.reason().empty());
  int heard = 0;
  const auto count = [](void* n) noexcept { ++*static_cast<int*>(n); };
  StopCallback callback(token, count, &heard);
  { const StopCallback gone(token, count, &heard); }
  source.request("first");
  source.request("second");
  CHECK(heard == 1);
  CHECK(token.stop_requested());
  CHECK(token.reason() == "first");
  StopCallback late(token, count, &heard);
  CHECK(heard == 2);
}

TEST_CASE("a stop request passes from parent to child, not back") {
  StopSource parent;
  StopSource child(parent.token());
  StopSource other(parent.token());
  child.request("mine");
  CHECK_FALSE(parent.requested());
  parent.request("all");
  CHECK(child.reason() == "mine");
  CHECK(other.reason() == "all");
  const StopSource late(parent.token());
  CHECK(late.reason() == "all");
}

TEST_CASE("a callback may take others off the list while a request runs") {
  StopSource source;
  struct Pair {
    StopCallback first, second;
    int heard = 0;
  } pair;
  const auto function = [](void* address) noexcept {
    auto& both = *static_cast<Pair*>(address);
    ++both.heard;
    both.first.unlink();
    both.second.unlink();
  };
  pair.first.link(source.token(), function, &pair);
  pair.second.link(source.token(), function, &pair);
  source.request("now");
  CHECK(pair.heard == 1);
}
