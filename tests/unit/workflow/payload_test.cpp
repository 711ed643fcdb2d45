// Payloads and what is stored: what is read, what is written, and what is refused.
#include "workflow/payload.hpp"

#include <random>

#include "base/limits.hpp"
#include "catch.hpp"
#include "support/json_literal.hpp"
#include "unum/error.hpp"
#include "workflow/fan_in_list.hpp"
#include "workflow/stored_outcome.hpp"

using namespace unum;
using namespace unum::test;

namespace {

std::string by_reference(std::string_view value) {
  return R"({"Data":{"Source":"fs","Value":)" + std::string(value) + R"(},"Session":"s"})";
}

/// The names that a payload points to.
std::vector<std::string> names_in(std::string_view value) {
  const std::string text = by_reference(value);
  return parse_payload(json::validate(text, "a payload")).data.names.names();
}

std::string refusal(std::string_view text) {
  try {
    parse_payload(json::validate(text, "a payload"));
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::invalid);
    CHECK(error.code() == "Unum.Payload");
    const std::string_view message = error.message();
    CHECK(message.starts_with("the input payload is wrong: "));
    return std::string(message.substr(28));
  }
  return "taken";
}

}  // namespace

TEST_CASE("a payload of a fan-in of 10,000 has the list's runs, not its names") {
  NameList list;
  list.append_run({"Branch", {0, 7}}, 0, 10'000);
  const json::Text payload = payload_by_reference("redis", list, "session", {}, "");
  CHECK(payload.text() == R"({"Data":{"Source":"redis","Value":[{"From":"Branch-unumIndex-0.7",)"
                          R"("To":"Branch-unumIndex-9999.7"}]},"Session":"session"})");
  CHECK(payload.size() < 1024);
  const Payload read = parse_payload(payload);
  CHECK(read.data.shape == PayloadData::Shape::list);
  CHECK(read.data.names == list);
}

TEST_CASE("lists of names of any form come back in their order") {
  std::mt19937 random(7);
  const auto below = [&](unsigned bound) { return static_cast<std::int64_t>(random() % bound); };
  for (int round = 0; round < 2000; ++round) {
    NameList list;
    for (auto pieces = below(6); pieces > 0; --pieces) {
      const InstanceName first{below(4) == 0 ? "H" : "G", {below(12), below(3)}};
      list.append_run(first, static_cast<std::size_t>(below(2)), 1 + below(5));
      if (below(3) == 0) list.append({"Plain", {}});
    }
    const json::Text payload = payload_by_reference("fs", list, "s", {}, "");
    CHECK_NOTHROW(json::validate(payload.text(), "the payload"));
    const Payload read = parse_payload(payload);
    REQUIRE(read.data.names == list);
    REQUIRE(read.data.names.names() == list.names());
    REQUIRE(read.data.names.digest() == list.digest());
  }
}

TEST_CASE("a plain list of names, as earlier releases wrote it, is the same list") {
  const std::vector<std::string> expected = {"F-unumIndex-0", "F-unumIndex-1", "F-unumIndex-2"};
  CHECK(names_in(R"(["F-unumIndex-0", "F-unumIndex-1", "F-unumIndex-2"])") == expected);
  CHECK(names_in(R"([{"From": "F-unumIndex-0", "To": "F-unumIndex-2"}])") == expected);
  CHECK(names_in(R"(["F-unumIndex-0", {"To": "F-unumIndex-2", "From": "F-unumIndex-1"}])") ==
        expected);
  CHECK(names_in("[]").empty());
  const auto digest = [](json::View list) { return NameList::from_json(list).digest(); };
  CHECK(digest(R"(["F-unumIndex-0", "F-unumIndex-1", "F-unumIndex-2"])"_json) ==
        digest(R"([{"From": "F-unumIndex-0", "To": "F-unumIndex-2"}])"_json));
}

TEST_CASE("a pointer that is no instance's name stays as it stands") {
  const std::vector<std::string> odd = {"a b", "F-unumIndex-01", "\xC3\xA9", "-unumIndex-", "F-1"};
  CHECK(names_in(R"(["a b", "F-unumIndex-01", "\u00e9", "-unumIndex-", "F-1"])") == odd);
  CHECK(names_in(R"("F-unumIndex-01")") == std::vector<std::string>{"F-unumIndex-01"});
}

TEST_CASE("a damaged list of names is refused with the element and what is wrong with it") {
  const std::string other =
      " must go from one name to another that differs in one index, a higher one";
  const std::vector<std::pair<std::string, std::string>> lists = {
      {R"(["A", 1])",
       R"(element 1 must be a name, or {"From": name, "To": name} for those from one to another)"},
      {R"(["A", ["B"]])",
       R"(element 1 must be a name, or {"From": name, "To": name} for those from one to another)"},
      {R"([{"From": "F-unumIndex-0"}])",
       R"(element 0 must have "From" and "To", the first and the last name)"},
      {R"(["A", {"From": 1, "To": "F-unumIndex-1"}])",
       R"(element 1 must be a name, or {"From": name, "To": name} for those from one to another)"},
      {R"([{"From": "F", "To": "G"}])", "element 0" + other},
      {R"([{"From": "F-unumIndex-1", "To": "F-unumIndex-1"}])", "element 0" + other},
      {R"([{"From": "F-unumIndex-2", "To": "F-unumIndex-1"}])", "element 0" + other},
      {R"([{"From": "F-unumIndex-1", "To": "G-unumIndex-2"}])", "element 0" + other},
      {R"([{"From": "F-unumIndex-1.0", "To": "F-unumIndex-2.1"}])", "element 0" + other},
      {R"([{"From": "F-unumIndex-1", "To": "F-unumIndex-2.0"}])", "element 0" + other},
      {R"([{"From": "F-unumIndex-1", "To": "F-unumIndex-02"}])", "element 0" + other},
      {R"(["\ud800"])",
       R"(element 0 is "\ud800", which holds half a character (a lone surrogate))"},
  };
  for (const auto& [list, why] : lists) {
    INFO(list);
    CHECK(refusal(by_reference(list)) == "\"Data.Value\": " + why);
  }
}

TEST_CASE("a run of 10^12 names is refused before any of them is made") {
  const std::string why = "longer than the 1000000 names that are allowed";
  for (const std::string list :
       {R"([{"From": "F-unumIndex-0", "To": "F-unumIndex-1000000000000"}])",
        R"([{"From": "F-unumIndex-0", "To": "F-unumIndex-9223372036854775807"}])",
        R"(["F-unumIndex-0", {"From": "F-unumIndex-0", "To": "F-unumIndex-999999"}])"}) {
    INFO(list);
    CHECK(refusal(by_reference(list)).ends_with(why));
    CHECK(FanInListReader().read("{\"Names\":" + list + "}") == nullptr);
  }
  CHECK(names_in(R"([{"From": "F-unumIndex-1", "To": "F-unumIndex-1000000"}])").size() ==
        static_cast<std::size_t>(kFanOutMax));
}

TEST_CASE("what comes to an entry is a payload only if its Data has a known Source") {
  const auto is_payload = [](json::View text) { return parse_if_payload(text).has_value(); };
  CHECK(is_payload(R"({"Data":{"Source":"http","Value":1}})"_json));
  CHECK(is_payload(R"({"GC": 1, "D\u0061ta":{"Value":["A"],"Source":"s3", "More": 1}})"_json));
  CHECK(is_payload(R"({"Other": 1, "Data":{"Value":1,"Source":"http", "More": 1}})"_json));
  for (const json::View text :
       {"1"_json, "[]"_json, "{}"_json, R"({"Data":1})"_json, R"({"Data":{}})"_json,
        R"({"Data":{"Source":"sqs","Value":1}})"_json, R"({"Data":{"Source":1,"Value":1}})"_json,
        R"({"a":1,"\u0061":2,"Data":{"Source":"http","Value":1}})"_json,
        R"({"Data":{"Source":"http","Value":1,"Value":2}})"_json,
        R"({"Data":{"Source":"http","Value":1},"Data":{"Source":"http","Value":1}})"_json}) {
    INFO(text.text());
    CHECK_FALSE(is_payload(text));
  }
}

TEST_CASE("a payload is read whatever the order of its members, and mistakes name the field") {
  const json::View text = R"( {"Fan-out": {"Type":"Map","Index":1,"Size":2}, "traceparent":"t",
      "Session" : "s", "Data" : { "Value" : [ {"Source": "fs"} ] , "Source":"http"}} )"_json;
  const Payload payload = parse_payload(text);
  CHECK(payload.data.value == R"([ {"Source": "fs"} ])");
  CHECK(payload.session == "s");
  CHECK(payload.frames == Frames{{FrameType::map, 1, 2}});
  CHECK(payload.traceparent == "t");
  CHECK(refusal("1") == "it must be an object");
  CHECK(refusal("{}") == "\"Data\" is missing");
  CHECK(refusal(R"({"Data":[]})") == "\"Data\" must be an object");
  CHECK(refusal(R"({"Data":{"Source":"http"}})") == "\"Data\" has no \"Value\"");
  CHECK(refusal(R"({"Data":{"Source":"sqs","Value":1}})") ==
        R"("Data.Source" is "sqs"; it may be "http" or a data store type)");
  CHECK(refusal(R"({"Data":{"Source":"http","Value":1},"Session":""})") ==
        "\"Session\" must not be empty");
  CHECK(refusal(R"({"Session":"a","Data":{"Source":"http","Value":1},"Session":"b"})") ==
        "the key \"Session\" stands twice in one object");
  CHECK(refusal(R"({"Data":{"Source":"fs","Value":{"Pointer":"P"}}})") ==
        R"("Data.Value" by reference as an object needs "Pointer" and "Element")");
}

