// JSON text: what the strict check refuses and takes, and the walk over what it took.
#include "base/json.hpp"

#include <memory>
#include <utility>

#include "base/limits.hpp"
#include "catch.hpp"
#include "support/json_literal.hpp"
#include "unum/error.hpp"

namespace json = unum::json;
using unum::Error;
using unum::ErrorKind;
using unum::test::operator""_json;

namespace {

/// The text in a block of exactly its size, so that the address sanitizer sees a read past its end.
class Exact {
 public:
  explicit Exact(std::string_view text) : size_(text.size()), bytes_(new char[text.size()]) {
    text.copy(bytes_.get(), size_);
  }
  std::string_view view() const { return {bytes_.get(), size_}; }

 private:
  std::size_t size_;
  std::unique_ptr<char[]> bytes_;
};

json::View checked(const Exact& text) { return json::validate(text.view(), "x"); }

std::vector<std::string_view> texts(const std::vector<json::View>& values) {
  return {values.begin(), values.end()};
}

/// The message of the error, or nothing if the text is taken.
std::string refusal(std::string_view text) {
  const Exact exact(text);
  try {
    json::validate(exact.view(), "x");
  } catch (const Error& error) {
    CHECK(error.origin() == "json");
    return error.message();
  }
  return "";
}

std::string nested(std::size_t depth, std::string_view open, std::string_view middle,
                   std::string_view close) {
  std::string text;
  for (std::size_t i = 0; i < depth; ++i) text += open;
  text += middle;
  for (std::size_t i = 0; i < depth; ++i) text += close;
  return text;
}

}  // namespace

TEST_CASE("what is not JSON is refused with the reason and the place") {
  const std::vector<std::pair<std::string_view, std::string_view>> cases = {
      {"", "the text is empty, at byte 0"},
      {"  \n ", "the text is empty, at byte 4"},
      {"[1 2]", "expected ',' or ']', at byte 3"},
      {"[1,]", "expected a value, at byte 3"},
      {"[,1]", "expected a value, at byte 1"},
      {"[1,,2]", "expected a value, at byte 3"},
      {"{\"a\":1,}", "expected a key in quotes, at byte 7"},
      {"{,}", "expected a key in quotes, at byte 1"},
      {"{\"a\" 1}", "expected ':' after the key, at byte 5"},
      {"{\"a\"}", "expected ':' after the key, at byte 4"},
      {"{\"a\":}", "expected a value, at byte 5"},
      {"{\"a\":1 \"b\":2}", "expected ',' or '}', at byte 7"},
      {"{\"a\":1]", "expected ',' or '}', at byte 6"},
      {"[1}", "expected ',' or ']', at byte 2"},
      {"{1:2}", "expected a key in quotes, at byte 1"},
      {"[", "the text ends within a value, at byte 1"},
      {"[1", "the text ends within an array, at byte 2"},
      {"[1,", "the text ends within a value, at byte 3"},
      {"{", "the text ends within an object, at byte 1"},
      {"{\"a\"", "expected ':' after the key, at byte 4"},
      {"{\"a\":", "the text ends within a value, at byte 5"},
      {"{\"a\":1", "the text ends within an object, at byte 6"},
      {"{\"a\":1,", "the text ends within an object, at byte 7"},
      {"[[1]", "the text ends within an array, at byte 4"},
      {"\"abc", "the text ends within a string, at byte 4"},
      {"\"abcdefghijk", "the text ends within a string, at byte 12"},
      {"\"abc\\", "the text ends within a string, at byte 4"},
      {"\"abc\\\"", "the text ends within a string, at byte 6"},
      {"\"\\x\"", "unknown escape in a string, at byte 1"},
      {"\"\\'\"", "unknown escape in a string, at byte 1"},
      {"\"\\u12\"", "the text ends within a string, at byte 1"},
      {"\"\\u12g4\"", "expected four hexadecimal digits after \\u, at byte 1"},
      {"\"a\nb\"", "a control character stands in a string, at byte 2"},
      {"\"aaaaaaaaa\tb\"", "a control character stands in a string, at byte 10"},
      {std::string_view("\"\0\"", 3), "a control character stands in a string, at byte 1"},
      {"'a'", "expected a value, at byte 0"},
      {"01", "a number has a leading zero, at byte 1"},
      {"-01", "a number has a leading zero, at byte 2"},
      {"1.", "expected a digit after '.', at byte 2"},
      {"1.e5", "expected a digit after '.', at byte 2"},
      {"1e", "expected a digit in the exponent, at byte 2"},
      {"1e+", "expected a digit in the exponent, at byte 3"},
      {"-", "expected a digit after '-', at byte 1"},
      {"--1", "expected a digit after '-', at byte 1"},
      {"+1", "expected a value, at byte 0"},
      {".5", "expected a value, at byte 0"},
      {"0x10", "text follows after the value, at byte 1"},
      {"1_000", "text follows after the value, at byte 1"},
      {"tru", "expected a value, at byte 0"},
      {"True", "expected a value, at byte 0"},
      {"nulll", "text follows after the value, at byte 4"},
      {"NaN", "NaN is not JSON, at byte 0"},
      {"[NaN]", "NaN is not JSON, at byte 1"},
      {"Infinity", "Infinity is not JSON, at byte 0"},
      {"-Infinity", "Infinity is not JSON, at byte 1"},
      {"1 2", "text follows after the value, at byte 2"},
      {"[1]]", "text follows after the value, at byte 3"},
      {"{}{}", "text follows after the value, at byte 2"},
      {"1,", "text follows after the value, at byte 1"},
      {"]", "expected a value, at byte 0"},
      {"[1]//x", "text follows after the value, at byte 3"},
      {"\xEF\xBB\xBF"
       "1",
       "a byte order mark is not JSON, at byte 0"},
      {"\v1", "expected a value, at byte 0"},
      {"\xC2\xA0"
       "1",
       "expected a value, at byte 0"},
      {std::string_view("1\0", 2), "text follows after the value, at byte 1"},
  };
  for (const auto& [text, reason] : cases) {
    INFO("text: " << text);
    CHECK(refusal(text) == "x: not valid JSON: " + std::string(reason));
  }
}

