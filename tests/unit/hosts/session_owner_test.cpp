// Whose a session is: one application's, with functions that are what they were.
#include "catch.hpp"
#include "support/native_app.hpp"
#include "unum/application.hpp"

using namespace unum;
using namespace unum::test;

namespace {

const char* const kEntry =
    R"({"Name": "M", "Start": true, "Next": {"Name": "F", "InputType": "Scalar"}})";
const char* const kEnd = R"({"Name": "F"})";
const char* const kEndBefore = R"({"Name": "F", "Next": {"Name": "G", "InputType": "Scalar"}})";

/// A workflow of these functions as the application `name`.
struct Owner {
  Owner(std::string name, const std::vector<std::string>& irs) {
    std::vector<Function> functions;
    for (const std::string& ir : irs) {
      app.add(ir);
      functions.push_back(Function::parse(ir, "test.json"));
    }
    ApplicationIdentity& identity = options.runtime.application.emplace();
    identity.name = std::move(name);
    for (const Function& function : link_functions(functions)) {
      identity.functions.emplace(function.name(), function.digest());
    }
  }
  RunResult run(Reactor& reactor, Store& store) {
    return reactor.run(app.run(reactor, store, "s", "7", options));
  }
  Error error(Reactor& reactor, Store& store) {
    try {
      run(reactor, store);
    } catch (const Error& error) {
      return error;
    }
    FAIL("no error");
    throw StoreDied{};
  }

  NativeApp app;
  LocalHostTuning options;
};

std::optional<std::string> owner_item(Reactor& reactor, Store& store) {
  const SessionContext context = session_context("s");
  const ItemId item{"M", ItemKind::application};
  return reactor.run(store.get(context, item));
}

}  // namespace

TEST_CASE("a session is refused to another application, before its code runs (found 6)") {
  Reactor reactor;
  FreshStore store(reactor, GENERATE("memory", "fs"));
  Owner first("first", {kEntry, kEnd});
  REQUIRE(first.run(reactor, *store).result == "7");
  Owner second("second", {kEntry, kEnd});
  const Error error = second.error(reactor, *store);
  CHECK(error.kind() == ErrorKind::invalid);
  CHECK(error.code() == "Unum.OtherApplication");
  CHECK_THAT(error.message(), ContainsSubstring("belongs to the application first, not to second"));
  CHECK(second.app.runs.empty());
  CHECK(first.run(reactor, *store).result == "7");
  CHECK(first.app.runs.at("M") == 1);
}

TEST_CASE(
    "a session with results of a function that was changed is refused, or goes on when asked "
    "to (found 6)") {
  Reactor reactor;
  FreshStore store(reactor, "memory");
  Owner before("app", {kEntry, kEnd});
  REQUIRE(before.run(reactor, *store).result == "7");
  Owner after("app", {kEntry, kEndBefore, R"({"Name": "G"})"});
  const Error error = after.error(reactor, *store);
  CHECK(error.code() == "Unum.ChangedFunctions");
  CHECK_THAT(error.message(), ContainsSubstring("has changed since: F;"));
  CHECK(after.app.runs.empty());
  after.options.runtime.application->accept_changes = true;
  CHECK(after.run(reactor, *store).result == "7");
  CHECK(after.app.runs == std::map<std::string, int>{{"G", 1}});
  after.options.runtime.application->accept_changes = false;
  CHECK(after.run(reactor, *store).result == "7");  // the session is the changed one's now
  CHECK(before.error(reactor, *store).code() == "Unum.ChangedFunctions");
}

TEST_CASE("what has no result in a session may be changed freely (found 6)") {
  Reactor reactor;
  FreshStore store(reactor, "memory");
  Owner before("app", {kEntry, kEndBefore, R"({"Name": "G"})"});
  const auto fails = [](const UserCall& call) -> std::string {
    if (call.function == "F") throw CodeFailure{"Broken", ""};
    return std::string(call.input);
  };
  before.app = NativeApp();
  before.app.add(kEntry);
  before.app.add(kEndBefore, fails);
  before.app.add(R"({"Name": "G"})");
  REQUIRE(before.run(reactor, *store).status == RunResult::Status::failed);
  Owner after("app", {kEntry, kEnd});
  CHECK(after.run(reactor, *store).result == "7");
  CHECK_THAT(*owner_item(reactor, *store), !ContainsSubstring("\"G\""));
}

TEST_CASE("a session of an earlier release, or with a damaged record, gets one (found 6)") {
  Reactor reactor;
  FreshStore store(reactor, "memory");
  Owner owner("app", {kEntry, kEnd});
  const std::optional<ApplicationIdentity> identity = owner.options.runtime.application;
  owner.options.runtime.application.reset();
  REQUIRE(owner.run(reactor, *store).result == "7");
  CHECK(!owner_item(reactor, *store));
  owner.options.runtime.application = identity;
  CHECK(owner.run(reactor, *store).result == "7");
  REQUIRE(owner_item(reactor, *store));
  const std::string record = *owner_item(reactor, *store);
  for (const char* damaged :
       {"", "{\"Application\":", "[]", "{\"Application\":1,\"Functions\":{}}"}) {
    const ItemId item{"M", ItemKind::application};
    reactor.run((*store).put(session_context("s"), item, damaged));
    CHECK(owner.run(reactor, *store).result == "7");
    CHECK(*owner_item(reactor, *store) == record);
  }
}
