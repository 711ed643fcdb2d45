// Instance names and the `Fan-out` object.
#include "workflow/frames.hpp"

#include "base/limits.hpp"
#include "catch.hpp"
#include "unum/error.hpp"

using unum::Frame;
using unum::Frames;
using unum::FrameType;

namespace {

Frames frames_of(std::initializer_list<std::int64_t> indexes) {
  Frames frames;
  for (const std::int64_t index : indexes) frames.push_back({FrameType::map, index, 1000});
  return frames;
}

std::string written(const Frames& frames) {
  std::string out;
  unum::append_fan_out(out, frames);
  return out;
}

Frames read(std::string_view text) {
  return unum::parse_fan_out(unum::json::validate(text, "the frames"));
}

}  // namespace

TEST_CASE("case 30: an instance's name has its indexes innermost first, depth 0 to 5") {
  CHECK(unum::instance_name("H", {}) == "H");
  CHECK(unum::instance_name("H", frames_of({2})) == "H-unumIndex-2");
  CHECK(unum::instance_name("H", frames_of({2, 5})) == "H-unumIndex-2.5");
  CHECK(unum::instance_name("H", frames_of({1, 7, 0})) == "H-unumIndex-1.7.0");
  CHECK(unum::instance_name("H", frames_of({1, 2, 3, 4})) == "H-unumIndex-1.2.3.4");
  CHECK(unum::instance_name("H", frames_of({INT64_MAX, 2, 3, 4, 123456789012})) ==
        "H-unumIndex-9223372036854775807.2.3.4.123456789012");
}

TEST_CASE("an instance's name is taken apart to what it was made of") {
  for (const auto& indexes : std::vector<std::vector<std::int64_t>>{
           {}, {0}, {2, 5}, {1, 7, 0}, {INT64_MAX, 10, 0, 4, 5}}) {
    Frames frames;
    for (const std::int64_t index : indexes) frames.push_back({FrameType::map, index, 1});
    const auto parsed = unum::parse_instance_name(unum::instance_name("a-b_C9", frames));
    REQUIRE(parsed);
    CHECK(parsed->function == "a-b_C9");
    CHECK(parsed->indexes == indexes);
  }
  CHECK(unum::parse_instance_name("F-unumIndex-unumIndex-3")->function == "F-unumIndex");
}

TEST_CASE("what is not a canonical instance name is not taken apart") {
  for (const std::string_view name :
       {"", "-unumIndex-1", "H-unumIndex-", "H-unumIndex--1", "H-unumIndex-01", "H-unumIndex-1.",
        "H-unumIndex-.1", "H-unumIndex-1..2", "H-unumIndex-x", "H-unumIndex-1x", "H-unumIndex-+1",
        "H-unumIndex-9223372036854775808", "H-unumIndex-1-unumIndex-2", "H-unumIndex-1 "}) {
    INFO(name);
    CHECK_FALSE(unum::parse_instance_name(name));
  }
  std::string deep = "H-unumIndex-0";
  for (std::size_t i = 1; i < unum::kFramesMax; ++i) deep += ".0";
  CHECK(unum::parse_instance_name(deep));
  CHECK_FALSE(unum::parse_instance_name(deep + ".0"));
}

TEST_CASE("a function's name is refused with the reason") {
  CHECK_FALSE(unum::function_name_defect("Word-Count_2"));
  CHECK_FALSE(unum::function_name_defect(std::string(64, 'x')));
  CHECK_FALSE(unum::function_name_defect("output"));
  CHECK(unum::function_name_defect("") == "is empty");
  CHECK(unum::function_name_defect(std::string(65, 'x')) ==
        "has 65 characters, at most 64 are allowed");
  for (const std::string_view name : {"a b", "a.b", "a/b", "a$0", "\xC3\xA9", "*"}) {
    CHECK(unum::function_name_defect(name) == "may hold only letters, digits, '_' and '-'");
  }
  for (const std::string_view name : {"a-unumIndex-1", "a-UnumIndex-b"}) {
    CHECK(unum::function_name_defect(name));
  }
  for (const std::string_view name :
       {"a-output", "a-error", "a-fanin", "a-wanted", "a-gc", "a-input"}) {
    INFO(name);
    CHECK(unum::function_name_defect(name));
  }
}

