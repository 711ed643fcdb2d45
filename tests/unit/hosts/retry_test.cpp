// Retry and Catch on the local host: attempts and their delays, who catches, what a kill leaves.
#include <fmt/format.h>

#include <map>
#include <string>
#include <vector>

#include "support/scripted_port.hpp"
#include "support/store_decorators.hpp"
#include "workflow_testing.hpp"

using namespace unum;
using namespace unum::test;

namespace {

using std::chrono::seconds;

/// Code that fails so many times, by attempt, and then gives its input back.
struct FailingCode {
  NativeApp app;
  std::vector<int> attempts;  ///< As the code was told, in order.
  int failures = 0;
  std::string error = "ValueError";

  FailingCode(const std::string& ir, int how_often) : failures(how_often) {
    app.add(ir, [this](const UserCall& call) {
      attempts.push_back(call.attempt);
      if (call.attempt <= failures) throw CodeFailure{error, "no good"};
      return std::string(call.input);
    });
  }
};

std::string entry(const std::string& more) {
  return R"({"Name": "S", "Start": true, )" + more + "}";
}

/// What a run is told on the way; stops it at its n-th delay.
struct Delays final : RunObserver {
  void delayed(std::string_view instance, int attempt, std::chrono::milliseconds delay,
               std::string_view error) override {
    lines.push_back(fmt::format("{} {} in {} ms: {}", instance, attempt, delay.count(), error));
    if (++count == stop_at) stop.request("the test stops it");
  }
  void ended(std::string_view, const StepReport& report) override {
    ended_with.push_back(report.status);
  }
  std::vector<std::string> lines;
  std::vector<StepReport::Status> ended_with;
  int count = 0;
  int stop_at = 0;
  StopSource stop;
};

/// Time passes when everything waits, and then at once.
struct TimedWorld {
  Script script;
  Reactor reactor = scripted_reactor(script);
  FreshStore store;
  Deadline begun;

  explicit TimedWorld(const char* type = "memory") : store(reactor, type), begun(script.now) {}

  RunResult run(NativeApp& app, const std::string& input, RunObserver* observer = nullptr,
                StopToken stop = {}, const std::string& session = "s") {
    return run_on(*store, app, input, observer, stop, session);
  }
  RunResult run_on(Store& on, NativeApp& app, const std::string& input,
                   RunObserver* observer = nullptr, StopToken stop = {},
                   const std::string& session = "s") {
    LocalHostTuning options;
    options.observer = observer;
    return reactor.run(app.run(reactor, on, session, input, options, {kNoDeadline, stop}));
  }
  std::optional<std::string> get(const std::string& name, ItemKind kind) {
    const SessionContext context = session_context("s");
    const ItemId item{name, kind};
    return reactor.run((*store).get(context, item));
  }
  void put(const std::string& name, ItemKind kind, const std::string& value) {
    const SessionContext context = session_context("s");
    const ItemId item{name, kind};
    reactor.run((*store).put(context, item, value));
  }
  seconds passed() const { return std::chrono::duration_cast<seconds>(script.now - begun); }
};

const char* const kCatchAll = R"("Catch": [{"ErrorEquals": ["States.ALL"], "Next": "C"}])";

}  // namespace

TEST_CASE("case 45: a failed step is tried again after the delays of its Retry") {
  const char* type = GENERATE("memory", "fs");
  TimedWorld world(type);
  FailingCode code(entry(R"("Retry": 3)"), 2);
  Delays delays;
  require_result(world.run(code.app, "[1]", &delays), "[1]");
  CHECK(code.attempts == std::vector<int>{1, 2, 3});
  CHECK(delays.lines ==
        std::vector<std::string>{"S 2 in 1000 ms: ValueError", "S 3 in 2000 ms: ValueError"});
  CHECK(delays.ended_with == std::vector{StepReport::Status::succeeded});
  CHECK(world.passed() == seconds(3));
  CHECK_FALSE(world.get("S", ItemKind::delayed));
  CHECK_FALSE(world.get("S", ItemKind::report));
}

