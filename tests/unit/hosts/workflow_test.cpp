// Whole workflows on the local host: names, fan-ins, loops, empty maps, ends. Native code, each
// store.
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/json.hpp"
#include "support/foreign_loop.hpp"
#include "support/sanitized.hpp"
#include "unit/reactor/ports.hpp"
#include "workflow_testing.hpp"

using namespace unum;
using namespace unum::test;

TEST_CASE("case 10: fan-ins of 1, 2, 100, 1,000 and 10,000 branches complete, in order, once") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  const auto width = GENERATE(1u, 2u, 100u, 1000u, 10000u);
  World world(type);
  NativeApp app = map_and_fan_in();
  require_result(world.run(app, numbers(width)), numbers(width));
  REQUIRE(app.runs.at("A") == 1);
  REQUIRE(app.runs.size() == width + 2);
}

TEST_CASE("ten thousand native branches in one process stay below 200 MB") {
  // In a process of its own: the peak of this one is whatever the largest test needed.
  constexpr const char* kInChild = "UNUM_TEST_IN_CHILD";
  if (std::getenv(kInChild) == nullptr) {
    const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
    const std::string command = fmt::format(
        "{}=1 '{}' 'ten thousand native branches in one process stay below 200 MB' >/dev/null",
        kInChild, self);
    REQUIRE(std::system(command.c_str()) == 0);
    return;
  }
  World world("fs");
  NativeApp app = map_and_fan_in();
  require_result(world.run(app, numbers(10000)), numbers(10000));
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const long sanitizer_share = kSanitized ? 4 : 1;  // shadow memory and red zones are not ours
  REQUIRE(usage.ru_maxrss < 200L * 1024 * sanitizer_share);
}

TEST_CASE("case 13: a function whose name begins another's is not taken for it") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  NativeApp app;
  app.add(one_of("S",
                 R"({"Name": "B", "InputType": "Scalar"}, {"Name": "Bob", "InputType": "Scalar"},
                         {"Name": "F1", "InputType": "Scalar"}, 
                         {"Name": "F10", "InputType": "Scalar"})",
                 true));
  const char* values = R"("Bob-unumIndex-1", "B-unumIndex-0", "F10-unumIndex-3", "F1-unumIndex-2")";
  for (const char* name : {"B", "Bob", "F1", "F10"}) {
    app.add(fan_in(name, "A", values, kPop),
            [](const UserCall& call) { return fmt::format("\"{}\"", call.function); });
  }
  app.add(terminal("A"));
  require_result(world.run(app, "0"), R"(["Bob","B","F10","F1"])");
}

TEST_CASE("case 14: one function listed several times with literal indexes completes") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  NativeApp app = map_and_fan_in(R"("F-unumIndex-2", "F-unumIndex-0", "F-unumIndex-1")");
  require_result(world.run(app, "[10,11,12]"), "[12,10,11]");
}

TEST_CASE("case 15: `*` need not stand last") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  NativeApp app;
  app.add(map_to("M", "F", R"("Start": true, )"));
  app.add(fan_in("F", "A", R"("F-unumIndex-*", "M")", kPop));
  app.add(terminal("A"));
  require_result(world.run(app, "[7,8]"), "[7,8,[7,8]]");
}

TEST_CASE("case 16: nested maps of unequal widths fan in with the values of their own branch") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  const auto pattern =
      GENERATE(as<std::string>(), R"("G-unumIndex-*.$1")", R"("G-unumIndex-$1.*")");
  World world(type);
  NativeApp app;
  app.add(map_to("M", "F", R"("Start": true, )"));
  app.add(map_to("F", "G"));
  app.add(fan_in("G", "H", pattern.c_str(), kPop));
  app.add(fan_in("H", "A", R"("H-unumIndex-*")", kPop));
  app.add(terminal("A"));
  require_result(world.run(app, "[[1,2,3],[4],[5,6]]"), "[[1,2,3],[4],[5,6]]");
}

TEST_CASE("case 17: a star and literals in one list complete") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  NativeApp app;
  app.add(map_to("M", "F", R"("Start": true, )"));
  app.add(fan_in("F", "A", R"("M", "F-unumIndex-*")", kPop));
  app.add(terminal("A"));
  require_result(world.run(app, "[1,2]"), "[[1,2],1,2]");
}

