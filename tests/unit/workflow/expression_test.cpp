// The language of conditionals and payload modifiers.
#include "workflow/expression.hpp"

#include <functional>

#include "base/limits.hpp"
#include "catch.hpp"
#include "unum/error.hpp"

using unum::Error;
using unum::ErrorKind;
using unum::Expression;
using unum::ExpressionUse;
using unum::Frame;
using unum::Frames;
using unum::FrameType;
using unum::Modifier;
using unum::Scope;

namespace {

const Frames kFrames = {
    {FrameType::map, 2, 5}, {FrameType::map, 7, 9}, {FrameType::parallel, 0, 2}};

bool truth(std::string_view text, std::optional<std::string_view> json = std::nullopt,
           const Frames& frames = kFrames) {
  std::optional<unum::json::View> result;
  if (json) result = unum::json::validate(*json, "the result");
  return Expression::parse(text, ExpressionUse::conditional, "c").is_true(Scope{frames, result});
}

/// The first line of the message, or "no error".
std::string error_of(std::string_view text, std::optional<std::string_view> result = std::nullopt,
                     const Frames& frames = kFrames) {
  try {
    truth(text, result, frames);
  } catch (const Error& error) {
    CHECK(error.origin() == "ir");
    CHECK(error.code() == "Unum.Expression");
    const std::string message = error.message();
    CHECK(message.find("c: ") == 0);
    CHECK(message.back() == '^');
    return message.substr(3, message.find('\n') - 3);
  }
  return "no error";
}

std::int64_t integer(std::string_view text) {
  return Expression::parse(text, ExpressionUse::values, "v").integer(Scope{kFrames, std::nullopt});
}

std::string message_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.message();
  }
  return "no error";
}

}  // namespace

TEST_CASE("literals compare by type and value") {
  CHECK(truth("true and True and not false and not False"));
  CHECK(truth("null == None and None == null"));
  CHECK(truth("1 == 1.0 and 1.5e3 == 1500 and 0 == -0.0"));
  CHECK(truth("'a' == \"a\" and 'it\\'s' == \"it's\" and '\"' == \"\\\"\""));
  CHECK(truth(R"('\u0041\n\ud83d\ude00' == "A\u000a\uD83D\uDE00")"));
  CHECK(truth("[1, [2, 'x'], null] == [1.0, [2, 'x',], None] and [] == [ ]"));
  CHECK_FALSE(truth("[1,2] == [1]"));
  CHECK_FALSE(truth("[1] == [1,2]"));
}

TEST_CASE("values of different types are never equal, and a boolean is not a number") {
  for (const std::string_view text :
       {"1 == '1'", "1 == true", "0 == false", "null == false", "null == 0", "'' == null",
        "[] == ''", "[1] == 1", "[true] == [1]"}) {
    INFO(text);
    CHECK_FALSE(truth(text));
  }
  CHECK(truth("1 != true"));
}

TEST_CASE("the precedence is Python's") {
  CHECK(integer("1 + 2 * 3") == 7);
  CHECK(integer("(1 + 2) * 3") == 9);
  CHECK(integer("10 - 3 - 2") == 5);
  CHECK(integer("100 // 10 // 3") == 3);
  CHECK(integer("2 * 7 % 4") == 2);
  CHECK(integer("-7 % 3") == 2);
  CHECK(integer("-$0 % 3") == 1);
  CHECK(integer("- - 3") == 3);
  CHECK(integer("3--4") == 7);
  CHECK(truth("true or false and false"));
  CHECK(truth("not 1 == 2"));
  CHECK(truth("not false and true"));
  CHECK_FALSE(truth("not (false or true)"));
  CHECK(truth("1 + 1 == 2 and 2 < 3"));
}

TEST_CASE("comparisons chain") {
  CHECK(truth("1 < $0 < 3"));
  CHECK_FALSE(truth("1 < $0 < 2"));
  CHECK(truth("1 < 2 > 1 != 3 == 3"));
  CHECK_FALSE(truth("3 > 2 == true"));  // 3 > 2 and 2 == true
  CHECK_FALSE(truth("2 < 1 < 'a'"));    // stops at the first that is false
  CHECK(truth("1 in [1] != 2"));
}