TEST_CASE("case 43: when the attempts are used up the failure is reported with the last of them") {
  TimedWorld world;
  FailingCode code(entry(R"("Retry": 2)"), 9);
  const RunResult result = world.run(code.app, "1");
  REQUIRE(result.status == RunResult::Status::failed);
  REQUIRE(result.failures.size() == 1);
  CHECK(result.failures[0].attempt == 3);
  CHECK(result.user_code_runs == 3);
  CHECK(code.attempts == std::vector<int>{1, 2, 3});
  CHECK(world.get("S", ItemKind::report) ==
        R"({"Error":"ValueError","Cause":"no good","Attempt":3})");
  CHECK_FALSE(world.get("S", ItemKind::delayed));
  // The session run again tries the failed step once more, from the beginning of its list.
  code.failures = 0;
  require_result(world.run(code.app, "1"), "1");
  CHECK(code.attempts == std::vector<int>{1, 2, 3, 1});
}

TEST_CASE("case 43: when the attempts are used up a catcher takes the failure") {
  TimedWorld world;
  FailingCode code(entry(fmt::format(R"("Retry": 1, {})", kCatchAll)), 9);
  code.app.add(terminal("C"));
  require_result(world.run(code.app, "1"), R"({"Error":"ValueError","Cause":"no good"})");
  CHECK(code.attempts == std::vector<int>{1, 2});
  CHECK(world.get("S", ItemKind::outcome) == R"(!{"Error":"ValueError","Cause":"no good"})");
  CHECK_FALSE(world.get("S", ItemKind::delayed));
  // Again: from the stored failure, without the code.
  require_result(world.run(code.app, "1"), R"({"Error":"ValueError","Cause":"no good"})");
  CHECK(code.attempts.size() == 2);
}

TEST_CASE("the catcher of an error is chosen by its name, and gets what its ResultPath says") {
  const std::string failure = R"({"Error":"KeyError","Cause":"no good"})";
  const std::string stored_input = R"(,"Input":{"n": 1.0}})";
  const auto [fields, child, stored] = GENERATE_COPY(table<std::string, std::string, std::string>(
      {{R"("ResultPath":"$.why")", R"({"n": 1.0,"why":)" + failure + "}",
        failure.substr(0, failure.size() - 1) + stored_input},
       {R"("ResultPath":null)", R"({"n": 1.0})",
        failure.substr(0, failure.size() - 1) + stored_input},
       {R"("ResultPath":"$")", failure, failure}}));
  TimedWorld world;
  FailingCode code(entry(R"("Catch": [{"ErrorEquals": ["ValueError"], "Next": "V"},
                                      {"ErrorEquals": ["KeyError"], "Next": "C", )" +
                         fields + "}]"),
                   9);
  code.error = "KeyError";
  code.app.add(terminal("C"));
  code.app.add(terminal("V"));
  require_result(world.run(code.app, R"({"n": 1.0})"), child);
  CHECK(world.get("S", ItemKind::outcome) == "!" + stored);
  require_result(world.run(code.app, R"({"n": 1.0})"), child);
  CHECK(code.app.runs["V"] == 0);
}

TEST_CASE("an input that the ResultPath does not fit fails the step for good, with both errors") {
  TimedWorld world;
  FailingCode code(entry(R"("Catch": [{"ErrorEquals": ["States.ALL"], "Next": "C",
                                       "ResultPath": "$.why"}])"),
                   9);
  code.app.add(terminal("C"));
  const RunResult result = world.run(code.app, "[1]");
  REQUIRE(result.failures.size() == 1);
  CHECK(result.failures[0].error == "Unum.ResultPath");
  CHECK_THAT(result.failures[0].cause,
             Catch::Matchers::Contains("the ResultPath $.why cannot be applied: the input is no "
                                       "object"));
  CHECK_THAT(result.failures[0].cause, Catch::Matchers::Contains("ValueError: no good"));
  CHECK_FALSE(world.get("S", ItemKind::outcome));
}

