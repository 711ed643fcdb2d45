// The log: levels by area, what a line may hold, what a wrong setting is told; and what waits.
#include "base/log.hpp"

#include <string>
#include <vector>

#include "base/activity.hpp"
#include "catch.hpp"
#include "unum/error.hpp"

using unum::Activity;
using unum::LogArea;
using unum::LogEvent;
using unum::LogLevel;
namespace log_of = unum::log;

namespace {

struct Line {
  LogLevel level;
  LogArea area;
  std::string session;
  std::string instance;
  std::string text;
};

/// Takes what is logged while it lives.
struct Taken {
  explicit Taken(std::string_view levels) {
    unum::set_log_levels(levels);
    unum::set_log_sink([this](const LogEvent& event) {
      lines.push_back({event.level, event.area, std::string(event.session),
                       std::string(event.instance), std::string(event.text)});
    });
  }
  ~Taken() {
    unum::set_log_sink({});
    unum::set_log_levels("off");
  }
  std::vector<Line> lines;
};

std::string refusal(std::string_view levels) {
  try {
    unum::set_log_levels(levels);
  } catch (const unum::Error& error) {
    CHECK(error.kind() == unum::ErrorKind::invalid);
    return error.message();
  }
  return "none";
}

}  // namespace

TEST_CASE("an event is told when its area's level includes it") {
  Taken taken("info,redis=trace,store=off");
  log_of::info(LogArea::host, "begins with {} functions", 3);
  log_of::debug(LogArea::host, "too fine");
  log_of::trace(LogArea::redis, "fine");
  log_of::error(LogArea::store, "never");
  REQUIRE(taken.lines.size() == 2);
  CHECK(taken.lines[0].text == "begins with 3 functions");
  CHECK(taken.lines[0].level == LogLevel::info);
  CHECK(taken.lines[0].area == LogArea::host);
  CHECK(taken.lines[1].area == LogArea::redis);
  CHECK(log_of::is_on(LogLevel::trace, LogArea::redis));
  CHECK_FALSE(log_of::is_on(LogLevel::error, LogArea::store));
}

TEST_CASE("an area alone leaves the others off, and a level alone is for all") {
  Taken taken("worker=warn");
  log_of::error(LogArea::host, "off");
  log_of::warn(LogArea::worker, "on");
  CHECK(taken.lines.size() == 1);
  unum::set_log_levels("error");
  log_of::error(LogArea::host, "on");
  CHECK(taken.lines.size() == 2);
}

TEST_CASE("an event names its session and instance where it has them") {
  Taken taken("debug");
  const std::string session = "s-1";
  log_of::debug(LogArea::runtime, {session, "F-unumIndex-2"}, "ended: {}", "well");
  REQUIRE(taken.lines.size() == 1);
  CHECK(taken.lines[0].session == session);
  CHECK(taken.lines[0].instance == "F-unumIndex-2");
}

TEST_CASE("a line stays one line, without passwords and bounded") {
  Taken taken("info");
  log_of::info(LogArea::redis, {"a\nb", ""}, "to redis://me:secret@host {} {}", "two\nlines\x01",
               "\xff");
  log_of::info(LogArea::redis, "{}", std::string(100'000, 'x'));
  REQUIRE(taken.lines.size() == 2);
  CHECK(taken.lines[0].text == "to redis://me:***@host two\\nlines\\x01 \\xff");
  CHECK(taken.lines[0].session == "a\\nb");
  CHECK(taken.lines[1].text.size() < 3000);
  CHECK(taken.lines[1].text.ends_with("..."));
}

TEST_CASE("a wrong setting says which part is wrong and what it may be, and changes nothing") {
  Taken taken("info");
  for (const char* levels : {"loud", "info,loud", "redis=loud", "info,", "", "INFO"}) {
    INFO(levels);
    CHECK(refusal(levels).find("trace") != std::string::npos);
  }
  CHECK(refusal("info,radio=warn").find("\"radio=warn\" names no area") == 0);
  CHECK(refusal("info,radio=warn").find("reactor, http, redis") != std::string::npos);
  log_of::info(LogArea::host, "still");
  CHECK(taken.lines.size() == 1);
}

TEST_CASE("what is under way is listed, the oldest first, with what it waits for") {
  const std::string before = Activity::list(10);
  Activity run("run", "Split", "s-1");
  int queued = 12;
  run.describe_by(
      [](const void* count) { return std::to_string(*static_cast<const int*>(count)) + " queued"; },
      &queued);
  Activity step("step", "Count-unumIndex-3", "s-1");
  {
    Activity ended("call of", "Count-unumIndex-2");
    step.waits_for("worker process", 4711);
  }
  CHECK(Activity::last_changed() == "step Count-unumIndex-3 of session s-1");
  const std::string list = Activity::list(10);
  CHECK(list.find("run Split, session s-1: 12 queued\n") != std::string::npos);
  CHECK(list.find("step Count-unumIndex-3, session s-1: worker process 4711, for 0.0") !=
        std::string::npos);
  CHECK(list.find("unumIndex-2") == std::string::npos);
  CHECK(list.find("run Split") < list.find("step Count"));
  CHECK(Activity::list(1).find("and 1 more") != std::string::npos);
  CHECK(before.empty());
}
