// The C interface: steps whose platform and user code are callbacks.
#include <deque>

#include "capi.hpp"

using namespace unum;
using namespace unum::test;

namespace {

/// A platform of a few lines: what is invoked is queued and stepped; answers come at once or later.
class Platform {
 public:
  Platform(const CLoop& loop, unum_store* store, bool answers_later)
      : loop_(loop), answers_later_(answers_later) {
    const unum_runtime_options options{sizeof options, &Platform::invoke, this, 0, 0, 0, 0,
                                       nullptr};
    REQUIRE(unum_runtime_new(store, &options, &runtime) == UNUM_OK);
  }

  void add(const std::string& name, const std::string& configuration) {
    unum_function* function = nullptr;
    const unum_status status =
        unum_function_parse(loop_.get(), c_text(configuration), c_text(name), &function);
    INFO(std_text(unum_last_error()->message));
    REQUIRE(status == UNUM_OK);
    CHECK(std_text(unum_function_name(function)) == name);
    functions[name] = function;
  }

  void begin(const std::string& entry, const std::string& input) {
    unum_text payload{};
    REQUIRE(unum_entry_payload(loop_.get(), c_text(input), c_text("s"), &payload) == UNUM_OK);
    queue.emplace_back(entry, std_text(payload));
  }

  /// Steps all that is queued, each delivery `times` times. The results of what ended the workflow.
  std::vector<std::string> run(int times = 1) {
    std::vector<std::string> results;
    while (!queue.empty()) {
      const auto [name, payload] = queue.front();
      queue.pop_front();
      for (int attempt = 1; attempt <= times; ++attempt) {
        const COp op(step(name, payload, attempt));
        finish(op);
        INFO((unum_op_status(op.get()) == UNUM_OK ? std::string() : op.message()));
        REQUIRE(unum_op_status(op.get()) == UNUM_OK);
        const unum_report* report = unum_op_report(op.get());
        REQUIRE(report != nullptr);
        CHECK(report->disagreements.data == nullptr);
        CHECK(std_text(report->session) == "s");
        if (report->status == UNUM_STEP_FAILED) failures.push_back(std_text(report->error));
        if (attempt == 1 && report->result.data != nullptr) {
          results.push_back(std_text(report->result));
        }
      }
    }
    return results;
  }

  unum_op* step(const std::string& name, const std::string& payload, int attempt) {
    const unum_code code{sizeof code, &Platform::call, &Platform::cancel, this};
    return unum_runtime_step(runtime, functions.at(name), c_text(payload), attempt, &code, nullptr);
  }

  /// Answers what is asked meanwhile, a turn later.
  void finish(const COp& op) {
    while (unum_op_status(op.get()) == UNUM_PENDING) {
      unum_loop_run(loop_.get(), calls.empty() && invocations.empty() ? -1 : 0);
      for (unum_call* waiting : std::exchange(calls, {})) answer(waiting);
      for (unum_invocation* waiting : std::exchange(invocations, {})) accept(waiting);
    }
  }

  unum_runtime* runtime = nullptr;
  std::map<std::string, unum_function*> functions;
  std::deque<std::pair<std::string, std::string>> queue;
  std::vector<unum_call*> calls;
  std::vector<unum_invocation*> invocations;
  std::vector<std::string> failures;
  std::map<std::string, int> called;  ///< By instance.
  int cancelled = 0;

 private:
  static void call(unum_call* call, void* user) {
    Platform& own = *static_cast<Platform*>(user);
    ++own.called[std_text(unum_call_info(call)->instance)];
    own.answers_later_ ? own.calls.push_back(call) : own.answer(call);
  }
  static void cancel(unum_call*, void* user) { ++static_cast<Platform*>(user)->cancelled; }
  static void invoke(unum_invocation* invocation, void* user) {
    Platform& own = *static_cast<Platform*>(user);
    own.answers_later_ ? own.invocations.push_back(invocation) : own.accept(invocation);
  }

  void answer(unum_call* call) {
    const unum_call_details* details = unum_call_info(call);
    REQUIRE(details != nullptr);
    CHECK(details->struct_bytes == sizeof *details);
    const std::string function = std_text(details->function);
    const std::string input = std_text(details->input);
    unum_status status = UNUM_BUG;
    if (function == "Fail") {
      status = unum_call_fail(call, c_text("ValueError"), c_text("no such value"));
    } else if (function == "Garbled") {
      status = unum_call_succeed(call, c_text("{not json"));
    } else if (function == "Lost") {
      status = unum_call_lost(call, c_text("its process died"));
    } else if (function == "Map") {
      status = unum_call_succeed(call, c_text("[1,2,3,4,5,6,7,8,9,10]"));
    } else {
      status = unum_call_succeed(call, c_text(input));
    }
    CHECK(status == UNUM_OK);
    CHECK(unum_call_succeed(call, c_text("1")) == UNUM_BUG);
    CHECK(unum_call_info(call) == nullptr);
  }

