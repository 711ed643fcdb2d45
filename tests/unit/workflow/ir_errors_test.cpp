// Retry, Catch and TimeoutSeconds in an IR: what is read, and what is refused with what would be
// right.
#include "catch.hpp"
#include "unum/error.hpp"
#include "workflow/ir.hpp"

using namespace unum;

namespace {

ParsedIr parse(const std::string& text) {
  return parse_ir(text, "f/unum_config.json", IndexOrder::innermost_first);
}

std::string refusal(const std::string& text) {
  try {
    parse(text);
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::invalid);
    return error.message();
  }
  return "accepted";
}

std::string refused_retry(const std::string& retry) {
  return refusal(R"({"Name":"F","Retry":)" + retry + "}");
}

std::string refused_catch(const std::string& catchers) {
  return refusal(R"({"Name":"F","Catch":)" + catchers + "}");
}

bool has(const std::string& text, const std::string& part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("every field of Retry is read, and what is not given has the States Language's default") {
  const FunctionIr ir = parse(R"({"Name":"F","TimeoutSeconds":30,"Retry":[
    {"ErrorEquals":["KeyError","States.Timeout"],"IntervalSeconds":3,"BackoffRate":1.5,
     "MaxAttempts":2,"MaxDelaySeconds":60,"JitterStrategy":"FULL"},
    {"ErrorEquals":["States.ALL"]}]})")
                            .function;
  CHECK(ir.timeout_seconds == 30);
  REQUIRE(ir.retriers.size() == 2);
  const Retrier& first = ir.retriers[0];
  CHECK(first.error_equals == std::vector<std::string>{"KeyError", "States.Timeout"});
  CHECK(first.interval_seconds == 3);
  CHECK(first.backoff_rate == 1.5);
  CHECK(first.attempts_max == 2);
  CHECK(first.delay_seconds_max == 60);
  CHECK(first.jitter == Jitter::full);
  const Retrier& second = ir.retriers[1];
  CHECK(second.interval_seconds == 1);
  CHECK(second.backoff_rate == 2.0);
  CHECK(second.attempts_max == 3);
  CHECK_FALSE(second.delay_seconds_max);
  CHECK(second.jitter == Jitter::none);
}

TEST_CASE("Retry as a number is that many attempts for all errors") {
  const std::vector<Retrier> retriers = parse(R"({"Name":"F","Retry":4})").function.retriers;
  REQUIRE(retriers.size() == 1);
  CHECK(retriers[0].error_equals == std::vector<std::string>{"States.ALL"});
  CHECK(retriers[0].attempts_max == 4);
  CHECK(parse(R"({"Name":"F","Retry":[],"Catch":[]})").warnings.empty());
}

TEST_CASE("a catcher is an edge for errors behind those of Next") {
  const FunctionIr ir = parse(R"({"Name":"F","Next":{"Name":"G","InputType":"Scalar"},"Catch":[
    {"ErrorEquals":["KeyError"],"Next":"H","ResultPath":"$.error","Payload Modifiers":["Pop"]},
    {"ErrorEquals":["ValueError"],"Next":"I","ResultPath":null},
    {"ErrorEquals":["States.ALL"],"Next":"J","Comment":"the rest"}]})")
                            .function;
  REQUIRE(ir.edges.size() == 4);
  CHECK(ir.next_size() == 1);
  CHECK(ir.catches());
  CHECK(ir.edges[1].target == "H");
  CHECK(ir.edges[1].input_type == InputType::error);
  CHECK(ir.edges[1].result_path->text() == "$.error");
  CHECK(ir.edges[1].modifiers.size() == 1);
  CHECK(needs_input(ir.edges[1]));
  CHECK(ir.edges[2].input_alone);
  CHECK(needs_input(ir.edges[2]));
  CHECK_FALSE(needs_input(ir.edges[3]));
  CHECK(ir.edges[3].error_equals == std::vector<std::string>{"States.ALL"});
  CHECK(ir.parallel_width() == 0);
}

