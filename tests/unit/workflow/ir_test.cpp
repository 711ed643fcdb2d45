// The IR: all generations are read, mistakes are named with file, line, field and remedy.
#include "workflow/ir.hpp"

#include "catch.hpp"
#include "unum/error.hpp"

using namespace unum;

namespace {

ParsedIr parse(const std::string& text) {
  return parse_ir(text, "f/unum_config.json", IndexOrder::innermost_first);
}

std::string refusal(const std::string& text) {
  try {
    parse(text);
  } catch (const Error& error) {
    CHECK((error.kind() == ErrorKind::invalid || error.kind() == ErrorKind::exhausted));
    return error.message();
  }
  return "accepted";
}

bool has(const std::string& text, const std::string& part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a terminal function needs nothing but a name") {
  const ParsedIr ir = parse(R"({"Name": "F"})");
  CHECK(ir.function.name == "F");
  CHECK(ir.function.edges.empty());
  CHECK_FALSE(ir.function.start);
  CHECK_FALSE(ir.function.has_start);
  CHECK_FALSE(ir.function.checkpoint.has_value());
  CHECK_FALSE(ir.migrated);
  CHECK(ir.warnings.empty());
}

TEST_CASE("case 8: the truth of Start counts, not its presence") {
  const ParsedIr ir = parse(R"({"Name": "F", "Start": false})");
  CHECK_FALSE(ir.function.start);
  CHECK(ir.function.has_start);
  CHECK(parse(R"({"Name": "F", "Start": true})").function.start);
}

TEST_CASE("every field of an edge is read") {
  const ParsedIr ir = parse(R"({
    "Name": "F", "Checkpoint": false, "Debug": true,
    "Next": [
      {"Name": "G", "InputType": "Map", "OnEmpty": {"Name": "H", "Payload Modifiers": ["Pop"]}},
      {"Name": "H", "InputType": {"Fan-in": {"Values": ["F-unumIndex-*", "X"], "Wait": true}},
       "Conditional": "$0 == $size - 1", "Payload Modifiers": ["Pop"]}
    ]})");
  CHECK(ir.warnings.empty());
  CHECK(ir.function.checkpoint == false);
  CHECK(ir.function.debug == true);
  CHECK(ir.function.next_is_list);
  REQUIRE(ir.function.edges.size() == 2);
  const Edge& map = ir.function.edges[0];
  CHECK(map.input_type == InputType::map);
  CHECK(map.line == 4);
  REQUIRE(map.on_empty);
  CHECK(map.on_empty->name == "H");
  CHECK(map.on_empty->modifiers.size() == 1);
  const Edge& fan_in = ir.function.edges[1];
  CHECK(fan_in.input_type == InputType::fan_in);
  CHECK(fan_in.target == "H");
  CHECK(fan_in.line == 5);
  CHECK(fan_in.wait);
  REQUIRE(fan_in.values.size() == 2);
  CHECK(fan_in.values[1].text() == "X");
  REQUIRE(fan_in.conditional);
  CHECK(fan_in.conditional->text() == "$0 == $size - 1");
  CHECK(fan_in.own_modifiers);
}

TEST_CASE("an edge's own modifiers replace the function's, also by an empty list") {
  const ParsedIr ir = parse(R"({"Name": "F", "Next Payload Modifiers": ["Pop"], "Next": [
    {"Name": "A", "InputType": "Scalar"},
    {"Name": "B", "InputType": "Scalar", "Payload Modifiers": []},
    {"Name": "C", "InputType": "Scalar", "Payload Modifiers": ["Push", "$0 = 3"]}]})");
  const std::vector<Edge>& edges = ir.function.edges;
  REQUIRE(edges.size() == 3);
  REQUIRE(edges[0].modifiers.size() == 1);
  CHECK(edges[0].modifiers[0].kind() == Modifier::Kind::pop);
  CHECK_FALSE(edges[0].own_modifiers);
  CHECK(edges[1].modifiers.empty());
  CHECK(edges[1].own_modifiers);
  CHECK(edges[2].modifiers.size() == 2);
}

