// Watches for foreign libraries: level-like, keyed by generation, deaf after their end.
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include "ports.hpp"
#include "reactor/files.hpp"

using namespace unum;
using namespace unum::test;

namespace {

struct Heard {
  Reactor* reactor = nullptr;
  WatchId id;
  int count = 0;
  unsigned events = 0;
  bool unwatch_at_once = false;

  static void callback(void* address, unsigned events) noexcept {
    auto& self = *static_cast<Heard*>(address);
    ++self.count;
    self.events = events;
    if (self.unwatch_at_once) self.reactor->unwatch(self.id);
  }
};

Heard& listen(Heard& heard, Reactor& reactor, int fd, unsigned events) {
  heard.reactor = &reactor;
  heard.id = reactor.watch(fd, events, &Heard::callback, &heard);
  return heard;
}

/// Ticks until it was heard at least `count` times.
void hear(Reactor& reactor, const Heard& heard, int count) {
  const Deadline limit = far_away();
  while (heard.count < count && Clock::now() < limit) reactor.run_once(limit);
}

/// Ticks as long as something that is under way could still arrive.
void settle(Reactor& reactor) {
  for (int i = 0; i < 3; ++i) reactor.run_once(kAlreadyPassed);
  reactor.run_once(soon(1));
}

}  // namespace

TEST_CASE("a watch calls as long as data is unread, and not from inside the call that makes it") {
  ON_EACH_PORT(reactor);
  Pipe pipe = make_pipe();
  REQUIRE(::write(pipe.write_end.get(), "xy", 2) == 2);
  Heard heard;
  listen(heard, reactor, pipe.read_end.get(), POLLIN);
  CHECK(heard.count == 0);
  hear(reactor, heard, 3);
  CHECK(heard.count >= 3);
  CHECK(heard.events == POLLIN);
  char both[2];
  REQUIRE(::read(pipe.read_end.get(), both, 2) == 2);
  settle(reactor);
  const int before = heard.count;
  settle(reactor);
  CHECK(heard.count == before);
  REQUIRE(::write(pipe.write_end.get(), "z", 1) == 1);
  hear(reactor, heard, before + 1);
  CHECK(heard.count > before);
  reactor.unwatch(heard.id);
}

TEST_CASE("after its end a watch is not called, though an event is on its way") {
  ON_EACH_PORT(reactor);
  Pipe pipe = make_pipe();
  Heard heard;
  listen(heard, reactor, pipe.read_end.get(), POLLIN);
  settle(reactor);
  REQUIRE(::write(pipe.write_end.get(), "x", 1) == 1);
  reactor.unwatch(heard.id);
  reactor.unwatch(heard.id);
  reactor.change_watch(heard.id, POLLIN);
  settle(reactor);
  CHECK(heard.count == 0);
}

TEST_CASE("a watch may end itself in its callback, and another take its place") {
  ON_EACH_PORT(reactor);
  Pipe pipe = make_pipe();
  REQUIRE(::write(pipe.write_end.get(), "x", 1) == 1);
  Heard first;
  first.unwatch_at_once = true;
  listen(first, reactor, pipe.read_end.get(), POLLIN);
  hear(reactor, first, 1);
  Heard second;
  listen(second, reactor, pipe.read_end.get(), POLLIN);
  CHECK(second.id.slot == first.id.slot);
  CHECK(second.id.generation != first.id.generation);
  hear(reactor, second, 1);
  CHECK(first.count == 1);
  reactor.unwatch(first.id);  // a late call with the old id does not end the new watch
  REQUIRE(::write(pipe.write_end.get(), "x", 1) == 1);
  hear(reactor, second, 2);
  CHECK(second.count >= 2);
  reactor.unwatch(second.id);
}

