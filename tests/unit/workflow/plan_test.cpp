// What follows from a result: a row is a function's IR, its instance's frames, a result, and the
// plan. A child is written as its function, its frames and what it gets; a fan-in as the
// aggregator, the role, and of a list that is known the own place and the names.
#include "workflow/plan.hpp"

#include "catch.hpp"
#include "unum/error.hpp"

using namespace unum;

namespace {

/// What linking has found out about the function.
enum class Linked : std::uint8_t {
  no,
  alone,   ///< All siblings exist; no other function asks for its fan-ins, or has a condition.
  shared,  ///< Siblings may be missing, and others may ask for the fan-in or have a condition.
};

struct Row {
  const char* what;
  Linked linked;
  const char* ir;
  const char* frames;  ///< `Fan-out`, or "".
  const char* result;  ///< What was stored: a failure's {"Error", "Cause"} behind a `!`.
  std::string plan;
};

std::string text_of(const Frames& frames) {
  std::string text;
  for (const Frame& frame : frames) {
    text += (text.empty() ? "[" : ", ") + std::string(to_string(frame.type)) + " " +
            std::to_string(frame.index) + "/" + std::to_string(frame.size);
  }
  return text.empty() ? text : text + "]";
}

std::string text_of(const Plan& plan) {
  std::string text;
  for (const PlannedChild& child : plan.children) {
    text += child.edge->target + text_of(child.frames) + " <- " + std::string(child.value) + "\n";
  }
  for (const PlannedFanIn& fan_in : plan.fan_ins) {
    static constexpr const char* kRoles[] = {"contributor", "requester", "observer"};
    text += fan_in.aggregator + " " + kRoles[static_cast<std::size_t>(fan_in.role)];
    if (fan_in.list) {
      const bool has_place = fan_in.place != FanIn::kNoPlace;
      text += has_place ? " " + std::to_string(fan_in.place) : " nowhere";
      text += " of " + fan_in.list->summary();
    }
    text += "\n";
  }
  return text;
}

FunctionIr function_of(const Row& row) {
  FunctionIr function = parse_ir(row.ir, "ir", IndexOrder::innermost_first).function;
  function.linked = row.linked != Linked::no;
  function.siblings_exist = row.linked == Linked::alone;
  for (Edge& edge : function.edges) {
    edge.requested_elsewhere = row.linked != Linked::alone;
    edge.unconditional_everywhere = row.linked == Linked::alone && !edge.conditional;
  }
  return function;
}

std::string plan_of(const Row& row) {
  const FunctionIr function = function_of(row);
  std::string_view result = row.result;
  const bool failed = result.starts_with('!');
  if (failed) result.remove_prefix(1);
  const json::View value = json::validate(result, "the result");
  try {
    Frames frames;
    if (*row.frames != 0) frames = parse_fan_out(json::validate(row.frames, "the frames"));
    return text_of(failed ? make_failure_plan(function, frames, value)
                          : make_plan(function, frames, value));
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::invalid);
    return error.code() + ": " + error.message().substr(0, error.message().find('\n')) + "\n";
  }
}

void check(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    INFO(row.what << "\n" << row.ir << "\n" << row.frames << "\n" << row.result);
    CHECK(plan_of(row) == row.plan);
  }
}

const char* const kMap2of4 = R"({"Type": "Map", "Index": 2, "Size": 4})";
const char* const kMap1of3 = R"({"Type": "Map", "Index": 1, "Size": 3})";
const char* const kNested =
    R"({"Type": "Map", "Index": 1, "Size": 3,
        "OuterLoop": {"Type": "Map", "Index": 5, "Size": 9}})";
const char* const kLoop2 = R"({"Type": "Loop", "Index": 2, "Size": 1})";

}  // namespace

