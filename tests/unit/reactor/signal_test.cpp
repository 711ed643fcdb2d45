// Signals as something to await.
#include <csignal>

#include "ports.hpp"
#include "reactor/signals.hpp"

using namespace unum;
using namespace unum::test;

TEST_CASE("a signal is awaited, each one once") {
  ON_EACH_PORT(reactor);
  Signals signals{SIGTERM, SIGUSR1};
  CHECK_FALSE(signals.take());
  ::raise(SIGTERM);
  CHECK(reactor.run(signals.next(reactor)) == SIGTERM);
  CHECK_FALSE(signals.take());

  TaskGroup group;
  std::optional<int> got;
  auto waiting = [&]() -> Task<void> { got = co_await signals.next(reactor); };
  group.spawn(waiting());
  reactor.run_once(kAlreadyPassed);
  CHECK_FALSE(got);
  ::kill(::getpid(), SIGUSR1);
  reactor.run(group.drain());
  CHECK(got == SIGUSR1);
}

TEST_CASE("waiting for a signal ends with its wait") {
  ON_EACH_PORT(reactor);
  Signals signals{SIGUSR1};
  CHECK_FALSE(reactor.run(signals.next(reactor, Wait{soon(2), {}})));
  StopSource stop;
  stop.request("enough");
  CHECK_FALSE(reactor.run(signals.next(reactor, Wait{kNoDeadline, stop.token()})));
}

TEST_CASE("the thread's signal mask is restored at the end") {
  sigset_t before, during, after;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &before);
  {
    const Signals signals{SIGTERM};
    ::pthread_sigmask(SIG_SETMASK, nullptr, &during);
  }
  ::pthread_sigmask(SIG_SETMASK, nullptr, &after);
  CHECK_FALSE(sigismember(&before, SIGTERM));
  CHECK(sigismember(&during, SIGTERM));
  CHECK_FALSE(sigismember(&after, SIGTERM));
}

TEST_CASE("a hang-up that was ignored at the start stays ignored") {
  REQUIRE(std::signal(SIGHUP, SIG_IGN) == SIG_DFL);
  {
    Signals signals{SIGHUP, SIGUSR1};
    ::raise(SIGHUP);
    CHECK_FALSE(signals.take());
  }
  std::signal(SIGHUP, SIG_DFL);
}

TEST_CASE("a broken pipe is ignored unless the process handles it") {
  std::signal(SIGPIPE, SIG_DFL);
  { const Reactor reactor; }
  CHECK(std::signal(SIGPIPE, [](int) {}) == SIG_IGN);
  { const Reactor reactor; }
  CHECK(std::signal(SIGPIPE, SIG_IGN) != SIG_IGN);
}
