// Retry and Catch as a table: which error leads to which attempt after which delay, and who
// catches.
#include "workflow/retry.hpp"

#include <fmt/format.h>

#include "base/limits.hpp"
#include "catch.hpp"
#include "unum/error.hpp"
#include "workflow/ir.hpp"
#include "workflow/payload.hpp"
#include "workflow/plan.hpp"
#include "workflow/stored_outcome.hpp"

using namespace unum;

namespace {

FunctionIr ir_of(const std::string& fields) {
  return parse_ir(R"({"Name":"F",)" + fields + "}", "f", IndexOrder::innermost_first).function;
}

/// What becomes of a step whose attempts end in these errors: "2 after 1000 ms, ..." and the end.
std::string course(const FunctionIr& ir, const std::vector<std::string>& errors,
                   double fraction = 0.5) {
  std::string out;
  RetryState state;
  for (const std::string& error : errors) {
    const auto next = next_attempt(ir.retriers, state, error, "why");
    if (!next) {
      const json::Text failure = failure_json(error, "why");
      const Edge* catcher = find_catcher(ir, {}, failure);
      return out + (catcher == nullptr ? "report" : "caught by " + catcher->target);
    }
    const Retrier& retrier = ir.retriers[next->retrier];
    out += fmt::format("{} after {} ms, ", next->state.attempt,
                       retry_delay(retrier, next->uses, fraction).count());
    CHECK(next->state.error == error);
    // As it goes from one attempt to the next: through the payload's text.
    Payload payload;
    payload.data.value = json::View::trusted("1");
    const json::Text text = payload_of_attempt(payload, "s", next->state);
    state = parse_payload(text).retry;
  }
  return out + "running";
}

const std::vector<std::string> kFourTimes(4, "ValueError");

}  // namespace

TEST_CASE("case 43: attempts in all are one and MaxAttempts, with growing delays") {
  CHECK(course(ir_of(R"("Retry":3)"), kFourTimes) ==
        "2 after 1000 ms, 3 after 2000 ms, 4 after 4000 ms, report");
  CHECK(course(ir_of(R"("Retry":0)"), kFourTimes) == "report");
  CHECK(course(ir_of(R"("Retry":[])"), kFourTimes) == "report");
  CHECK(course(ir_of(R"("Retry":[{"ErrorEquals":["States.ALL"]}])"), kFourTimes) ==
        "2 after 1000 ms, 3 after 2000 ms, 4 after 4000 ms, report");
  CHECK(course(ir_of(R"("Retry":[{"ErrorEquals":["States.ALL"],"MaxAttempts":1,
                                  "IntervalSeconds":7}])"),
               kFourTimes) == "2 after 7000 ms, report");
  CHECK(course(ir_of(R"("Retry":[{"ErrorEquals":["ValueError"],"BackoffRate":1.5,
                                  "MaxDelaySeconds":2,"IntervalSeconds":1}])"),
               kFourTimes) == "2 after 1000 ms, 3 after 1500 ms, 4 after 2000 ms, report");
}

TEST_CASE("an error is named exactly, by States.ALL or by States.TaskFailed") {
  const auto taken = [](const char* name, const char* error) { return names_error({name}, error); };
  CHECK(taken("ValueError", "ValueError"));
  CHECK_FALSE(taken("ValueError", "ValueErrors"));
  CHECK_FALSE(taken("ValueError", "valueerror"));
  CHECK(taken("States.ALL", "States.Timeout"));
  CHECK(taken("States.ALL", "ValueError"));
  CHECK(taken("States.TaskFailed", "ValueError"));
  CHECK(taken("States.TaskFailed", "Unum.WorkerCrashed"));
  CHECK_FALSE(taken("States.TaskFailed", "States.Timeout"));
  CHECK(taken("States.Timeout", "States.Timeout"));
  CHECK(names_error({"A", "B"}, "B"));
}