TEST_CASE("division and remainder are Python's, for floats too") {
  CHECK(truth("7 / 2 == 3.5 and 4 / 2 == 2"));
  CHECK(truth("7 // 2 == 3 and -7 // 2 == -4 and 7 // -2 == -4 and -7 // -2 == 3"));
  CHECK(truth("7 % -2 == -1 and -7 % 2 == 1 and 6 % 3 == 0 and -6 % 3 == 0"));
  CHECK(truth("7.5 // 2 == 3.0 and -7.5 // 2 == -4.0 and -7.5 % 2 == 0.5 and 7.5 % -2 == -0.5"));
  CHECK(truth("1.0 // 0.1 == 9.0 and 0.3 // 0.1 == 2"));
  CHECK(truth("9223372036854775807 / 9223372036854775806 == 1.0"));
  CHECK(truth("-4611686018427387904 / -9007199254740983 == 512.0000000000006"));
  CHECK(truth("-9223372036854775808 / -1 == 9223372036854775808.0 and 0 / -5 == 0"));
  CHECK(truth("-9223372036854775808 % -1 == 0"));
  for (const std::string_view text : {"1 / 0 == 1", "1 // 0 == 1", "1 % 0 == 1", "1 / 0.0 == 1",
                                      "1.5 // 0 == 1", "1.5 % 0 == 1"}) {
    INFO(text);
    CHECK(error_of(text) == "division by zero");
  }
}

TEST_CASE("integers have 64 bits, and beyond them is an error") {
  CHECK(integer("9223372036854775807") == INT64_MAX);
  CHECK(integer("-9223372036854775808") == INT64_MIN);
  CHECK(integer("-9223372036854775807 - 1") == INT64_MIN);
  CHECK(error_of("9223372036854775808 > 0") == "the integer does not fit 64 bits");
  CHECK(error_of("-9223372036854775809 < 0") == "the integer does not fit 64 bits");
  for (const std::string_view text : {"9223372036854775807 + 1 > 0", "-9223372036854775808 - 1 < 0",
                                      "4611686018427387904 * 2 > 0", "-(-9223372036854775808) > 0",
                                      "-9223372036854775808 // -1 > 0"}) {
    INFO(text);
    CHECK(error_of(text) == "the result does not fit 64 bits");
  }
  CHECK(error_of("1e308 * 10 > 0") == "the result does not fit a float");
  CHECK(error_of("1e999 > 0") == "the number does not fit a float");
}

TEST_CASE("an integer and a float compare by their exact values") {
  CHECK(truth("9007199254740993 > 9007199254740992.0"));
  CHECK(truth("9223372036854775807 < 9223372036854775808.0"));
  CHECK_FALSE(truth("9223372036854775807 == 9223372036854775808.0"));
  CHECK(truth("-9223372036854775808 == -9223372036854775808.0"));
  CHECK(truth("2 < 2.5 < 3 and -3 < -2.5 < -2"));
  CHECK(truth("$ret == 9223372036854775808.0", "9223372036854775808"));
  CHECK(truth("9223372036854775807 < $ret", "9223372036854775808"));
  CHECK(truth("$ret > 1e300", "1e999"));
  CHECK(truth("$ret < -1e300", "-1e999"));
  CHECK(truth("$ret == 0", "1e-999"));
  CHECK(truth("$ret == 0", "0e99999999999999999999"));
  CHECK(truth("$ret > 1e300", "1e99999999999999999999"));
  CHECK(truth("$ret == 0 and $ret == -0.0", "-0"));
}

