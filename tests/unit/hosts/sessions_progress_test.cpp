// How far a session is as a whole, wherever it is run.
#include "catch.hpp"
#include "support/native_app.hpp"
#include "support/session_app.hpp"
#include "unum/task_group.hpp"

using namespace unum;
using namespace unum::test;

namespace {

using State = SessionProgress::State;
using Names = std::vector<std::string>;

constexpr const char* kFanIn =
    R"(, "Next": {"Name": "A", "Payload Modifiers": ["Pop"],
      "InputType": {"Fan-in": {"Values": ["F-unumIndex-*"]}}})";

SessionFunctions map_and_fan_in_of(const char* edge_of_f) {
  return {{"M", R"(, "Next": {"Name": "F", "InputType": "Map"})"}, {"F", edge_of_f}, {"A", ""}};
}

struct World {
  explicit World(const SessionFunctions& functions, const std::string& globals = "")
      : store(reactor, "memory"), app(functions, globals) {}

  RunResult run(const std::string& input) { return app.run(reactor, *store, "s", input); }
  SessionProgress progress() { return reactor.run(session_progress(*store, "s", app.application)); }
  /// As a process elsewhere sees it that waits.
  RunResult awaited(std::chrono::milliseconds at_most = std::chrono::milliseconds(0)) {
    Wait wait;
    if (at_most.count() > 0) wait.deadline = reactor.now() + at_most;
    return reactor.run(await_session(*store, "s", app.application, wait));
  }
  void remove(const std::string& name, ItemKind kind) {
    const std::array<ItemId, 1> items{ItemId{name, kind}};
    reactor.run((*store).remove(session_context("s"), items));
  }

  Reactor reactor;
  FreshStore store;
  SessionApp app;
};

void check_same(World& world, const std::string& input) {
  const RunResult ran = world.run(input);
  REQUIRE(ran.status == RunResult::Status::succeeded);
  const RunResult seen = world.awaited();
  CHECK(seen.status == RunResult::Status::succeeded);
  CHECK(seen.result == ran.result);
}

}  // namespace

TEST_CASE("a session that has ended is seen to have the result of its run") {
  const std::string globals = GENERATE("", "  GC: true\n");
  INFO(globals);
  SECTION("a map, its fan-in") {
    World world(map_and_fan_in_of(kFanIn), globals);
    check_same(world, "[1,2,3]");
  }
  SECTION("a map without branches") {
    World world(map_and_fan_in_of(kFanIn), globals);
    check_same(world, "[]");
  }
  SECTION("branches without an end in common") {
    World world({{"M", R"(, "Next": {"Name": "F", "InputType": "Map"})"}, {"F", ""}}, globals);
    check_same(world, "[1,2,3]");
  }
  SECTION("one function") {
    World world({{"M", ""}}, globals);
    check_same(world, "7");
  }
  SECTION("a fan-in that one of its contributors asks for") {
    const std::string edge =
        R"(, "Next": {"Name": "A", "Payload Modifiers": ["Pop"], "Conditional": "$ret == 12",
      "InputType": {"Fan-in": {"Values": ["F-unumIndex-*"]}}})";
    World world(map_and_fan_in_of(edge.c_str()), globals);
    check_same(world, "[1,2,3]");
  }
  SECTION("a fan-in that none of its contributors asks for") {
    const std::string edge =
        R"(, "Next": {"Name": "A", "Payload Modifiers": ["Pop"], "Conditional": "$ret == 99",
      "InputType": {"Fan-in": {"Values": ["F-unumIndex-*"]}}})";
    World world(map_and_fan_in_of(edge.c_str()), globals);
    check_same(world, "[1,2,3]");
  }
}

TEST_CASE("a session is running until what must follow is there") {
  World world(map_and_fan_in_of(kFanIn));
  CHECK(world.progress().to_come == Names{"M"});
  world.run("[1,2]");
  CHECK(world.progress().state == State::done);
  CHECK(world.progress().ends == Names{"A"});
  world.remove("A", ItemKind::outcome);
  CHECK(world.progress().state == State::running);
  CHECK(world.progress().to_come == Names{"A"});
  world.remove("F-unumIndex-1", ItemKind::outcome);
  CHECK(world.progress().to_come == Names{"A", "F-unumIndex-1"});
  const RunResult seen = world.awaited(std::chrono::milliseconds(120));
  CHECK(seen.status == RunResult::Status::timed_out);
}

TEST_CASE("a session has failed when a failure is all that is left, and says so") {
  World world(map_and_fan_in_of(kFanIn));
  world.app.fails = {"F-unumIndex-1"};
  world.run("[1,2,3]");
  const RunResult seen = world.awaited();
  CHECK(seen.status == RunResult::Status::failed);
  REQUIRE(seen.failures.size() == 2);
  CHECK(seen.failures[0].instance == "F-unumIndex-1");
  CHECK(seen.failures[0].error == "Refused");
  CHECK(seen.failures[1].cause == "A never started; it waits for: F-unumIndex-1 (failed)");
  // While another branch is under way it may still change.
  world.remove("F-unumIndex-2", ItemKind::outcome);
  CHECK(world.progress().state == State::running);
}

TEST_CASE("a session that somebody else runs is waited for") {
  World world(map_and_fan_in_of(kFanIn));
  RunResult seen;
  const auto wait_for_it = [&]() -> Task<void> {
    seen = co_await await_session(*world.store, "s", world.app.application);
  };
  TaskGroup group;
  group.spawn(wait_for_it());
  world.run("[1,2,3]");
  world.reactor.run(group.drain());
  CHECK(seen.result == "[11,12,13]");
}

TEST_CASE("sessions of functions whose results are not stored cannot be waited for") {
  World world({{"E", R"(, "Next": {"Name": "F", "InputType": "Scalar"})"},
               {"F", R"(, "Checkpoint": false, "Next": {"Name": "Z", "InputType": "Scalar"})"},
               {"Z", ""}});
  CHECK_THROWS_WITH(world.progress(),
                    ContainsSubstring("the results of function F are not stored"));
}
