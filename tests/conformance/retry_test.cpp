// Retry and Catch over each store: attempts, crashes, duplicates, and what a session holds after.
#include <deque>
#include <set>
#include <string>
#include <vector>

#include "conformance/stores_under_test.hpp"
#include "support/native_app.hpp"

using namespace unum;
using namespace unum::test;

namespace {

const char* const kStep =
    R"({"Name": "S", "Start": true,
        "Retry": [{"ErrorEquals": ["Busy"], "MaxAttempts": 1, "JitterStrategy": "FULL"}],
        "Catch": [{"ErrorEquals": ["Bad"], "Next": "C", "ResultPath": "$.why"}]})";
const char* const kInput = R"({"n": 1.0})";
const char* const kCaught = R"({"n": 1.0,"why":{"Error":"Bad","Cause":"never"}})";

/// Fails with an error that is tried again, then with one that is caught.
void add_functions(NativeApp& app, std::vector<int>& attempts) {
  app.add(kStep, [&](const UserCall& call) -> std::string {
    attempts.push_back(call.attempt);
    if (attempts.back() == 1) throw CodeFailure{"Busy", "later"};
    throw CodeFailure{"Bad", "never"};
  });
  app.add(R"({"Name": "C"})");
}

/// A platform whose delays are over at once. Each message can come more than once.
struct Platform final : Invoker {
  Task<void> invoke(Invocation invocation, Wait) override {
    const bool dies = invocations++ == dies_at;
    if (dies && !dies_after) throw StoreDied{};
    queue.push_back({std::string(invocation.function), std::move(invocation.payload).text()});
    if (dies) throw StoreDied{};
    co_return;
  }
  std::chrono::milliseconds delay_max() const noexcept override {
    return std::chrono::milliseconds::max();
  }
  struct Message {
    std::string function;
    std::string payload;
  };
  std::deque<Message> queue;
  int invocations = 0;
  int dies_at = -1;
  bool dies_after = false;
};

/// One session on a store that may die, until nothing is left to deliver.
struct Session {
  Reactor& reactor;
  Store& store;
  std::string name;
  NativeApp app;
  std::vector<int> attempts;
  Platform platform;
  std::optional<std::string> result;
  std::size_t caught = 0;

  Session(Reactor& on, Store& in) : reactor(on), store(in) {
    name = create_session_context(store).session();
    add_functions(app, attempts);
    platform.queue.push_back({"S", entry_payload(kInput, name).text()});
  }

  /// Whether the delivery ended.
  bool deliver(Store& through, const Platform::Message& message) {
    Runtime runtime(through, platform);
    const json::View payload = validate_payload(message.payload);
    try {
      StepReport report = reactor.run(runtime.step(app.function(message.function), payload, app));
      if (report.status == StepReport::Status::caught) ++caught;
      if (message.function == "C" && report.result) result = report.result->text();
    } catch (const StoreDied&) {
      return false;
    }
    return true;
  }

  /// Each message `times` times; one whose delivery died comes again, to a store that works.
  void run(Store& through, int times = 1) {
    while (!platform.queue.empty()) {
      const Platform::Message message = platform.queue.front();
      platform.queue.pop_front();
      for (int i = 0; i < times; ++i) {
        if (!deliver(through, message)) REQUIRE(deliver(store, message));
      }
    }
  }

  std::vector<std::string> items() {
    const SessionContext context = session_context(name);
    std::vector<std::string> names;
    for (const ListedItem& item : reactor.run(store.list(context))) {
      names.push_back(item_name(item.id.name, item.id.kind));
    }
    std::sort(names.begin(), names.end());
    return names;
  }
};

void check_end(Session& session) {
  CHECK(session.result == kCaught);
  CHECK(session.items() == std::vector<std::string>{"C-output", "S-input", "S-output"});
  const std::set<int> attempts(session.attempts.begin(), session.attempts.end());
  CHECK(attempts == std::set<int>{1, 2});
}

}  // namespace

TEST_CASE("case 43, case 45: a step that fails is tried again and then caught, on each store") {
  ON_EACH_STORE();
  Session session(reactor, store);
  session.run(store);
  check_end(session);
  CHECK(session.attempts == std::vector<int>{1, 2});
  CHECK(session.caught == 1);
}

TEST_CASE("duplicates of each attempt come to the same end, on each store") {
  ON_EACH_STORE();
  Session session(reactor, store);
  session.run(store, 2);
  check_end(session);
}

TEST_CASE("a failing step that dies at any call of its store comes to the same end") {
  ON_EACH_STORE();
  using How = FailingStore::How;
  for (const How how : {How::dies_before_effect, How::dies_after_effect}) {
    bool died = true;
    for (int operation = 0; died; ++operation) {
      INFO("operation " << operation);
      Session session(reactor, store);
      FailingStore failing(store, operation, how);
      session.run(failing);
      check_end(session);
      died = failing.has_failed();
    }
  }
}

TEST_CASE("a failing step that dies at any of its invocations comes to the same end") {
  ON_EACH_STORE();
  for (const bool after : {false, true}) {
    for (int invocation = 0; invocation < 2; ++invocation) {
      Session session(reactor, store);
      session.platform.dies_at = invocation;
      session.platform.dies_after = after;
      session.run(store);
      check_end(session);
    }
  }
}