TEST_CASE("a closed and reused descriptor brings the new user nothing of the old") {
  ON_EACH_PORT(reactor);
  for (int round = 0; round < 20; ++round) {
    Pipe old = make_pipe();
    const int number = old.read_end.get();
    Heard of_old;
    listen(of_old, reactor, number, POLLIN);
    settle(reactor);
    // As curl does: the watch ends, the socket closes, the next socket gets its number and is
    // watched.
    reactor.unwatch(of_old.id);
    const Descriptor still_open(::fcntl(number, F_DUPFD_CLOEXEC, 100));
    Pipe fresh = make_pipe();
    REQUIRE(::dup2(fresh.read_end.get(), number) == number);
    Heard of_new;
    listen(of_new, reactor, number, POLLIN);
    REQUIRE(::write(old.write_end.get(), "x", 1) == 1);
    settle(reactor);
    CHECK(of_old.count == 0);
    CHECK(of_new.count == 0);
    REQUIRE(::write(fresh.write_end.get(), "x", 1) == 1);
    hear(reactor, of_new, 1);
    CHECK(of_new.events == POLLIN);
    reactor.unwatch(of_new.id);
    settle(reactor);
  }
  CHECK(reactor.in_flight() == 0);
}

TEST_CASE("the peer of a watched descriptor sees its close once the watch has ended") {
  ON_EACH_PORT(reactor);
  SocketPair pair = make_socket_pair();
  Heard heard;
  listen(heard, reactor, pair.ours.get(), POLLIN);
  settle(reactor);
  reactor.unwatch(heard.id);
  pair.ours.reset();
  settle(reactor);
  char byte = 0;
  CHECK(::recv(pair.theirs.get(), &byte, 1, MSG_DONTWAIT) == 0);  // the end of the stream
}

TEST_CASE("a watch changes what it waits for, also while it is armed, and pauses") {
  ON_EACH_PORT(reactor);
  SocketPair pair = make_socket_pair();
  Heard heard;
  listen(heard, reactor, pair.ours.get(), POLLIN);
  settle(reactor);
  CHECK(heard.count == 0);
  reactor.change_watch(heard.id, POLLOUT);
  hear(reactor, heard, 1);
  CHECK(heard.events == POLLOUT);
  reactor.change_watch(heard.id, POLLIN);
  settle(reactor);
  const int before = heard.count;
  settle(reactor);
  CHECK(heard.count == before);
  reactor.change_watch(heard.id, 0);
  REQUIRE(::write(pair.theirs.get(), "x", 1) == 1);
  settle(reactor);
  CHECK(heard.count == before);
  reactor.change_watch(heard.id, POLLIN | POLLOUT);
  reactor.change_watch(heard.id, POLLIN);
  hear(reactor, heard, before + 1);
  CHECK(heard.events == POLLIN);
  reactor.unwatch(heard.id);
}

TEST_CASE("a watch hears that the peer hung up and that its descriptor is none") {
  ON_EACH_PORT(reactor);
  Pipe pipe = make_pipe();
  Heard hung_up;
  hung_up.unwatch_at_once = true;
  listen(hung_up, reactor, pipe.read_end.get(), POLLIN);
  settle(reactor);
  pipe.write_end.reset();
  hear(reactor, hung_up, 1);
  CHECK((hung_up.events & POLLHUP) != 0);

  Heard bad;
  bad.unwatch_at_once = true;
  listen(bad, reactor, 987, POLLIN);
  hear(reactor, bad, 1);
  CHECK(bad.events == POLLERR);
}

TEST_CASE("three hundred watches, each heard") {
  ON_EACH_PORT(reactor);
  std::vector<SocketPair> pairs;
  for (int i = 0; i < 300; ++i) pairs.push_back(make_socket_pair());
  std::vector<Heard> heard(pairs.size());
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    heard[i].unwatch_at_once = true;
    listen(heard[i], reactor, pairs[i].ours.get(), POLLIN);
  }
  settle(reactor);
  for (const SocketPair& pair : pairs) REQUIRE(::write(pair.theirs.get(), "x", 1) == 1);
  for (const Heard& each : heard) hear(reactor, each, 1);
  settle(reactor);
  for (const Heard& each : heard) CHECK(each.count == 1);
  CHECK(reactor.in_flight() == 0);
}

TEST_CASE("watches that stand do not keep the reactor from ending once they are removed") {
  ON_EACH_PORT(reactor);
  Pipe pipe = make_pipe();
  Heard armed, queued;
  listen(armed, reactor, pipe.read_end.get(), POLLIN);
  settle(reactor);
  listen(queued, reactor, pipe.read_end.get(), POLLIN);
  reactor.unwatch(armed.id);
  reactor.unwatch(queued.id);
}
