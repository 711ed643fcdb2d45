// What the library tells of sessions, and which results it takes back.
#include <algorithm>

#include "catch.hpp"
#include "support/native_app.hpp"
#include "support/session_app.hpp"

using namespace unum;
using namespace unum::test;

namespace {

using Names = std::vector<std::string>;

struct World {
  explicit World(const SessionFunctions& functions, const std::string& globals = "")
      : store(reactor, "memory"), app(functions, globals) {}

  RunResult run(const std::string& input = "", const std::string& session = "s") {
    return app.run(reactor, *store, session, input);
  }
  Names forget(const std::string& instance, const std::string& session = "s") {
    return app.forget(reactor, *store, session, instance);
  }
  /// The code of the error that forgetting ends in.
  std::string refused(const std::string& instance, const std::string& session = "s") {
    try {
      forget(instance, session);
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::invalid);
      CHECK_THAT(error.message(), ContainsSubstring(session));
      return error.code();
    }
    FAIL("no error");
    return "";
  }
  std::string states(const std::string& session = "s") {
    std::string text;
    for (const InstanceSummary& one :
         reactor.run(inspect_session(*store, session, &app.application))) {
      text += (text.empty() ? "" : ", ") + one.instance + " " + std::string(to_string(one.state));
    }
    return text;
  }
  InstanceValues show(const std::string& instance, bool with_application = true) {
    return reactor.run(
        show_instance(*store, "s", instance, with_application ? &app.application : nullptr));
  }
  void put(const std::string& name, ItemKind kind, const std::string& value) {
    const SessionContext context = session_context("s");
    const ItemId item{name, kind};
    reactor.run((*store).put(context, item, value));
  }
  Names names_run() const {
    Names names;
    for (const auto& [name, times] : app.runs) names.push_back(name);
    return names;
  }

  Reactor reactor;
  FreshStore store;
  SessionApp app;
};

std::string text_of(const std::optional<json::Text>& value) {
  return value ? value->text() : "nothing";
}

/// E begins two chains; J joins their ends.
SessionFunctions two_chains(const std::string& of_second = "") {
  return {{"E", R"(, "Next": [{"Name": "F", "InputType": "Scalar"},
                              {"Name": "R", "InputType": "Scalar"}])"},
          {"F", R"(, "Next": {"Name": "L", "InputType": "Scalar"})"},
          {"L", R"(, "Next": {"Name": "J", "Payload Modifiers": ["Pop"], "InputType":
                   {"Fan-in": {"Values": ["L-unumIndex-0", "T-unumIndex-1"]}}})"},
          {"R", of_second + R"(, "Next": {"Name": "T", "InputType": "Scalar"})"},
          {"T", R"(, "Next": {"Name": "J", "Payload Modifiers": ["Pop"], "InputType":
                   {"Fan-in": {"Values": ["L-unumIndex-0", "T-unumIndex-1"]}}})"},
          {"J", ""}};
}

/// A loop without checkpoints: I counts up in F until it is large enough.
SessionFunctions unstored_loop() {
  return {{"E", R"(, "Next": {"Name": "F", "InputType": "Scalar", "Payload Modifiers": ["Push"]})"},
          {"F", R"(, "Checkpoint": false, "Next": [
              {"Name": "F", "InputType": "Scalar", "Exclusive": true,
               "Conditional": "$ret < 50", "Payload Modifiers": ["$0 = $0 + 1"]},
              {"Name": "Z", "InputType": "Scalar", "Exclusive": true,
               "Payload Modifiers": ["Pop"]}])"},
          {"Z", ""}};
}

}  // namespace

TEST_CASE("sessions are listed with what they were begun with and by whom") {
  World world(map_and_end());
  world.run("[1,2,3]", "b");
  world.run("[" + std::string(1000, '1') + "]", "c");
  const SessionFunctions only_x{{"X", ""}};
  SessionApp other(only_x);
  other.run(world.reactor, *world.store, "a", "7");
  const auto all = world.reactor.run(list_sessions(*world.store));
  REQUIRE(all.size() == 3);
  CHECK(all[0].id == "a");
  CHECK(all[0].entry == "X");
  CHECK(all[0].input == "7");
  CHECK(all[1].id == "b");
  CHECK(all[1].entry == "M");
  CHECK(all[1].application == "small");
  CHECK(all[1].input == "[1,2,3]");
  CHECK(all[1].items >= 8);
  CHECK(all[1].modified_unix_ns > 0);
  CHECK(all[2].input.size() == 256);
  CHECK(all[2].input_bytes == 1002);
}

TEST_CASE("only the sessions of an application are listed if one is asked for") {
  World world(map_and_end());
  world.run("[1]", "mine");
  world.run("[1]", "damaged");
  const SessionContext damaged = session_context("damaged");
  const ItemId owner{"M", ItemKind::application};
  world.reactor.run((*world.store).put(damaged, owner, "{"));
  const CheckedApplication other = CheckedApplication::from_text(
      {"Globals: {ApplicationName: other}\n"
       "Functions: {X: {Properties: {CodeUri: x, Runtime: native, Start: true}}}",
       {{"X", R"({"Name": "X"})"}}});
  SessionFilter filter;
  filter.application = &world.app.application;
  CHECK(world.reactor.run(list_sessions(*world.store, filter)).size() == 2);
  filter.application = &other;
  CHECK(world.reactor.run(list_sessions(*world.store, filter)).empty());
}

