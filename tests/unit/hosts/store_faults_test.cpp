// Whole workflows over stores with a fault or with stale reads at the very calls that the runtime
// and the host make.
#include "support/store_decorators.hpp"
#include "workflow_testing.hpp"

using namespace unum;
using namespace unum::test;

TEST_CASE("a fault in any call of a run comes through, and the session run again goes on") {
  const auto when = GENERATE(FaultyStore::When::before_effect, FaultyStore::When::after_effect);
  const Error no_answer(ErrorKind::disconnected, "redis", "ECONNRESET", "no answer");
  World world("memory");
  std::size_t faults = 0;
  for (bool failed = true; failed; ++faults) {
    INFO("call " << faults);
    const std::string session = "s" + std::to_string(faults);
    NativeApp app = map_and_fan_in();
    FaultyStore faulty(*world.store, faults, when, no_answer);
    try {
      require_result(world.reactor.run(app.run(world.reactor, faulty, session, "[1,2]")), "[1,2]");
    } catch (const Error& error) {
      CHECK(error.code() == no_answer.code());
    }
    failed = faulty.failed();
    require_result(world.run(app, "[1,2]", session), "[1,2]");
  }
  CHECK(faults > 5);
}

TEST_CASE("stale reads of single items run code again at most, and change no result") {
  World world("memory");
  const auto single = [](std::string_view call, ItemKind kind) {
    return call == "get" && (kind == ItemKind::outcome || kind == ItemKind::claim);
  };
  StaleReadStore stale(*world.store, 1, single);
  NativeApp app = map_and_fan_in();
  require_result(world.reactor.run(app.run(world.reactor, stale, "s", "[1,2,3]")), "[1,2,3]");
  NativeApp again = map_and_fan_in();
  require_result(world.reactor.run(again.run(world.reactor, stale, "s", "[1,2,3]")), "[1,2,3]");
  CHECK(app.runs.at("A") == 1);
}