TEST_CASE("frames are written as a Fan-out object and read back") {
  const Frames frames = {
      {FrameType::loop, 3, 1}, {FrameType::parallel, 0, 2}, {FrameType::map, 7, 9}};
  CHECK(written(frames) ==
        R"({"Type":"Loop","Index":3,"Size":1,"OuterLoop":{"Type":"Parallel","Index":0,"Size":2,)"
        R"("OuterLoop":{"Type":"Map","Index":7,"Size":9}}})");
  CHECK(read(written(frames)) == frames);
  CHECK(written({}) == "");
}

TEST_CASE("no frame is written in several ways, and the outer level in two") {
  CHECK(read("null").empty());
  CHECK(read(" { } ").empty());
  const Frames two = {{FrameType::map, 1, 2}, {FrameType::map, 3, 4}};
  CHECK(read(R"({"Size":2,"Index":1,"Type":"Map","Outerloop":
      {"Type":"Map","Index":3,"Size":4,"OuterLoop":{}}})") == two);
}

TEST_CASE("a wrong frame is an error that names the field") {
  const auto message = [](std::string_view text) -> std::string {
    try {
      read(text);
    } catch (const unum::Error& error) {
      CHECK(error.kind() == unum::ErrorKind::invalid);
      return error.message();
    }
    return "taken";
  };
  CHECK(message("[]") == "Fan-out: must be an object or null");
  CHECK(message(R"({"Index":1,"Size":2})") ==
        R"(Fan-out.Type: is missing: "Map", "Parallel" or "Loop")");
  CHECK(message(R"({"Type":"map","Index":1,"Size":2})") ==
        R"(Fan-out.Type: must be "Map", "Parallel" or "Loop")");
  CHECK(message(R"({"Type":1,"Index":1,"Size":2})") ==
        R"(Fan-out.Type: must be "Map", "Parallel" or "Loop")");
  CHECK(message(R"({"Type":"Map","Size":2})") == "Fan-out.Index: is missing");
  CHECK(message(R"({"Type":"Map","Index":1})") == "Fan-out.Size: is missing");
  for (const std::string index : {"-1", "1.0", "\"1\"", "1e2", "9223372036854775808", "null"}) {
    CHECK(
        message(R"({"Type":"Map","Index":0,"Size":2,"OuterLoop":{"Type":"Map","Size":2,"Index":)" +
                index + "}}") == "Fan-out.OuterLoop.Index: must be an integer of at least 0");
  }
  CHECK(message(R"({"Type":"Map","Index":1,"Size":2,"OuterLoop":3})") ==
        "Fan-out.OuterLoop: must be an object or null");
}

TEST_CASE("frames are read up to the limit") {
  const Frames most(unum::kFramesMax, Frame{});
  CHECK(read(written(most)) == most);
  try {
    read(written(Frames(unum::kFramesMax + 1, Frame{})));
    FAIL("taken");
  } catch (const unum::Error& error) {
    CHECK(error.kind() == unum::ErrorKind::exhausted);
  }
}

TEST_CASE("an instance's siblings are those below the width, in a loop the rounds so far") {
  CHECK(unum::sibling_limit({}) == 0);
  CHECK(unum::sibling_limit(std::vector<Frame>{{FrameType::map, 2, 5}}) == 5);
  CHECK(unum::sibling_limit(std::vector<Frame>{{FrameType::map, 9, 5}}) == 5);
  CHECK(unum::sibling_limit(std::vector<Frame>{{FrameType::loop, 0, 1}}) == 1);
  CHECK(unum::sibling_limit(std::vector<Frame>{{FrameType::loop, 7, 1}}) == 8);
}
