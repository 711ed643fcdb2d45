// Garbage: what is left of a session that is collected, whatever its shape, and that nothing is
// lost when processes die and deliveries come twice.
#include <string>

#include "support/collected_shapes.hpp"
#include "support/sanitized.hpp"
#include "support/store_decorators.hpp"
#include "workflow_testing.hpp"

using namespace unum;
using namespace unum::test;

TEST_CASE("a session that was collected shows its result when it is run again") {
  for (const MakeShape make : kShapes) {
    Shape shape = make();
    INFO(shape.name);
    World world("memory");
    const RunResult first = run(world.reactor, *world.store, shape);
    const auto runs = shape.app.runs;
    const auto left = left_in(world.reactor, *world.store);
    const RunResult again = run(world.reactor, *world.store, shape);
    require_result(again, shape.result);
    CHECK(again.instances == first.instances);
    CHECK(shape.app.runs == runs);
    CHECK(left_in(world.reactor, *world.store) == left);
  }
}

TEST_CASE(
    "a session that dies anywhere while it is collected comes to its result and is collected") {
  const auto how =
      GENERATE(FailingStore::How::dies_before_effect, FailingStore::How::dies_after_effect);
  for (const MakeShape make : kShapes) {
    INFO(make().name);
    bool died = true;
    for (int operation = 0; died; ++operation) {
      INFO("dies at operation " << operation);
      Shape shape = make();
      World world("memory");
      FailingStore dying(*world.store, operation, how);
      try {
        run(world.reactor, dying, shape);
      } catch (const StoreDied&) {
      }
      died = dying.has_failed();
      const auto runs = shape.app.runs;
      require_result(run(world.reactor, *world.store, shape), shape.result);
      require_only_finals(world.reactor, *world.store, shape);
    }
  }
}

TEST_CASE("what is stored during a chain of 1,000 steps of 1 MB stays below 5 MB") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  // Sanitized builds take a minute for the whole.
  const std::size_t value_bytes = kSanitized ? 20'000 : 1'000'000;
  World world(type);
  MeasuringStore measuring(*world.store);
  Shape shape = long_chain(1'000, value_bytes);
  require_result(run(world.reactor, measuring, shape), shape.result);
  CHECK(shape.app.runs.size() == 1002);
  CHECK(measuring.peak < 5 * value_bytes);
}

TEST_CASE("a step that was tried again collects its parent and is collected") {
  World world("memory");
  NativeApp app;
  app.add(scalar("A", "B", R"("Start": true, )"));
  app.add(scalar("B", "C", R"("Retry": [{"ErrorEquals": ["Busy"], "JitterStrategy": "FULL"}], )"),
          [](const UserCall& call) -> std::string {
            if (call.attempt == 1) throw CodeFailure{"Busy", "later"};
            return "2";
          });
  app.add(terminal("C"));
  require_result(world.reactor.run(app.run(world.reactor, *world.store, "s", "1", collecting())),
                 "2");
  CHECK(app.runs.at("B") == 2);
  CHECK(uncollected(world.reactor, *world.store) == std::set<std::string>{"C", "C-gc"});
}

TEST_CASE("collecting costs a chain one call of the store for each step") {
  World world("memory");
  CountingStore counting(*world.store);
  Shape shape = chain();
  require_result(run(world.reactor, counting, shape), shape.result);
  CHECK(counting.count("collect") == 2);
  CHECK(counting.count("all_exist") == 0);
  CHECK(counting.count("list") == 0);
  CHECK(counting.count("redelivery_of") == 0);
}

TEST_CASE("collecting costs a map and its fan-in one call of the store in all") {
  World world("memory");
  CountingStore counting(*world.store);
  NativeApp app = map_and_fan_in();
  const std::string input = numbers(100);
  require_result(world.reactor.run(app.run(world.reactor, counting, "s", input, collecting())),
                 input);
  CHECK(counting.count("collect") == 1);
  CHECK(counting.count("all_exist") == 0);
  CHECK(counting.count("redelivery_of") == 0);
}
