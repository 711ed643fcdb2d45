// What must hold when a delivery dies anywhere, comes twice, or comes with bad input.
#include <fmt/format.h>

#include <string>

#include "base/json.hpp"
#include "catch.hpp"
#include "support/native_app.hpp"

using namespace unum;
using namespace unum::test;

namespace {

const char* const kMap =
    R"({"Name": "M", "Start": true, "Next": {"Name": "F", "InputType": "Map"}})";
const char* const kBranch =
    R"({"Name": "F", "Next": {"Name": "A", "InputType": {"Fan-in": {"Values": ["F-unumIndex-*"]}},
        "Payload Modifiers": ["Pop"]}})";
const char* const kEnd = R"({"Name": "A"})";

NativeApp map_and_fan_in() {
  NativeApp app;
  app.add(kMap);
  app.add(kBranch);
  app.add(kEnd);
  return app;
}

/// Keeps what was invoked; refuses the n-th invocation.
struct RecordingInvoker final : Invoker {
  Task<void> invoke(Invocation invocation, Wait) override {
    if (refuse_at >= 0 && static_cast<int>(accepted.size()) == refuse_at) {
      refuse_at = -1;
      throw Error(ErrorKind::throttled, "test", "Throttled", "the platform refuses");
    }
    accepted.push_back(std::move(invocation.instance));
    payloads.push_back(std::move(invocation.payload).text());
    co_return;
  }
  int refuse_at = -1;
  std::vector<std::string> accepted;
  std::vector<std::string> payloads;
};

struct World {
  explicit World(std::string_view type) : store(reactor, type), runtime(*store, invoker) {}

  StepReport step(NativeApp& app, const char* function, json::View payload, int attempt = 1) {
    return reactor.run(runtime.step(app.function(function), payload, app, attempt));
  }
  StepReport step(NativeApp& app, const char* function, const std::string& payload) {
    return step(app, function, validate_payload(payload));
  }
  std::optional<std::string> get(const char* name, ItemKind kind, const char* session = "s") {
    const SessionContext context = session_context(session);
    const ItemId item{name, kind};
    return reactor.run((*store).get(context, item));
  }

  Reactor reactor;
  FreshStore store;
  RecordingInvoker invoker;
  Runtime runtime;
};

Error error_of(World& world, NativeApp& app, const char* function, std::string_view text) {
  try {
    const json::View payload = validate_payload(text);
    world.step(app, function, payload);
  } catch (const Error& error) {
    return error;
  }
  FAIL("no error");
  throw StoreDied{};
}

}  // namespace

TEST_CASE(
    "case 1: killed at any operation of the store, the next run ends right and reruns nothing "
    "stored") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  const auto how =
      GENERATE(FailingStore::How::dies_before_effect, FailingStore::How::dies_after_effect);
  int deaths = 0;
  for (int operation = 0;; ++operation) {
    Reactor reactor;
    FreshStore fresh(reactor, type);
    NativeApp app = map_and_fan_in();
    FailingStore dying(*fresh, operation, how);
    bool died = false;
    try {
      const RunResult result = reactor.run(app.run(reactor, dying, "s", "[1,2,3]"));
      REQUIRE(result.result == "[1,2,3]");
    } catch (const StoreDied&) {
      died = true;
    }
    if (!died) break;
    ++deaths;
    const SessionContext context = session_context("s");
    const auto items = reactor.run((*fresh).list(context));
    std::map<std::string, int> stored;
    for (const ListedItem& item : items) {
      if (item.id.kind == ItemKind::outcome) stored[item.id.name] = app.runs[item.id.name];
    }
    const RunResult result = reactor.run(app.run(reactor, *fresh, "s", "[1,2,3]"));
    INFO("died at operation " << operation);
    REQUIRE(result.status == RunResult::Status::succeeded);
    REQUIRE(result.result == "[1,2,3]");
    for (const auto& [name, runs] : stored) REQUIRE(app.runs[name] == runs);
    REQUIRE(app.runs.at("A") <= 2);
  }
  REQUIRE(deaths > 10);
}