TEST_CASE("one result, and one element at its place, are written and read as they were") {
  const Frames frames = {{FrameType::map, 7, 9}};
  const json::Text pointer = payload_by_pointer("fs", "M\"-unumIndex-2", "s", frames, "t");
  const Payload one = parse_payload(pointer);
  CHECK(one.data.shape == PayloadData::Shape::single);
  CHECK(one.data.names.name(0) == "M\"-unumIndex-2");
  CHECK(one.frames == frames);
  CHECK(one.session == "s");
  CHECK(one.traceparent == "t");
  const json::Text element =
      payload_by_element("s3", "M", 7, {1'000'000'000'000, 12}, "s", frames, {});
  CHECK(element.view().text() ==
        R"({"Data":{"Source":"s3","Value":{"Pointer":"M","Element":7,"Bytes":[1000000000000,12]}},)"
        R"("Session":"s","Fan-out":{"Type":"Map","Index":7,"Size":9}})");
  const Payload read = parse_payload(element);
  CHECK(read.data.shape == PayloadData::Shape::element);
  CHECK(read.data.element == 7);
  REQUIRE(read.data.place);
  CHECK(read.data.place->offset == 1'000'000'000'000);
  CHECK(read.data.place->bytes == 12);
  for (const std::string bytes : {"1", "[]", "[1]", "[1,2,3]"}) {
    CHECK(refusal(R"({"Data":{"Source":"fs","Value":{"Pointer":"P","Element":1,"Bytes":)" + bytes +
                  "}}}") == "\"Data.Value.Bytes\" must be [first byte, number of bytes]");
  }
  for (const std::string bytes :
       {"[-1,2]", "[1,2.5]", "[\"1\",2]", "[1,1e3]", "[1,1234567890123456]"}) {
    CHECK(refusal(R"({"Data":{"Source":"fs","Value":{"Pointer":"P","Element":1,"Bytes":)" + bytes +
                  "}}}") == "\"Data.Value.Bytes\" must be an integer that is not negative");
  }
}