TEST_CASE("case 17: unequal lists fail the run and show both") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  NativeApp app;
  app.add(one_of(
      "S", R"({"Name": "B", "InputType": "Scalar"}, {"Name": "C", "InputType": "Scalar"})", true));
  app.add(fan_in("B", "A", R"("B-unumIndex-0", "C-unumIndex-1")", kPop));
  app.add(fan_in("C", "A", R"("C-unumIndex-1", "B-unumIndex-0")", kPop));
  app.add(terminal("A"));
  const RunResult result = world.run(app, "1");
  REQUIRE(result.status == RunResult::Status::failed);
  REQUIRE(result.failures.front().error == "Unum.UnequalFanIn");
  REQUIRE(result.failures.front().instance.empty());
  const std::string& cause = result.failures.front().cause;
  REQUIRE(cause.find("B-unumIndex-0, C-unumIndex-1") != std::string::npos);
  REQUIRE(cause.find("C-unumIndex-1, B-unumIndex-0") != std::string::npos);
}

TEST_CASE("case 18: a contributor without a slot fails before its checkpoint is written") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  NativeApp app = map_and_fan_in(R"("F-unumIndex-0", "F-unumIndex-1")");
  const RunResult result = world.run(app, "[1,2,3]");
  REQUIRE(result.status == RunResult::Status::failed);
  REQUIRE(result.failures.size() == 1);
  REQUIRE(result.failures.front().instance == "F-unumIndex-2");
  REQUIRE(result.failures.front().error == "Unum.NoSlot");
  const SessionContext context = session_context("s");
  const ItemId outcome{"F-unumIndex-2", ItemKind::outcome};
  REQUIRE_FALSE(world.reactor.run((*world.store).get(context, outcome)).has_value());
  const ItemId report{"F-unumIndex-2", ItemKind::report};
  REQUIRE(world.reactor.run((*world.store).get(context, report)).has_value());
}

TEST_CASE("case 20: only the last branch performs the fan-in, whoever ends last") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  const auto condition = GENERATE(as<std::string>(), "$0 == $size - 1", "$0 == 0", "$0 == 3");
  World world(type);
  NativeApp app;
  app.add(map_to("M", "F", R"("Start": true, )"));
  const std::string more =
      fmt::format(R"(, "Conditional": "{}", "Payload Modifiers": ["Pop"])", condition);
  app.add(fan_in("F", "A", R"("F-unumIndex-*")", more.c_str()));
  app.add(terminal("A"));
  require_result(world.run(app, "[1,2,3,4,5]"), "[1,2,3,4,5]");
  REQUIRE(app.runs.at("A") == 1);
}

TEST_CASE("case 20: neighbours fan in pairwise") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  NativeApp app;
  app.add(map_to("M", "G", R"("Start": true, )"));
  app.add(fan_in("G", "P", R"J("G-unumIndex-$0", "G-unumIndex-($0+1)")J",
                 R"(, "Conditional": "$0 < $size - 1")"));
  app.add(terminal("P"));
  require_result(world.run(app, "[1,2,3,4]"),
                 R"({"P-unumIndex-0":[1,2],"P-unumIndex-1":[2,3],"P-unumIndex-2":[3,4]})");
}

TEST_CASE("case 20: in a fold each step takes the one before and one of a map") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  NativeApp app;
  app.add(map_to("M", "F", R"("Start": true, )"));
  app.add(one_of("F", R"J({"Name": "G", "InputType": "Scalar", "Conditional": "$0 == 0"},
      {"Name": "G", "InputType": {"Fan-in": {"Values": ["F-unumIndex-$0", "G-unumIndex-($0-1)"]}},
       "Conditional": "$0 > 0"})J"));
  app.add(one_of("G",
                 R"J({"Name": "G", 
               "InputType": {"Fan-in": {"Values": ["F-unumIndex-($0+1)", "G-unumIndex-$0"]}},
                          "Conditional": "$0 < $size - 1", 
               "Payload Modifiers": ["$0 = $0 + 1"]})J"),
          [](const UserCall& call) {
            const auto parts = json::type_of(call.input) == json::Type::array
                                   ? json::elements(call.input)
                                   : std::vector{call.input};
            int sum = 0;
            for (const std::string_view part : parts) sum += std::stoi(std::string(part));
            return std::to_string(sum);
          });
  require_result(world.run(app, "[1,2,3,4,5]"), "15");
}