TEST_CASE("case 2: a duplicate after the checkpoint gets the stored value as it was written") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  const auto value =
      GENERATE(as<std::string>(), "null", "0", "\"\"", "[]", "{}", "1e3", "12345678901234567890123",
               R"({"b": 1,  "a": "\u00e9\ud83d\ude00"})", "1.0", "false");
  World world(type);
  NativeApp app;
  app.add(R"({"Name": "S", "Start": true, "Next": {"Name": "A", "InputType": "Scalar"}})",
          [&](const UserCall&) { return value; });
  app.add(kEnd);
  world.step(app, "S", entry_payload("1", "s"));
  const std::string first = world.invoker.payloads.at(0);
  const StepReport again = world.step(app, "S", entry_payload("1", "s"));
  REQUIRE(again.adopted);
  REQUIRE(world.invoker.payloads.at(1) == first);
  REQUIRE(first.find("\"Value\":" + value + "}") != std::string::npos);
  REQUIRE(world.get("S", ItemKind::outcome) == value);
}

TEST_CASE("case 3: a function that returned null is not run again") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  NativeApp app;
  app.add(R"({"Name": "S", "Start": true, "Next": {"Name": "A", "InputType": "Scalar"}})",
          [](const UserCall&) { return std::string("null"); });
  app.add(kEnd);
  world.invoker.refuse_at = 0;  // died after the checkpoint, before the edge
  REQUIRE_THROWS_AS(world.step(app, "S", entry_payload("1", "s")), Error);
  const StepReport report = world.step(app, "S", entry_payload("1", "s"), 2);
  REQUIRE(report.adopted);
  REQUIRE(app.runs.at("S") == 1);
  REQUIRE(world.invoker.accepted == std::vector<std::string>{"A"});
}

TEST_CASE("case 4: who loses the race adopts the stored value and runs the edges") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  NativeApp app;
  app.add(kMap, [&](const UserCall& call) {
    // While this duplicate computes, another one (a reactor and a store of its own, as in another
    // process) stores two elements, and dies.
    Reactor reactor;
    const std::string name = (*world.store).name();
    const auto store = reactor.run(open_store(reactor, type, name));
    const SessionContext context = session_context(call.session).bound_to(call.instance);
    reactor.run(write_return_value(*store, context, "[1,2]"));
    reactor.run(store->close());
    return std::string("[1,2,3]");
  });
  app.add(kBranch);
  app.add(kEnd);
  const StepReport report = world.step(app, "M", entry_payload("0", "s"));
  REQUIRE(report.adopted);
  REQUIRE(report.user_code_ran);
  REQUIRE(world.invoker.accepted == std::vector<std::string>{"F-unumIndex-0", "F-unumIndex-1"});
}

TEST_CASE("case 6: an entry that is delivered again with its session is the same workflow") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  NativeApp app = map_and_fan_in();
  const json::Text payload = entry_payload("[1]", "given");
  const StepReport first = world.step(app, "M", payload);
  const StepReport second = world.step(app, "M", payload);
  REQUIRE(first.session == "given");
  REQUIRE(second.session == "given");
  REQUIRE(app.runs.at("M") == 1);
}

TEST_CASE("case 7: 1,000 invocations interleaved in one process do not see each other") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  Reactor reactor;
  FreshStore store(reactor, type);
  RecordingInvoker invoker;
  Runtime runtime(*store, invoker);
  /// Answers with its session, after letting others run.
  struct Slow final : UserCode {
    explicit Slow(Reactor& r) : reactor_(r) {}
    Task<UserResult> call(const UserCall& call, Wait) override {
      for (int i = 0; i < 3; ++i) co_await reactor_.yield();
      co_return UserResult::success(fmt::format("\"{} {}\"", call.session, call.instance));
    }
    Reactor& reactor_;
  } code(reactor);
  const Function function = Function::parse(R"({"Name": "S", "Start": true})", "s.json");
  std::vector<json::Text> payloads;
  for (int i = 0; i < 1000; ++i)
    payloads.push_back(entry_payload("1", "session-" + std::to_string(i)));
  std::vector<Task<StepReport>> steps;
  for (const json::Text& payload : payloads) steps.push_back(runtime.step(function, payload, code));
  const auto reports = reactor.run(when_all(std::move(steps), 1000));
  for (int i = 0; i < 1000; ++i) {
    const std::string session = "session-" + std::to_string(i);
    REQUIRE(reports[static_cast<std::size_t>(i)].session == session);
    REQUIRE(reports[static_cast<std::size_t>(i)].result == "\"" + session + " S\"");
  }
}

