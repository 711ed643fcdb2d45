// Every allocation of the reactor's main paths fails once: nothing leaks, nothing aborts, the error
// is told.
//
// A program of its own, because it replaces operator new. Each attempt runs on a fresh thread,
// whose pool of coroutine frames is empty, so that frames are allocations, too.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <new>
#include <string>
#include <string_view>
#include <thread>

#include "ports.hpp"
#include "reactor/files.hpp"
#include "reactor/http/client.hpp"
#include "reactor/process.hpp"
#include "reactor/signals.hpp"

namespace {

// Not inlined: else GCC sees the free of what operator new gave, and warns.
// How many more allocations of this thread succeed; negative: all.
thread_local long allocations_left = -1;
std::atomic<long> live_allocations{0};

[[gnu::noinline]] void* allocate(std::size_t size) {
  if (allocations_left == 0) return nullptr;
  if (allocations_left > 0) --allocations_left;
  void* block = std::malloc(size == 0 ? 1 : size);
  if (block != nullptr) live_allocations.fetch_add(1, std::memory_order_relaxed);
  return block;
}

[[gnu::noinline]] void release(void* block) {
  if (block == nullptr) return;
  live_allocations.fetch_sub(1, std::memory_order_relaxed);
  std::free(block);
}

}  // namespace