TEST_CASE(
    "case 20: a fan-in whose conditional depends on the result is requested by one, completed by "
    "any") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  const auto requester = GENERATE(0, 1, 2, 3);
  World world(type);
  NativeApp app;
  app.add(map_to("M", "F", R"("Start": true, )"));
  const std::string more =
      fmt::format(R"(, "Conditional": "$ret == {}", "Payload Modifiers": ["Pop"])", requester);
  app.add(fan_in("F", "A", R"("F-unumIndex-*")", more.c_str()));
  app.add(terminal("A"));
  require_result(world.run(app, "[0,1,2,3]"), "[0,1,2,3]");
}

TEST_CASE("a fan-in that nobody wants leaves its branches as ends") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  NativeApp app;
  app.add(map_to("M", "F", R"("Start": true, )"));
  app.add(fan_in("F", "A", R"("F-unumIndex-*")",
                 R"(, "Conditional": "$ret > 5", "Payload Modifiers": ["Pop"])"));
  app.add(terminal("A"));
  require_result(world.run(app, "[1,2]"), R"({"F-unumIndex-0":1,"F-unumIndex-1":2})");
}

TEST_CASE("a fan-in that can never complete fails the run and names who never ran") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  NativeApp app;
  app.add(one_of("S",
                 R"({"Name": "B", "InputType": "Scalar"}, 
          {"Name": "C", "InputType": "Scalar", "Conditional": "$ret > 1"})",
                 true));
  app.add(fan_in("B", "A", R"("B-unumIndex-0", "C-unumIndex-1")", kPop));
  app.add(fan_in("C", "A", R"("B-unumIndex-0", "C-unumIndex-1")", kPop));
  app.add(terminal("A"));
  const RunResult result = world.run(app, "1");
  REQUIRE(result.status == RunResult::Status::failed);
  REQUIRE(result.failures.front().error == "Unum.IncompleteFanIn");
  REQUIRE(result.failures.front().cause.find(
              "A waits for instances that never ran: C-unumIndex-1") != std::string::npos);
}

TEST_CASE("an instance with two ways in fails the run and names both") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  NativeApp app;
  app.add(one_of("S",
                 R"({"Name": "A", "InputType": "Scalar", "Conditional": "$ret > 1"},
                    {"Name": "B", "InputType": "Scalar", "Conditional": "$ret < 5"})",
                 true));
  const char* const pop = R"("Next Payload Modifiers": ["Pop"], )";
  app.add(scalar("A", "Z", pop));
  app.add(scalar("B", "Z", pop));
  app.add(terminal("Z"));
  require_result(world.run(app, "1", "one"), "1");
  const RunResult result = world.run(app, "3", "two");
  REQUIRE(result.status == RunResult::Status::failed);
  REQUIRE(result.failures.front().error == "Unum.SecondWayIn");
  REQUIRE(result.failures.front().cause.find(
              "Z was invoked by A-unumIndex-0 and by B-unumIndex-1") != std::string::npos);
}

TEST_CASE("several empty maps that end in one aggregator invoke it once") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  NativeApp app;
  app.add(one_of("S",
                 R"({"Name": "F", "InputType": "Map", "OnEmpty": {"Name": "A"}},
                    {"Name": "G", "InputType": "Map", "OnEmpty": {"Name": "A"}})",
                 true));
  const char* const both = R"("F-unumIndex-*", "G-unumIndex-*")";
  app.add(fan_in("F", "A", both, kPop));
  app.add(fan_in("G", "A", both, kPop));
  app.add(terminal("A"));
  require_result(world.run(app, "[]"), "[]");
  REQUIRE(app.runs.at("A") == 1);
}

TEST_CASE("case 28: a fan-in of one branch gives a list of one value") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  NativeApp app = map_and_fan_in();
  require_result(world.run(app, R"(["only"])"), R"(["only"])");
}