TEST_CASE("inside a map a caught failure rejoins before the fan-in") {
  TimedWorld world("fs");
  NativeApp app;
  app.add(map_to("M", "F", R"("Start": true, )"));
  app.add(R"({"Name": "F", "Retry": [{"ErrorEquals": ["Busy"], "MaxAttempts": 1}],
              "Next": {"Name": "J", "InputType": "Scalar"},
              "Catch": [{"ErrorEquals": ["Bad"], "Next": "J", "ResultPath": "$.why"}]})",
          [](const UserCall& call) -> std::string {
            if (call.instance == "F-unumIndex-0" && call.attempt == 1) {
              throw CodeFailure{"Busy", "later"};
            }
            if (call.instance == "F-unumIndex-1") throw CodeFailure{"Bad", "never"};
            return std::string(call.input);
          });
  app.add(fan_in("J", "A", R"("J-unumIndex-*")", kPop));
  app.add(terminal("A"));
  require_result(world.run(app, R"([{"i":0},{"i":1},{"i":2}])"),
                 R"([{"i":0},{"i":1,"why":{"Error":"Bad","Cause":"never"}},{"i":2}])");
  CHECK(app.runs["F-unumIndex-0"] == 2);
  CHECK(app.runs["F-unumIndex-1"] == 1);
}

TEST_CASE("each attempt of Retry has three deliveries of its own") {
  TimedWorld world;
  NativeApp app;
  std::vector<int> told;
  app.add(entry(fmt::format(R"("Retry": [{{"ErrorEquals": ["States.TaskFailed"],
                                           "MaxAttempts": 1}}], {})",
                            kCatchAll)),
          [&](const UserCall& call) -> std::string {
            told.push_back(call.attempt);
            throw Error(ErrorKind::disconnected, "worker", "Unum.WorkerCrashed", "it crashed");
          });
  app.add(terminal("C"));
  require_result(world.run(app, "1"), R"({"Error":"Unum.WorkerCrashed","Cause":"it crashed"})");
  CHECK(told == std::vector<int>{1, 2, 3, 2, 3, 4});
  CHECK(world.passed() == seconds(1));
}

TEST_CASE("a time-out is named States.Timeout, which States.TaskFailed does not mean") {
  TimedWorld world;
  NativeApp app;
  app.add(entry(R"("TimeoutSeconds": 7, "Retry": [{"ErrorEquals": ["States.TaskFailed"]}],
                   "Catch": [{"ErrorEquals": ["States.TaskFailed"], "Next": "V"},
                             {"ErrorEquals": ["States.Timeout"], "Next": "C"}])"),
          [](const UserCall& call) -> std::string {
            CHECK(call.timeout == seconds(7));
            throw Error(ErrorKind::timeout, "worker", "States.Timeout", "too long");
          });
  app.add(terminal("C"));
  app.add(terminal("V"));
  require_result(world.run(app, "1"), R"({"Error":"States.Timeout","Cause":"too long"})");
}

TEST_CASE("errors of the runtime's own are neither tried again nor caught") {
  TimedWorld world;
  NativeApp app;
  app.add(entry(fmt::format(R"("Retry": 3, "Next": {{"Name": "F", "InputType": "Map"}}, {})",
                            kCatchAll)),
          [](const UserCall&) { return "{}"; });
  app.add(terminal("F"));
  app.add(terminal("C"));
  const RunResult result = world.run(app, "1");
  REQUIRE(result.failures.size() == 1);
  CHECK(result.failures[0].error == "Unum.MapInput");
  CHECK(app.runs["S"] == 1);
}