TEST_CASE("case 35: a late success and a caught failure of one step never both go on") {
  ON_EACH_STORE();
  const bool success_first = GENERATE(true, false);
  NativeApp app;
  bool fails = false;
  app.add(R"({"Name": "S", "Start": true, "Next": {"Name": "G", "InputType": "Scalar"},
              "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "C"}]})",
          [&](const UserCall&) -> std::string {
            if (fails) throw CodeFailure{"Bad", "never"};
            return "1";
          });
  Platform platform;
  Runtime runtime(store, platform);
  const json::Text payload = entry_payload("1", context.session());
  std::vector<StepReport> reports;
  // Two deliveries at once: the one whose outcome comes second goes on from the first one's.
  struct Late final : UserCode {
    Late(NativeApp& code, Runtime& by, const json::Text& with, std::vector<StepReport>& into,
         bool& will_fail, bool other)
        : app(code),
          runtime(by),
          payload(with),
          reports(into),
          fails(will_fail),
          fails_first(other) {}
    Task<UserResult> call(const UserCall& call, Wait wait) override {
      fails = fails_first;
      StepReport first = co_await runtime.step(app.function("S"), payload, app);
      reports.push_back(std::move(first));
      fails = !fails_first;
      co_return co_await app.call(call, wait);
    }
    NativeApp& app;
    Runtime& runtime;
    const json::Text& payload;
    std::vector<StepReport>& reports;
    bool& fails;
    bool fails_first;
  } late(app, runtime, payload, reports, fails, !success_first);
  StepReport second = reactor.run(runtime.step(app.function("S"), payload, late));
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].status == second.status);
  CHECK(second.adopted);
  CHECK(second.status ==
        (success_first ? StepReport::Status::succeeded : StepReport::Status::caught));
  std::set<std::string> invoked;
  for (const Platform::Message& message : platform.queue) invoked.insert(message.function);
  CHECK(invoked == std::set<std::string>{success_first ? "G" : "C"});
}

TEST_CASE("the local host waits for its delays and finds them again, on each store") {
  ON_EACH_STORE();
  std::vector<int> attempts;
  NativeApp app;
  add_functions(app, attempts);
  struct StopAtDelay final : RunObserver {
    void delayed(std::string_view, int, std::chrono::milliseconds, std::string_view) override {
      stop.request("the test stops it");
    }
    StopSource stop;
  } observer;
  LocalHostTuning options;
  options.observer = &observer;
  const std::string session = context.session();
  const RunResult stopped = reactor.run(
      app.run(reactor, store, session, kInput, options, {kNoDeadline, observer.stop.token()}));
  CHECK(stopped.status == RunResult::Status::interrupted);
  const ItemId kept{"S", ItemKind::delayed};
  CHECK(reactor.run(store.get(context, kept)));
  const RunResult result = reactor.run(app.run(reactor, store, session, kInput));
  CHECK(result.result == kCaught);
  CHECK(attempts == std::vector<int>{1, 2});
  CHECK_FALSE(reactor.run(store.get(context, kept)));
}

TEST_CASE("case 44: an entry without a session keeps the one it made, on each store") {
  ON_EACH_STORE();
  std::vector<int> attempts;
  NativeApp app;
  add_functions(app, attempts);
  Platform platform;
  Runtime runtime(store, platform);
  const json::View input = validate_payload(kInput);
  const StepReport first = reactor.run(runtime.step(app.function("S"), input, app));
  CHECK(first.status == StepReport::Status::will_retry);
  REQUIRE(platform.queue.size() == 1);
  const json::View again = validate_payload(platform.queue[0].payload);
  const StepReport second = reactor.run(runtime.step(app.function("S"), again, app));
  CHECK(second.status == StepReport::Status::caught);
  CHECK(second.session == first.session);
  CHECK(attempts == std::vector<int>{1, 2});
  const SessionContext made = session_context(first.session);
  const ItemId outcome{"S", ItemKind::outcome};
  CHECK(reactor.run(store.get(made, outcome)).has_value());
}

TEST_CASE("case 46: results above a payload's and an item's limit are sent by reference and kept") {
  ON_EACH_STORE();
  // Of a host that takes messages of 2 KB; DynamoDB's items end at 400 KB, Redis' parts at 256.
  struct SmallMessages final : Invoker {
    Task<void> invoke(Invocation invocation, Wait) override {
      payloads.push_back(std::move(invocation.payload).text());
      co_return;
    }
    std::size_t payload_bytes_max() const noexcept override { return 2048; }
    std::vector<std::string> payloads;
  } platform;
  NativeApp app;
  const std::string element = '"' + std::string(900 * 1024, 'e') + '"';
  const std::string list = "[" + element + ",1," + element + "]";
  app.add(R"({"Name": "S", "Start": true, "Next": [{"Name": "C", "InputType": "Scalar"},
                                                   {"Name": "F", "InputType": "Map"}]})",
          [&](const UserCall&) { return list; });
  std::vector<std::string> inputs;
  for (const char* ir : {R"({"Name": "C"})", R"({"Name": "F"})"}) {
    app.add(ir, [&](const UserCall& call) {
      inputs.emplace_back(call.input.text());
      return std::string("0");
    });
  }
  std::vector<Function> functions =
      link_functions({app.function("S"), app.function("C"), app.function("F")});
  Runtime runtime(store, platform);
  const json::Text first = entry_payload("0", context.session());
  const StepReport report = reactor.run(runtime.step(functions[0], first, app));
  CHECK(report.invocations == 4);
  REQUIRE(platform.payloads.size() == 4);
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(platform.payloads[i].size() <= 2048);
    const json::View payload = validate_payload(platform.payloads[i]);
    const Function& function = functions[i == 0 ? 1 : 2];
    const StepReport child = reactor.run(runtime.step(function, payload, app));
    CHECK(child.status == StepReport::Status::succeeded);
  }
  CHECK(inputs == std::vector<std::string>{list, element, "1", element});
}