TEST_CASE("case 29: the join after a choice has one name, whichever branch was taken") {
  const auto input = GENERATE(1, 5, 9);
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  NativeApp app;
  app.add(one_of(
      "S",
      R"({"Name": "Small", "InputType": "Scalar", "Exclusive": true, "Conditional": "$ret < 3"},
                         {"Name": "Middle", "InputType": "Scalar", "Exclusive": true, 
            "Conditional": "$ret < 7"},
                         {"Name": "Large", "InputType": "Scalar", "Exclusive": true})",
      true));
  for (const char* name : {"Small", "Middle", "Large"}) {
    app.add(scalar(name, "J"),
            [](const UserCall& call) { return fmt::format("\"{}\"", call.function); });
  }
  app.add(terminal("J"));
  require_result(world.run(app, std::to_string(input)), input < 3   ? "\"Small\""
                                                        : input < 7 ? "\"Middle\""
                                                                    : "\"Large\"");
  REQUIRE(app.runs.at("J") == 1);
  REQUIRE(app.runs.size() == 3);
}

TEST_CASE("case 30: index order is innermost first at every depth from 1 to 5") {
  const auto depth = GENERATE(1, 2, 3, 4, 5);
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  NativeApp app;
  for (int level = 0; level < depth; ++level) {
    const std::string name = "L" + std::to_string(level);
    const std::string next = "L" + std::to_string(level + 1);
    app.add(map_to(name.c_str(), next.c_str(), level == 0 ? R"("Start": true, )" : ""));
  }
  app.add(terminal(("L" + std::to_string(depth)).c_str()));
  // Only the outermost list has two elements, so that the last index of the name tells them apart.
  std::string element = "7";
  for (int level = 1; level < depth; ++level) element = "[" + element + "]";
  const RunResult result = world.run(app, "[" + element + "," + element + "]");
  REQUIRE(result.status == RunResult::Status::succeeded);
  std::string zeros;
  for (int level = 1; level < depth; ++level) zeros += "0.";
  REQUIRE(result.result ==
          fmt::format(R"({{"L{0}-unumIndex-{1}0":7,"L{0}-unumIndex-{1}1":7}})", depth, zeros));
}

TEST_CASE("case 31: a loop with an index gives every round a name of its own") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  NativeApp app;
  app.add(
      R"({"Name": "S", "Start": true, 
          "Next": {"Name": "L", "InputType": "Scalar", "Payload Modifiers": ["Push"]}})");
  app.add(
      one_of("L",
             R"({"Name": "L", "InputType": "Scalar", "Exclusive": true, "Conditional": "$0 < 4",
                          "Payload Modifiers": ["$0 = $0 + 1"]},
                         {"Name": "E", "InputType": "Scalar", "Exclusive": true, 
            "Payload Modifiers": ["Pop"]})"),
      [](const UserCall& call) { return std::to_string(std::stoi(std::string(call.input)) + 1); });
  app.add(terminal("E"));
  require_result(world.run(app, "10"), "15");
  REQUIRE(app.runs.at("L-unumIndex-4") == 1);
  REQUIRE(app.runs.at("E") == 1);
}

TEST_CASE("case 33: a result full of quotes and code is only a string") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  NativeApp app;
  app.add(one_of("S",
                 R"({"Name": "A", "InputType": "Scalar", "Exclusive": true, 
            "Conditional": "$ret == \"'; import os\""},
                         {"Name": "B", "InputType": "Scalar", "Exclusive": true})",
                 true));
  app.add(terminal("A"));
  app.add(terminal("B"));
  require_result(world.run(app, R"("'; import os")"), R"("'; import os")");
  REQUIRE(app.runs.contains("A"));
}

TEST_CASE("case 40: payload overhead of a branch does not grow with the width of its map") {
  struct Catcher final : Invoker {
    Task<void> invoke(Invocation invocation, Wait) override {
      largest = std::max(largest, invocation.payload.size());
      ++count;
      co_return;
    }
    std::size_t largest = 0;
    std::size_t count = 0;
  };
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  NativeApp app;
  app.add(map_to("M", "F", R"("Start": true, )"));
  std::size_t largest[2] = {};
  std::size_t widths[2] = {10, 10000};
  for (int i = 0; i < 2; ++i) {
    Catcher catcher;
    Runtime runtime(*world.store, catcher);
    const json::Text payload = entry_payload(numbers(widths[i]), "w" + std::to_string(i));
    world.reactor.run(runtime.step(app.function("M"), payload, app));
    REQUIRE(catcher.count == widths[i]);
    largest[i] = catcher.largest;
  }
  REQUIRE(largest[1] <= largest[0] + 16);  // digits of index, size and element
}