TEST_CASE(
    "case 8: a missing session at a function that is no entry is an error, `Start: false` written "
    "out or not") {
  const auto ir =
      GENERATE(as<std::string>(), R"({"Name": "F", "Start": false})", R"({"Name": "F"})");
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  NativeApp app;
  app.add(ir);
  const Error error = error_of(world, app, "F", R"({"Data": {"Source": "http", "Value": 1}})");
  REQUIRE(error.code() == "Unum.NoSession");
  REQUIRE(app.runs.empty());
}

TEST_CASE("case 9: every end is a result or a reported error") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  NativeApp app;
  app.add(R"({"Name": "S", "Start": true})", [](const UserCall&) -> std::string {
    throw CodeFailure{"ValueError", "no good\nTraceback ..."};
  });
  const StepReport report = world.step(app, "S", entry_payload("1", "s"));
  REQUIRE(report.status == StepReport::Status::failed);
  REQUIRE(report.error == "ValueError");
  REQUIRE(world.get("S", ItemKind::report) ==
          R"({"Error":"ValueError","Cause":"no good\nTraceback ...","Attempt":1})");
  REQUIRE_FALSE(world.get("S", ItemKind::outcome).has_value());
}

TEST_CASE("a session whose failed function was fixed goes on") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  Reactor reactor;
  FreshStore store(reactor, type);
  bool fixed = false;
  NativeApp app;
  app.add(kMap);
  app.add(kBranch, [&](const UserCall& call) -> std::string {
    if (!fixed && call.input == "2") throw CodeFailure{"ValueError", "two"};
    return std::string(call.input);
  });
  app.add(kEnd);
  RunResult result = reactor.run(app.run(reactor, *store, "s", "[1,2,3]"));
  REQUIRE(result.status == RunResult::Status::failed);
  REQUIRE(result.failures.size() == 2);
  REQUIRE(result.failures.front().instance == "F-unumIndex-1");
  REQUIRE(result.failures.back().error == "Unum.IncompleteFanIn");
  REQUIRE(result.failures.back().cause == "A never started; it waits for: F-unumIndex-1 (failed)");
  fixed = true;
  result = reactor.run(app.run(reactor, *store, "s", "[1,2,3]"));
  REQUIRE(result.status == RunResult::Status::succeeded);
  REQUIRE(result.result == "[1,2,3]");
  REQUIRE(app.runs.at("F-unumIndex-0") == 1);
  REQUIRE(app.runs.at("F-unumIndex-1") == 2);
}

TEST_CASE(
    "case 21: a branch delivered again after completion repeats the claim only if it owns it") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  NativeApp app = map_and_fan_in();
  world.step(app, "M", entry_payload("[1,2]", "s"));
  const std::vector<std::string> branches = world.invoker.payloads;
  world.step(app, "F", branches[0]);
  world.step(app, "F", branches[1]);
  REQUIRE(std::count(world.invoker.accepted.begin(), world.invoker.accepted.end(), "A") == 1);
  const StepReport loser = world.step(app, "F", branches[0]);
  REQUIRE(loser.fan_ins.at(0).status == FanInState::Status::taken);
  REQUIRE(std::count(world.invoker.accepted.begin(), world.invoker.accepted.end(), "A") == 1);
  const StepReport owner = world.step(app, "F", branches[1]);
  REQUIRE(owner.fan_ins.at(0).status == FanInState::Status::claimed);
  REQUIRE(std::count(world.invoker.accepted.begin(), world.invoker.accepted.end(), "A") == 2);
  REQUIRE(app.runs.at("F-unumIndex-0") == 1);
  REQUIRE(app.runs.at("F-unumIndex-1") == 1);
}