TEST_CASE("plans of Scalar and exclusive edges, and of errors") {
  check({
      {"an end", Linked::alone, R"({"Name": "F"})", "", "1", ""},
      {"a chain", Linked::alone, R"({"Name": "F", "Next": {"Name": "G", "InputType": "Scalar"}})",
       "", R"({"a": 1})", "G <- {\"a\": 1}\n"},
      {"a chain in a map keeps the frames", Linked::alone,
       R"({"Name": "F", "Next": {"Name": "G", "InputType": "Scalar"}})", kNested, "null",
       "G[Map 1/3, Map 5/9] <- null\n"},
      {"a list of one edge is a chain", Linked::alone,
       R"({"Name": "F", "Next": [{"Name": "G", "InputType": "Scalar"}]})", "", "1", "G <- 1\n"},
      {"parallel branches", Linked::alone,
       R"({"Name": "F", "Next": [{"Name": "G", "InputType": "Scalar"},
                                 {"Name": "H", "InputType": "Scalar"}]})",
       kMap2of4, "7", "G[Parallel 0/2, Map 2/4] <- 7\nH[Parallel 1/2, Map 2/4] <- 7\n"},
      {"a parallel branch that is not taken counts", Linked::alone,
       R"({"Name": "F", "Next": [{"Name": "G", "InputType": "Scalar", "Conditional": "$ret > 7"},
                                 {"Name": "H", "InputType": "Scalar"}]})",
       "", "7", "H[Parallel 1/2] <- 7\n"},
      {"the first exclusive edge that is true", Linked::alone,
       R"({"Name": "F", "Next": [
           {"Name": "G", "InputType": "Scalar", "Exclusive": true, "Conditional": "$ret == 1"},
           {"Name": "H", "InputType": "Scalar", "Exclusive": true}]})",
       "", "1", "G <- 1\n"},
      {"else the one that has no condition", Linked::alone,
       R"({"Name": "F", "Next": [
           {"Name": "G", "InputType": "Scalar", "Exclusive": true, "Conditional": "$ret == 1"},
           {"Name": "H", "InputType": "Scalar", "Exclusive": true}]})",
       "", "2", "H <- 2\n"},
      {"those behind it are not evaluated", Linked::alone,
       R"({"Name": "F", "Next": [
           {"Name": "G", "InputType": "Scalar", "Exclusive": true},
           {"Name": "H", "InputType": "Scalar", "Exclusive": true, "Conditional": "$ret.no"}]})",
       "", "1", "G <- 1\n"},
      {"a condition that cannot be evaluated", Linked::alone,
       R"({"Name": "F", "Next": {"Name": "G", "InputType": "Scalar", "Conditional": "$ret.no"}})",
       "", "{}", "Unum.Expression: ir:1: Next.Conditional: there is no key 'no'\n"},
      {"an edge for errors is not for results", Linked::alone,
       R"({"Name": "F", "Next": [{"Name": "G", "InputType": "Scalar"},
                                 {"Name": "E", "InputType": "Error"}]})",
       "", "1", "G <- 1\n"},
      {"nor are others for errors", Linked::alone,
       R"({"Name": "F", "Next": [{"Name": "G", "InputType": "Scalar"},
                                 {"Name": "E", "InputType": "Error"}]})",
       kMap2of4, R"(!{"Error":"E1","Cause":""})",
       "E[Map 2/4] <- {\"Error\":\"E1\",\"Cause\":\"\"}\n"},
      {"the first edge for errors whose condition is true", Linked::alone,
       R"({"Name": "F", "Next": [
           {"Name": "A", "InputType": "Error", "Conditional": "$ret.Error == 'no'"},
           {"Name": "B", "InputType": "Error", "Conditional": "$ret.Error == 'E1'"},
           {"Name": "C", "InputType": "Error"}]})",
       "", R"(!{"Error":"E1","Cause":""})", "B <- {\"Error\":\"E1\",\"Cause\":\"\"}\n"},
      {"a failure that no edge takes", Linked::alone,
       R"({"Name": "F", "Next": {"Name": "G", "InputType": "Scalar"}})", "",
       R"(!{"Error":"E1","Cause":""})", ""},
  });
}

