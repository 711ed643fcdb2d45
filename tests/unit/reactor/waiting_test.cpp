// What a person who sees a program hang is told of the reactor, and of ticks that ran long.
#include "unum/waiting.hpp"

#include <unistd.h>

#include <array>
#include <string>
#include <vector>

#include "base/activity.hpp"
#include "ports.hpp"
#include "unum/log.hpp"

using namespace unum;
using namespace unum::test;

TEST_CASE("what is under way in the reactor is listed by kind, and gone when it has ended") {
  ON_EACH_PORT(reactor);
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  reactor.prepare_stream(ends[0]);
  StopSource stop;
  const auto wait_for_bytes = [&]() -> Task<void> {
    const Activity activity("reader", "of a pipe");
    std::array<std::byte, 8> buffer{};
    const Wait wait{kNoDeadline, stop.token()};
    const int result = co_await reactor.stream_read(ends[0], buffer, wait);
    CHECK(result == -ECANCELED);
  };
  const auto sleep = [&]() -> Task<void> {
    const bool came = co_await reactor.sleep_until(far_away(), stop.token());
    CHECK_FALSE(came);
  };
  const auto all = [&]() -> Task<void> {
    TaskGroup group;
    group.spawn(wait_for_bytes());
    group.spawn(sleep());
    co_await reactor.yield();
    const std::string list = describe_waiting(reactor);
    INFO(list);
    CHECK(list.find("reader of a pipe") != std::string::npos);
    CHECK(list.find("\n  1 stream read, none begun or ended for 0.") != std::string::npos);
    CHECK(list.find("\n  1 timers, the next is due in ") != std::string::npos);
    CHECK(list.find("reactor: " + reactor.backend_reason()) != std::string::npos);
    stop.request("seen");
    co_await group.drain();
  };
  reactor.run(all());
  const std::string after = describe_waiting(reactor);
  INFO(after);
  CHECK(after.find("stream read") == std::string::npos);
  CHECK(after.find("timers") == std::string::npos);
  CHECK(after.find("reader") == std::string::npos);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_CASE("a tick that ran long is told, with what changed last in it") {
  ON_EACH_PORT(reactor);
  std::vector<std::string> told;
  set_log_levels("reactor=warn");
  set_log_sink([&](const LogEvent& event) { told.emplace_back(event.text); });
  const auto busy = [&]() -> Task<void> {
    const Activity activity("step", "Busy", "s-1");
    co_await reactor.yield();
    const Deadline end = soon(60);
    while (Clock::now() < end) {
    }
  };
  reactor.run(busy());
  set_log_sink({});
  set_log_levels("off");
  REQUIRE(told.size() == 1);
  CHECK(told.front().find("a tick ran for ") == 0);
}