TEST_CASE("case 24: with an input missing user code never runs, and all missing ones are named") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  NativeApp app = map_and_fan_in();
  const std::string payload = fmt::format(
      R"({{"Data": {{"Source": "{}", 
          "Value": ["X-unumIndex-0", "X-unumIndex-1"]}}, "Session": "s"}})",
      type);
  const StepReport report = world.step(app, "A", payload);
  REQUIRE(report.status == StepReport::Status::failed);
  REQUIRE(report.error == "Unum.MissingInput");
  REQUIRE(report.cause.find("X-unumIndex-0") != std::string::npos);
  REQUIRE(report.cause.find("X-unumIndex-1") != std::string::npos);
  REQUIRE(app.runs.empty());
}

TEST_CASE("case 25: inputs by pointer are values, once decoded: a list, one, one element") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  NativeApp app = map_and_fan_in();
  const SessionContext context = session_context("s");
  for (const char* name : {"P", "Q"}) {
    const SessionContext bound = context.bound_to(name);
    const std::string value = fmt::format(R"(["{}", {{"x": null}}, 1.50])", name);
    world.reactor.run(write_return_value(*world.store, bound, value));
  }
  const auto input_of = [&](const std::string& value, int index) {
    const std::string payload = fmt::format(
        R"({{"Data": {{"Source": "{}", "Value": {}}}, "Session": "s",
            "Fan-out": {{"Type": "Map", "Index": {}, "Size": 9}}}})",
        type, value, index);
    return world.step(app, "A", payload).result.value().text();
  };
  REQUIRE(input_of(R"(["Q", "P"])", 0) == R"([["Q", {"x": null}, 1.50],["P", {"x": null}, 1.50]])");
  REQUIRE(input_of(R"("P")", 1) == R"(["P", {"x": null}, 1.50])");
  REQUIRE(input_of(R"({"Pointer": "P", "Element": 2})", 2) == "1.50");
  REQUIRE(input_of("[]", 3) == "[]");
}

TEST_CASE("a value of 1,024 levels is an input, and one of 1,025 is none (found 29)") {
  World world("memory");
  NativeApp app;
  app.add(R"({"Name": "A", "Start": true, "Next": {"Name": "B", "InputType": "Scalar"}})");
  app.add(R"({"Name": "B"})");
  const auto nested = [](std::size_t levels) {
    return std::string(levels, '[') + std::string(levels, ']');
  };
  const std::string deep = nested(1024);
  CHECK(world.reactor.run(app.run(world.reactor, *world.store, "s", deep)).result == deep);
  const std::string payload = R"({"Data":{"Source":"http","Value":)" + deep + "}}";
  CHECK(world.reactor.run(app.run(world.reactor, *world.store, "t", payload)).result == deep);
  CHECK_THROWS_WITH(entry_payload(nested(1025), "u"), ContainsSubstring("nested deeper"));
}

TEST_CASE("case 27: a map over what is no array fails the step before its checkpoint") {
  const auto value = GENERATE(as<std::string>(), "\"text\"", "{\"a\":1}", "3", "null", "true");
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  NativeApp app = map_and_fan_in();
  const StepReport report = world.step(app, "M", entry_payload(value, "s"));
  REQUIRE(report.status == StepReport::Status::failed);
  REQUIRE(report.error == "Unum.MapInput");
  REQUIRE_FALSE(world.get("M", ItemKind::outcome).has_value());
  REQUIRE(world.invoker.accepted.empty());
}

TEST_CASE("case 33: an expression that cannot be evaluated fails the step before its checkpoint") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  NativeApp app;
  app.add(R"({"Name": "S", "Start": true, "Next": [
      {"Name": "A", "InputType": "Scalar"},
      {"Name": "A", "InputType": "Scalar", "Conditional": "$ret.missing > 1"}]})");
  app.add(kEnd);
  const StepReport report = world.step(app, "S", entry_payload("{}", "s"));
  REQUIRE(report.status == StepReport::Status::failed);
  REQUIRE(report.error.starts_with("Unum."));
  REQUIRE_FALSE(world.get("S", ItemKind::outcome).has_value());
  REQUIRE(world.invoker.accepted.empty());
}

