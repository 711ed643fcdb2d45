// Applications whose code, data store or host are the caller's: RunOptions::code and open_store,
// and the public LocalHost.
#include <unum/unum.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/limits.hpp"
#include "catch.hpp"
#include "support/native_app.hpp"

using namespace unum;
using namespace unum::test;

namespace {

const char* const kTemplate = R"(
Globals: {ApplicationName: squares}
Functions:
  Range:  {Properties: {CodeUri: range, Runtime: python3.11, Start: true}}
  Square: {Properties: {CodeUri: square, Runtime: python3.11}}
  Sum:    {Properties: {CodeUri: sum, Runtime: python3.11}}
)";

const char* const kPython = R"(
def lambda_handler(event, context):
    return [number + 10 for number in event]
)";

ApplicationText squares() {
  return {kTemplate,
          {{"Range", R"({"Name": "Range", "Next": {"Name": "Square", "InputType": "Map"}})"},
           {"Square", R"({"Name": "Square", "Next": {"Name": "Sum", "Payload Modifiers": ["Pop"],
               "InputType": {"Fan-in": {"Values": ["Square-unumIndex-*"]}}}})"},
           {"Sum", R"({"Name": "Sum"})"}}};
}

/// Gives every input back, and fails where it is told to.
struct Echo final : UserCode {
  Task<UserResult> call(const UserCall& call, Wait) override {
    calls.emplace_back(call.instance);
    if (call.instance == crashes_once) {
      crashes_once.clear();
      throw Error(ErrorKind::disconnected, "worker", "Unum.WorkerCrashed", "it went away");
    }
    if (call.instance == fails) co_return UserResult::failure("Refused", "not today");
    co_return UserResult::success(json::Text(call.input));
  }
  std::vector<std::string> calls;
  std::string crashes_once;
  std::string fails;
};

RunOptions with(Echo& code, Store& store) {
  RunOptions options;
  options.input = "[1,2,3]";
  options.session = "s";
  options.open_store = &store;
  options.code = {{"Range", &code}, {"Square", &code}, {"Sum", &code}};
  return options;
}

Error error_of(Reactor& reactor, const CheckedApplication& app, const RunOptions& options) {
  try {
    reactor.run(run_application(reactor, app, options));
  } catch (const Error& error) {
    return error;
  }
  FAIL("no error");
  throw StoreDied{};
}

