// Taking results back, on each store: what is computed again, and that a death in the middle leaves
// a session that goes on right.
#include <fmt/format.h>

#include <algorithm>

#include "conformance/stores_under_test.hpp"
#include "support/native_app.hpp"
#include "support/sanitized.hpp"
#include "support/session_app.hpp"

using namespace unum;
using namespace unum::test;

namespace {

using Names = std::vector<std::string>;

std::optional<std::string> outcome(Reactor& reactor, Store& store, const std::string& session,
                                   const std::string& instance) {
  const SessionContext context = session_context(session);
  const ItemId item{instance, ItemKind::outcome};
  return reactor.run(store.get(context, item));
}

Names instances_run(const SessionApp& app) {
  Names names;
  for (const auto& [name, times] : app.runs) {
    CHECK(times == 1);
    names.push_back(name);
  }
  return names;
}

/// What the branches have now is what came out at the end.
void require_consistent(Reactor& reactor, Store& store, const std::string& session,
                        const RunResult& result) {
  std::string expected;
  for (int i = 0; i < 3; ++i) {
    const auto stored = outcome(reactor, store, session, fmt::format("F-unumIndex-{}", i));
    REQUIRE(stored);
    expected += (i == 0 ? "[" : ",") + *stored;
  }
  REQUIRE(result.status == RunResult::Status::succeeded);
  REQUIRE(result.result == expected + "]");
  REQUIRE(outcome(reactor, store, session, "A") == result.result);
  REQUIRE(outcome(reactor, store, session, "Z") == result.result);
}

}  // namespace

TEST_CASE("a forgotten branch is computed again with its fan-in and what follows, on each store") {
  ON_EACH_STORE();
  for (const SessionFunctions& functions : {map_and_end(), requested_by_one()}) {
    const std::string session = create_session_context(store).session();
    SessionApp app(functions);
    REQUIRE(app.run(reactor, store, session, "[1,2,3]").result == "[11,12,13]");
    const Names behind = app.forget(reactor, store, session, "F-unumIndex-1", {true});
    CHECK(behind == Names{"Z", "A", "F-unumIndex-1"});
    CHECK(outcome(reactor, store, session, "Z") == "[11,12,13]");
    CHECK(app.forget(reactor, store, session, "F-unumIndex-1") == behind);
    CHECK_FALSE(outcome(reactor, store, session, "Z"));
    app.version = 2;
    const RunResult result = app.run(reactor, store, session);
    CHECK(result.result == "[11,22,13]");
    CHECK(instances_run(app) == Names{"A", "F-unumIndex-1", "Z"});
    require_consistent(reactor, store, session, result);
  }
}

TEST_CASE("a forgotten aggregator and a forgotten entry are computed again, on each store") {
  ON_EACH_STORE();
  const std::string session = create_session_context(store).session();
  SessionApp app(map_and_end());
  REQUIRE(app.run(reactor, store, session, "[1,2,3]").result == "[11,12,13]");
  CHECK(app.forget(reactor, store, session, "A") == Names{"Z", "A"});
  app.version = 2;
  CHECK(app.run(reactor, store, session).result == "[11,12,13]");
  CHECK(instances_run(app) == Names{"A", "Z"});
  CHECK(app.forget(reactor, store, session, "M").size() == 6);
  const RunResult anew = app.run(reactor, store, session);
  CHECK(anew.result == "[21,22,23]");
  CHECK(instances_run(app).size() == 6);
  require_consistent(reactor, store, session, anew);
}

TEST_CASE("a fan-in wider than what a store keeps together happens again, on each store") {
  ON_EACH_STORE();
  const std::string session = create_session_context(store).session();
  SessionApp app(map_and_end());
  std::string input = "[0";
  for (int i = 1; i < 130; ++i) input += "," + std::to_string(i);
  const RunResult first = app.run(reactor, store, session, input + "]");
  REQUIRE(first.status == RunResult::Status::succeeded);
  app.forget(reactor, store, session, "F-unumIndex-100");
  app.version = 2;
  std::string expected = first.result;
  expected.replace(expected.find(",110,"), 5, ",120,");
  CHECK(app.run(reactor, store, session).result == expected);
}

TEST_CASE("a death while results are forgotten leaves a session that a run completes") {
  ON_EACH_STORE();
  const auto how =
      GENERATE(FailingStore::How::dies_before_effect, FailingStore::How::dies_after_effect);
  // Servers answer in milliseconds, and each death takes three runs.
  const int step = subject.cheap_writes && !kSanitized ? 1 : 3;
  for (const SessionFunctions& functions : {map_and_end(), requested_by_one()}) {
    for (const char* const forgotten : {"F-unumIndex-1", "M"}) {
      int deaths = 0;
      for (int operation = 0;; operation += step) {
        INFO(forgotten << ", operation " << operation);
        const std::string session = create_session_context(store).session();
        SessionApp app(functions);
        REQUIRE(app.run(reactor, store, session, "[1,2,3]").result == "[11,12,13]");
        FailingStore dying(store, operation, how);
        bool died = false;
        try {
          app.forget(reactor, dying, session, forgotten);
        } catch (const StoreDied&) {
          died = true;
        }
        if (!died) break;
        ++deaths;
        app.version = 2;
        require_consistent(reactor, store, session, app.run(reactor, store, session));
      }
      CHECK(deaths * step >= 6);
    }
  }
}

TEST_CASE("a death while results are forgotten leaves a session that a second call finishes") {
  ON_EACH_STORE();
  const auto how =
      GENERATE(FailingStore::How::dies_before_effect, FailingStore::How::dies_after_effect);
  const int step = subject.cheap_writes ? 1 : 3;
  for (const SessionFunctions& functions : {map_and_end(), requested_by_one()}) {
    for (int operation = 0;; operation += step) {
      INFO("operation " << operation);
      const std::string session = create_session_context(store).session();
      SessionApp app(functions);
      REQUIRE(app.run(reactor, store, session, "[1,2,3]").result == "[11,12,13]");
      FailingStore dying(store, operation, how);
      bool died = false;
      try {
        app.forget(reactor, dying, session, "F-unumIndex-1");
      } catch (const StoreDied&) {
        died = true;
      }
      if (!died) break;
      if (outcome(reactor, store, session, "F-unumIndex-1")) {
        app.forget(reactor, store, session, "F-unumIndex-1");
      }
      CHECK_FALSE(outcome(reactor, store, session, "A"));
      CHECK_FALSE(outcome(reactor, store, session, "Z"));
      app.version = 2;
      const RunResult result = app.run(reactor, store, session);
      REQUIRE(result.result == "[11,22,13]");
      require_consistent(reactor, store, session, result);
    }
  }
}

TEST_CASE("nothing of a session that is collected is forgotten, on each store") {
  ON_EACH_STORE();
  const std::string session = create_session_context(store).session();
  SessionApp app(map_and_end(), "  GC: true\n");
  app.fails = {"Z"};
  REQUIRE(app.run(reactor, store, session, "[1,2,3]").status == RunResult::Status::failed);
  CHECK_THROWS_WITH(app.forget(reactor, store, session, "A"),
                    ContainsSubstring("is garbage-collected (GC)") &&
                        ContainsSubstring("nothing of it can be forgotten"));
  app.fails.clear();
  CHECK(app.run(reactor, store, session).result == "[11,12,13]");
  CHECK_THROWS_WITH(app.forget(reactor, store, session, "Z"), ContainsSubstring("(GC)"));
}
