// Sessions that another run works on, too, that have lost something, or that hold what is no
// outcome.
#include <limits>

#include "workflow_testing.hpp"

using namespace unum;
using namespace unum::test;

TEST_CASE("what a store forgets of a fan-in is told again once; then the run fails") {
  /// Each time it forgets, the contributor's last step is as if it had not been made.
  class ForgetfulStore final : public FailingStore {
   public:
    ForgetfulStore(Store& inner, int times)
        : FailingStore(inner, std::numeric_limits<int>::max(), How::dies_before_effect),
          times_(times) {}
    Task<std::vector<FanInState>> join(const SessionContext& context,
                                       std::span<const FanIn> fan_ins, Wait wait) override {
      if (times_-- > 0) co_return std::vector<FanInState>(fan_ins.size());
      co_return co_await FailingStore::join(context, fan_ins, wait);
    }

   private:
    int times_;
  };
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  NativeApp app = map_and_fan_in();
  ForgetfulStore forgetful(*world.store, 3);
  require_result(world.reactor.run(app.run(world.reactor, forgetful, "once", "[1,2,3]")),
                 "[1,2,3]");
  REQUIRE(app.runs.at("A") == 1);
  ForgetfulStore hopeless(*world.store, 6);
  const RunResult result = world.reactor.run(app.run(world.reactor, hopeless, "always", "[1,2,3]"));
  REQUIRE(result.status == RunResult::Status::failed);
  REQUIRE(result.failures.size() == 1);
  REQUIRE(result.failures.front().error == "Unum.UnclaimedFanIn");
  REQUIRE(result.failures.front().cause.starts_with("A has all its inputs"));
}

TEST_CASE("a session that lost one branch's result goes on to its end, whoever had claimed") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  const auto claims = GENERATE(0, 1, 2);
  const auto lost = GENERATE(0, 1, 2);
  World world(type);
  NativeApp app = two_fan_ins();
  const SessionContext context = session_context("s");
  for (const char* name : {"G", "F"}) {  // the second time, the first fan-in hides the second
    app.late = fmt::format("{}-unumIndex-{}", name, claims);
    require_result(world.run(app, "[1,2,3]"), "[1,2,3]");
    for (const char* branch : {"F", "G"}) {
      const ItemId outcome{fmt::format("{}-unumIndex-{}", branch, lost), ItemKind::outcome};
      world.reactor.run((*world.store).remove(context, std::span(&outcome, 1), {}));
    }
    app.late = fmt::format("{}-unumIndex-{}", name, lost);
    require_result(world.run(app, "[1,2,3]"), "[1,2,3]");
  }
}

TEST_CASE("two runs of one session at once both have its result") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  for (int round = 0; round < 9; ++round) {
    const std::string session = "s" + std::to_string(round);
    NativeApp apps[] = {two_fan_ins(), two_fan_ins()};
    apps[0].late = fmt::format("F-unumIndex-{}", round / 3);
    apps[1].late = fmt::format("F-unumIndex-{}", round % 3);
    RunResult results[2];
    const auto both = [&](std::size_t i) -> Task<void> {
      results[i] = co_await apps[i].run(world.reactor, *world.store, session, "[1,2,3]");
    };
    world.reactor.run(for_each_bounded(2, 2, both));
    for (const RunResult& result : results) require_result(result, "[1,2,3]");
  }
}

TEST_CASE("what is stored and is no outcome fails the run, and says whose it is") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  const auto text =
      GENERATE(as<std::string>(), "garbage{", "", "1 2", "~ ", "!", R"(!{"Error":)", "![]");
  const auto name = GENERATE(as<std::string>(), "F-unumIndex-1", "A");
  CAPTURE(text);
  World world(type);
  NativeApp app = map_and_fan_in();
  require_result(world.run(app, "[1,2,3]"), "[1,2,3]");
  const SessionContext context = session_context("s");
  world.reactor.run((*world.store).put(context, {name, ItemKind::outcome}, text, {}));
  const RunResult result = world.run(app, "[1,2,3]");
  REQUIRE(result.status == RunResult::Status::failed);
  REQUIRE(result.failures.size() == 1);
  REQUIRE(result.failures.front().instance == name);
  REQUIRE(result.failures.front().error == "Unum.NoValue");
  REQUIRE(result.failures.front().cause.find(name) != std::string::npos);
}

TEST_CASE("a run whose last result was collected says so") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  NativeApp app = map_and_fan_in();
  require_result(world.run(app, "[1]"), "[1]");
  const SessionContext context = session_context("s");
  world.reactor.run((*world.store).put(context, {"A", ItemKind::outcome}, "~", {}));
  const RunResult result = world.run(app, "[1]");
  REQUIRE(result.status == RunResult::Status::failed);
  REQUIRE(result.failures.front().error == "Unum.NoResult");
}

TEST_CASE("an aggregator whose input was collected fails and says which") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  NativeApp app = map_and_fan_in();
  require_result(world.run(app, "[1,2]"), "[1,2]");
  const SessionContext context = session_context("s");
  world.reactor.run((*world.store).put(context, {"F-unumIndex-0", ItemKind::outcome}, "~", {}));
  const ItemId last{"A", ItemKind::outcome};
  world.reactor.run((*world.store).remove(context, std::span(&last, 1), {}));
  const RunResult result = world.run(app, "[1,2]");
  REQUIRE(result.status == RunResult::Status::failed);
  REQUIRE(result.failures.front().instance == "A");
  REQUIRE(result.failures.front().error == "Unum.CollectedInput");
  REQUIRE(result.failures.front().cause.find("F-unumIndex-0") != std::string::npos);
  REQUIRE(app.runs.at("A") == 1);
}

TEST_CASE("a map in a map in a map ends at 64 levels, before a checkpoint is written") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  NativeApp app;
  app.add(map_to("M", "M", R"("Start": true, )"));
  const RunResult result = world.run(app, std::string(70, '[') + "1" + std::string(70, ']'));
  REQUIRE(result.status == RunResult::Status::failed);
  REQUIRE(result.failures.size() == 1);
  REQUIRE(result.failures.front().error == "Unum.TooDeep");
  std::string deepest = "M-unumIndex-0";
  for (int level = 1; level < 64; ++level) deepest += ".0";
  REQUIRE(result.failures.front().instance == deepest);
  REQUIRE(result.instances == 64);
}

TEST_CASE("a failure that was caught is one again when its edge is gone") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  const auto fails = [](const UserCall&) -> std::string {
    throw CodeFailure{"ValueError", "no good"};
  };
  NativeApp before;
  before.add(R"({"Name": "S", "Start": true, "Next": [{"Name": "A", "InputType": "Scalar"},
                                                      {"Name": "E", "InputType": "Error"}]})",
             fails);
  before.add(terminal("A"));
  before.add(terminal("E"));
  require_result(world.run(before, "1"), R"({"Error":"ValueError","Cause":"no good"})");
  NativeApp after;
  after.add(scalar("S", "A", R"("Start": true, )"), fails);
  after.add(terminal("A"));
  const RunResult result = world.run(after, "1");
  REQUIRE(result.status == RunResult::Status::failed);
  REQUIRE(result.failures.size() == 1);
  REQUIRE(result.failures.front().instance == "S");
  REQUIRE(result.failures.front().error == "ValueError");
  REQUIRE(result.failures.front().cause == "no good");
  REQUIRE(after.runs.empty());
}