TEST_CASE("only numbers with numbers and strings with strings have an order") {
  CHECK(truth("'a' < 'b' and 'B' < 'a' and 'a' < 'aa' and '' < 'a' and 'z' <= 'z'"));
  CHECK(truth("'\xEF\xBF\xBD' < '\xF0\x9F\x98\x80'"));  // by code points, not by UTF-16 units
  CHECK(error_of("1 < 'a'") ==
        "only two numbers or two strings have an order, these are a number and a string");
  CHECK(error_of("true < 2") ==
        "only two numbers or two strings have an order, these are a boolean and a number");
  CHECK(error_of("null >= null") ==
        "only two numbers or two strings have an order, these are null and null");
  CHECK(error_of("[1] < [2]") ==
        "only two numbers or two strings have an order, these are a list and a list");
}

TEST_CASE("arithmetic takes numbers only") {
  CHECK(error_of("'a' + 'b' == 'ab'") ==
        "arithmetic needs numbers, these are a string and a string");
  CHECK(error_of("true + 1 == 2") == "arithmetic needs numbers, these are a boolean and a number");
  CHECK(error_of("[1] * 2 == 2") == "arithmetic needs numbers, these are a list and a number");
  CHECK(error_of("-'a' == 1") == "'-' needs a number, this is a string");
  CHECK(error_of("-true == 1") == "'-' needs a number, this is a boolean");
}

TEST_CASE("in looks into lists, strings and objects") {
  CHECK(truth("2 in [1, 2.0]"));
  CHECK_FALSE(truth("true in [1, 'true']"));
  CHECK(truth("[1] in [[1]]"));
  CHECK(truth("3 not in [1, 2] and not 3 in []"));
  CHECK(truth("'bc' in 'abcd' and '' in '' and 'x' not in 'abc'"));
  CHECK(truth("'k' in $ret and 'v' not in $ret", R"({"\u006b": "v"})"));
  CHECK(truth("$0 in $ret and 3 not in $ret", "[0, 1, 2]"));
  CHECK(error_of("1 in 'abc'") ==
        "'in' looks for a number in a string; it needs a list, a string in a string, or a key of "
        "an object");
  CHECK(error_of("1 in 2") ==
        "'in' looks for a number in a number; it needs a list, a string in a string, or a key of "
        "an object");
  CHECK(error_of("1 in $ret", "{}") ==
        "'in' looks for a number in an object; it needs a list, a string in a string, or a key of "
        "an object");
}

TEST_CASE("case 32: a variable's number is the longest one, levels are as many as there are") {
  Frames deep;
  for (std::int64_t k = 0; k < 13; ++k) deep.push_back({FrameType::map, k * 10, k + 100});
  CHECK(truth("$12 == 120 and $1 == 10 and $size12 == 112 and $size == 100 and $size0 == 100", {},
              deep));
  CHECK(truth("$0 == 2 and $1 == 7 and $2 == 0 and $size == 5 and $size1 == 9 and $size2 == 2"));
  CHECK(error_of("$3 == 0") == "the instance has no level 3, its frames are 3");
  CHECK(error_of("$size3 == 0") == "the instance has no level 3, its frames are 3");
  CHECK(error_of("$64 == 0") == "levels go from 0 to 63");
  CHECK(error_of("$99999999999999999999 == 0") == "levels go from 0 to 63");
  for (const std::string_view text : {"$ == 1", "$x == 1", "$sizes == 1", "$01 == 1", "$0x == 1",
                                      "$retry == 1", "$size01 == 1"}) {
    INFO(text);
    CHECK(error_of(text) ==
          "unknown variable; there are $0, $1, ..., $size, $size1, ..., $ret and $out");
  }
}