TEST_CASE("text that is not UTF-8 is refused, with the place where it begins") {
  CHECK(refusal("\"\xFF\"") == "x: not valid JSON: the text is not UTF-8, at byte 1");
  CHECK(refusal("[\"a\xC3\xA9\",\"\xC3\"]") ==
        "x: not valid JSON: the text is not UTF-8, at byte 8");
  for (const std::string good : {"", "a", "\u00e9", "\u20ac", "\U0001f600", "\u20acb\u20ac"}) {
    CHECK(refusal("\"" + good + "\x80" + good + "\"") ==
          "x: not valid JSON: the text is not UTF-8, at byte " + std::to_string(good.size() + 1));
  }
  CHECK_FALSE(refusal("\"\xED\xA0\x80\"").empty());  // a surrogate written in UTF-8
  CHECK_FALSE(refusal("\"\xC0\x80\"").empty());      // an overlong NUL
  CHECK_FALSE(refusal("\"\xF4\x90\x80\x80\"").empty());
}

TEST_CASE("what is JSON is taken, numbers of any size and lone surrogates too") {
  for (const std::string_view text :
       {"0",
        "-0",
        "1.5e-10",
        "1E+2",
        "1e999",
        "-1e-99999999999",
        "123456789012345678901234567890123456789012345678901234567890",
        "0.1",
        " null ",
        "\t\r\n true \n",
        "false",
        "\"\"",
        "[]",
        "{}",
        "[ ]",
        "{ }",
        "[[],{}]",
        "{\"a\":1,\"a\":2}",
        "{\"\":{\"\":[{}]}}",
        "[1 , 2 , 3]",
        "{ \"a\" : 1 , \"b\" : [ ] }",
        "\"\\ud800\"",
        "\"\\udc00\\ud800\"",
        "\"\\u0000\"",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"",
        "\"\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80 \x7F\"",
        "[[[[[[1]]]]],[2]]",
        "{\"a\":[{\"b\":[1,{\"c\":null}]},2]}"}) {
    INFO("text: " << text);
    CHECK(refusal(text) == "");
  }
}