TEST_CASE(
    "case 47: an invocation that the platform refuses does not end the step, nor stop the other "
    "edges") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  NativeApp app = map_and_fan_in();
  world.invoker.refuse_at = 1;
  REQUIRE_THROWS_AS(world.step(app, "M", entry_payload("[1,2,3]", "s")), Error);
  REQUIRE(world.invoker.accepted.size() == 2);
  const StepReport report = world.step(app, "M", entry_payload("[1,2,3]", "s"), 2);
  REQUIRE(report.adopted);
  REQUIRE(world.invoker.accepted.size() == 5);
  REQUIRE(app.runs.at("M") == 1);
}

TEST_CASE(
    "a session that was begun with another input is refused, whitespace between tokens apart") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  NativeApp app = map_and_fan_in();
  world.step(app, "M", entry_payload("[1, 2]", "s"));
  REQUIRE(world.step(app, "M", entry_payload(" [1,\n2 ] ", "s")).adopted);
  REQUIRE(error_of(world, app, "M", entry_payload("[1,3]", "s").view()).code() ==
          "Unum.OtherInput");
  REQUIRE(world.get("M", ItemKind::input) == "[1, 2]");
}

TEST_CASE("output that is not JSON fails the step") {
  const auto text = GENERATE(as<std::string>(), "NaN", "", "[1,", "{'a': 1}", "1 2");
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  NativeApp app;
  app.add(R"({"Name": "S", "Start": true})", [&](const UserCall&) { return text; });
  const StepReport report = world.step(app, "S", entry_payload("1", "s"));
  REQUIRE(report.status == StepReport::Status::failed);
  REQUIRE(report.error == "Runtime.MarshalError");
  REQUIRE_FALSE(world.get("S", ItemKind::outcome).has_value());
}

TEST_CASE("what is no payload is the entry's input by value") {
  const auto input =
      GENERATE(as<std::string>(), "{}", "null", R"({"Data": 1})", R"({"Data": {"Source": "sqs"}})",
               R"({"Data": {}, "Session": "other"})");
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  NativeApp app;
  app.add(R"({"Name": "S", "Start": true})");
  const StepReport report = world.step(app, "S", entry_payload(input, "s"));
  REQUIRE(report.result == input);
  REQUIRE(report.session == "s");
}

TEST_CASE(
    "case 26: a map over an empty list invokes the aggregator that it ends in, with an empty "
    "list") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  NativeApp app;
  app.add(
      R"({"Name": "M", "Start": true, 
          "Next": {"Name": "F", "InputType": "Map", "OnEmpty": {"Name": "A"}}})");
  app.add(kBranch);
  app.add(kEnd);
  world.step(app, "M", entry_payload("[]", "s"));
  REQUIRE(world.invoker.accepted == std::vector<std::string>{"A"});
  const StepReport report = world.step(app, "A", world.invoker.payloads.at(0));
  REQUIRE(report.result == "[]");
}

TEST_CASE("case 11: readiness is what the store holds: no fan-in before every value is stored") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  NativeApp app = map_and_fan_in();
  world.step(app, "M", entry_payload("[1,2,3]", "s"));
  const std::vector<std::string> branches = world.invoker.payloads;
  for (const std::size_t branch : {2u, 2u, 0u, 2u}) {
    const StepReport report = world.step(app, "F", branches[branch]);
    REQUIRE(report.fan_ins.at(0).status == FanInState::Status::incomplete);
  }
  REQUIRE(world.step(app, "F", branches[1]).fan_ins.at(0).status == FanInState::Status::claimed);
}

TEST_CASE(
    "case 35: a failure that an edge for errors takes is the step's one outcome, a duplicate goes "
    "on from it") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  bool fails = true;
  NativeApp app;
  app.add(R"({"Name": "S", "Start": true, "Next": [{"Name": "A", "InputType": "Scalar"},
                                                   {"Name": "E", "InputType": "Error"}]})",
          [&](const UserCall&) -> std::string {
            if (fails) throw CodeFailure{"ValueError", "no good"};
            return "1";
          });
  app.add(kEnd);
  app.add(R"({"Name": "E"})");
  const StepReport report = world.step(app, "S", entry_payload("1", "s"));
  REQUIRE(report.status == StepReport::Status::caught);
  REQUIRE(world.get("S", ItemKind::outcome) == R"(!{"Error":"ValueError","Cause":"no good"})");
  REQUIRE_FALSE(world.get("S", ItemKind::report).has_value());
  fails = false;
  REQUIRE(world.step(app, "S", entry_payload("1", "s")).adopted);
  REQUIRE(app.runs.at("S") == 1);
  REQUIRE(world.invoker.accepted == std::vector<std::string>{"E", "E"});
  const StepReport catcher = world.step(app, "E", world.invoker.payloads.at(0));
  REQUIRE(catcher.result == R"({"Error":"ValueError","Cause":"no good"})");
}