TEST_CASE("an ancestor that a fan-in reads is checkpointed, whatever its IR says") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  NativeApp app;
  app.add(R"({"Name": "S", "Start": true, "Next": {"Name": "P", "InputType": "Scalar"}})");
  app.add(R"({"Name": "P", "Checkpoint": false, "Next": {"Name": "M", "InputType": "Scalar"}})");
  app.add(R"({"Name": "M", "Next": {"Name": "F", "InputType": "Map"}})");
  app.add(R"({"Name": "F", "Next": {"Name": "A", "InputType": {"Fan-in": {"Values":
      ["P", "F-unumIndex-*"]}}, "Payload Modifiers": ["Pop"]}})");
  app.add(terminal("A"));
  const RunResult result = world.reactor.run(app.run(world.reactor, *world.store, "s", "[1,2]"));
  REQUIRE(result.status == RunResult::Status::succeeded);
  REQUIRE(result.result == "[[1,2],1,2]");
}

TEST_CASE("the aggregator of a wide fan-in is given a payload of less than 1 KB") {
  struct Catcher final : Invoker {
    Task<void> invoke(Invocation invocation, Wait) override {
      last = std::move(invocation);
      co_return;
    }
    Invocation last;
  };
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  NativeApp app = map_and_fan_in();
  constexpr int kWidth = 10'000;
  const SessionContext context = session_context("s");
  const auto store_result = [&](std::size_t i) -> Task<void> {
    const std::string value = std::to_string(i);
    const SessionContext branch = context.bound_to("F-unumIndex-" + value);
    co_await write_return_value(*world.store, branch, value);
  };
  world.reactor.run(for_each_bounded(kWidth - 1, 64, store_result));
  Catcher catcher;
  Runtime runtime(*world.store, catcher);
  const std::string last = fmt::format(
      R"({{"Data": {{"Source": "http", "Value": {0}}}, "Session": "s",
          "Fan-out": {{"Type": "Map", "Index": {0}, "Size": {1}}}}})",
      kWidth - 1, kWidth);
  const Function branch = app.function("F");
  world.reactor.run(runtime.step(branch, validate_payload(last), app));
  REQUIRE(catcher.last.instance == "A");
  CHECK(catcher.last.payload.size() < 1024);
  const StepReport report =
      world.reactor.run(runtime.step(app.function("A"), catcher.last.payload, app));
  CHECK(report.result == numbers(kWidth));
}

TEST_CASE("a foreign loop drives a workflow, its store and the runtime around each handler") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  const auto loop = GENERATE(Loop::poll, Loop::nested_epoll);
  ON_EACH_PORT(reactor);
  FreshStore store(reactor, type);
  NativeApp app = two_fan_ins();
  app.late = "F-unumIndex-7";
  ForeignLoop foreign(reactor, loop);
  require_result(foreign.run(app.run(reactor, *store, "s", numbers(100))), numbers(100));
  REQUIRE(app.runs.at("B") == 1);
}

TEST_CASE("at most as many results as steps in flight are computed and not yet on the disk") {
  constexpr std::size_t kInFlightMax = 50;
  const Scratch scratch;
  Reactor reactor;
  const std::unique_ptr<Store> store =
      reactor.run(open_store(reactor, "fs", scratch.path(), StoreOptions{}));  // durable
  std::size_t computed = 0;
  std::size_t held_most = 0;
  NativeApp app;
  app.add(map_to("M", "F", R"("Start": true, )"));
  app.add(fan_in("F", "A", R"("F-unumIndex-*")", kPop), [&](const UserCall& call) {
    std::size_t stored = 0;
    for (const auto& file : std::filesystem::directory_iterator(scratch / "s")) {
      stored += file.path().filename().string().starts_with("F-") ? 1 : 0;
    }
    held_most = std::max(held_most, ++computed - stored);
    return std::string(call.input);
  });
  app.add(terminal("A"));
  LocalHostTuning options;
  options.steps_in_flight_max = kInFlightMax;
  require_result(reactor.run(app.run(reactor, *store, "s", numbers(400), options)), numbers(400));
  CHECK(held_most <= kInFlightMax);
  CHECK(held_most > 1);  // they do share flushes
}