TEST_CASE("a run that ends between attempts never begins the list anew") {
  const char* type = GENERATE("memory", "fs");
  TimedWorld world(type);
  FailingCode code(entry(fmt::format(R"("Retry": 3, {})", kCatchAll)), 9);
  code.app.add(terminal("C"));
  for (int attempt = 1; attempt <= 3; ++attempt) {
    Delays delays;
    delays.stop_at = attempt == 1 ? 1 : 2;  // the first is that of the run before
    const RunResult result = world.run(code.app, "1", &delays, delays.stop.token());
    CHECK(result.status == RunResult::Status::interrupted);
    CHECK(world.get("S", ItemKind::delayed));
  }
  require_result(world.run(code.app, "1"), R"({"Error":"ValueError","Cause":"no good"})");
  CHECK(code.attempts == std::vector<int>{1, 2, 3, 4});
  CHECK(world.passed() == seconds(1 + 2 + 4));
  CHECK_FALSE(world.get("S", ItemKind::delayed));
}

TEST_CASE(
    "an attempt that was to come is taken where its instance comes up, others run meanwhile") {
  TimedWorld world;
  NativeApp app;
  app.add(map_to("M", "F", R"("Start": true, )"));
  int failures = 1;
  app.add(R"({"Name": "F", "Retry": 2, "Next": {"Name": "A", "InputType": {"Fan-in":
              {"Values": ["F-unumIndex-*"]}}, "Payload Modifiers": ["Pop"]}})",
          [&](const UserCall& call) -> std::string {
            if (call.instance == "F-unumIndex-1" && call.attempt <= failures) {
              throw CodeFailure{"Busy", "later"};
            }
            return std::string(call.input);
          });
  app.add(terminal("A"));
  Delays delays;
  delays.stop_at = 1;
  world.run(app, "[0,1,2]", &delays, delays.stop.token());
  app.runs.clear();
  require_result(world.run(app, "[0,1,2]"), "[0,1,2]");
  CHECK(app.runs["F-unumIndex-1"] == 1);  // its second attempt
}

TEST_CASE("a delay that was left is not waited for longer than the list asks") {
  TimedWorld world;
  FailingCode code(entry(R"("Retry": 1)"), 1);
  Delays delays;
  delays.stop_at = 1;
  world.run(code.app, "1", &delays, delays.stop.token());
  world.script.wall_time -= std::chrono::hours(1000);  // somebody sets the clock
  const Deadline before = world.script.now;
  require_result(world.run(code.app, "1"), "1");
  CHECK(world.script.now - before == seconds(1));
  CHECK(code.attempts == std::vector<int>{1, 2});
}

TEST_CASE("a delayed delivery that is damaged or another's begins the list anew") {
  TimedWorld world;
  const char* stored = GENERATE(
      "nonsense", "{}", R"({"NotBefore":"soon","Payload":{}})", R"({"NotBefore":5,"Payload":{}})",
      R"({"NotBefore":5,"Payload":{"Data":{"Source":"http","Value":1},"Session":"other"}})");
  world.put("S", ItemKind::delayed, stored);
  FailingCode code(entry(R"("Retry": 1)"), 0);
  require_result(world.run(code.app, "1"), "1");
  CHECK(code.attempts == std::vector<int>{1});
  CHECK_FALSE(world.get("S", ItemKind::delayed));
}

TEST_CASE("a session whose entry waits for its next attempt refuses another input at once") {
  TimedWorld world;
  FailingCode code(entry(R"("Retry": 1)"), 1);
  Delays delays;
  delays.stop_at = 1;
  world.run(code.app, "1", &delays, delays.stop.token());
  const Deadline before = world.script.now;
  CHECK_THROWS_WITH(world.run(code.app, "2"), Catch::Matchers::Contains("another input"));
  CHECK(world.script.now == before);
  require_result(world.run(code.app, " 1 "), "1");
}

