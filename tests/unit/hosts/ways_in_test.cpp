// How instances are invoked: by which edge, by which fan-in, and what a host without a second look
// must be able to rely on.
#include <deque>

#include "catch.hpp"
#include "support/native_app.hpp"
#include "unum/application.hpp"

using namespace unum;
using namespace unum::test;

namespace {

std::string error_codes(const RunResult& result) {
  std::string codes;
  for (const RunFailure& failure : result.failures) codes += failure.error + " ";
  return codes;
}

/// A host that only delivers what was invoked, each delivery once, the last accepted first or last.
class PlainHost final : public Invoker {
 public:
  explicit PlainHost(std::vector<Function> functions) : functions_(std::move(functions)) {}

  Task<void> invoke(Invocation invocation, Wait) override {
    order.push_back(invocation.instance);
    queue_.push_back({std::string(invocation.function), std::move(invocation.payload)});
    co_return;
  }
  Task<void> run(Store& store, UserCode& code, std::string input, bool last_first) {
    Runtime runtime(store, *this);
    queue_.push_back({"S", entry_payload(input, "s")});
    while (!queue_.empty()) {
      const Delivery delivery = last_first ? queue_.back() : queue_.front();
      last_first ? queue_.pop_back() : queue_.pop_front();
      for (const Function& function : functions_) {
        if (function.name() != delivery.function) continue;
        co_await runtime.step(function, delivery.payload, code);
      }
    }
  }

  std::vector<std::string> order;  ///< Of invocations.

 private:
  struct Delivery {
    std::string function;
    json::Text payload;
  };
  std::vector<Function> functions_;
  std::deque<Delivery> queue_;
};

struct Echo final : UserCode {
  Task<UserResult> call(const UserCall& call, Wait) override {
    co_return UserResult::success(std::string(call.input));
  }
};

std::vector<Function> parsed(const std::vector<const char*>& irs) {
  std::vector<Function> functions;
  for (const char* ir : irs) functions.push_back(Function::parse(ir, "test.json"));
  return functions;
}

const std::vector<const char*> kRows = {
    R"({"Name": "S", "Start": true, "Next": {"Name": "R", "InputType": "Map"}})",
    R"({"Name": "R", "Next": {"Name": "L", "InputType": "Map"}})",
    R"~({"Name": "L", "Next": {"Name": "G", "InputType": {"Fan-in": {"Values":
        ["L-unumIndex-*.$1", "L-unumIndex-*.($1+1)"]}}, "Conditional": "$1 == 0",
        "Payload Modifiers": ["Pop", "Pop"]}})~",
    R"({"Name": "G"})"};
const std::vector<const char*> kEmptyMap = {
    R"({"Name": "S", "Start": true, "Next": {"Name": "B", "InputType": "Map"}})",
    R"({"Name": "B", "Next": {"Name": "C", "InputType": {"Fan-in": {"Values":
        ["B-unumIndex-*"]}}, "Payload Modifiers": ["Pop"]}})",
    R"({"Name": "C"})"};

}  // namespace

TEST_CASE("two edges of one instance to one instance are two ways in (found 3)") {
  NativeApp app;
  app.add(R"({"Name": "S", "Start": true, "Next": [
      {"Name": "F", "InputType": "Map", "Conditional": "$ret != 5"},
      {"Name": "F", "InputType": "Scalar", "Conditional": "$ret != 6",
       "Payload Modifiers": ["Push"]}]})");
  app.add(R"({"Name": "F"})");
  Reactor reactor;
  FreshStore store(reactor, "memory");
  const RunResult result = reactor.run(app.run(reactor, *store, "s", "[7]"));
  CHECK(error_codes(result) == "Unum.SecondWayIn ");
  CHECK_THAT(result.failures.at(0).cause,
             ContainsSubstring("F-unumIndex-0 was invoked by S, edge 1 and by S, edge 2"));
}

TEST_CASE("a message about an aggregator shows names, no digest (found 2)") {
  NativeApp app;
  app.add(R"({"Name": "S", "Start": true, "Next": [{"Name": "F", "InputType": "Map"},
                                                   {"Name": "G", "InputType": "Scalar"}]})");
  app.add(R"({"Name": "F", "Next": {"Name": "G", "InputType": {"Fan-in": {"Values":
      ["F-unumIndex-*"]}}, "Payload Modifiers": ["Pop"]}})");
  app.add(R"({"Name": "G"})");
  Reactor reactor;
  FreshStore store(reactor, "memory");
  const RunResult result = reactor.run(app.run(reactor, *store, "s", "[1, 2]"));
  CHECK(error_codes(result) == "Unum.SecondWayIn ");
  CHECK_THAT(result.failures.at(0).cause, ContainsSubstring("G was invoked by S, edge 2 and by "
                                                            "the fan-in of F-unumIndex-0, "
                                                            "F-unumIndex-1;"));
}

TEST_CASE("rows find the fan-ins that name them where nothing is delivered twice (found 4)") {
  Reactor reactor;
  FreshStore store(reactor, "memory");
  Echo echo;
  PlainHost host(link_functions(parsed(kRows)));
  reactor.run(host.run(*store, echo, "[[1],[2]]", GENERATE(true, false)));
  CHECK(std::count(host.order.begin(), host.order.end(), "G") == 1);
}

TEST_CASE("case 26: an empty map goes on in a program that uses the runtime alone (found 5)") {
  Reactor reactor;
  FreshStore store(reactor, "memory");
  Echo echo;
  PlainHost linked(link_functions(parsed(kEmptyMap)));
  reactor.run(linked.run(*store, echo, "[]", false));
  CHECK(linked.order == std::vector<std::string>{"C"});

  NativeApp app;  // the local host links by itself
  for (const char* ir : kEmptyMap) app.add(ir);
  CHECK(reactor.run(app.run(reactor, *store, "t", "[]")).result == "[]");
}

TEST_CASE("a function that was not linked says so instead of ending at an empty map (found 5)") {
  Reactor reactor;
  FreshStore store(reactor, "memory");
  Echo echo;
  PlainHost host(parsed(kEmptyMap));
  Runtime runtime(*store, host);
  const Function entry = parsed(kEmptyMap).front();
  const json::Text payload = entry_payload("[]", "s");
  const StepReport report = reactor.run(runtime.step(entry, payload, echo));
  CHECK(report.status == StepReport::Status::failed);
  CHECK(report.error == "Unum.NotLinked");
  CHECK_THAT(report.cause, ContainsSubstring("link_functions"));
  const StepReport full = reactor.run(runtime.step(entry, entry_payload("[1]", "u"), echo));
  CHECK(full.invocations == 1);
}