TEST_CASE("the result of a function is looked into by key and by place") {
  const std::string_view result =
      R"({"a":{"b":[10,{"c":"x"}],"b ":0}, "key with blanks":3, "list":[[1,2],[3]], "caf\u00e9":4,)"
      R"( "twice":1, "twice":2, "\"":5, "in":6})";
  for (const std::string_view text :
       {"$ret.a.b[0] == 10", "$out.a.b[1].c == 'x'", "$ret[\"key with blanks\"] == 3",
        "$ret['a']['b '] == 0", "$ret.list[$0 - 1][0] == 3", "$ret.list[$ret.list[0][0]] == [3]",
        "$ret.caf\xC3\xA9 == 4", "$ret.twice == 2", "$ret['\"'] == 5", "($ret).a.b[0] == 10",
        "$ret . a [ 'b' ] [ 0 ] == 10", "[5, 6][1] == 6", "$ret.in == 6"}) {
    INFO(text);
    CHECK(truth(text, result));
  }
  CHECK(truth("$ret[$0] == 3", "[1, 2, 3]"));
  CHECK(truth("$ret == 'plain'", "\"plain\""));
  CHECK(error_of("$ret.x == 1", result) == "there is no key 'x'");
  CHECK(error_of("$ret.a.b.c == 1", result) == "a list has no key 'c'");
  CHECK(error_of("$ret.a[0] == 1", result) == "an object has no element 0");
  CHECK(error_of("$ret.list[2] == 1", result) == "there is no element 2, the list has 2");
  CHECK(error_of("$ret.list[-1] == 1", result) == "the index -1 is negative");
  CHECK(error_of("$ret.list[0.0] == 1", result) ==
        "a part is named by an integer or a string, this is a float");
  CHECK(error_of("$ret.list[true] == 1", result) ==
        "a part is named by an integer or a string, this is a boolean");
  CHECK(error_of("$ret.x == 1", "null") == "null has no key 'x'");
  CHECK(error_of("$ret == 1") == "the result of the function is not known here");
}

TEST_CASE("objects are equal whatever the order of their keys") {
  CHECK(truth("$ret[0] == $ret[1]",
              R"([{"a":1,"b":[{"c":2,"d":3}]}, {"b":[{"d":3.0,"c":2}],"\u0061":1}])"));
  CHECK(truth("$ret[0] != $ret[1]", R"([{"a":1}, {"a":2}])"));
  CHECK(truth("$ret[0] != $ret[1]", R"([{"a":1}, {"a":1,"b":1}])"));
  CHECK(truth("$ret[0] == $ret[1]", R"([{"a":1,"a":2}, {"a":2}])"));
  CHECK(truth("$ret != [] and $ret != null", "{}"));
  CHECK(truth("$ret == [1, 'a', [null]]", R"([1.0, "\u0061", [null]])"));
}

TEST_CASE("a condition is a boolean or a number, anything else an error") {
  CHECK(truth("1"));
  CHECK(truth("-0.5"));
  CHECK_FALSE(truth("0"));
  CHECK_FALSE(truth("0.0"));
  CHECK(truth("$0"));
  CHECK(truth("not $2"));
  CHECK(truth("$ret", "true"));
  for (const std::string_view text :
       {"null", "''", "[]", "'a'", "[1]", "not null", "true and ''", "[] or 1"}) {
    INFO(text);
    CHECK(error_of(text).find("a condition must be a boolean or a number, this is ") == 0);
  }
  CHECK(error_of("$ret", "null") == "a condition must be a boolean or a number, this is null");
  CHECK(error_of("$ret", "{}") == "a condition must be a boolean or a number, this is an object");
}

TEST_CASE("and, or give booleans and stop early") {
  CHECK(truth("(3 and 4) == true"));
  CHECK(truth("(0 or 2) == true"));
  CHECK(truth("$0 == 2 or 1 / 0 == 1"));
  CHECK_FALSE(truth("$0 == 3 and 1 / 0 == 1"));
  CHECK_FALSE(truth("$0 == 3 and $ret.x"));
  CHECK(truth("false or false or true"));
  CHECK_FALSE(truth("true and true and false"));
}