TEST_CASE("nesting is taken up to the limit and refused beyond it") {
  CHECK(refusal(nested(unum::kJsonDepthMax, "[", "1", "]")) == "");
  CHECK(refusal(nested(unum::kJsonDepthMax, "{\"a\":", "1", "}")) == "");
  for (const std::string& text :
       {nested(unum::kJsonDepthMax + 1, "[", "", "]"), nested(1000000, "[", "", ""),
        nested(600, "[{\"a\":", "1", "}]")}) {
    try {
      json::validate(text, "the result");
      FAIL("taken");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::exhausted);
      CHECK(error.message().find("the result: JSON nested deeper than 1024 levels") == 0);
    }
  }
}

TEST_CASE("every prefix of a document is refused") {
  const std::string text = R"({"a":[1,-2.5e+10,"x\u00e9\n\"",true],"b":{"c":null,"d":[[],{}]}})";
  REQUIRE(refusal(text) == "");
  for (std::size_t size = 0; size < text.size(); ++size) {
    INFO(text.substr(0, size));
    CHECK(refusal(text.substr(0, size)) != "");
  }
}

TEST_CASE("an array's elements are the slices of its text") {
  const Exact text(" [ 1 ,\"a,]\\\"\" ,{\"k\" : [1, 2]},[ [ ] ] , null,-1e5 ] ");
  CHECK(texts(json::elements(checked(text))) ==
        std::vector<std::string_view>{"1", "\"a,]\\\"\"", "{\"k\" : [1, 2]}", "[ [ ] ]", "null",
                                      "-1e5"});
  CHECK(json::elements("[]"_json).empty());
  CHECK(json::elements(" [ \n ] "_json).empty());
  CHECK(texts(json::elements("[12]"_json)) == std::vector<std::string_view>{"12"});
}

TEST_CASE("an object's members keep their order, with decoded keys and raw values") {
  const Exact text(R"( { "b" : 1.0 , "\u0061\"" : {"x": "}"} ,"c":"\n"} )");
  const std::vector<json::Member> members = json::members(checked(text));
  REQUIRE(members.size() == 3);
  CHECK(members[0].key == "b");
  CHECK(members[0].value == "1.0");
  CHECK(members[1].key == "a\"");
  CHECK(members[1].value == R"({"x": "}"})");
  CHECK(members[2].value == R"("\n")");
  CHECK(json::members("{}"_json).empty());
}

TEST_CASE("a repeated key is an error for who asks for the members") {
  CHECK_THROWS_WITH(json::members(R"({"a":1,"b":2,"\u0061":3})"_json),
                    "the key \"a\" stands twice in one object");
}

TEST_CASE("one member is found by its decoded key, the last one of a repeated key") {
  CHECK(json::member(R"({"a":1,"b":{"a":2}})"_json, "a") == "1");
  CHECK(json::member(R"({"a":1,"a":2})"_json, "a") == "2");
  CHECK(json::member(R"({"\u0061":1})"_json, "a") == "1");
  CHECK(json::member(R"({"ab":1})"_json, "a") == std::nullopt);
  CHECK(json::member("{}"_json, "a") == std::nullopt);
}

TEST_CASE("walking broken text ends in an error and never leaves the text") {
  for (const std::string_view text : {"", "[", "[1", "[1,", "[\"a", "[\"a\\", "[[1]", "{\"a\":1",
                                      "{\"a\"", "{1", "1", "[,", "{\"a\":", "[1;2]"}) {
    const Exact exact(text);
    INFO(text);
    CHECK_THROWS_AS(json::elements(json::View::trusted(exact.view())).size() +
                        json::members(json::View::trusted(exact.view())).size(),
                    Error);
  }
}

