// Pipes and sockets: waiting for data and room, ends, peers that go away.
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include "ports.hpp"
#include "reactor/files.hpp"

using namespace unum;
using namespace unum::test;

namespace {

/// Two ends for either kind of stream; both prepared.
struct Stream {
  Stream(Reactor& reactor, bool sockets) {
    if (sockets) {
      SocketPair pair = make_socket_pair();
      read_end = std::move(pair.ours);
      write_end = std::move(pair.theirs);
    } else {
      Pipe pipe = make_pipe();
      read_end = std::move(pipe.read_end);
      write_end = std::move(pipe.write_end);
    }
    reactor.prepare_stream(read_end.get());
    reactor.prepare_stream(write_end.get());
  }
  Descriptor read_end, write_end;
};

}  // namespace

TEST_CASE("a reader waits for data, gets it in pieces, and sees the end") {
  const bool sockets = GENERATE(false, true);
  ON_EACH_PORT(reactor);
  Stream stream(reactor, sockets);
  std::string got;
  TaskGroup group;
  auto reader = [&]() -> Task<void> {
    char buffer[5];
    while (true) {
      const int count = co_await reactor.stream_read(stream.read_end.get(),
                                                     std::as_writable_bytes(std::span(buffer)));
      REQUIRE(count >= 0);
      if (count == 0) break;
      got.append(buffer, static_cast<std::size_t>(count));
    }
  };
  group.spawn(reader());
  reactor.run_once(kAlreadyPassed);
  CHECK(got.empty());
  auto writer = [&]() -> Task<void> {
    co_await write_stream(reactor, stream.write_end.get(), "hello ");
    co_await reactor.yield();
    co_await write_stream(reactor, stream.write_end.get(), "world");
    stream.write_end.reset();
  };
  group.spawn(writer());
  reactor.run(group.drain());
  CHECK(got == "hello world");
}

TEST_CASE("a large write goes out in parts as the reader makes room") {
  const bool sockets = GENERATE(false, true);
  ON_EACH_PORT(reactor);
  Stream stream(reactor, sockets);
  std::string sent(3'000'000, '\0');
  for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>(i * 7 + i / 251);
  std::string got;
  TaskGroup group;
  auto writer = [&]() -> Task<void> {
    co_await write_stream(reactor, stream.write_end.get(), sent);
    stream.write_end.reset();
  };
  auto reader = [&]() -> Task<void> {
    got = co_await read_to_end(reactor, stream.read_end.get(), sent.size(), "the stream");
  };
  group.spawn(writer());
  reactor.run_once(kAlreadyPassed);
  CHECK(group.running() == 1);  // it waits for room
  group.spawn(reader());
  reactor.run(group.drain());
  CHECK(got == sent);
}

TEST_CASE("a peer that is gone is an error of the write, not the end of the process") {
  const bool sockets = GENERATE(false, true);
  ON_EACH_PORT(reactor);
  Stream stream(reactor, sockets);
  stream.read_end.reset();
  auto body = [&]() -> Task<void> {
    const char byte = 'x';
    const int result =
        co_await reactor.stream_write(stream.write_end.get(), std::as_bytes(std::span(&byte, 1)));
    CHECK(result == -EPIPE);
    try {
      co_await write_stream(reactor, stream.write_end.get(), "more");
      FAIL("nothing was thrown");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::disconnected);
    }
  };
  reactor.run(body());
}

TEST_CASE("a writer that waits for room hears that its peer is gone") {
  const bool sockets = GENERATE(false, true);
  ON_EACH_PORT(reactor);
  Stream stream(reactor, sockets);
  TaskGroup group;
  auto writer = [&]() -> Task<void> {
    const std::string much(1 << 20, 'x');
    try {
      co_await write_stream(reactor, stream.write_end.get(), much);
      FAIL("nothing was thrown");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::disconnected);
    }
  };
  group.spawn(writer());
  reactor.run_once(kAlreadyPassed);
  CHECK(group.running() == 1);
  stream.read_end.reset();
  reactor.run(group.drain());
}