void* operator new(std::size_t size) {
  if (void* block = allocate(size)) return block;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void* operator new[](std::size_t size) { return operator new(size); }
void operator delete(void* block) noexcept { release(block); }
void operator delete(void* block, std::size_t) noexcept { release(block); }
void operator delete[](void* block) noexcept { release(block); }
void operator delete[](void* block, std::size_t) noexcept { release(block); }

using namespace unum;
using namespace unum::test;

namespace {

using Scenario = void (*)(Reactor& reactor, const char* path);

/// One attempt; whether it got through. Whatever it throws is an error of memory.
bool attempt(Backend backend, Scenario scenario, const char* path, long allocations) {
  bool passed = false;
  std::thread thread([&] {
    allocations_left = allocations;
    try {
      Reactor reactor(options_for(backend));
      scenario(reactor, path);
      passed = true;
    } catch (const std::bad_alloc&) {
    } catch (const Error& error) {
      allocations_left = -1;
      // What the helper threads say when there is none of them.
      if (error.code() != "ENOMEM" && error.code() != "EAGAIN" &&
          error.code() != "CURLE_OUT_OF_MEMORY") {
        throw;
      }
    }
    allocations_left = -1;
  });
  thread.join();
  return passed;
}

void fail_each_allocation(Scenario scenario) {
  const auto backend = GENERATE(Backend::uring, Backend::epoll);
  if (const std::string refusal = refusal_of(backend); !refusal.empty()) UNUM_SKIP(refusal);
  Scratch scratch;
  const std::string path = scratch / "file";
  std::ofstream(path) << std::string(100'000, 'x');
  REQUIRE(attempt(backend, scenario, path.c_str(), -1));  // what is made once is made here
  const std::size_t descriptors = open_descriptors();
  long failing = 0;
  bool passed = false;
  while (!passed) {
    REQUIRE(failing < 5000);
    const long live = live_allocations.load();
    passed = attempt(backend, scenario, path.c_str(), failing);
    const long left = live_allocations.load() - live;
    if (left != 0) FAIL("with allocation " << failing << " failing " << left << " blocks leak");
    ++failing;
  }
  CHECK(failing > 5);
  CHECK(open_descriptors() == descriptors);
}

/// Awaits the group whatever has happened, then says what.
Task<void> drained(TaskGroup& group, std::exception_ptr& failure) {
  co_await group.drain();
  if (failure) std::rethrow_exception(failure);
}

template <class Spawn>
void in_a_group(Reactor& reactor, Spawn spawn) {
  TaskGroup group;
  std::exception_ptr failure;
  try {
    spawn(group);
  } catch (...) {
    failure = std::current_exception();
  }
  reactor.run_once(kAlreadyPassed);
  try {
    while (group.running() > 0) reactor.run_once(kNoDeadline);
    Task<void> last = drained(group, failure);
    reactor.run(std::move(last));
  } catch (...) {
    if (!failure) failure = std::current_exception();
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace

TEST_CASE("operations, deadlines and sleeping with failing allocations") {
  fail_each_allocation([](Reactor& reactor, const char* path) {
    auto one = [&](int i) -> Task<void> {
      const int fd = co_await reactor.open_at(AT_FDCWD, path, O_RDONLY, 0, Wait{far_away(), {}});
      if (fd == -ENOMEM || fd == -EAGAIN) throw std::bad_alloc();
      const Descriptor file(fd);
      co_await reactor.sleep_until(kAlreadyPassed);
      char byte = 0;
      const int count = co_await reactor.read(fd, std::as_writable_bytes(std::span(&byte, 1)),
                                              static_cast<std::uint64_t>(i), Wait{far_away(), {}});
      if (count == -EAGAIN) throw std::bad_alloc();
      UNUM_ASSERT(count == 1 && byte == 'x');
    };
    in_a_group(reactor, [&](TaskGroup& group) {
      for (int i = 0; i < 5; ++i) group.spawn(one(i));
    });
  });
}

TEST_CASE("streams, watches and calls with failing allocations") {
  fail_each_allocation([](Reactor& reactor, const char*) {
    Pipe pipe = make_pipe();
    reactor.prepare_stream(pipe.read_end.get());
    reactor.prepare_stream(pipe.write_end.get());
    int heard = 0;
    const WatchId id = reactor.watch(
        pipe.write_end.get(), POLLOUT,
        [](void* count, unsigned) noexcept { ++*static_cast<int*>(count); }, &heard);
    auto reader = [&]() -> Task<void> {
      char byte = 0;
      const int count = co_await reactor.stream_read(pipe.read_end.get(),
                                                     std::as_writable_bytes(std::span(&byte, 1)));
      if (count == -ENOMEM) throw std::bad_alloc();
      UNUM_ASSERT(count >= 0);
    };
    auto caller = [&]() -> Task<void> {
      const int result = co_await reactor.call([](void*) noexcept { return 7; }, nullptr);
      if (result < 0) throw std::bad_alloc();
      UNUM_ASSERT(result == 7);
    };
    std::exception_ptr failure;
    try {
      in_a_group(reactor, [&](TaskGroup& group) {
        struct Closing {
          Descriptor& end;
          ~Closing() { end.reset(); }
        } closing{pipe.write_end};
        group.spawn(reader());
        reactor.run_once(kAlreadyPassed);
        group.spawn(caller());
        reactor.unwatch(id);
      });
    } catch (...) {
      failure = std::current_exception();
    }
    reactor.unwatch(id);
    if (failure) std::rethrow_exception(failure);
  });
}

TEST_CASE("bounded loops and whole files with failing allocations") {
  fail_each_allocation([](Reactor& reactor, const char* path) {
    const std::string other = std::string(path) + ".new";
    ::unlink(other.c_str());  // of an attempt that failed
    auto body = [&]() -> Task<void> {
      std::vector<Task<std::string>> tasks;
      for (int i = 0; i < 3; ++i) {
        tasks.push_back(read_file(reactor, AT_FDCWD, path, 1 << 20));
      }
      const std::vector<std::string> all = co_await when_all(std::move(tasks), 2);
      UNUM_ASSERT(all.at(2).size() == 100'000);
      co_await write_new_file(reactor, AT_FDCWD, other.c_str(), "text", 0600, true);
    };
    reactor.run(body());
  });
}

TEST_CASE("processes and signals with failing allocations") {
  // Blocked before there are other threads, which would take them.
  Signals outer{SIGUSR1};
  fail_each_allocation([](Reactor& reactor, const char*) {
    auto body = [&]() -> Task<void> {
      Signals signals{SIGUSR1};
      SpawnOptions options;
      options.argv = {"/bin/sh", "-c", "kill -USR1 $PPID; exec sleep 1000"};
      Process child = Process::spawn(options);
      const std::optional<int> signal = co_await signals.next(reactor);
      UNUM_ASSERT(signal == SIGUSR1);
      child.kill(SIGKILL);
      const auto status = co_await child.wait_exit(reactor);
      UNUM_ASSERT(status && status->signal == SIGKILL);
    };
    reactor.run(body());
  });
  while (outer.take()) {
  }
}

namespace {

/// Answers on a thread of its own, one connection after another, and allocates nothing.
class PlainServer {
 public:
  PlainServer() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    UNUM_ASSERT(::bind(listener_.get(), raw, size) == 0 && ::listen(listener_.get(), 64) == 0);
    UNUM_ASSERT(::getsockname(listener_.get(), raw, &size) == 0);
    origin = "http://127.0.0.1:" + std::to_string(::ntohs(address.sin_port));
    thread_ = std::thread([this] { serve(); });
  }
  ~PlainServer() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }

  std::string origin;

 private:
  void serve() const {
    constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nvalue";
    while (true) {
      const Descriptor socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!socket) return;
      char buffer[4096];
      while (::read(socket.get(), buffer, sizeof buffer) > 0 &&
             ::write(socket.get(), kAnswer.data(), kAnswer.size()) > 0) {
      }
    }
  }
  const Descriptor listener_;
  std::thread thread_;
};

}  // namespace

TEST_CASE("HTTP requests with failing allocations") {
  static std::string origin;
  const PlainServer server;
  origin = server.origin;
  fail_each_allocation([](Reactor& reactor, const char*) {
    http::ClientOptions options;
    options.connections_per_origin_max = 1;
    http::Client client(reactor, options);
    const auto one = [&](http::Method method, std::string_view body) -> Task<void> {
      const http::Request request{
          .method = method, .origin = origin, .target = "/a-target-of-some-length", .body = body};
      const Wait wait{far_away(), {}};
      const http::Response response = co_await client.send(request, wait);
      UNUM_ASSERT(response.status == 200 && response.body == "value");
    };
    in_a_group(reactor, [&](TaskGroup& group) {
      group.spawn(one(http::Method::get, ""));
      group.spawn(one(http::Method::put, "a body of some length"));
      group.spawn(one(http::Method::get, ""));
    });
  });
}
