// Operations of files: every one of them, many at once, and their cancellation.
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include <fstream>
#include <thread>

#include "ports.hpp"
#include "reactor/descriptor.hpp"

using namespace unum;
using namespace unum::test;

namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}
std::span<std::byte> room_in(std::string& text) {
  return std::as_writable_bytes(std::span(text.data(), text.size()));
}

}  // namespace

TEST_CASE("every operation of files does what its system call does") {
  ON_EACH_PORT(reactor);
  Scratch scratch;
  const Descriptor directory(::open(scratch.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const int at = directory.get();
  auto body = [&]() -> Task<void> {
    int result = co_await reactor.nop();
    CHECK(result == 0);
    result = co_await reactor.make_dir_at(at, "sub", 0750);
    CHECK(result == 0);
    result = co_await reactor.make_dir_at(at, "sub", 0750);
    CHECK(result == -EEXIST);
    const int fd = co_await reactor.open_at(at, "sub/file", O_RDWR | O_CREAT | O_EXCL, 0640);
    REQUIRE(fd >= 0);
    CHECK((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    result = co_await reactor.write(fd, bytes_of("hello world"), 0);
    CHECK(result == 11);
    result = co_await reactor.write(fd, bytes_of("HELLO"), 0);
    CHECK(result == 5);
    result = co_await reactor.sync_data(fd);
    CHECK(result == 0);
    result = co_await reactor.sync_all(fd);
    CHECK(result == 0);
    std::string content(20, '.');
    result = co_await reactor.read(fd, room_in(content), 2);
    CHECK(result == 9);
    CHECK(content == "LLO world...........");
    result = co_await reactor.read(fd, room_in(content), 1000);
    CHECK(result == 0);

    struct ::statx status {};
    result =
        co_await reactor.statx(at, "sub/file", AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &status);
    CHECK(result == 0);
    CHECK(status.stx_size == 11);
    CHECK((status.stx_mode & 0777) == 0640);
    result = co_await reactor.link_at(at, "sub/file", at, "linked", 0);
    CHECK(result == 0);
    result = co_await reactor.link_at(at, "sub/file", at, "linked", 0);
    CHECK(result == -EEXIST);
    result = co_await reactor.rename_at(at, "linked", at, "sub/renamed");
    CHECK(result == 0);
    result = co_await reactor.rename_at(at, "sub/file", at, "sub/renamed", RENAME_NOREPLACE);
    CHECK(result == -EEXIST);
    result = co_await reactor.unlink_at(at, "sub/renamed");
    CHECK(result == 0);
    result = co_await reactor.unlink_at(at, "sub/renamed");
    CHECK(result == -ENOENT);
    result = co_await reactor.unlink_at(at, "sub", AT_REMOVEDIR);
    CHECK(result == -ENOTEMPTY);
    result = co_await reactor.poll(fd, POLLIN);
    CHECK((result & POLLIN) != 0);  // a file is always ready
    result = co_await reactor.close(fd);
    CHECK(result == 0);
    result = co_await reactor.close(fd);
    CHECK(result == -EBADF);
    result = co_await reactor.read(fd, room_in(content), 0);
    CHECK(result == -EBADF);
    result = co_await reactor.poll(fd, POLLIN);
    CHECK(result == -EBADF);
    result = co_await reactor.stream_read(-1, room_in(content));
    CHECK(result == -EBADF);
    result = co_await reactor.open_at(at, "none", O_RDONLY);
    CHECK(result == -ENOENT);
    // An unnamed file gets its name when it is complete.
    const int unnamed = co_await reactor.open_at(at, ".", O_WRONLY | O_TMPFILE, 0600);
    if (unnamed >= 0) {
      const std::string self = "/proc/self/fd/" + std::to_string(unnamed);
      result = co_await reactor.link_at(AT_FDCWD, self.c_str(), at, "named", AT_SYMLINK_FOLLOW);
      CHECK(result == 0);
      co_await reactor.close(unnamed);
    }
  };
  reactor.run(body());
}

TEST_CASE("a plain function runs on a helper thread and its result comes back") {
  ON_EACH_PORT(reactor);
  struct Argument {
    std::thread::id ran_on;
    int result = 0;
  };
  const auto function = [](void* address) noexcept {
    auto& argument = *static_cast<Argument*>(address);
    argument.ran_on = std::this_thread::get_id();
    return argument.result;
  };
  std::vector<Argument> arguments(500);
  auto body = [&]() -> Task<void> {
    co_await for_each_bounded(arguments.size(), 100, [&](std::size_t i) -> Task<void> {
      arguments[i].result = i % 2 == 0 ? static_cast<int>(i) : -EIO;
      const int result = co_await reactor.call(function, &arguments[i]);
      CHECK(result == arguments[i].result);
      CHECK(arguments[i].ran_on != std::this_thread::get_id());
    });
  };
  reactor.run(body());
  CHECK(reactor.in_flight() == 0);
}

TEST_CASE("a call that has begun is not cancelled, one that has not is") {
  ON_EACH_PORT(reactor);
  int gate[2];
  REQUIRE(::pipe(gate) == 0);
  const auto blocked = [](void* fd) noexcept {
    char byte = 0;
    return static_cast<int>(::read(*static_cast<int*>(fd), &byte, 1));
  };
  StopSource stop;
  std::vector<int> results;
  TaskGroup group;
  auto caller = [&]() -> Task<void> {
    const int result = co_await reactor.call(blocked, &gate[0], Wait{kNoDeadline, stop.token()});
    results.push_back(result);
  };
  for (int i = 0; i < 10; ++i) group.spawn(caller());  // more than there are helpers
  reactor.run_once(kAlreadyPassed);
  // The helpers hold what they hold once they sleep in the pipe; the rest waits. One of each is
  // enough.
  auto wait_for_begun = [&]() -> Task<void> {
    REQUIRE(::write(gate[1], "x", 1) == 1);
    while (results.empty()) co_await reactor.sleep_until(soon(1));
  };
  reactor.run(wait_for_begun());
  stop.request("enough");
  REQUIRE(::write(gate[1], "1234567890", 10) == 10);
  reactor.run(group.drain());
  CHECK(results.size() == 10);
  CHECK(std::count(results.begin(), results.end(), -ECANCELED) >= 5);
  CHECK(std::count(results.begin(), results.end(), 1) >= 1);
  ::close(gate[0]);
  ::close(gate[1]);
}

TEST_CASE("20,000 operations at once, far more than the ring has entries") {
  ON_EACH_PORT(reactor);
  Scratch scratch;
  std::ofstream(scratch / "file") << "0123456789";
  const Descriptor file(::open((scratch / "file").c_str(), O_RDONLY | O_CLOEXEC));
  int good = 0;
  TaskGroup group;
  auto nop = [&]() -> Task<void> {
    const int result = co_await reactor.nop();
    good += result == 0 ? 1 : 0;
  };
  auto read = [&](unsigned offset) -> Task<void> {
    char byte = 0;
    const int result =
        co_await reactor.read(file.get(), std::as_writable_bytes(std::span(&byte, 1)), offset);
    good += result == 1 && byte == static_cast<char>('0' + offset) ? 1 : 0;
  };
  for (unsigned i = 0; i < 10'000; ++i) {
    group.spawn(nop());
    group.spawn(read(i % 10));
  }
  CHECK(reactor.in_flight() == 0);
  std::size_t most = 0;
  while (group.running() > 0) {
    reactor.run_once(kNoDeadline);
    most = std::max(most, reactor.in_flight());
  }
  reactor.run(group.drain());
  CHECK(good == 20'000);
  CHECK(most <= 1022);
  CHECK(reactor.counters().operations == 20'000);
}

TEST_CASE("a thousand small reads and writes share few entries into the kernel") {
  ON_EACH_PORT(reactor);
  Scratch scratch;
  const Descriptor file(::open((scratch / "file").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  auto body = [&]() -> Task<void> {
    co_await for_each_bounded(1000, 1000, [&](std::size_t i) -> Task<void> {
      const char out = static_cast<char>('a' + i % 26);
      const int written = co_await reactor.write(file.get(), std::as_bytes(std::span(&out, 1)), i);
      CHECK(written == 1);
      char in = 0;
      const int got =
          co_await reactor.read(file.get(), std::as_writable_bytes(std::span(&in, 1)), i);
      CHECK(got == 1);
      CHECK(in == out);
    });
  };
  reactor.run(body());
  const std::uint64_t entries = reactor.counters().kernel_entries;
  CAPTURE(entries);
  CHECK(reactor.counters().operations == 2000);
  // Two for a phase of a thousand (the queue has 512 entries), some for those that a kernel worker
  // does.
  if (reactor.backend() == Backend::uring) CHECK(entries < 100);
  if (reactor.backend() == Backend::epoll) CHECK(entries < 2500);
}

TEST_CASE("an operation cancelled before the kernel saw it never reaches the kernel") {
  ON_EACH_PORT(reactor);
  Scratch scratch;
  StopSource stop;
  TaskGroup group;
  const std::string path = scratch / "never";
  auto opener = [&]() -> Task<void> {
    const int result = co_await reactor.open_at(AT_FDCWD, path.c_str(), O_WRONLY | O_CREAT, 0600,
                                                Wait{kNoDeadline, stop.token()});
    CHECK(result == -ECANCELED);
  };
  group.spawn(opener());
  group.spawn(opener());
  stop.request("changed my mind");
  group.spawn(opener());
  reactor.run(group.drain());
  CHECK_FALSE(std::filesystem::exists(path));
  CHECK(reactor.counters().kernel_entries <= 1);
}

TEST_CASE("success wins over cancellation, and no descriptor is lost") {
  ON_EACH_PORT(reactor);
  Scratch scratch;
  std::ofstream(scratch / "file") << "content";
  const std::string path = scratch / "file";
  reactor.run([](Reactor& r) -> Task<void> {
    co_await r.call([](void*) noexcept { return 0; }, nullptr);
  }(reactor));
  const std::size_t before = open_descriptors();
  int opened = 0, cancelled = 0;
  for (int round = 0; round < 200; ++round) {
    StopSource stop;
    TaskGroup group;
    auto opener = [&]() -> Task<void> {
      const Wait wait{round % 3 == 0 ? Clock::now() : kNoDeadline, stop.token()};
      const int fd = co_await reactor.open_at(AT_FDCWD, path.c_str(), O_RDONLY, 0, wait);
      if (fd >= 0) {
        ++opened;
        ::close(fd);
      } else {
        CHECK((fd == -ECANCELED || fd == -ETIME));
        ++cancelled;
      }
    };
    for (int i = 0; i < 8; ++i) group.spawn(opener());
    if (round % 2 == 0) reactor.run_once(kAlreadyPassed);  // the kernel has them, or has done them
    if (round % 10 != 5) stop.request("too late, perhaps");  // at 5 somebody surely opens
    reactor.run(group.drain());
    CHECK(reactor.in_flight() == 0);
  }
  CHECK(opened + cancelled == 1600);
  CHECK(cancelled > 0);
  CHECK(opened > 0);
  CHECK(open_descriptors() == before);
}

TEST_CASE("a cancelled operation ends only when the kernel has let go of its buffer") {
  ON_EACH_PORT(reactor);
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  reactor.prepare_stream(ends[0]);
  for (int round = 0; round < 300; ++round) {
    StopSource stop;
    TaskGroup group;
    int result = 0;
    auto reader = [&]() -> Task<void> {
      auto buffer =
          std::make_unique<char>('-');  // freed at once: a late write would be seen by ASan
      result =
          co_await reactor.stream_read(ends[0], std::as_writable_bytes(std::span(buffer.get(), 1)),
                                       Wait{kNoDeadline, stop.token()});
      if (result == 1) CHECK(*buffer == 'x');
    };
    group.spawn(reader());
    reactor.run_once(kAlreadyPassed);
    CHECK(reactor.in_flight() == 1);
    // Both at once: what was read counts, and what was not read is still there.
    if (round % 2 == 0) REQUIRE(::write(ends[1], "x", 1) == 1);
    stop.request("now");
    reactor.run(group.drain());
    char rest = 0;
    if (round % 2 == 1) {
      CHECK(result == -ECANCELED);
    } else if (result != 1) {
      CHECK(result == -ECANCELED);
      CHECK(::read(ends[0], &rest, 1) == 1);
    }
  }
  CHECK(reactor.in_flight() == 0);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_CASE("more waiting operations than there is room for are refused, nothing hangs") {
  ON_EACH_PORT(reactor);
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  StopSource stop;
  TaskGroup group;
  int refused = 0, stopped = 0;
  auto waiter = [&]() -> Task<void> {
    const int result = co_await reactor.poll(ends[0], POLLIN, Wait{kNoDeadline, stop.token()});
    refused += result == -ENOBUFS ? 1 : 0;
    stopped += result == -ECANCELED ? 1 : 0;
  };
  for (int i = 0; i < 5000; ++i) group.spawn(waiter());
  reactor.run_once(far_away());  // does not wait for those that it could take
  CHECK(refused > 0);
  // What ends by itself still gets through.
  reactor.run([](Reactor& r) -> Task<void> {
    co_await r.call([](void*) noexcept { return 0; }, nullptr);
  }(reactor));
  stop.request("enough");
  reactor.run(group.drain());
  CHECK(refused == 5000 - 3072);
  CHECK(stopped == 3072);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_CASE("the reactor ends with nothing left open") {
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 3; ++i) {
    ON_EACH_PORT(reactor);
    auto body = [&]() -> Task<void> {
      const int fd = co_await reactor.open_at(AT_FDCWD, "/dev/null", O_RDONLY);
      co_await reactor.call([](void*) noexcept { return 0; }, nullptr);
      co_await reactor.close(fd);
    };
    reactor.run(body());
  }
  CHECK(open_descriptors() == before);
}