TEST_CASE("reading and writing one socket at the same time") {
  ON_EACH_PORT(reactor);
  SocketPair pair = make_socket_pair();
  reactor.prepare_stream(pair.ours.get());
  reactor.prepare_stream(pair.theirs.get());
  TaskGroup group;
  std::string answer;
  auto ours_reads = [&]() -> Task<void> {
    char buffer[64];
    const int count =
        co_await reactor.stream_read(pair.ours.get(), std::as_writable_bytes(std::span(buffer)));
    answer.assign(buffer, static_cast<std::size_t>(count));
  };
  const std::string much(1 << 20, 'q');
  auto ours_writes = [&]() -> Task<void> { co_await write_stream(reactor, pair.ours.get(), much); };
  auto theirs = [&]() -> Task<void> {
    std::size_t left = much.size();
    std::vector<char> buffer(1 << 16);
    while (left > 0) {
      const int count = co_await reactor.stream_read(pair.theirs.get(),
                                                     std::as_writable_bytes(std::span(buffer)));
      REQUIRE(count > 0);
      left -= static_cast<std::size_t>(count);
    }
    co_await write_stream(reactor, pair.theirs.get(), "done");
  };
  group.spawn(ours_reads());
  group.spawn(ours_writes());
  group.spawn(theirs());
  reactor.run(group.drain());
  CHECK(answer == "done");
}

TEST_CASE("two wait for one descriptor, and one of them gives up") {
  ON_EACH_PORT(reactor);
  Stream stream(reactor, true);
  StopSource stop;
  TaskGroup group;
  int first = 0, second = 0;
  auto waiter = [&](int& result, StopToken token) -> Task<void> {
    result = co_await reactor.poll(stream.read_end.get(), POLLIN, Wait{kNoDeadline, token});
  };
  group.spawn(waiter(first, stop.token()));
  group.spawn(waiter(second, {}));
  reactor.run_once(kAlreadyPassed);
  stop.request("one is enough");
  while (group.running() > 1) reactor.run_once(kNoDeadline);
  CHECK(first == -ECANCELED);
  REQUIRE(::write(stream.write_end.get(), "x", 1) == 1);
  reactor.run(group.drain());
  CHECK((second & POLLIN) != 0);
}

TEST_CASE("a descriptor is closed and its number used again at once") {
  ON_EACH_PORT(reactor);
  for (int round = 0; round < 20; ++round) {
    Pipe old = make_pipe();
    const int number = old.read_end.get();
    StopSource stop;
    TaskGroup group;
    int of_old = 0, of_new = 0;
    auto waiter = [&](int& result, StopToken token) -> Task<void> {
      result = co_await reactor.poll(number, POLLIN, Wait{kNoDeadline, token});
    };
    group.spawn(waiter(of_old, stop.token()));
    reactor.run_once(kAlreadyPassed);
    stop.request("closing");
    // In the same tick: gone, another file under the number, and somebody waits for it in the same
    // way.
    Pipe fresh = make_pipe();
    const Descriptor duplicate(::fcntl(number, F_DUPFD_CLOEXEC, 100));  // the old file lives on
    REQUIRE(::dup2(fresh.read_end.get(), number) == number);
    group.spawn(waiter(of_new, {}));
    reactor.run_once(kAlreadyPassed);
    if (round % 2 == 0) REQUIRE(::write(old.write_end.get(), "x", 1) == 1);
    while (of_old == 0) reactor.run_once(kNoDeadline);
    reactor.run_once(soon(1));
    CHECK(of_old == -ECANCELED);
    CHECK(of_new == 0);  // what happens to the old file is not its business
    REQUIRE(::write(fresh.write_end.get(), "x", 1) == 1);
    reactor.run(group.drain());
    CHECK((of_new & POLLIN) != 0);
  }
}

TEST_CASE("input of any kind is read to its end") {
  ON_EACH_PORT(reactor);
  Scratch scratch;
  const Descriptor file(::open((scratch / "file").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  REQUIRE(::write(file.get(), "from a file", 11) == 11);
  REQUIRE(::lseek(file.get(), 5, SEEK_SET) == 5);
  CHECK(reactor.run(read_to_end(reactor, file.get(), 100, "input")) == "a file");
  const Descriptor null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  CHECK(reactor.run(read_to_end(reactor, null.get(), 100, "input")).empty());

  Pipe pipe = make_pipe();
  REQUIRE(::write(pipe.write_end.get(), "0123456789", 10) == 10);
  pipe.write_end.reset();
  const int flags = ::fcntl(pipe.read_end.get(), F_GETFL);
  try {
    reactor.run(read_to_end(reactor, pipe.read_end.get(), 9, "input"));
    FAIL("nothing was thrown");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::exhausted);
    CHECK(error.message() == "input has more than 9 bytes, the most there may be");
  }
  CHECK(::fcntl(pipe.read_end.get(), F_GETFL) == flags);

  Pipe silent = make_pipe();
  try {
    reactor.run(read_to_end(reactor, silent.read_end.get(), 9, "input", Wait{soon(3), {}}));
    FAIL("nothing was thrown");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::timeout);
  }
}