TEST_CASE("the type of a value shows in its first byte") {
  CHECK(json::type_of("null"_json) == json::Type::null);
  CHECK(json::type_of("false"_json) == json::Type::boolean);
  CHECK(json::type_of(" -1"_json) == json::Type::number);
  CHECK(json::type_of("\"\""_json) == json::Type::string);
  CHECK(json::type_of("[]"_json) == json::Type::array);
  CHECK(json::type_of("{}"_json) == json::Type::object);
}

TEST_CASE("strings are decoded, and lone surrogates stay what they are (found 29)") {
  CHECK(json::string_value("\"\""_json) == "");
  CHECK(json::string_value(R"("a\"\\\/\b\f\n\r\t")"_json) == "a\"\\/\b\f\n\r\t");
  CHECK(json::string_value(R"("\u0041\u00e9\u20AC\ud83d\ude00")"_json) ==
        "A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
  CHECK(json::string_value(R"("x\ud800y")"_json) == "x\xED\xA0\x80y");
  CHECK(json::string_value(R"("\udc00\ud800")"_json) == "\xED\xB0\x80\xED\xA0\x80");
  CHECK(json::string_value(R"("\ud800\ud83d\ude00")"_json) == "\xED\xA0\x80\xF0\x9F\x98\x80");
  CHECK(json::string_value(R"("\ud800\u0041")"_json) ==
        "\xED\xA0\x80"
        "A");
  CHECK(json::readable_value(R"("x\udfff\ud83d\ude00")"_json) == "x\xEF\xBF\xBD\xF0\x9F\x98\x80");
  CHECK_FALSE(json::string_equals(R"("\ud800")"_json, "\xED\xA0\x81"));
  CHECK(json::members(R"({"\ud800":1,"\ud801":2})"_json).size() == 2);
  CHECK(json::member(R"({"\ud800":1,"\ud801":2})"_json, "\xED\xA0\x80") == "1");
  CHECK(json::string_value(R"("\u0000")"_json) == std::string(1, '\0'));
  CHECK(json::string_equals(R"("a\u0062")"_json, "ab"));
  CHECK_FALSE(json::string_equals(R"("ab")"_json, "abc"));
}

TEST_CASE("text is written as a JSON string, what is not UTF-8 replaced") {
  const auto written = [](std::string_view text) {
    std::string out;
    json::append_string(out, text);
    json::validate(out, "written");
    return out;
  };
  CHECK(written("") == "\"\"");
  CHECK(written("a\"b\\c/d") == R"("a\"b\\c/d")");
  CHECK(written(std::string_view("\b\f\n\r\t\0\x1f\x7f", 8)) ==
        "\"\\b\\f\\n\\r\\t\\u0000\\u001f\x7f\"");
  CHECK(written("\xC3\xA9\xF0\x9F\x98\x80") == "\"\xC3\xA9\xF0\x9F\x98\x80\"");
  CHECK(written("a\xFF\"b") == "\"a\xEF\xBF\xBD\\\"b\"");
  CHECK(written("\xE2\x82") == "\"\xEF\xBF\xBD\"");
  CHECK(written("a\xED\xA0\x80\xED\xBF\xBF\"") == R"("a\ud800\udfff\"")");
  CHECK(written("\xED\xA0\xFF") == "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
  CHECK(written("\xC3(") == "\"\xEF\xBF\xBD(\"");
}

TEST_CASE("minified text has no whitespace between tokens and keeps it in strings") {
  CHECK(json::minify(" { \"a b\" : [ 1.0 , \"c\\\" d\" ] ,\n\t\"e\" : null } "_json) ==
        "{\"a b\":[1.0,\"c\\\" d\"],\"e\":null}");
  CHECK(json::minify(" 1e999 "_json) == "1e999");
  const std::string wide = "[" + std::string(1000, ' ') + "\"" + std::string(200, ' ') + "\" ]";
  CHECK(json::minify(checked(Exact(wide))) == "[\"" + std::string(200, ' ') + "\"]");
}

TEST_CASE("trimming takes JSON's whitespace only") {
  CHECK(json::trim(" \t\r\n 1 \n") == "1");
  CHECK(json::trim("") == "");
  CHECK(json::trim("\v1") == "\v1");
}