TEST_CASE("the modifiers of Next are not those of Catch") {
  const FunctionIr ir = parse(R"({"Name":"F","Next Payload Modifiers":["Pop"],
    "Next":{"Name":"G","InputType":"Scalar"},
    "Catch":[{"ErrorEquals":["States.ALL"],"Next":"H"}]})")
                            .function;
  CHECK(ir.edges[0].modifiers.size() == 1);
  CHECK(ir.edges[1].modifiers.empty());
}

TEST_CASE("an Error edge may say where the failure goes in the input") {
  const FunctionIr ir = parse(R"({"Name":"F","Next":[{"Name":"G","InputType":"Scalar"},
    {"Name":"H","InputType":"Error","ResultPath":"$.why"}]})")
                            .function;
  CHECK(ir.edges[1].result_path->text() == "$.why");
  CHECK(ir.edges[1].error_equals.empty());
  CHECK(has(refusal(R"({"Name":"F","Next":{"Name":"G","InputType":"Map","ResultPath":"$.a"}})"),
            "f/unum_config.json:1: Next.ResultPath stands on an edge that takes no errors"));
}

TEST_CASE("a bad Retry is refused with file, line, field and what would be right") {
  const std::string all = R"("ErrorEquals":["States.ALL"])";
  CHECK(has(refused_retry("true"), "f/unum_config.json:1: Retry is true; it must be a number of"));
  CHECK(has(refused_retry("-1"), "Retry is -1; it must be a whole number of attempts from 0 to"));
  CHECK(has(refused_retry("1.5"), "Retry is 1.5; it must be a whole number of attempts"));
  CHECK(has(refused_retry("[3]"), "Retry[0] is 3; it must be an object"));
  CHECK(has(refused_retry("[{}]"), "Retry[0].ErrorEquals is missing; it must be a list of names"));
  CHECK(has(refused_retry(R"([{"ErrorEquals":[]}])"), "Retry[0].ErrorEquals is empty"));
  CHECK(has(refused_retry(R"([{"ErrorEquals":"E"}])"), "Retry[0].ErrorEquals is \"E\""));
  CHECK(has(refused_retry(R"([{"ErrorEquals":[""]}])"), "Retry[0].ErrorEquals[0] is empty"));
  CHECK(has(refused_retry(R"([{"ErrorEquals":[7]}])"), "Retry[0].ErrorEquals[0] is 7"));
  CHECK(has(refused_retry(R"([{"ErrorEquals":["E","States.ALL"]}])"),
            "Retry[0].ErrorEquals names States.ALL beside others; it must stand alone"));
  CHECK(has(refused_retry("[{" + all + R"(},{"ErrorEquals":["E"]}])"),
            "Retry[1] stands behind an entry for States.ALL"));
  CHECK(has(refused_retry("[{" + all + R"(,"IntervalSeconds":0}])"),
            "Retry[0].IntervalSeconds is 0; it must be a whole number of seconds from 1 to"));
  CHECK(has(refused_retry("[{" + all + R"(,"MaxAttempts":-1}])"),
            "Retry[0].MaxAttempts is -1; it must be a whole number of attempts from 0 to"));
  CHECK(has(refused_retry("[{" + all + R"(,"BackoffRate":0.5}])"),
            "Retry[0].BackoffRate is 0.5; it must be a number, at least 1"));
  CHECK(has(refused_retry("[{" + all + R"(,"BackoffRate":1e999}])"),
            "Retry[0].BackoffRate is 1e999; it must be a number, at least 1"));
  CHECK(has(refused_retry("[{" + all + R"(,"MaxDelaySeconds":99999999}])"),
            "Retry[0].MaxDelaySeconds is 99999999; it must be a whole number of seconds from 1"));
  CHECK(has(refused_retry("[{" + all + R"(,"JitterStrategy":"full"}])"),
            R"(Retry[0].JitterStrategy is "full"; it must be "FULL" or "NONE")"));
  CHECK(has(refusal(R"({"Name":"F","TimeoutSeconds":0})"),
            "TimeoutSeconds is 0; it must be a whole number of seconds from 1 to 604800"));
}