TEST_CASE("plans with modifiers") {
  check({
      {"into a loop", Linked::alone,
       R"({"Name": "F", "Next": {"Name": "G", "InputType": "Scalar",
                                 "Payload Modifiers": ["Push"]}})",
       kMap2of4, "1", "G[Loop 0/1, Map 2/4] <- 1\n"},
      {"round the loop", Linked::alone,
       R"({"Name": "F", "Next": {"Name": "F", "InputType": "Scalar",
                                 "Payload Modifiers": ["$0 = $0 + 1"]}})",
       kLoop2, "1", "F[Loop 3/1] <- 1\n"},
      {"out of the loop", Linked::alone,
       R"({"Name": "F", "Next": {"Name": "G", "InputType": "Scalar",
                                 "Payload Modifiers": ["Pop"]}})",
       kLoop2, "1", "G <- 1\n"},
      {"each sees the one before it", Linked::alone,
       R"({"Name": "F", "Next": {"Name": "G", "InputType": "Scalar",
           "Payload Modifiers": ["Push", "$size = $1 + 3", "$0 = $size - 1"]}})",
       kMap2of4, "1", "G[Loop 4/5, Map 2/4] <- 1\n"},
      {"those of the function are for all edges without their own", Linked::alone,
       R"({"Name": "F", "Next Payload Modifiers": ["Pop"], "Next": [
           {"Name": "G", "InputType": "Scalar", "Exclusive": true, "Conditional": "$ret == 1"},
           {"Name": "H", "InputType": "Scalar", "Exclusive": true, "Payload Modifiers": []}]})",
       kMap2of4, "1", "G <- 1\n"},
      {"an own list replaces them, an empty one too", Linked::alone,
       R"({"Name": "F", "Next Payload Modifiers": ["Pop"], "Next": [
           {"Name": "G", "InputType": "Scalar", "Exclusive": true, "Conditional": "$ret == 1"},
           {"Name": "H", "InputType": "Scalar", "Exclusive": true, "Payload Modifiers": []}]})",
       kMap2of4, "2", "H[Map 2/4] <- 2\n"},
      {"a condition sees the frames before them", Linked::alone,
       R"({"Name": "F", "Next": {"Name": "G", "InputType": "Scalar", "Conditional": "$0 == 2",
                                 "Payload Modifiers": ["Pop"]}})",
       kMap2of4, "1", "G <- 1\n"},
  });
}

TEST_CASE("plans of maps") {
  check({
      {"an element each", Linked::alone,
       R"({"Name": "F", "Next": {"Name": "G", "InputType": "Map"}})", "", R"([ 1.50, "b" ,{} ])",
       "G[Map 0/3] <- 1.50\nG[Map 1/3] <- \"b\"\nG[Map 2/3] <- {}\n"},
      {"a map in a map", Linked::alone,
       R"({"Name": "F", "Next": {"Name": "G", "InputType": "Map"}})", kMap2of4, "[7]",
       "G[Map 0/1, Map 2/4] <- 7\n"},
      {"its modifiers are for the frames around its own", Linked::alone,
       R"({"Name": "F", "Next": {"Name": "G", "InputType": "Map", "Payload Modifiers": ["Pop"]}})",
       kMap2of4, "[7]", "G[Map 0/1] <- 7\n"},
      {"over what is no array", Linked::alone,
       R"({"Name": "F", "Next": {"Name": "G", "InputType": "Map"}})", "", "{}",
       "Unum.MapInput: function F, the edge to G is a Map: the result must be an array, but it is "
       "an object\n"},
      {"over nothing, and it ends in no aggregator", Linked::alone,
       R"({"Name": "F", "Next": {"Name": "G", "InputType": "Map"}})", "", "[]", ""},
      {"over nothing, and the aggregator is named", Linked::alone,
       R"({"Name": "F", "Next": {"Name": "G", "InputType": "Map", "OnEmpty": {"Name": "A"}}})",
       kMap2of4, "[ ]",
       "A-unumIndex-2 requester nowhere of (no names) with Fan-out "
       "{\"Type\":\"Map\",\"Index\":2,\"Size\":4}\n"},
      {"with modifiers of its own", Linked::alone,
       R"({"Name": "F", "Next": {"Name": "G", "InputType": "Map",
                                 "OnEmpty": {"Name": "A", "Payload Modifiers": ["Pop"]}}})",
       kMap2of4, "[]", "A requester nowhere of (no names)\n"},
      {"over nothing, when nobody has said where it goes on", Linked::no,
       R"({"Name": "F", "Next": {"Name": "G", "InputType": "Map"}})", "", "[]",
       "Unum.NotLinked: function F, the edge to G is a Map over no elements, and where it goes on "
       "follows from the edges of other functions: link the functions of a workflow "
       "(unum::link_functions) before they run, or name the aggregator in the edge's OnEmpty\n"},
      {"two maps, one of them over the condition's element", Linked::alone,
       R"({"Name": "F", "Next": [{"Name": "G", "InputType": "Map"},
                                 {"Name": "H", "InputType": "Map", "Conditional": "$ret[0]"}]})",
       "", "[true]", "G[Map 0/1] <- true\nH[Map 0/1] <- true\n"},
  });
}