TEST_CASE("an outcome is a result, a failure that was caught, or collected; all else is corrupt") {
  using Kind = StoredOutcome::Kind;
  const StoredOutcome result = StoredOutcome::read(" [1] ", "F");
  CHECK(result.kind == Kind::result);
  CHECK(result.value == "[1]");
  const std::string stored = stored_failure(failure_json("E", "because"));
  CHECK(stored == R"(!{"Error":"E","Cause":"because"})");
  const StoredOutcome failure = StoredOutcome::read(stored, "F");
  CHECK(failure.kind == Kind::caught_failure);
  CHECK(read_failure(failure.value).error == "E");
  CHECK(StoredOutcome::read("~", "F").kind == Kind::collected);
  for (const std::string_view text : {"", "~ ", "!", "![]", "!{", "{", "1 2", "~~", "\xFF"}) {
    INFO(text);
    try {
      StoredOutcome::read(text, "the outcome of F");
      FAIL_CHECK("taken");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::corrupt);
      CHECK(error.code() == "Unum.NoValue");
      CHECK(error.message().starts_with("the outcome of F"));
    }
  }
  CHECK(caught_failure(stored)->cause == "because");
  CHECK_FALSE(caught_failure("{"));
  CHECK_FALSE(caught_failure("~"));
  CHECK(caught_failure("!{")->cause == "what is stored is not JSON");
  CHECK(read_report(R"({"Cause":"c","Attempt":3})").error == kUnnamedFailure);
}