TEST_CASE("a bad Catch is refused with file, line, field and what would be right") {
  CHECK(has(refused_catch(R"("G")"), "Catch is \"G\"; it must be a list of catchers"));
  CHECK(has(refused_catch(R"([{"Next":"G"}])"), "Catch[0].ErrorEquals is missing"));
  CHECK(has(refused_catch(R"([{"ErrorEquals":["E"]}])"),
            "Catch[0].Next is missing; it must be the name of the function to invoke"));
  CHECK(has(refused_catch(R"([{"ErrorEquals":["E"],"Next":"a b"}])"), "Catch[0].Next is \"a b\""));
  CHECK(has(refused_catch(R"([{"ErrorEquals":["E"],"Next":"G","ResultPath":"error"}])"),
            "f/unum_config.json:1: Catch[0].ResultPath is \"error\"; it must be a reference path"));
  CHECK(has(refused_catch(R"([{"ErrorEquals":["E"],"Next":"G","ResultPath":7}])"),
            "Catch[0].ResultPath is 7; it must be a reference path"));
  CHECK(has(refused_catch(R"([{"ErrorEquals":["States.ALL"],"Next":"G"},
                              {"ErrorEquals":["E"],"Next":"G"}])"),
            "f/unum_config.json:2: Catch[1] stands behind an entry for States.ALL"));
  CHECK(has(refusal(R"({"Name":"F","Next":{"Name":"G","InputType":"Error"},
                        "Catch":[{"ErrorEquals":["States.ALL"],"Next":"H"}]})"),
            "an edge of Next with InputType \"Error\" is never taken; keep one of the two"));
}

TEST_CASE("names that no failure has, and unknown fields, are warnings") {
  const auto warnings = parse(R"({"Name":"F",
    "Retry":[{"ErrorEquals":["States.Timout","Unum.MapInput","Unum.WorkerCrashed"],"Max":1}]})")
                            .warnings;
  REQUIRE(warnings.size() == 3);
  CHECK(has(warnings[0].message, "is \"States.Timout\", which no step ends in (did you mean"));
  CHECK(has(warnings[1].message, "is \"Unum.MapInput\": errors of the runtime's own"));
  CHECK(has(warnings[2].message, "Retry[0].Max is not a known field"));
}

TEST_CASE("what is written is read again as the same, and is part of the digest") {
  const std::string text =
      R"({"Name":"F","TimeoutSeconds":30,"Next":{"Name":"G","InputType":"Scalar"},
    "Retry":[{"ErrorEquals":["A"],"BackoffRate":1.25,"MaxAttempts":0,"IntervalSeconds":2,
              "MaxDelaySeconds":9,"JitterStrategy":"FULL"},{"ErrorEquals":["States.ALL"]}],
    "Catch":[{"ErrorEquals":["A","B"],"Next":"H","ResultPath":"$.a['b c'][2]",
              "Payload Modifiers":[]},
             {"ErrorEquals":["States.ALL"],"Next":"I","ResultPath":null}]})";
  const std::string written = to_json(parse(text).function);
  const ParsedIr again = parse(written);
  CHECK(again.warnings.empty());
  CHECK(to_json(again.function) == written);
  REQUIRE(again.function.edges.size() == 3);
  CHECK(again.function.edges[1].own_modifiers);
  CHECK(again.function.edges[1].result_path->text() == "$.a['b c'][2]");
  CHECK(again.function.edges[2].input_alone);
  CHECK(again.function.retriers[0].backoff_rate == 1.25);
  CHECK(again.function.retriers[0].attempts_max == 0);
  CHECK(again.function.retriers[0].jitter == Jitter::full);
  CHECK(linked_text(again.function) != linked_text(parse(R"({"Name":"F"})").function));
  CHECK(to_json(parse(R"({"Name":"F","Catch":[{"ErrorEquals":["E"],"Next":"G"}]})").function)
            .find("\"Next\": \"G\"") != std::string::npos);
}

TEST_CASE("a function that catches is always checkpointed: one outcome, success or failure") {
  const FunctionIr ir = parse(R"({"Name":"F","Checkpoint":false,
    "Next":{"Name":"G","InputType":"Scalar"},"Catch":[{"ErrorEquals":["E"],"Next":"H"}]})")
                            .function;
  CHECK(always_checkpointed_because(ir) == "it catches errors");
}