TEST_CASE("case 33: a result is data, whatever text it holds") {
  CHECK(truth("$ret == \"'; import os\"", "\"'; import os\""));
  CHECK(truth("$ret != 'x'", R"("' or True or '")"));
  CHECK(truth(R"($ret == "\"'\\\"")", R"("\"'\\\"")"));
  std::string large(1 << 20, 'x');
  for (std::size_t i = 0; i < large.size(); i += 100) large[i] = '\'';
  CHECK(truth("$ret != 'x' and \"'x\" in $ret", "\"" + large + "\""));
  CHECK_FALSE(truth("$ret != null", "null"));
}

TEST_CASE("a conditional without variables is decided when it is read") {
  const auto constant = [](std::string_view text) {
    return Expression::parse(text, ExpressionUse::conditional, "c").constant();
  };
  CHECK(constant("1 < 2") == true);
  CHECK(constant("'a' in ['b']") == false);
  CHECK(constant("$0 == $0") == std::nullopt);
  CHECK(constant("$size or true") == std::nullopt);
  CHECK(constant("$ret or true") == std::nullopt);
  CHECK_THROWS_AS(Expression::parse("1 / 0 == 1", ExpressionUse::conditional, "c"), Error);
  CHECK_THROWS_AS(Expression::parse("null", ExpressionUse::conditional, "c"), Error);
  CHECK_THROWS_AS(Expression::parse("1 / 2", ExpressionUse::values, "c"), Error);
}

TEST_CASE("what is no expression is refused with the reason") {
  const std::vector<std::pair<std::string_view, std::string_view>> cases = {
      {"", "expected a value"},
      {"   ", "expected a value"},
      {"$0 <", "expected a value"},
      {"$0 < < 1", "expected a value"},
      {"$0 = 1", "'=' does not compare; write '=='"},
      {"$0 == 1 && $1 == 2", "write 'and' for '&&'"},
      {"$0 == 1 || $1 == 2", "write 'or' for '||'"},
      {"!$0", "write 'not' for '!'"},
      {"$0 ** 2 == 4", "there is no operator '**'"},
      {"($0 == 1", "expected ')'"},
      {"$0 == 1)", "expected an operator or the end"},
      {"$0 $1", "expected an operator or the end"},
      {"[1, 2", "expected ',' or ']'"},
      {"[1 2] == 1", "expected ',' or ']'"},
      {"[,] == 1", "expected a value"},
      {"$ret[0 == 1", "expected ']'"},
      {"$ret. == 1",
       "expected a key; write [\"...\"] for one that is not a word, [0] for an element"},
      {"$ret.0 == 1",
       "expected a key; write [\"...\"] for one that is not a word, [0] for an element"},
      {"$0.a == 1", "only $ret, $out and lists have parts"},
      {"'abc'[0] == 'a'", "only $ret, $out and lists have parts"},
      {"'abc", "the string has no end"},
      {"'abc\\", "the string has no end"},
      {"'a\\x' == 'a'", "unknown escape; a backslash is written \\\\"},
      {"'a\\u12' == 'a'", "unknown escape; a backslash is written \\\\"},
      {"os == 1", "unknown word 'os'; text stands in quotes"},
      {"__import__('os')", "unknown word '__import__'; text stands in quotes"},
      {"1 == not true", "'not' cannot stand here"},
      {"1 not 2", "expected 'not in'"},
      {"$0 in", "expected a value"},
      {"and $0", "'and' cannot stand here"},
      {"$0 and", "expected a value"},
      {"+1 == 1", "expected a value"},
      {".5 == 1", "expected a value"},
      {"1. == 1", "expected a digit after '.'"},
      {"1e == 1", "expected a digit in the exponent"},
      {"1.2.3 == 1", "not a number"},
      {"12ab == 1", "not a number"},
      {"007 == 7", "a number cannot begin with 0"},
      {"$0 == 1; $1", "unknown character"},
      {"$ret == {}", "unknown character"},
      {"f(1)", "unknown word 'f'; text stands in quotes"},
      {"1 if $0 else 2", "unknown word 'if'; text stands in quotes"},
      {"$0 is 1", "unknown word 'is'; text stands in quotes"},
  };
  for (const auto& [text, reason] : cases) {
    INFO(text);
    CHECK(error_of(text) == reason);
  }
}

TEST_CASE("a message shows the text with a caret under the place") {
  CHECK(message_of([] {
          Expression::parse("$0 < = 3", ExpressionUse::conditional, "A.json: Next[0]");
        }) == "A.json: Next[0]: '=' does not compare; write '=='\n    $0 < = 3\n         ^");
  CHECK(message_of([] { truth("'\xC3\xA9' == 1\tand $9"); }) == "no error");
  CHECK(message_of([] { truth("'\xC3\xA9' != 1\tand $9"); }) ==
        "c: the instance has no level 9, its frames are 3\n    '\xC3\xA9' != 1 and $9\n            "
        "     ^");
  CHECK(message_of([] { truth("1 +"); }) == "c: expected a value\n    1 +\n       ^");
  std::string wide(500, ' ');
  wide.append("$0 # ").append(500, ' ');
  const std::string message = message_of([&] { truth(wide); });
  CHECK(message.size() < 400);
  CHECK(message.find("# ") - message.rfind('\n', message.find("# ")) ==
        message.rfind('^') - message.rfind('\n'));
}

TEST_CASE("an expression may not be longer or nested deeper than the limits") {
  const auto kind = [](const std::string& text) {
    try {
      truth(text);
    } catch (const Error& error) {
      return error.kind();
    }
    return ErrorKind::bug;
  };
  const auto repeated = [](std::size_t count, std::string_view what) {
    std::string out;
    for (std::size_t i = 0; i < count; ++i) out += what;
    return out;
  };
  CHECK(truth(repeated(150, "(") + "true" + repeated(150, ")")));
  CHECK(kind(repeated(5000, "(") + "true" + repeated(5000, ")")) == ErrorKind::exhausted);
  CHECK(kind(repeated(5000, "[")) == ErrorKind::exhausted);
  CHECK(kind(repeated(4000, "not ") + "true") == ErrorKind::exhausted);
  CHECK(kind(repeated(5000, "-") + "$0") == ErrorKind::exhausted);
  CHECK(kind(repeated(2000, "$ret[")) == ErrorKind::exhausted);
  CHECK(truth("1" + repeated(7000, "+1") + " == 7001"));
  CHECK(truth("false" + repeated(3000, " or 1")));
  CHECK(kind(std::string(unum::kExpressionBytesMax + 1, ' ')) == ErrorKind::exhausted);
}

TEST_CASE("an integer expression must give an integer, and sees no result") {
  CHECK(integer("$0 + 1") == 3);
  CHECK(integer("$size * $1 - 3") == 32);
  CHECK(message_of([] { integer("$0 / 2"); }) ==
        "v: the value must be an integer, this is a float; '//' divides to integers\n    $0 / 2\n  "
        "  ^");
  CHECK(message_of([] { integer("$0 == 1"); }) ==
        "v: a condition stands where an integer must\n    $0 == 1\n    ^");
  CHECK(message_of([] {
          integer("true");
        }).find("the value must be an integer, this is a boolean") != std::string::npos);
  for (const ExpressionUse use : {ExpressionUse::values, ExpressionUse::modifier}) {
    CHECK(message_of([&] { Expression::parse("$ret + 1", use, "v"); }) ==
          "v: the result of the function is known in conditionals only\n    $ret + 1\n    ^");
  }
}

TEST_CASE("an expression tells which variables it uses") {
  const Expression all = Expression::parse("$0 + $3 < $size1 and [$size][$5] or $out.a[$7]",
                                           ExpressionUse::conditional, "c");
  CHECK(all.index_levels() == ((1u << 0) | (1u << 3) | (1u << 5) | (1u << 7)));
  CHECK(all.size_levels() == 3u);
  CHECK(all.uses_result());
  const auto bare = [](std::string_view text) {
    return Expression::parse(text, ExpressionUse::values, "v").bare_index();
  };
  CHECK(bare("$3") == 3u);
  CHECK(bare(" ($0) ") == 0u);
  CHECK(bare("$0 + 0") == std::nullopt);
  CHECK(bare("$size") == std::nullopt);
}

TEST_CASE("case 34: modifiers are parsed, and each sees the effect of those before it") {
  const auto modified = [](std::initializer_list<std::string_view> modifiers, Frames frames) {
    for (const std::string_view text : modifiers) Modifier::parse(text, "m").apply(frames);
    return frames;
  };
  const Frames two = {{FrameType::map, 2, 5}, {FrameType::map, 7, 9}};
  CHECK(modified({"Pop"}, two) == Frames{{FrameType::map, 7, 9}});
  CHECK(modified({" Pop "}, two) == Frames{{FrameType::map, 7, 9}});
  CHECK(modified({"Push"}, two) == Frames{{FrameType::loop, 0, 1}, two[0], two[1]});
  CHECK(modified({"Push"}, {}) == Frames{{FrameType::loop, 0, 1}});
  CHECK(modified({"$0 = $0 + 1"}, two)[0].index == 3);
  CHECK(modified({"$0=$1"}, two)[0].index == 7);
  CHECK(modified({"$size = $size - 1"}, two)[0].size == 4);
  CHECK(modified({"$size1=3"}, two)[1].size == 3);
  CHECK(modified({"$0 = $0 + 1", "$1 = $0", "Pop"}, two) == Frames{{FrameType::map, 3, 9}});
  CHECK(modified({"Pop", "Pop", "Push", "$0 = 4"}, two) == Frames{{FrameType::loop, 4, 1}});
}

TEST_CASE("without any frame Pop and assignments do nothing") {
  Frames none;
  for (const std::string_view text : {"Pop", "$0 = 3", "$5 = $9 + 1", "$size = 2"}) {
    Modifier::parse(text, "m").apply(none);
  }
  CHECK(none.empty());
}

TEST_CASE("a level that is missing while others exist, and a negative value, are errors") {
  const auto error_code = [](std::string_view text, Frames frames) -> std::string {
    const Frames before = frames;
    try {
      Modifier::parse(text, "m").apply(frames);
    } catch (const Error& error) {
      CHECK(frames == before);
      CHECK(error.message().find(text) != std::string::npos);
      return error.code();
    }
    return "none";
  };
  const Frames one = {{FrameType::map, 2, 5}};
  CHECK(error_code("$1 = 0", one) == "Unum.Modifier");
  CHECK(error_code("$size1 = 0", one) == "Unum.Modifier");
  CHECK(error_code("$0 = $1", one) == "Unum.Modifier");
  CHECK(error_code("$0 = $0 - 3", one) == "Unum.Modifier");
  CHECK(error_code("$size = -$size", one) == "Unum.Modifier");
  CHECK(error_code("$0 = $0 // ($0 - 2)", one) == "Unum.Modifier");
  CHECK(error_code("$0 = $0 / 1", one) == "Unum.Modifier");
  CHECK(error_code("Push", Frames(unum::kFramesMax, Frame{})) == "Unum.Modifier");
}

TEST_CASE("what is no modifier is refused at load") {
  for (const std::string_view text :
       {"",         "pop",      "Pop()",      "Push 1",   "$0",      "$0 + 1",    "= 3",
        "$0 =",     "$0 == 3",  "$0 += 1",    "$ret = 1", "x = 1",   "$0 = $ret", "$0 = -1",
        "$0 = 1.5", "$0 = 'a'", "$0 = 1 = 2", "1 = 1",    "$64 = 1", "$0 = True", "$0 = $0 == 1"}) {
    INFO(text);
    CHECK_THROWS_AS(Modifier::parse(text, "m"), Error);
  }
  CHECK(Modifier::parse("$3 = 1", "m").level() == 3);
  CHECK(Modifier::parse("$3 = 1", "m").kind() == Modifier::Kind::set_index);
  CHECK(Modifier::parse("$size3 = 1", "m").kind() == Modifier::Kind::set_size);
  CHECK(Modifier::parse("$3 = $1", "m").value()->index_levels() == 2u);
}
