// A foreign loop drives the reactor by its descriptor and its next deadline alone.
#include <fcntl.h>

#include <csignal>
#include <fstream>
#include <thread>

#include "ports.hpp"
#include "reactor/files.hpp"
#include "reactor/process.hpp"
#include "reactor/signals.hpp"
#include "support/foreign_loop.hpp"

using namespace unum;
using namespace unum::test;

namespace {

#define IN_A_FOREIGN_LOOP(reactor, foreign)                   \
  const auto loop = GENERATE(Loop::poll, Loop::nested_epoll); \
  ON_EACH_PORT(reactor);                                      \
  ForeignLoop foreign(reactor, loop)

}  // namespace

TEST_CASE("a foreign loop drives timers") {
  IN_A_FOREIGN_LOOP(reactor, foreign);
  auto body = [&]() -> Task<int> {
    for (int i = 0; i < 5; ++i) {
      const bool came = co_await reactor.sleep_until(reactor.now() + std::chrono::milliseconds(i));
      CHECK(came);
      co_await reactor.yield();
    }
    co_return 1;
  };
  CHECK(foreign.run(body()) == 1);
}

TEST_CASE("a foreign loop drives files, calls and many operations at once") {
  IN_A_FOREIGN_LOOP(reactor, foreign);
  Scratch scratch;
  const std::string path = scratch / "file";
  auto body = [&]() -> Task<std::string> {
    co_await write_new_file(reactor, AT_FDCWD, path.c_str(), "content", 0600, true);
    const int called = co_await reactor.call([](void*) noexcept { return 42; }, nullptr);
    CHECK(called == 42);
    co_await for_each_bounded(3000, 3000, [&](std::size_t) -> Task<void> {
      struct ::statx status {};  // always a kernel worker's
      const int result = co_await reactor.statx(AT_FDCWD, path.c_str(), 0, STATX_SIZE, &status);
      CHECK(result == 0);
    });
    co_return co_await read_file(reactor, AT_FDCWD, path.c_str(), 100);
  };
  CHECK(foreign.run(body()) == "content");
  // It is told of work, not of nothing: each of its turns finds some, or nearly.
  CHECK(foreign.idle_turns() < 3000);
}

TEST_CASE("a foreign loop drives streams, and what comes from another thread wakes it") {
  IN_A_FOREIGN_LOOP(reactor, foreign);
  Pipe to = make_pipe();
  Pipe back = make_pipe();
  reactor.prepare_stream(to.write_end.get());
  reactor.prepare_stream(back.read_end.get());
  std::thread echo([&] {
    char byte = 0;
    while (::read(to.read_end.get(), &byte, 1) == 1) {
      // Late, so that the loop surely sleeps: as long as this thread is given the processor.
      for (int i = 0; i < 50; ++i) std::this_thread::yield();
      if (::write(back.write_end.get(), &byte, 1) != 1) return;
    }
  });
  auto body = [&]() -> Task<int> {
    int same = 0;
    for (int i = 0; i < 300; ++i) {
      const char out = static_cast<char>(i);
      char in = 0;
      co_await write_stream(reactor, to.write_end.get(), std::string_view(&out, 1));
      const int count = co_await reactor.stream_read(back.read_end.get(),
                                                     std::as_writable_bytes(std::span(&in, 1)));
      same += count == 1 && in == out ? 1 : 0;
    }
    to.write_end.reset();
    co_return same;
  };
  const int same = foreign.run(body());
  echo.join();
  CHECK(same == 300);
}

TEST_CASE("a foreign loop drives cancellation, deadlines and watches") {
  IN_A_FOREIGN_LOOP(reactor, foreign);
  Pipe silent = make_pipe();
  Pipe pipe = make_pipe();
  struct Heard {
    int fd = -1;
    int count = 0;
  } heard{pipe.read_end.get(), 0};
  const auto callback = [](void* address, unsigned) noexcept {
    auto& self = *static_cast<Heard*>(address);
    char byte = 0;
    if (::read(self.fd, &byte, 1) == 1) ++self.count;
  };
  const WatchId id = reactor.watch(pipe.read_end.get(), POLLIN, callback, &heard);
  auto body = [&]() -> Task<int> {
    int result = co_await reactor.poll(silent.read_end.get(), POLLIN, Wait{soon(3), {}});
    CHECK(result == -ETIME);
    for (int i = 1; i <= 5; ++i) {
      REQUIRE(::write(pipe.write_end.get(), "x", 1) == 1);
      while (heard.count < i) co_await reactor.sleep_until(soon(1));
    }
    StopSource stop;
    TaskGroup group;
    auto waiter = [&]() -> Task<void> {
      result =
          co_await reactor.poll(silent.read_end.get(), POLLIN, Wait{kNoDeadline, stop.token()});
    };
    group.spawn(waiter());
    co_await reactor.sleep_until(soon(1));
    stop.request("enough");
    co_await group.drain();
    co_return result;
  };
  CHECK(foreign.run(body()) == -ECANCELED);
  reactor.unwatch(id);
  CHECK(heard.count == 5);
}

TEST_CASE("a foreign loop drives processes and signals") {
  IN_A_FOREIGN_LOOP(reactor, foreign);
  const Signals unused{SIGUSR2};
  Signals signals{SIGUSR1};
  SpawnOptions options;
  options.argv = {"sh", "-c", "kill -USR1 $PPID; exit 5"};
  Process child = Process::spawn(options);
  auto body = [&]() -> Task<std::optional<ExitStatus>> {
    const std::optional<int> signal = co_await signals.next(reactor);
    CHECK(signal == SIGUSR1);
    co_return co_await child.wait_exit(reactor);
  };
  CHECK(foreign.run(body()) == ExitStatus{5, 0});
}
