// Events and channels: who waits, who goes on, and what becomes of values.
#include "unum/event.hpp"

#include <algorithm>
#include <memory>
#include <numeric>
#include <vector>

#include "ports.hpp"

using namespace unum;
using namespace unum::test;

namespace {

Wait until(Reactor& reactor, int milliseconds) {
  return {reactor.now() + std::chrono::milliseconds(milliseconds), {}};
}

Task<void> note(Event& event, std::vector<int>& came, int who) {
  co_await event.wait();
  came.push_back(who);
}

Task<void> receive_all(Channel<int>& channel, std::vector<int>& received) {
  while (std::optional<int> value = co_await channel.receive()) received.push_back(*value);
}

}  // namespace

TEST_CASE("an event lets all that wait go on, and who comes later at once") {
  ON_EACH_PORT(reactor);
  Event event(reactor);
  std::vector<int> came;
  TaskGroup group;
  group.spawn(note(event, came, 1));
  group.spawn(note(event, came, 2));
  CHECK_FALSE(event.is_set());
  event.set();
  CHECK(event.is_set());
  CHECK(came.empty());  // through the reactor's queue
  group.spawn(note(event, came, 3));
  CHECK(came == std::vector<int>{3});
  reactor.run(group.drain());
  CHECK(came == std::vector<int>{3, 1, 2});
}

TEST_CASE("who was woken by an event goes on though it was cleared since") {
  ON_EACH_PORT(reactor);
  Event event(reactor);
  std::vector<int> came;
  TaskGroup group;
  group.spawn(note(event, came, 1));
  event.set();
  event.clear();
  CHECK_FALSE(event.is_set());
  group.spawn(note(event, came, 2));
  reactor.run_once(reactor.now());
  CHECK(came == std::vector<int>{1});
  event.set();
  reactor.run(group.drain());
  CHECK(came == std::vector<int>{1, 2});
}

TEST_CASE("a wait for an event or a channel ends at its deadline and by its stop") {
  ON_EACH_PORT(reactor);
  Event event(reactor);
  Channel<int> empty(reactor, 1);
  Channel<int> full(reactor, 1);
  REQUIRE(full.try_send(1));
  StopSource stop;
  stop.request("enough");
  const Wait stopped{kNoDeadline, stop.token()};
  const Error errors[] = {error_of(reactor, event.wait(until(reactor, 1), "the door")),
                          error_of(reactor, empty.receive(until(reactor, 1))),
                          error_of(reactor, full.send(2, until(reactor, 1))),
                          error_of(reactor, event.wait(stopped, "the door")),
                          error_of(reactor, empty.receive(stopped)),
                          error_of(reactor, full.send(2, stopped))};
  for (std::size_t i = 0; i < std::size(errors); ++i) {
    CHECK(errors[i].kind() == (i < 3 ? ErrorKind::timeout : ErrorKind::cancelled));
    CHECK(errors[i].code() == (i < 3 ? "Unum.Timeout" : "Unum.Cancelled"));
  }
  CHECK(errors[0].message() == "the door was waited for until the deadline");
  CHECK(errors[3].message() == "the door is no longer waited for: enough");
  CHECK(full.size() == 1);
  // What can be had at once is, whatever the wait says.
  CHECK(reactor.run(full.receive(stopped)) == 1);
  CHECK(reactor.run(full.send(3, stopped)));
}

TEST_CASE("a channel carries values in their order and holds no more than it may") {
  ON_EACH_PORT(reactor);
  Channel<int> channel(reactor, 3);
  std::vector<int> received;
  std::size_t most = 0;
  TaskGroup group;
  const auto send_all = [&]() -> Task<void> {
    for (int i = 0; i < 1000; ++i) {
      const bool sent = co_await channel.send(i);
      CHECK(sent);
      most = std::max(most, channel.size());
    }
    channel.close();
  };
  group.spawn(send_all());
  CHECK(channel.size() == 3);
  group.spawn(receive_all(channel, received));
  reactor.run(group.drain());
  std::vector<int> expected(1000);
  std::iota(expected.begin(), expected.end(), 0);
  CHECK(received == expected);
  CHECK(most == 3);
}

TEST_CASE("each value goes to one of many receivers, whoever sends it") {
  ON_EACH_PORT(reactor);
  constexpr int kSenders = 5;
  constexpr int kValues = 200;
  Channel<int> channel(reactor, 2);
  std::vector<std::vector<int>> received(4);
  TaskGroup receivers;
  for (std::vector<int>& mine : received) receivers.spawn(receive_all(channel, mine));
  const auto send = [&](std::size_t sender) -> Task<void> {
    for (int i = 0; i < kValues; ++i) {
      const bool sent = co_await channel.send(static_cast<int>(sender) * kValues + i);
      CHECK(sent);
    }
  };
  reactor.run(for_each_bounded(kSenders, kSenders, send));
  channel.close();
  reactor.run(receivers.drain());
  std::vector<int> all;
  for (const std::vector<int>& mine : received) all.insert(all.end(), mine.begin(), mine.end());
  std::sort(all.begin(), all.end());
  std::vector<int> expected(kSenders * kValues);
  std::iota(expected.begin(), expected.end(), 0);
  CHECK(all == expected);
}

TEST_CASE("a closed channel takes nothing, gives what it has, and lets all go") {
  ON_EACH_PORT(reactor);
  Channel<std::unique_ptr<int>> channel(reactor, 1);
  REQUIRE(channel.try_send(std::make_unique<int>(7)));
  std::vector<bool> sent;
  TaskGroup group;
  const auto send = [&]() -> Task<void> {
    const bool taken = co_await channel.send(std::make_unique<int>(8));
    sent.push_back(taken);
  };
  group.spawn(send());
  channel.close();
  channel.close();
  reactor.run(group.drain());
  CHECK(sent == std::vector<bool>{false});
  auto kept = std::make_unique<int>(9);
  CHECK_FALSE(channel.try_send(kept));
  CHECK(*kept == 9);
  const auto value = reactor.run(channel.receive());
  REQUIRE(value);
  CHECK(**value == 7);
  CHECK_FALSE(reactor.run(channel.receive()));
  CHECK_FALSE(channel.try_receive());
}

TEST_CASE("a receiver that gives up takes no value with it") {
  ON_EACH_PORT(reactor);
  Channel<int> channel(reactor, 1);
  std::vector<int> received;
  StopSource stop;
  TaskGroup group;
  const Wait stopped{kNoDeadline, stop.token()};
  const auto give_up = [&]() -> Task<void> {
    try {
      const auto value = co_await channel.receive(stopped);
      if (value) received.push_back(-*value);
    } catch (const Error&) {
      received.push_back(0);
    }
  };
  group.spawn(give_up());
  group.spawn(receive_all(channel, received));
  stop.request("enough");
  REQUIRE(channel.try_send(5));
  channel.close();
  reactor.run(group.drain());
  CHECK(received == std::vector<int>{0, 5});
}
