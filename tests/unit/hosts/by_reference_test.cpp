// Results that a host does not take by value: pointers to where they are stored.
#include <string>
#include <vector>

#include "support/store_decorators.hpp"
#include "unit/hosts/workflow_testing.hpp"

using namespace unum;
using namespace unum::test;

namespace {

constexpr std::size_t kElementBytes = 3000;

std::string large_elements(std::size_t count) {
  std::string text = "[";
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) text += " , ";
    text += '"' + std::string(kElementBytes, static_cast<char>('a' + i % 26)) + '"';
  }
  return text + "]";
}

/// Copies nothing that it need not.
LocalHostTuning sparing() {
  LocalHostTuning options;
  options.queued_bytes_max = 0;
  return options;
}

/// A chain into a map, and its fan-in.
NativeApp chain_and_map() {
  NativeApp app;
  app.add(scalar("S", "M", R"("Start": true, )"));
  app.add(map_to("M", "F", R"("Checkpoint": false, )"));
  app.add(fan_in("F", "A", R"("F-unumIndex-*")", kPop));
  app.add(terminal("A"));
  return app;
}

}  // namespace

TEST_CASE("a chain's result is read from where it is stored, a map's elements one by one") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  CountingStore store(*world.store);
  NativeApp app = chain_and_map();
  const std::string list = large_elements(30);
  const RunResult by_value = world.run(app, list, "by value");
  const RunResult result =
      world.reactor.run(app.run(world.reactor, store, "by reference", list, sparing()));
  require_result(result, by_value.result);
  CHECK(store.count("get_range") == 30);
  CHECK(store.count("get_many") == 2);  // of the chain's result, and of the fan-in
}

TEST_CASE("small elements of a list are copied whatever the host says") {
  World world("memory");
  CountingStore store(*world.store);
  NativeApp app = map_and_fan_in();
  require_result(world.reactor.run(app.run(world.reactor, store, "s", numbers(100), sparing())),
                 numbers(100));
  CHECK(store.count("get_range") == 0);
}

TEST_CASE("a step that is tried again leaves the queue's size as it was") {
  World world("memory");
  CountingStore store(*world.store);
  NativeApp app;
  app.add(map_to("M", "F", R"("Start": true, "Retry": 1, )"), [](const UserCall& call) {
    if (call.attempt == 1) throw CodeFailure{"Busy", "once"};
    return std::string(call.input);
  });
  app.add(fan_in("F", "A", R"("F-unumIndex-*")", kPop));
  app.add(terminal("A"));
  const RunResult result = world.reactor.run(app.run(world.reactor, store, "s", large_elements(3)));
  CHECK(result.status == RunResult::Status::succeeded);
  CHECK(app.runs.at("M") == 2);
  CHECK(store.count("get_range") == 0);
}

TEST_CASE("a result that its function need not store is stored if the host does not take it") {
  World world("memory");
  NativeApp app;
  app.add(scalar("S", "T", R"("Start": true, )"));
  app.add(scalar("T", "U", R"("Checkpoint": false, )"));
  app.add(terminal("U"));
  const std::string large = '"' + std::string(10'000, 'x') + '"';
  const auto is_stored = [&](const std::string& session) {
    const SessionContext context = session_context(session);
    const Pointer of_t = pointer(context, "T");
    return world.reactor.run(check_value_exist(*world.store, context, of_t));
  };
  require_result(world.run(app, large, "by value"), large);
  CHECK_FALSE(is_stored("by value"));
  const RunResult result =
      world.reactor.run(app.run(world.reactor, *world.store, "by reference", large, sparing()));
  require_result(result, large);
  CHECK(is_stored("by reference"));
}

TEST_CASE("a result that has no room in the queue is not copied into it") {
  World world("memory");
  CountingStore store(*world.store);
  NativeApp app;
  app.add(scalar("S", "T", R"("Start": true, )"));
  app.add(terminal("T"));
  LocalHostTuning options;
  options.queued_bytes_max = 8000;
  const auto reads = [&](std::size_t bytes, const std::string& session) {
    const std::string text = '"' + std::string(bytes, 'x') + '"';
    const std::size_t before = store.count("get_many");
    require_result(world.reactor.run(app.run(world.reactor, store, session, text, options)), text);
    return store.count("get_many") - before;
  };
  CHECK(reads(5000, "fits") == 0);
  CHECK(reads(9000, "does not fit") == 1);
}

TEST_CASE("a run that goes on sends the elements of the stored list") {
  const auto type = GENERATE(as<std::string>(), "memory", "fs");
  World world(type);
  NativeApp app = chain_and_map();
  const std::string list = large_elements(30);
  const auto run = [&] {
    return world.reactor.run(app.run(world.reactor, *world.store, "s", list, sparing()));
  };
  const RunResult first = run();
  const SessionContext context = session_context("s");
  const std::vector<ItemId> lost = {{"F-unumIndex-29", ItemKind::outcome},
                                    {"A", ItemKind::outcome}};
  world.reactor.run((*world.store).remove(context, lost));
  app.runs.clear();
  require_result(run(), first.result);
  CHECK(app.runs.size() == 2);
}

TEST_CASE("an element that does not stand where the payload says is found by its number") {
  World world("memory");
  NativeApp app = map_and_fan_in();
  struct Nobody final : Invoker {
    Task<void> invoke(Invocation, Wait) override { co_return; }
  } nobody;
  Runtime runtime(*world.store, nobody);
  const SessionContext context = session_context("s").bound_to("M");
  world.reactor.run(write_return_value(*world.store, context, R"(["zero", "one", "two"])"));
  const std::vector<std::string> places = {"", R"(,"Bytes":[9,5])", R"(,"Bytes":[2,4])",
                                           R"(,"Bytes":[9,6])", R"(,"Bytes":[900,5])"};
  for (std::size_t i = 0; i < places.size(); ++i) {
    const std::string index = std::to_string(i);
    const std::string payload = R"({"Data":{"Source":"memory","Value":{"Pointer":"M","Element":1)" +
                                places[i] + R"(}},"Session":"s","Fan-out":{"Type":"Map","Index":)" +
                                index + R"(,"Size":9}})";
    world.reactor.run(runtime.step(app.function("F"), validate_payload(payload), app));
    const Pointer written = pointer(context, "F-unumIndex-" + index);
    const std::vector<Pointer> pointers = {written};
    CHECK(world.reactor.run(read_input(*world.store, context, pointers)).front() == R"("one")");
  }
}