TEST_CASE("an attempt that was left by a delivery that ended after all is not waited for") {
  TimedWorld world;
  FailingCode code(entry(R"("Retry": 1)"), 1);
  Delays delays;
  delays.stop_at = 1;
  world.run(code.app, "1", &delays, delays.stop.token());
  world.put("S", ItemKind::outcome, "7");  // a duplicate's late success
  const Deadline before = world.script.now;
  require_result(world.run(code.app, "1"), "7");
  CHECK(world.script.now == before);
}

TEST_CASE("killed at each operation of the store, no attempt is lost or added") {
  using How = FailingStore::How;
  const auto how = GENERATE(How::dies_before_effect, How::dies_after_effect);
  bool died = true;
  for (int operation = 0; died; ++operation) {
    INFO("operation " << operation);
    TimedWorld world;
    FailingCode code(entry(fmt::format(R"("Retry": 2, {})", kCatchAll)), 9);
    code.app.add(terminal("C"));
    FailingStore store(*world.store, operation, how);
    died = false;
    try {
      world.run_on(store, code.app, "1");
    } catch (const StoreDied&) {
      died = true;
    }
    require_result(world.run(code.app, "1"), R"({"Error":"ValueError","Cause":"no good"})");
    // Never one twice but the one that was killed, never back, never a fourth.
    CHECK(std::is_sorted(code.attempts.begin(), code.attempts.end()));
    CHECK(code.attempts.back() == 3);
    CHECK(code.attempts.size() <= (died ? 4 : 3));
    CHECK(code.app.runs["C"] <= (died ? 2 : 1));
  }
}

TEST_CASE("a step without failures costs the same requests with Retry and Catch as without") {
  const auto requests = [](const std::string& more) {
    TimedWorld world;
    NativeApp app;
    app.add(map_to("M", "F", R"("Start": true, )"));
    app.add(R"({"Name": "F", )" + more + R"("Next": {"Name": "G", "InputType": "Scalar"}})");
    app.add(fan_in("G", "A", R"("G-unumIndex-*")", kPop));
    app.add(terminal("A"));
    app.add(terminal("C"));
    CountingStore counting(*world.store);
    LocalHostTuning options;
    options.session_is_new = true;
    const RunResult result =
        world.reactor.run(app.run(world.reactor, counting, "s", "[1,2,3]", options));
    require_result(result, "[1,2,3]");
    std::map<std::string, std::size_t> counts;
    for (const char* call :
         {"get", "create", "put", "remove", "list", "get_many", "all_exist", "commit", "join"}) {
      counts[call] = counting.count(call);
    }
    return counts;
  };
  CHECK(requests(fmt::format(R"("Checkpoint": true, "Retry": 3, {}, )", kCatchAll)) ==
        requests(R"("Checkpoint": true, )"));
}

TEST_CASE("a failed contributor: the run names it, then the aggregators that never start") {
  TimedWorld world;
  NativeApp app;
  app.add(map_to("M", "F", R"("Start": true, )"));
  app.add(scalar("F", "G"), [](const UserCall& call) -> std::string {
    if (call.input == "0" || call.input == "2") throw CodeFailure{"ValueError", "no good"};
    return std::string(call.input);
  });
  app.add(fan_in("G", "A", R"("G-unumIndex-*")", kPop));
  app.add(fan_in("A", "B", R"("A")"));
  app.add(terminal("B"));
  const RunResult result = world.run(app, "[0,1,2]");
  REQUIRE(result.failures.size() == 3);
  CHECK(result.failures[0].instance == "F-unumIndex-0");
  CHECK(result.failures[1].instance == "F-unumIndex-2");
  CHECK(result.failures[2].instance.empty());
  CHECK(result.failures[2].error == "Unum.IncompleteFanIn");
  CHECK(result.failures[2].cause ==
        "A never started; it waits for: G-unumIndex-0 (never ran, since F-unumIndex-0 failed), "
        "G-unumIndex-2 (never ran, since F-unumIndex-2 failed)");
}