  void accept(unum_invocation* invocation) {
    const unum_invocation_details* details = unum_invocation_info(invocation);
    REQUIRE(details != nullptr);
    CHECK(details->attempt == 1);
    CHECK(details->not_before == 0);
    const std::string function = std_text(details->function);
    unum_context names{};
    REQUIRE(unum_identify_payload(functions.at(function), details->payload, &names) == UNUM_OK);
    CHECK(std_text(names.session) == "s");
    CHECK(std_text(names.instance) == std_text(details->instance));
    queue.emplace_back(function, std_text(details->payload));
    CHECK(unum_invocation_accepted(invocation) == UNUM_OK);
    CHECK(unum_invocation_accepted(invocation) == UNUM_BUG);
  }

  const CLoop& loop_;
  const bool answers_later_;
};

}  // namespace

TEST_CASE("a map and its fan-in run by callbacks that answer at once or later, and twice",
          "[capi]") {
  ON_EACH_C_LOOP(loop);
  const bool later = GENERATE(false, true);
  const Scratch scratch;
  unum_store* store = open_c_store(loop, "fs", scratch / "store");
  Platform platform(loop, store, later);
  platform.add("Map", R"({"Name": "Map", "Start": true, "Next": {"Name": "Branch",
                          "InputType": "Map"}})");
  platform.add("Branch", R"({"Name": "Branch", "Next": {"Name": "Sum",
                             "InputType": {"Fan-in": {"Values": ["Branch-unumIndex-*"]}},
                             "Payload Modifiers": ["Pop"]}})");
  platform.add("Sum", R"({"Name": "Sum"})");
  platform.begin("Map", "{}");
  const std::vector<std::string> results = platform.run(2);
  REQUIRE_FALSE(results.empty());
  for (const std::string& result : results) CHECK(result == "[1,2,3,4,5,6,7,8,9,10]");
  // Once each, however often it was delivered.
  CHECK(platform.called.size() == 12);
  for (const auto& [instance, times] : platform.called)
    CHECK(instance + std::to_string(times) == instance + "1");
}