TEST_CASE("each retrier counts its own uses, and one that is used up is not followed by the next") {
  const FunctionIr ir = ir_of(R"("Retry":[
      {"ErrorEquals":["A","B"],"MaxAttempts":2},
      {"ErrorEquals":["C"],"IntervalSeconds":5},
      {"ErrorEquals":["States.ALL"],"MaxAttempts":9,"IntervalSeconds":9}],
    "Catch":[{"ErrorEquals":["States.ALL"],"Next":"Z"}])");
  CHECK(course(ir, {"A", "B", "C", "B"}) ==
        "2 after 1000 ms, 3 after 2000 ms, 4 after 5000 ms, caught by Z");
  CHECK(course(ir, {"C", "C", "C", "A", "D", "C"}) ==
        "2 after 5000 ms, 3 after 10000 ms, 4 after 20000 ms, 5 after 1000 ms, 6 after 9000 ms, "
        "caught by Z");
}

TEST_CASE("full jitter is anywhere between no delay and the whole") {
  const FunctionIr ir = ir_of(R"("Retry":[{"ErrorEquals":["States.ALL"],"IntervalSeconds":4,
                                           "JitterStrategy":"FULL"}])");
  CHECK(course(ir, {"E"}, 0.0) == "2 after 0 ms, running");
  CHECK(course(ir, {"E"}, 0.25) == "2 after 1000 ms, running");
  CHECK(course(ir, {"E", "E"}, 0.999) == "2 after 3996 ms, 3 after 7992 ms, running");
}

TEST_CASE("delays are bounded, however often and fast they grow") {
  const FunctionIr ir = ir_of(R"("Retry":[{"ErrorEquals":["States.ALL"],"MaxAttempts":99999999,
                                           "BackoffRate":1e300}])");
  const std::chrono::seconds year(kRetryDelaySecondsMax);
  CHECK(retry_delay(ir.retriers[0], 50'000'000, 0) == year);
  CHECK(longest_delay(ir.retriers) == year);
  CHECK(longest_delay(ir_of(R"("Retry":3)").retriers) == std::chrono::seconds(4));
  CHECK(longest_delay(ir_of(R"("Retry":0)").retriers) == std::chrono::seconds(0));
  CHECK(longest_delay({}) == std::chrono::seconds(0));
}

TEST_CASE("the first catcher that names the error takes it, an Error edge of Next after them") {
  const FunctionIr ir = ir_of(R"("Next":[{"Name":"N","InputType":"Scalar"},
                                         {"Name":"E","InputType":"Error"}],
    "Catch":[{"ErrorEquals":["A","B"],"Next":"X"},
             {"ErrorEquals":["B","States.Timeout"],"Next":"Y"}])");
  CHECK(course(ir, {"A"}) == "caught by X");
  CHECK(course(ir, {"B"}) == "caught by X");
  CHECK(course(ir, {"States.Timeout"}) == "caught by Y");
  CHECK(course(ir, {"C"}) == "caught by E");
  CHECK(course(ir_of(R"("Catch":[{"ErrorEquals":["States.TaskFailed"],"Next":"X"}])"),
               {"States.Timeout"}) == "report");
}

TEST_CASE("what a catcher's child gets follows from the stored failure alone") {
  const json::Text input = json::Text::parse(R"({"order": 1.0})", "the input");
  const json::Text failure = failure_with_input(failure_json("E", "why"), input);
  const std::string alone = R"({"Error":"E","Cause":"why"})";
  CHECK(failure.text() == R"({"Error":"E","Cause":"why","Input":{"order": 1.0}})");
  const auto child = [&](const std::string& path) {
    const FunctionIr ir =
        ir_of(R"("Catch":[{"ErrorEquals":["States.ALL"],"Next":"X")" + path + "}]");
    const Plan plan = make_failure_plan(ir, {}, failure);
    REQUIRE(plan.children.size() == 1);
    return std::string(plan.children[0].value);
  };
  CHECK(child("") == alone);
  CHECK(child(R"(,"ResultPath":"$")") == alone);
  CHECK(child(R"(,"ResultPath":null)") == R"({"order": 1.0})");
  CHECK(child(R"(,"ResultPath":"$.why")") == R"({"order": 1.0,"why":)" + alone + "}");
  const FunctionIr ir = ir_of(R"("Catch":[{"ErrorEquals":["E"],"Next":"X","ResultPath":"$.why"}])");
  CHECK_THROWS_WITH(make_failure_plan(ir, {}, failure_json("E", "why")),
                    Catch::Matchers::Contains("which is not stored with its failure"));
}

