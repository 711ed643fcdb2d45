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
  LocalHostOptions options;
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