TEST_CASE("two or more plain Scalar edges of a list push a frame, others do not") {
  const auto width = [](const std::string& next) {
    return parse(R"({"Name": "F", "Next": )" + next + "}").function.parallel_width();
  };
  const std::string scalar = R"({"Name": "A", "InputType": "Scalar"})";
  const std::string exclusive = R"({"Name": "A", "InputType": "Scalar", "Exclusive": true})";
  const std::string map = R"({"Name": "A", "InputType": "Map"})";
  CHECK(width("[" + scalar + "," + scalar + "]") == 2);
  CHECK(width("[" + scalar + "," + map + "," + scalar + "]") == 2);
  CHECK(width("[" + scalar + "," + map + "]") == 0);
  CHECK(width("[" + scalar + "]") == 0);
  CHECK(width(scalar) == 0);
  CHECK(width("[" + exclusive + "," + exclusive + "]") == 0);
}

TEST_CASE("Scalar edges that are exclusive in part are refused") {
  const std::string message = refusal(R"({"Name": "F", "Next": [
    {"Name": "A", "InputType": "Scalar", "Exclusive": true},
    {"Name": "B", "InputType": "Scalar"}]})");
  CHECK(has(message, "f/unum_config.json:1: Next has 2 Scalar edges of which 1 is Exclusive"));
}

TEST_CASE("a mistake is named with its file, line and field, and what would be right") {
  CHECK(
      has(refusal("{\n\"Name\": \"F\",\n\"Next\": {\"Name\": \"G\",\n\"InputType\": \"Skalar\"}}"),
          "f/unum_config.json:4: Next.InputType is \"Skalar\"; it must be \"Scalar\", \"Map\", "
          "\"Error\" or "));
  CHECK(has(refusal(R"({"Name":"F","Next":{"Name":"G","InputType":"Skalar"}})"),
            "(did you mean \"Scalar\"?)"));
  CHECK(has(refusal(R"({"Name":"F","Next":[{"Name":"G","InputType":"Map"},{"InputType":"Map"}]})"),
            "Next[1].Name is missing"));
  CHECK(has(refusal(R"({"Name":"F","Next":[{"Name":"G"}]})"), "Next[0].InputType is missing"));
  CHECK(has(refusal(R"({"Name":"F","Next":3})"), "Next is 3; it must be an edge"));
  CHECK(has(refusal(R"({"Name":"F","Next":"G"})"), "Next is a name alone; write {\"Name\": \"G\""));
  CHECK(has(refusal(R"({"Start":true})"), "Name is missing"));
  CHECK(has(refusal(R"({"Name":7})"), "Name is 7; it must be the function's name"));
  CHECK(has(refusal(R"({"Name":"F-output"})"), "Name is \"F-output\""));
  CHECK(has(refusal(R"({"Name":"F","Start":"true"})"),
            "Start is \"true\"; it must be true or false, without quotes"));
  CHECK(has(refusal(R"({"Name":"F","Next Payload Modifiers":"Pop"})"),
            "Next Payload Modifiers is \"Pop\"; it must be a list"));
  CHECK(has(refusal(R"({"Name":"F","Next":{"Name":"G","InputType":{"Fan-in":{"Values":[]}}}})"),
            "Next.InputType.Fan-in.Values is empty"));
  CHECK(has(refusal(R"({"Name":"F","Next":{"Name":"G","InputType":{"Fan-in":{"Values":[1]}}}})"),
            "Next.InputType.Fan-in.Values[0] is 1"));
  CHECK(has(refusal(R"({"Name":"F","Next":{"Name":"G","InputType":"Fan-in"}})"),
            "the list of the instances that take part"));
  CHECK(has(refusal(R"({"Name":"F","Next":{"Name":"G","InputType":"Scalar","Conditional":true}})"),
            "Next.Conditional is true; it must be a string"));
  CHECK(has(
      refusal(R"({"Name":"F","Next":{"Name":"G","InputType":"Scalar","OnEmpty":{"Name":"H"}}})"),
      "Next.OnEmpty stands on an edge that is not a Map"));
  CHECK(has(refusal("[]"), "is a list; it must be an object"));
}

TEST_CASE("an expression that does not parse is shown with a caret under the place") {
  const std::string message = refusal(
      "{\"Name\": \"F\", \"Next\":\n {\"Name\": \"G\", \"InputType\": \"Scalar\", "
      "\"Conditional\": \"$0 ==\"}}");
  CHECK(has(message, "f/unum_config.json:2: Next.Conditional"));
  CHECK(has(message, "^"));
}

