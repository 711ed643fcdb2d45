// Reference paths: what is one, and how a value is placed in the text of another.
#include "workflow/reference_path.hpp"

#include "catch.hpp"
#include "unum/error.hpp"

using namespace unum;

namespace {

std::string placed(const std::string& path, const std::string& input) {
  try {
    return ReferencePath::parse(path, "Catch[0].ResultPath")
        .place(json::validate(input, "the input"), json::View::trusted("{\"E\":1}"))
        .text();
  } catch (const Error& error) {
    return error.code() + ": " + error.message();
  }
}

}  // namespace

TEST_CASE("a value is placed at a path, and all other text stays as it is") {
  CHECK(placed("$", R"({"a":1})") == R"({"E":1})");
  CHECK(placed("$.error", R"({"a": 1.50, "b":"\u0041"})") ==
        R"({"a": 1.50, "b":"\u0041","error":{"E":1}})");
  CHECK(placed("$.error", "{}") == R"({"error":{"E":1}})");
  CHECK(placed("$.error", "{ }") == R"({ "error":{"E":1}})");
  CHECK(placed("$.a", R"({ "a" : 1e400 , "b" : 2 })") == R"({ "a" : {"E":1} , "b" : 2 })");
  CHECK(placed("$.a.b.c", R"({"a":{"x":1}})") == R"({"a":{"x":1,"b":{"c":{"E":1}}}})");
  CHECK(placed("$['a b'].c", R"({"a b":{"c":3}})") == R"({"a b":{"c":{"E":1}}})");
  CHECK(placed("$[\"a\\\"b\"]", "{}") == R"({"a\"b":{"E":1}})");
  CHECK(placed("$.list[1].why", R"({"list":[1,{"k":0},3]})") ==
        R"({"list":[1,{"k":0,"why":{"E":1}},3]})");
  CHECK(placed("$[0]", "[ 7 , 8 ]") == R"([ {"E":1} , 8 ])");
  CHECK(placed("$.a", R"({"\u0061":1})") == R"({"\u0061":{"E":1}})");
  CHECK(placed("$.a", R"({"a":1,"a":2})") == R"({"a":1,"a":{"E":1}})");  // the last one counts
  CHECK(placed("$.größe", "{}") == R"({"größe":{"E":1}})");
}

TEST_CASE("a path that does not fit the input says where") {
  CHECK(placed("$.error", "[1]") ==
        "Unum.ResultPath: the ResultPath $.error cannot be applied: the input is no object");
  CHECK(placed("$.a.b", R"({"a":null})") ==
        "Unum.ResultPath: the ResultPath $.a.b cannot be applied: $.a of the input is no object");
  CHECK(placed("$.a[2]", R"({"a":[1,2]})") ==
        "Unum.ResultPath: the ResultPath $.a[2] cannot be applied: $.a of the input has no element "
        "2");
  CHECK(placed("$.a[0]", "{}") ==
        "Unum.ResultPath: the ResultPath $.a[0] cannot be applied: $.a of the input is no array");
}

TEST_CASE("what is no reference path is refused with what would be right") {
  for (const char* path :
       {"",      "error", "$error",      "$.",       "$..a",     "$.a.",     "$.a[",
        "$.a[]", "$[*]",  "$.*",         "$.a[-1]",  "$.a[1:2]", "$['a']['", "$['a",
        "$['']", "$.a b", "$.a[?(@.b)]", "$.a[1,2]", "$$.a",     "$ ",       "$.a[99999999999]",
        "$[x]",  "$.a]",  "$['a\\"}) {
    INFO(path);
    const std::string message = placed(path, "{}");
    CHECK(message.starts_with("Unum.Ir: Catch[0].ResultPath is \""));
    CHECK(message.find("it must be a reference path such as \"$.error\"") != std::string::npos);
  }
  std::string deep = "$";
  for (int i = 0; i < 65; ++i) deep += ".a";
  CHECK(placed(deep, "{}").find("at most 64 steps") != std::string::npos);
}