TEST_CASE("a session's instances are told with their states") {
  World world(map_and_end());
  world.app.fails = {"F-unumIndex-1"};
  world.run("[1,2,3]");
  CHECK(world.states() ==
        "A blocked, F-unumIndex-0 done, F-unumIndex-1 failed, F-unumIndex-2 done, M done");
  const auto instances =
      world.reactor.run(inspect_session(*world.store, "s", &world.app.application));
  CHECK(instances[0].detail == "waits for F-unumIndex-1 (failed)");
  CHECK(instances[2].detail == "Refused: not today");
  CHECK_THROWS_WITH(world.states("t"), ContainsSubstring("there is no session t in memory:"));
}

TEST_CASE("an instance is shown with its input, and its result or its failure") {
  World world(map_and_end());
  world.app.fails = {"Z"};
  world.run("[1, 2,3]");
  CHECK(text_of(world.show("M").input) == "[1, 2,3]");
  CHECK(text_of(world.show("M").result) == "[1, 2,3]");
  CHECK(text_of(world.show("F-unumIndex-1").input) == "2");
  CHECK(text_of(world.show("F-unumIndex-1").result) == "12");
  CHECK(text_of(world.show("A").input) == "[11,12,13]");
  const InstanceValues failed = world.show("Z");
  CHECK(failed.state == InstanceState::failed);
  CHECK(text_of(failed.input) == "[11,12,13]");
  CHECK(text_of(failed.result) == "nothing");
  REQUIRE(failed.failure);
  CHECK(failed.failure->error == "Refused");
  CHECK(failed.failure->cause == "not today\nnor tomorrow");
  CHECK_FALSE(failed.failure->caught);
  CHECK(text_of(world.show("Z", false).input) == "nothing");
  CHECK(text_of(world.show("M", false).input) == "[1, 2,3]");
  CHECK_THROWS_WITH(world.show("F-unumIndex-3"),
                    ContainsSubstring("nothing is stored of F-unumIndex-3 in session s"));
}

TEST_CASE("only what was made from a result is forgotten with it") {
  World world(two_chains());
  REQUIRE(world.run("1").result == "[11,1]");
  CHECK(world.forget("R-unumIndex-1") == Names{"J", "T-unumIndex-1", "R-unumIndex-1"});
  world.app.version = 2;
  CHECK(world.run().result == "[11,1]");
  CHECK(world.names_run() == Names{"J", "R-unumIndex-1", "T-unumIndex-1"});
  CHECK(world.forget("F-unumIndex-0") == Names{"J", "L-unumIndex-0", "F-unumIndex-0"});
  CHECK(world.run().result == "[21,1]");
  CHECK(world.forget("J") == Names{"J"});
  CHECK(world.run().result == "[21,1]");
  CHECK(world.names_run() == Names{"J"});
}

TEST_CASE("what follows a function that is not checkpointed is forgotten, too") {
  World world(two_chains(R"(, "Checkpoint": false)"));
  REQUIRE(world.run("1").result == "[11,1]");
  CHECK(world.refused("R-unumIndex-1") == "Unum.UnknownInstance");
  Names forgotten = world.forget("E");
  CHECK(forgotten.front() == "J");
  CHECK(forgotten.back() == "E");
  CHECK(std::count(forgotten.begin(), forgotten.end(), "T-unumIndex-1") == 1);
  world.app.version = 2;
  CHECK(world.run().result == "[21,1]");
  CHECK(world.names_run().size() == 6);
}

TEST_CASE("a failure, and what is stored of a delayed attempt, can be forgotten") {
  World world(map_and_end());
  world.app.fails = {"F-unumIndex-1"};
  world.run("[1,2,3]");
  world.put("F-unumIndex-1", ItemKind::delayed, R"({"NotBefore":9999999999999,"Payload":{}})");
  CHECK(world.forget("F-unumIndex-1") == Names{"F-unumIndex-1"});
  CHECK(world.states() == "F-unumIndex-0 done, F-unumIndex-2 done, M done");
  world.app.fails.clear();
  CHECK(world.run().result == "[11,12,13]");
}

TEST_CASE("what cannot be forgotten is refused, and nothing is removed") {
  World world(map_and_end());
  world.run("[1,2,3]");
  const std::string before = world.states();
  CHECK(world.refused("F-unumIndex-7") == "Unum.UnknownInstance");
  CHECK(world.refused("M", "t") == "Unum.UnknownSession");
  const SessionFunctions only_x{{"X", ""}};
  SessionApp other(only_x);
  CHECK_THROWS_WITH(other.forget(world.reactor, *world.store, "s", "M"),
                    ContainsSubstring("whose entry is M, not to small, which begins with X"));
  SessionApp changed(requested_by_one());
  CHECK_THROWS_WITH(changed.forget(world.reactor, *world.store, "s", "M"),
                    ContainsSubstring("has changed since: F"));
  world.put("Zz", ItemKind::outcome, "1");
  CHECK(world.refused("Zz") == "Unum.NotFollowed");
  world.put("M", ItemKind::outcome, "[1,");
  CHECK(world.refused("F-unumIndex-0") == "Unum.NotFollowed");
  CHECK(world.states() == before + ", Zz done");
}

TEST_CASE("all goes with the entry, also what a damaged result hides") {
  World world(map_and_end());
  world.run("[1,2,3]");
  world.put("M", ItemKind::outcome, "[1,");
  const Names forgotten = world.forget("M");
  CHECK(forgotten.size() == 6);
  CHECK(forgotten.back() == "M");
  world.app.version = 2;
  CHECK(world.run().result == "[21,22,23]");
}

TEST_CASE("a loop without checkpoints hides nothing from forgetting what comes before it") {
  World world(unstored_loop());
  REQUIRE(world.run("1").result == "51");
  CHECK(world.forget("Z") == Names{"Z"});
  CHECK(world.run().result == "51");
  CHECK(world.forget("E") == Names{"Z", "E"});
  CHECK(world.run().result == "51");
}