TEST_CASE("text that is not JSON is refused with line and column") {
  CHECK(has(refusal("{\n  \"Name\": \"F\",\n  \"Next\" 3}"),
            "f/unum_config.json:3:10: not valid JSON"));
  CHECK(has(refusal(""), "f/unum_config.json:1:1: not valid JSON"));
  CHECK(has(refusal("{\n\"Name\": \"\xFF\"}"),
            "f/unum_config.json:2:10: not valid JSON: the text is not UTF-8"));
  CHECK(has(refusal("Name: F"), "f/unum_config.json:1:"));
  CHECK(has(refusal(std::string(5000, '[')), "nested deeper"));
  CHECK(has(refusal("{\"Name\": \"F\",\n \"Name\": \"G\"}"), "f/unum_config.json:1"));
}

TEST_CASE("a byte order mark before the text does no harm") {
  CHECK(parse("\xEF\xBB\xBF{\"Name\": \"F\"}").function.name == "F");
}

TEST_CASE("unknown fields are warnings with line and suggestion, known leftovers are not") {
  const ParsedIr ir = parse(
      "{\"Name\": \"F\",\n\"Chekpoint\": true,\n\"Remove\": 1, \"Next\": {\"Name\": \"G\", "
      "\"InputType\": \"Scalar\",\n\"Fan-in-Group\": true, \"Condition\": \"true\"}}");
  REQUIRE(ir.warnings.size() == 2);
  CHECK(has(ir.warnings[0].message + ir.warnings[1].message,
            "f/unum_config.json:2: Chekpoint is not a known field and has no effect (did you mean "
            "\"Checkpoint\"?)"));
  CHECK(has(ir.warnings[0].message + ir.warnings[1].message,
            "f/unum_config.json:4: Next.Condition is not a known field"));
}

TEST_CASE("case 35: an edge for errors is read") {
  const ParsedIr ir = parse(R"({"Name":"F","Next":[{"Name":"G","InputType":"Scalar"},
                                                   {"Name":"H","InputType":"Error"}]})");
  REQUIRE(ir.function.edges.size() == 2);
  CHECK(ir.function.edges[1].input_type == InputType::error);
  CHECK(ir.function.parallel_width() == 0);
}

TEST_CASE("the documents' variant is read: Type, with Values beside it") {
  const ParsedIr ir = parse(R"({"Name":"F","Next":{"Name":"G","Type":"Fan-in",
    "Values":["F-unumIndex-*"],"Wait":true}})");
  CHECK(ir.migrated);
  CHECK(ir.warnings.empty());
  REQUIRE(ir.function.edges.size() == 1);
  CHECK(ir.function.edges[0].input_type == InputType::fan_in);
  CHECK(ir.function.edges[0].wait);
  CHECK(parse(R"({"Name":"F","Next":{"Name":"G","Type":"Map"}})").function.edges[0].input_type ==
        InputType::map);
  CHECK(has(refusal(R"({"Name":"F","Next":{"Name":"G","Type":"Map","InputType":"Map"}})"),
            "Next.Type stands beside InputType"));
}

TEST_CASE("the first generation is read: NextInput for all edges, Fan-out Modifiers kept apart") {
  for (const std::string next : {R"("G")", R"({"Name":"G"})", R"([{"Name":"G"}])"}) {
    const ParsedIr ir = parse(R"({"Name":"F","NextInput":"Map","Next":)" + next + "}");
    CHECK(ir.migrated);
    CHECK(ir.warnings.empty());
    REQUIRE(ir.function.edges.size() == 1);
    CHECK(ir.function.edges[0].target == "G");
    CHECK(ir.function.edges[0].input_type == InputType::map);
    CHECK(ir.function.next_is_list == (next[0] == '['));
  }
  const ParsedIr ir = parse(R"({"Name":"F","Fan-out Modifiers":["Pop"],"Next":"G",
    "NextInput":{"Fan-in":{"Values":["F-unumIndex-*"],"Wait":true}}})");
  CHECK(ir.migrated);
  REQUIRE(ir.function.edges.size() == 1);
  CHECK(ir.function.edges[0].values.size() == 1);
  CHECK(ir.function.edges[0].modifiers.empty());
  REQUIRE(ir.legacy_fan_out_modifiers.size() == 1);
  CHECK(ir.legacy_fan_out_modifiers[0].kind() == Modifier::Kind::pop);
}