TEST_CASE("case 35: an edge for errors does not touch the success path") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  NativeApp app;
  app.add(R"({"Name": "S", "Start": true, "Next": [{"Name": "A", "InputType": "Scalar"},
                                                   {"Name": "E", "InputType": "Error"}]})");
  app.add(kEnd);
  app.add(R"({"Name": "E"})");
  world.step(app, "S", entry_payload("1", "s"));
  REQUIRE(world.invoker.accepted == std::vector<std::string>{"A"});
}

TEST_CASE("a store that falls silent at any operation holds a run no longer than it was told") {
  int silences = 0;
  for (int operation = 0;; ++operation) {
    Reactor reactor;
    FreshStore fresh(reactor, "memory");
    NativeApp app = map_and_fan_in();
    FailingStore silent(*fresh, operation, FailingStore::How::falls_silent);
    LocalHostTuning options;
    options.store_grace = std::chrono::milliseconds(1);
    const Wait wait{reactor.now() + std::chrono::milliseconds(20), {}};
    RunResult result = reactor.run(app.run(reactor, silent, "s", "[1,2,3]", options, wait));
    if (result.status == RunResult::Status::succeeded) break;
    ++silences;
    INFO("silent from operation " << operation << " on");
    REQUIRE(result.status == RunResult::Status::timed_out);
    REQUIRE(result.failures.size() == 1);
    REQUIRE(result.failures[0].error == "Unum.StoreSilent");
    REQUIRE(result.failures[0].cause.find("memory:") != std::string::npos);
    result = reactor.run(app.run(reactor, *fresh, "s", "[1,2,3]"));
    REQUIRE(result.result == "[1,2,3]");
  }
  REQUIRE(silences > 10);
}

TEST_CASE(
    "what a store's network does to a step is the store's failure, not a function's (found 27)") {
  const auto error =
      GENERATE(Error(ErrorKind::disconnected, "redis", "Unum.NoAnswer", "no answer"),
               Error(ErrorKind::disconnected, "redis", "Unum.Disconnected", "hung up"),
               Error(ErrorKind::corrupt, "redis", "Unum.RedisReplyTooLarge", "too large"),
               Error(ErrorKind::throttled, "dynamodb", "Unum.UnprocessedKeys", "slower"),
               Error(ErrorKind::corrupt, "s3", "Unum.BadAnswer", "no XML"),
               Error(ErrorKind::invalid, "aws", "Unum.InvalidCredentials", "no JSON"),
               Error(ErrorKind::timeout, "aws", "Unum.Timeout", "no credentials in time"),
               Error(ErrorKind::denied, "aws", "Unum.NoCredentials", "no credentials any more"));
  INFO(error.code());
  Reactor reactor;
  FreshStore whole(reactor, "memory");
  int operations = 0;
  for (bool failed = true; failed; ++operations) {
    INFO("operation " << operations);
    NativeApp app = map_and_fan_in();
    FailingStore store(*whole, operations, error);
    const std::string session = "s" + std::to_string(operations);
    failed = false;
    try {
      reactor.run(app.run(reactor, store, session, "[1,2]"));
    } catch (const Error& thrown) {
      failed = true;
      CHECK(thrown.code() == error.code());
      CHECK(thrown.message() == error.message());
    }
    // Nothing of it is told of a function.
    const SessionContext context = session_context(session);
    for (const ListedItem& item : reactor.run((*whole).list(context)))
      CHECK(item.id.kind != ItemKind::report);
  }
  CHECK(operations > 5);
}