TEST_CASE("plans of fan-ins") {
  check({
      {"all branches of a map", Linked::alone,
       R"({"Name": "F", "Next": {"Name": "A", "InputType": {"Fan-in": {"Values":
           ["F-unumIndex-*"]}}, "Payload Modifiers": ["Pop"]}})",
       kMap2of4, "1", "A contributor 2 of F-unumIndex-0 .. F-unumIndex-3 (4 names)\n"},
      {"those of a row of nested maps", Linked::alone,
       R"({"Name": "F", "Next": {"Name": "A", "InputType": {"Fan-in": {"Values":
           ["F-unumIndex-*.$1"]}}, "Payload Modifiers": ["Pop"]}})",
       kNested, "1",
       "A-unumIndex-5 contributor 1 of F-unumIndex-0.5 .. F-unumIndex-2.5 (3 names) with Fan-out "
       "{\"Type\":\"Map\",\"Index\":5,\"Size\":9}\n"},
      {"an instance without frames alone", Linked::alone,
       R"({"Name": "F", "Next": {"Name": "A", "InputType": {"Fan-in": {"Values": ["F"]}}}})", "",
       "1", "A contributor 0 of F\n"},
      {"all to all: the own one, and those of the siblings", Linked::alone,
       R"({"Name": "F", "Next": {"Name": "A", "InputType": {"Fan-in": {"Values":
           ["F-unumIndex-*"]}}, "Payload Modifiers": ["$size = 9"]}})",
       R"({"Type": "Map", "Index": 1, "Size": 2})", "1",
       "A-unumIndex-1 contributor 1 of F-unumIndex-0, F-unumIndex-1 with Fan-out "
       "{\"Type\":\"Map\",\"Index\":1,\"Size\":9}\n"
       "A-unumIndex-0 contributor 1 of F-unumIndex-0, F-unumIndex-1 with Fan-out "
       "{\"Type\":\"Map\",\"Index\":0,\"Size\":9}\n"},
      {"neighbours: the own fan-in and that of the one before", Linked::alone,
       R"J({"Name": "F", "Next": {"Name": "A", "Conditional": "$0 < $size - 1",
           "InputType": {"Fan-in": {"Values": ["F-unumIndex-$0", "F-unumIndex-($0+1)"]}}}})J",
       kMap1of3, "1",
       "A-unumIndex-1 contributor 0 of F-unumIndex-1, F-unumIndex-2 with Fan-out "
       "{\"Type\":\"Map\",\"Index\":1,\"Size\":3}\n"
       "A-unumIndex-0 contributor 1 of F-unumIndex-0, F-unumIndex-1 with Fan-out "
       "{\"Type\":\"Map\",\"Index\":0,\"Size\":3}\n"},
      {"one for which the own condition is false, and the last one's is true", Linked::alone,
       R"({"Name": "F", "Next": {"Name": "A", "Conditional": "$0 == $size - 1",
           "InputType": {"Fan-in": {"Values": ["F-unumIndex-*"]}}, "Payload Modifiers": ["Pop"]}})",
       kMap1of3, "1", "A contributor 1 of F-unumIndex-0 .. F-unumIndex-2 (3 names)\n"},
      {"none when nobody's condition is true", Linked::alone,
       R"({"Name": "F", "Next": {"Name": "A", "Conditional": "$0 == $size",
           "InputType": {"Fan-in": {"Values": ["F-unumIndex-*"]}}, "Payload Modifiers": ["Pop"]}})",
       kMap1of3, "1", ""},
      {"a condition on the result that is true requests it", Linked::alone,
       R"({"Name": "F", "Next": {"Name": "A", "Conditional": "$ret > 1",
           "InputType": {"Fan-in": {"Values": ["F-unumIndex-*"]}}, "Payload Modifiers": ["Pop"]}})",
       kMap1of3, "2", "A requester 1 of F-unumIndex-0 .. F-unumIndex-2 (3 names)\n"},
      {"one that is false observes", Linked::alone,
       R"({"Name": "F", "Next": {"Name": "A", "Conditional": "$ret > 1",
           "InputType": {"Fan-in": {"Values": ["F-unumIndex-*"]}}, "Payload Modifiers": ["Pop"]}})",
       kMap1of3, "1", "A observer\n"},
      {"another function that has the edge, too, knows of it", Linked::alone,
       R"({"Name": "F", "Next": {"Name": "A", "InputType": {"Fan-in": {"Values": ["G", "F"]}}}})",
       "", "1", "A contributor 1 of G, F\n"},
      {"unless its edge has a condition", Linked::shared,
       R"({"Name": "F", "Next": {"Name": "A", "InputType": {"Fan-in": {"Values": ["G", "F"]}}}})",
       "", "1", "A requester 1 of G, F\n"},
      {"a condition, and siblings that may not exist", Linked::shared,
       R"({"Name": "F", "Next": {"Name": "A", "Conditional": "$0 == 1",
           "InputType": {"Fan-in": {"Values": ["F-unumIndex-*"]}}, "Payload Modifiers": ["Pop"]}})",
       kMap1of3, "1", "A requester 1 of F-unumIndex-0 .. F-unumIndex-2 (3 names)\n"},
      {"without being linked everybody may ask", Linked::no,
       R"({"Name": "F", "Next": {"Name": "A", "Conditional": "$0 == 2",
           "InputType": {"Fan-in": {"Values": ["F-unumIndex-*"]}}, "Payload Modifiers": ["Pop"]}})",
       kMap1of3, "1", "A observer\n"},
      {"a list that does not name the instance", Linked::alone,
       R"({"Name": "F", "Next": {"Name": "A", "InputType": {"Fan-in": {"Values": ["G"]}}}})", "",
       "1",
       "Unum.NoSlot: function F, the fan-in edge to A: \"Values\" is G, which does not name this "
       "instance, F; every contributor must be named in its own list\n"},
      {"a fold: the round's own result and the next element", Linked::alone,
       R"J({"Name": "F", "Next": {"Name": "F",
           "InputType": {"Fan-in": {"Values": ["F-unumIndex-$0", "G-unumIndex-($0+1)"]}},
           "Payload Modifiers": ["$0 = $0 + 1"]}})J",
       kLoop2, "1",
       "F-unumIndex-3 contributor 0 of F-unumIndex-2, G-unumIndex-3 with Fan-out "
       "{\"Type\":\"Loop\",\"Index\":3,\"Size\":1}\n"},
      {"children and fan-ins together", Linked::alone,
       R"({"Name": "F", "Next": [{"Name": "G", "InputType": "Scalar"},
           {"Name": "A", "InputType": {"Fan-in": {"Values": ["F"]}}}]})",
       "", "1", "G <- 1\nA contributor 0 of F\n"},
  });
}