TEST_CASE("failures of user code are the step's outcome, and a lost call is delivered again",
          "[capi]") {
  ON_EACH_C_LOOP(loop);
  const bool later = GENERATE(false, true);
  unum_store* store = open_c_store(loop, "memory", fresh_name());
  Platform platform(loop, store, later);
  const auto session_of = [&](const std::string& session) {
    unum_text payload{};
    REQUIRE(unum_entry_payload(loop.get(), c_text("1"), c_text(session), &payload) == UNUM_OK);
    return std_text(payload);
  };
  for (const char* name : {"Fail", "Garbled", "Lost"}) {
    platform.add(name, std::string(R"({"Name": ")") + name + R"(", "Start": true})");
  }
  const auto report_of = [&](const std::string& name) {
    const COp op(platform.step(name, session_of(name), 1));
    platform.finish(op);
    REQUIRE(unum_op_status(op.get()) == UNUM_OK);
    const unum_report* report = unum_op_report(op.get());
    CHECK(report->status == UNUM_STEP_FAILED);
    return std_text(report->error) + ": " + std_text(report->cause);
  };
  CHECK(report_of("Fail") == "ValueError: no such value");
  CHECK_THAT(report_of("Garbled"), ContainsSubstring("Runtime.MarshalError"));
  const COp lost(platform.step("Lost", session_of("Lost"), 1));
  platform.finish(lost);
  CHECK(unum_op_status(lost.get()) == UNUM_DISCONNECTED);
  CHECK(unum_op_error(lost.get())->delivery == UNUM_DELIVERY_BOUNDED);
  const COp given_up(unum_runtime_give_up(platform.runtime, platform.functions.at("Lost"),
                                          c_text(session_of("Lost")), 3, c_text("Crashed"),
                                          c_text("three times"), nullptr));
  REQUIRE(given_up.wait() == UNUM_OK);
  CHECK(unum_op_report(given_up.get())->status == UNUM_STEP_FAILED);
  CHECK(std_text(unum_op_report(given_up.get())->error) == "Crashed");
}

TEST_CASE("an invocation that is refused leaves the delivery to be made again", "[capi]") {
  ON_EACH_C_LOOP(loop);
  unum_store* store = open_c_store(loop, "memory", fresh_name());
  Platform platform(loop, store, true);
  platform.add("A",
               R"({"Name": "A", "Start": true, "Next": {"Name": "B", "InputType": "Scalar"}})");
  platform.add("B", R"({"Name": "B"})");
  platform.begin("A", "7");
  const std::string payload = platform.queue.front().second;
  platform.queue.clear();
  const COp op(platform.step("A", payload, 1));
  while (platform.invocations.empty()) {
    unum_loop_run(loop.get(), platform.calls.empty() ? -1 : 0);
    for (unum_call* call : std::exchange(platform.calls, {})) {
      CHECK(unum_call_succeed(call, c_text("7")) == UNUM_OK);
    }
  }
  unum_invocation* asked = platform.invocations.front();
  platform.invocations.clear();
  CHECK(unum_invocation_refused(asked, UNUM_OK, c_text("no error")) == UNUM_INVALID);
  CHECK(unum_invocation_refused(asked, UNUM_DISCONNECTED, c_text("the queue is gone")) == UNUM_OK);
  CHECK(op.wait() == UNUM_DISCONNECTED);
  CHECK(unum_op_error(op.get())->delivery == UNUM_DELIVERY_AGAIN);
  CHECK(op.message() == "the queue is gone");
  const COp again(platform.step("A", payload, 2));
  platform.finish(again);
  REQUIRE(unum_op_status(again.get()) == UNUM_OK);
  CHECK(unum_op_report(again.get())->adopted == 1);
  CHECK(platform.run() == std::vector<std::string>{"7"});
  CHECK(platform.called == std::map<std::string, int>{{"A", 1}, {"B", 1}});
}

TEST_CASE("a call that is cancelled, or out of time, is told; its answer goes nowhere", "[capi]") {
  ON_EACH_C_LOOP(loop);
  unum_store* store = open_c_store(loop, "memory", fresh_name());
  Platform platform(loop, store, true);
  platform.add("Slow", R"({"Name": "Slow", "Start": true, "TimeoutSeconds": 1})");
  platform.begin("Slow", "7");
  const std::string payload = platform.queue.front().second;
  const bool by_time = GENERATE(false, true);
  {
    const COp op(platform.step("Slow", payload, 1));
    while (platform.calls.empty()) unum_loop_run(loop.get(), -1);
    CHECK(unum_call_info(platform.calls.front())->timeout_ms == 1000);
    if (!by_time) unum_op_cancel(op.get());
    const unum_status status = op.wait();
    if (by_time) {
      CHECK(status == UNUM_TIMEOUT);
      CHECK(op.code() == "States.Timeout");
      CHECK(unum_op_error(op.get())->delivery == UNUM_DELIVERY_BOUNDED);
    } else {
      CHECK(status == UNUM_CANCELLED);
    }
  }
  CHECK(platform.cancelled == 1);
  unum_call* call = platform.calls.front();
  REQUIRE(unum_call_info(call) != nullptr);
  CHECK(std_text(unum_call_info(call)->input) == "7");
  CHECK(unum_call_succeed(call, c_text("1")) == UNUM_CANCELLED);
  CHECK(unum_call_succeed(call, c_text("1")) == UNUM_BUG);
}

TEST_CASE("what is no payload, no function or no platform is refused", "[capi]") {
  ON_EACH_C_LOOP(loop);
  unum_store* store = open_c_store(loop, "memory", fresh_name());
  Platform platform(loop, store, false);
  platform.add("A", R"({"Name": "A", "Start": true})");
  const COp op(platform.step("A", "{\"Data\": 1", 1));
  CHECK(op.wait() == UNUM_INVALID);
  CHECK(unum_op_error(op.get())->delivery == UNUM_DELIVERY_FINAL);
  const COp zeroth(platform.step("A", "{}", 0));
  CHECK(zeroth.wait() == UNUM_INVALID);
  const COp no_code(unum_runtime_step(platform.runtime, platform.functions.at("A"), c_text("{}"), 1,
                                      nullptr, nullptr));
  CHECK(no_code.wait() == UNUM_INVALID);
  CHECK_THAT(no_code.message(), ContainsSubstring("unum_code.call"));
  unum_function* function = nullptr;
  CHECK(unum_function_parse(loop.get(), c_text(R"({"Nme": "A"})"), c_text("a.json"), &function) ==
        UNUM_INVALID);
  CHECK(function == nullptr);
  CHECK_THAT(std_text(unum_last_error()->message), ContainsSubstring("a.json"));
  unum_runtime* runtime = nullptr;
  CHECK(unum_runtime_new(store, nullptr, &runtime) == UNUM_INVALID);
  unum_text payload{};
  CHECK(unum_entry_payload(loop.get(), c_text("{"), c_text("s"), &payload) == UNUM_INVALID);
  CHECK(unum_runtime_free(platform.runtime) == UNUM_OK);
  CHECK(unum_runtime_free(platform.runtime) == UNUM_BUG);
  CHECK(unum_function_free(platform.functions.at("A")) == UNUM_OK);
}