std::vector<std::string> names_in(Reactor& reactor, Store& store) {
  const SessionContext context = session_context("s");
  std::vector<std::string> names;
  const std::vector<ListedItem> items = reactor.run(store.list(context));
  for (const ListedItem& item : items) names.push_back(item_name(item.id.name, item.id.kind));
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

TEST_CASE("an application of text runs with the caller's code on the caller's store") {
  Reactor reactor;
  FreshStore store(reactor, GENERATE("memory", "fs"));
  Echo code;
  const CheckedApplication app = CheckedApplication::from_text(squares());
  const RunOptions options = with(code, *store);
  const RunResult first = reactor.run(run_application(reactor, app, options));
  CHECK(first.result == "[1,2,3]");
  CHECK(first.instances == 5);
  CHECK(code.calls.size() == 5);
  // The store is still open, and a second run finds all results in it.
  const RunResult second = reactor.run(run_application(reactor, app, options));
  CHECK(second.result == "[1,2,3]");
  CHECK(code.calls.size() == 5);
}

TEST_CASE("the public host has the command's bound of steps in flight") {
  CHECK(LocalHostOptions{}.steps_in_flight_max == kStepsInFlightMax);
}

TEST_CASE("functions without code of the caller's run in worker processes beside it") {
  Reactor reactor;
  FreshStore store(reactor, "memory");
  const Scratch directory;
  const std::filesystem::path range = std::filesystem::path(directory.path()) / "range";
  std::filesystem::create_directory(range);
  std::ofstream(range / "app.py") << kPython;
  ApplicationText text = squares();
  text.directory = directory.path();
  Echo code;
  RunOptions options = with(code, *store);
  options.code.erase("Range");
  const CheckedApplication app = CheckedApplication::from_text(text);
  CHECK(reactor.run(run_application(reactor, app, options)).result == "[11,12,13]");
  CHECK(code.calls.size() == 4);
}

TEST_CASE("a function that has no code anywhere is named") {
  Reactor reactor;
  FreshStore store(reactor, "memory");
  Echo code;
  RunOptions options = with(code, *store);
  options.code.erase("Square");
  const CheckedApplication app = CheckedApplication::from_text(squares());
  const Error error = error_of(reactor, app, options);
  CHECK(error.kind() == ErrorKind::invalid);
  CHECK_THAT(error.message(), ContainsSubstring("function Square has no code to run: its CodeUri "
                                                "square is relative"));
  ApplicationText text = squares();
  text.directory = "/nonexistent";
  const Error missing = error_of(reactor, CheckedApplication::from_text(text), options);
  CHECK(missing.kind() == ErrorKind::not_found);
  CHECK_THAT(missing.message(), ContainsSubstring("/nonexistent/square"));
  CHECK(code.calls.empty());
}

TEST_CASE("code for a function that there is not, or none, is refused by name") {
  Reactor reactor;
  FreshStore store(reactor, "memory");
  Echo code;
  RunOptions options = with(code, *store);
  options.code.emplace("Sqare", &code);
  const CheckedApplication app = CheckedApplication::from_text(squares());
  const Error unknown = error_of(reactor, app, options);
  CHECK(unknown.kind() == ErrorKind::invalid);
  CHECK_THAT(unknown.message(),
             ContainsSubstring("a function Sqare") && ContainsSubstring("Range, Square, Sum"));
  options.code = {{"Range", nullptr}};
  CHECK_THAT(error_of(reactor, app, options).message(),
             ContainsSubstring("for function Range is null"));
}

TEST_CASE("a run has one data store, and one of text without a directory must name it") {
  Reactor reactor;
  FreshStore store(reactor, "memory");
  Echo code;
  RunOptions options = with(code, *store);
  options.store = "memory:other";
  const CheckedApplication app = CheckedApplication::from_text(squares());
  CHECK_THAT(error_of(reactor, app, options).message(), ContainsSubstring("only one is used"));
  options.open_store = nullptr;
  CHECK(reactor.run(run_application(reactor, app, options)).result == "[1,2,3]");
  options.store.clear();
  CHECK_THAT(error_of(reactor, app, options).message(),
             ContainsSubstring("application squares is text in memory without a directory"));
}

TEST_CASE("the public host runs an application's functions and stores the same") {
  Reactor reactor;
  Echo code;
  const CheckedApplication app = CheckedApplication::from_text(squares());
  FreshStore of_run(reactor, "memory");
  const RunOptions options = with(code, *of_run);
  reactor.run(run_application(reactor, app, options));
  FreshStore of_host(reactor, "memory");
  LocalHostOptions host_options;
  host_options.runtime.application = app.identity();
  LocalHost host(reactor, *of_host, host_options);
  for (Function& function : app.functions()) host.add(std::move(function), code);
  const RunResult result = reactor.run(host.run("s", "[1,2,3]"));
  CHECK(result.result == "[1,2,3]");
  CHECK(result.instances == 5);
  CHECK(names_in(reactor, *of_host) == names_in(reactor, *of_run));
}

TEST_CASE("the public host delivers again what crashed, and reports what failed") {
  Reactor reactor;
  FreshStore store(reactor, "memory");
  Echo code;
  code.crashes_once = "Square-unumIndex-1";
  code.fails = "Sum";
  LocalHost host(reactor, *store);
  for (Function& function : CheckedApplication::from_text(squares()).functions()) {
    host.add(std::move(function), code);
  }
  const RunResult failed = reactor.run(host.run("s", "[1,2,3]"));
  CHECK(failed.status == RunResult::Status::failed);
  REQUIRE(failed.failures.size() == 1);
  CHECK(failed.failures.front().instance == "Sum");
  CHECK(failed.failures.front().error == "Refused");
  CHECK(std::count(code.calls.begin(), code.calls.end(), "Square-unumIndex-1") == 2);
  code.fails.clear();
  CHECK(reactor.run(host.run("s", "[1,2,3]")).result == "[1,2,3]");
}

TEST_CASE("an input that looks like a payload, and a trace context, reach the code as they are") {
  Reactor reactor;
  FreshStore store(reactor, "memory");
  struct Seeing final : UserCode {
    Task<UserResult> call(const UserCall& call, Wait) override {
      trace = call.traceparent;
      co_return UserResult::success(json::Text(call.input));
    }
    std::string trace;
  } code;
  LocalHost host(reactor, *store);
  host.add(Function::parse(R"({"Name": "A", "Start": true})", "a.json"), code);
  const std::string input = R"({"Data":{"Source":"http","Value":1}})";
  const std::string trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const json::Text payload = entry_payload_by_value(input, "s", trace);
  CHECK(reactor.run(host.run("s", payload.view())).result == input);
  CHECK(code.trace == trace);
  CHECK_THROWS_AS(entry_payload_by_value("{", "s"), Error);
  CHECK_THROWS_WITH(entry_payload_by_value("1", "s", "\xff"),
                    ContainsSubstring("the trace context is not UTF-8"));
}

TEST_CASE("functions that do not make a workflow are refused by the public host") {
  Reactor reactor;
  FreshStore store(reactor, "memory");
  Echo code;
  LocalHost host(reactor, *store);
  const Function b = Function::parse(R"({"Name": "B"})", "b.json");
  host.add(b, code);
  CHECK_THROWS_WITH(host.add(b, code), ContainsSubstring("B was added twice"));
  CHECK_THROWS_WITH(reactor.run(host.run("s", "1")), ContainsSubstring("no function is an entry"));
  host.add(Function::parse(R"({"Name": "A", "Start": true})", "a.json"), code);
  CHECK_THROWS_WITH(host.add(Function::parse(R"({"Name": "C", "Start": true})", "c.json"), code),
                    ContainsSubstring("both A and C are entry functions"));
}