TEST_CASE("a condition of an Error edge sees the failure, not the input beside it") {
  const FunctionIr ir = ir_of(R"("Next":[
    {"Name":"A","InputType":"Error","Conditional":"$ret == 1 or $ret.Error == \"E\"",
     "ResultPath":"$.why"},{"Name":"B","InputType":"Error"}])");
  const json::Text failure =
      failure_with_input(failure_json("E", "why"), json::View::trusted("{}"));
  CHECK(find_catcher(ir, {}, failure)->target == "A");
  CHECK(find_catcher(ir, {}, failure_json("F", "why"))->target == "B");
}

TEST_CASE("case 44: the payload of another attempt is the same one with Retry and a session") {
  const RetryState retry{2, "E", "why \"x\"", {0, 1}};
  const std::string text = R"({"Data":{"Source":"http","Value":{"k": 1.50}},"GC":{"p":[1]},)"
                           R"("Retry":{"Attempt":1,"Error":"old"},"Fan-out":{"Type":"Map",)"
                           R"("Index":1,"Size":3},"other": true,"traceparent":"t"})";
  const json::Text again =
      payload_of_attempt(parse_payload(json::validate(text, "it", kPayloadLevels)), "s", retry);
  CHECK(again.text() ==
        R"({"Data":{"Source":"http","Value":{"k": 1.50}},"GC":{"p":[1]},"Fan-out":{"Type":"Map",)"
        R"("Index":1,"Size":3},"other":true,"traceparent":"t","Session":"s",)"
        R"("Retry":{"Attempt":2,"Error":"E","Cause":"why \"x\"","Tries":[0,1]}})");
  const Payload read = parse_payload(again);
  CHECK(read.session == "s");
  CHECK(read.retry.attempt == 2);
  CHECK(read.retry.cause == "why \"x\"");
  CHECK(read.retry.tries == std::vector<std::int64_t>{0, 1});
  CHECK(payload_of_attempt(read, "s", read.retry).text().size() == again.size());

  Payload bare;
  bare.data.value = json::View::trusted("[1, 2]");
  CHECK(payload_of_attempt(bare, "s", {2, "E", "why"}).text() ==
        R"({"Data":{"Source":"http","Value":[1, 2]},"Session":"s",)"
        R"("Retry":{"Attempt":2,"Error":"E","Cause":"why"}})");
}

TEST_CASE("a Retry of a payload that is none is refused by its field") {
  const auto refusal = [](const std::string& retry) {
    try {
      const std::string text = R"({"Data":{"Source":"http","Value":1},"Retry":)" + retry + "}";
      return std::to_string(parse_payload(json::validate(text, "it")).retry.attempt);
    } catch (const Error& error) {
      CHECK(error.origin() == "payload");
      return error.message();
    }
  };
  CHECK(refusal("null") == "1");
  CHECK(refusal(R"({"Attempt":3})") == "3");
  for (const char* retry :
       {"{}", "7", R"({"Attempt":0})", R"({"Attempt":-1})", R"({"Attempt":1.5})",
        R"({"Attempt":99999999999})", R"({"Attempt":2,"Error":7})", R"({"Attempt":2,"Tries":3})",
        R"({"Attempt":2,"Tries":[-1]})"}) {
    INFO(retry);
    CHECK(refusal(retry).find("\"Retry") != std::string::npos);
  }
}