TEST_CASE("the oldest WaitFor files are refused with the fan-in to write") {
  const std::string message = refusal(R"({"Name":"F","WaitFor":["A", "B"],"Next":"G"})");
  CHECK(has(message, "WaitFor is of the oldest format"));
  CHECK(has(message, R"({"Fan-in": {"Values": ["A","B"]}})"));
  CHECK(has(refusal(R"({"Name":"F","Next":{"Name":"G","WaitFor":"A"}})"),
            R"(Next.WaitFor is of the oldest format)"));
}

TEST_CASE("canonical text reads back as the same function") {
  const std::string text = R"({"Name":"F","Start":true,"Checkpoint":false,
    "Next Payload Modifiers":["Pop"],
    "Next":[{"Name":"A","InputType":"Map","OnEmpty":{"Name":"C","Payload Modifiers":["Pop"]}},
            {"Name":"B","Type":"Fan-in","Values":["F-unumIndex-*","G"],"Wait":true,
             "Conditional":"$ret == \"x\"","Payload Modifiers":[]},
            {"Name":"C","InputType":"Scalar","Exclusive":true}]})";
  const std::string first = to_json(parse(text).function);
  const ParsedIr again = parse(first);
  CHECK(to_json(again.function) == first);
  CHECK_FALSE(again.migrated);
  CHECK(again.warnings.empty());
  CHECK(first.ends_with("}\n"));
  REQUIRE(again.function.edges.size() == 3);
  CHECK(again.function.edges[0].modifiers.size() == 1);
  CHECK(again.function.edges[0].on_empty->modifiers.size() == 1);
  CHECK(again.function.edges[1].modifiers.empty());
  CHECK(again.function.edges[1].own_modifiers);
  CHECK(again.function.edges[1].wait);
  CHECK(again.function.edges[1].conditional->text() == "$ret == \"x\"");
  CHECK(again.function.edges[2].exclusive);
  CHECK(to_json(parse(R"({"Name":"T"})").function) == "{\n  \"Name\": \"T\"\n}\n");
  CHECK(to_json(parse(R"({"Name":"T","Next":{"Name":"U","InputType":"Scalar"}})").function) ==
        "{\n  \"Name\": \"T\",\n  \"Next\": {\n    \"Name\": \"U\",\n    \"InputType\": "
        "\"Scalar\"\n  "
        "}\n}\n");
}

TEST_CASE("what others depend on is checkpointed whatever the function says") {
  const auto reason = [](const std::string& next) {
    const std::string text = R"({"Name": "F", "Checkpoint": false)" + next + "}";
    return std::string(always_checkpointed_because(parse(text).function));
  };
  const std::string scalar = R"({"Name": "G", "InputType": "Scalar"})";
  const std::string error = R"({"Name": "E", "InputType": "Error"})";
  CHECK(reason(R"(, "Next": )" + scalar) == "");
  // Or a success that is not stored and a failure that is caught could both go on.
  CHECK(reason(R"(, "Next": [)" + scalar + "," + error + "]") == "it catches errors");
  CHECK(reason(R"(, "Start": true, "Next": )" + scalar) == "it is the entry");
  CHECK(reason("") == "it is terminal");
  CHECK(reason(R"(, "Next": )" + error) == "it is terminal");
  CHECK(reason(R"(, "Next": [)" + scalar + "," + scalar + "]") == "it starts parallel branches");
  CHECK(reason(R"(, "Next": {"Name": "G", "InputType": "Map"})") == "it maps");
  CHECK(reason(R"(, "Next": {"Name": "A", "InputType": {"Fan-in": {"Values": ["F"]}}})") ==
        "it takes part in a fan-in");
  FunctionIr named = parse(R"({"Name": "F", "Next": )" + scalar + "}").function;
  named.named_in_values = true;
  CHECK(always_checkpointed_because(named) == "its result is named in a fan-in's Values");
}