TEST_CASE("an aggregator is named although every contributor failed") {
  TimedWorld world;
  NativeApp app;
  app.add(one_of(
      "S", R"({"Name": "B", "InputType": "Scalar"}, {"Name": "C", "InputType": "Scalar"})", true));
  const auto fails = [](const UserCall&) -> std::string { throw CodeFailure{"Bad", "never"}; };
  app.add(fan_in("B", "A", R"("B-unumIndex-0", "C-unumIndex-1")", kPop), fails);
  app.add(fan_in("C", "A", R"("B-unumIndex-0", "C-unumIndex-1")", kPop), fails);
  app.add(terminal("A"));
  const RunResult result = world.run(app, "1");
  REQUIRE(result.failures.size() == 3);
  CHECK(result.failures[2].cause ==
        "A never started; it waits for: B-unumIndex-0 (failed), C-unumIndex-1 (failed)");
}

TEST_CASE(
    "a platform that keeps no delays, or shorter ones, refuses a Retry before anything runs") {
  struct Platform final : Invoker {
    Task<void> invoke(Invocation, Wait) override { co_return; }
    std::chrono::milliseconds delay_max() const noexcept override { return longest; }
    std::chrono::milliseconds longest{0};
  } platform;
  const Function function = Function::parse(entry(R"("Retry": 3)"), "test.json");
  CHECK(function.longest_delay() == seconds(4));
  CHECK_THROWS_WITH(
      check_delays(platform, function),
      Catch::Matchers::Contains("the Retry of function S can wait 4 s before an attempt, but the "
                                "platform keeps an invocation for at most 0 s"));
  platform.longest = seconds(4);
  check_delays(platform, function);
  platform.longest = seconds(0);
  check_delays(platform, Function::parse(entry(R"("Retry": 0)"), "test.json"));

  // One that did not look fails the step, and says both.
  TimedWorld world;
  FailingCode code(entry(R"("Retry": 3)"), 9);
  Runtime runtime(*world.store, platform);
  const json::Text payload = entry_payload("1", "s");
  const StepReport report =
      world.reactor.run(runtime.step(code.app.function("S"), payload, code.app));
  CHECK(report.status == StepReport::Status::failed);
  CHECK(report.error == "Unum.DelayTooLong");
  CHECK_THAT(report.cause, Catch::Matchers::Contains("ValueError: no good"));
}

TEST_CASE("case 44: an entry that was given no session keeps the one it made over its attempts") {
  struct Platform final : Invoker {
    Task<void> invoke(Invocation invocation, Wait) override {
      kept.push_back(std::move(invocation));
      co_return;
    }
    std::chrono::milliseconds delay_max() const noexcept override { return seconds(1000); }
    std::vector<Invocation> kept;
  } platform;
  TimedWorld world;
  FailingCode code(entry(R"("Retry": 3)"), 2);
  Runtime runtime(*world.store, platform);
  const auto deliver = [&](json::View payload) {
    return world.reactor.run(runtime.step(code.app.function("S"), payload, code.app));
  };
  const StepReport first = deliver(validate_payload("[1]"));
  CHECK(first.status == StepReport::Status::will_retry);
  CHECK(first.attempt == 1);
  CHECK(first.error == "ValueError");
  REQUIRE(platform.kept.size() == 1);
  CHECK(platform.kept[0].instance == "S");
  CHECK(platform.kept[0].attempt == 2);
  CHECK(platform.kept[0].not_before == first.not_before);
  CHECK(first.not_before - world.reactor.wall_time() == seconds(1));
  const StepReport second = deliver(platform.kept[0].payload);
  const StepReport third = deliver(platform.kept[1].payload);
  CHECK(second.session == first.session);
  CHECK(third.session == first.session);
  CHECK(third.status == StepReport::Status::succeeded);
  CHECK(third.result->text() == "[1]");
  CHECK(code.attempts == std::vector<int>{1, 2, 3});
}
