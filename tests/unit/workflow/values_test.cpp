// Patterns of `Values`: canonical order, bounds, and whose expansion has a name.
#include "workflow/values.hpp"

#include <random>

#include "base/limits.hpp"
#include "catch.hpp"
#include "unum/error.hpp"

using unum::Frames;
using unum::FrameType;
using unum::IndexOrder;
using unum::IndexRange;
using unum::NameList;
using unum::ValuesPattern;

namespace {

using Names = std::vector<std::string>;

ValuesPattern pattern(std::string_view text, IndexOrder order = IndexOrder::innermost_first) {
  return ValuesPattern::parse(text, order, "v");
}

Names expanded(std::string_view text, const Frames& frames,
               IndexOrder order = IndexOrder::innermost_first) {
  NameList out;
  pattern(text, order).expand(frames, out);
  return out.names();
}

/// The first line of the message, after its code; or "no error".
std::string error_of(std::string_view text, const Frames& frames) {
  try {
    expanded(text, frames);
  } catch (const unum::Error& error) {
    CHECK(error.origin() == "ir");
    return error.code() + " " + error.message().substr(0, error.message().find('\n'));
  }
  return "no error";
}

const Frames kOne = {{FrameType::map, 2, 4}};
const Frames kTwo = {{FrameType::map, 1, 3}, {FrameType::map, 5, 9}};
const Frames kThree = {{FrameType::map, 1, 2}, {FrameType::map, 7, 9}, {FrameType::map, 0, 4}};

}  // namespace

TEST_CASE("a plain name stands for itself at every depth") {
  for (const Frames& frames : {Frames{}, kOne, kThree}) CHECK(expanded("G", frames) == Names{"G"});
  CHECK(pattern("G").parts() == 0);
  CHECK(pattern("G").may_name("G", 0));
  CHECK_FALSE(pattern("G").may_name("G", 1));
}

TEST_CASE("parts stand for indexes, in both spellings of the marker") {
  CHECK(expanded("G-unumIndex-$0", kOne) == Names{"G-unumIndex-2"});
  CHECK(expanded("G-UnumIndex-$0", kOne) == Names{"G-unumIndex-2"});
  CHECK(expanded("G-unumIndex-*", kOne) ==
        Names{"G-unumIndex-0", "G-unumIndex-1", "G-unumIndex-2", "G-unumIndex-3"});
  CHECK(expanded("G-unumIndex-7", kOne) == Names{"G-unumIndex-7"});
  CHECK(expanded("G-unumIndex-($0+1)", kOne) == Names{"G-unumIndex-3"});
  CHECK(expanded("G-unumIndex-$0+1", kOne) == Names{"G-unumIndex-3"});
  CHECK(expanded("G-unumIndex- $0 - 1 ", kOne) == Names{"G-unumIndex-1"});
  CHECK(expanded("G-unumIndex-($size - 1)", kOne) == Names{"G-unumIndex-3"});
  CHECK(expanded("G-unumIndex-(($0 + 1) * ($size - 3))", kOne) == Names{"G-unumIndex-3"});
}

TEST_CASE("case 15: a star stands for all of level 0, wherever it stands") {
  CHECK(expanded("G-unumIndex-*.$1", kTwo) ==
        Names{"G-unumIndex-0.5", "G-unumIndex-1.5", "G-unumIndex-2.5"});
  CHECK(expanded("G-unumIndex-*.4", kTwo) ==
        Names{"G-unumIndex-0.4", "G-unumIndex-1.4", "G-unumIndex-2.4"});
  CHECK(expanded("G-unumIndex-4.*", kTwo) == expanded("G-unumIndex-*.4", kTwo));
  CHECK(expanded("G-unumIndex-$2.*.$1", kThree) == Names{"G-unumIndex-0.7.0", "G-unumIndex-1.7.0"});
}

TEST_CASE("case 16: an outer index before a star names the own branch's instances") {
  CHECK(expanded("G-unumIndex-$1.*", kTwo) == expanded("G-unumIndex-*.$1", kTwo));
  CHECK(expanded("G-unumIndex-$1.*", kTwo) ==
        Names{"G-unumIndex-0.5", "G-unumIndex-1.5", "G-unumIndex-2.5"});
  const Frames wider = {{FrameType::map, 0, 2}, {FrameType::map, 6, 9}};
  CHECK(expanded("G-unumIndex-$1.*", wider) == Names{"G-unumIndex-0.6", "G-unumIndex-1.6"});
}

TEST_CASE("bound parts take their levels, the others those that are left, in the author's order") {
  CHECK(expanded("G-unumIndex-$1.$0", kTwo) == Names{"G-unumIndex-1.5"});
  CHECK(expanded("G-unumIndex-$2.$1.$0", kThree) == Names{"G-unumIndex-1.7.0"});
  CHECK(expanded("G-unumIndex-($1+1).$0", kTwo) == Names{"G-unumIndex-1.6"});
  CHECK(expanded("G-unumIndex-($1 - $0).$0", kTwo) == Names{"G-unumIndex-1.4"});
  CHECK(expanded("G-unumIndex-8.3.$1", kThree) == Names{"G-unumIndex-8.7.3"});
  CHECK(expanded("G-unumIndex-$2.8.3", kThree) == Names{"G-unumIndex-8.3.0"});
  CHECK(expanded("G-unumIndex-($size-1).6.$2", kThree) == Names{"G-unumIndex-1.6.0"});
  CHECK(expanded("G-unumIndex-($size - $0).$1", kTwo, IndexOrder::outermost_first) ==
        expanded("G-unumIndex-($size - $0).$1", kTwo));
}

TEST_CASE("only literals follow the application's order of indexes") {
  CHECK(expanded("G-unumIndex-1.2.3", kThree) == Names{"G-unumIndex-1.2.3"});
  CHECK(expanded("G-unumIndex-1.2.3", kThree, IndexOrder::outermost_first) ==
        Names{"G-unumIndex-3.2.1"});
  CHECK(expanded("G-unumIndex-1.2", {}, IndexOrder::outermost_first) == Names{"G-unumIndex-2.1"});
  CHECK(expanded("G-unumIndex-5.$1", kTwo, IndexOrder::outermost_first) ==
        Names{"G-unumIndex-5.5"});
  CHECK(expanded("G-unumIndex-*.4", kTwo, IndexOrder::outermost_first) ==
        expanded("G-unumIndex-*.4", kTwo));
}

TEST_CASE("a pattern of another depth stands as written, innermost first") {
  CHECK(expanded("G-unumIndex-$1", kTwo) == Names{"G-unumIndex-5"});
  CHECK(expanded("G-unumIndex-$1.$0", kThree) == Names{"G-unumIndex-7.1"});
  CHECK(expanded("G-unumIndex-$1.*", kThree) == Names{"G-unumIndex-7.0", "G-unumIndex-7.1"});
  CHECK(expanded("G-unumIndex-0.$0", kOne) == Names{"G-unumIndex-0.2"});
  CHECK(expanded("G-unumIndex-*", kTwo) ==
        Names{"G-unumIndex-0", "G-unumIndex-1", "G-unumIndex-2"});
  CHECK(expanded("G-unumIndex-3.4", kOne) == Names{"G-unumIndex-3.4"});
}

TEST_CASE("two parts bound to one level are refused") {
  for (const std::string_view text : {"G-unumIndex-$0.*", "G-unumIndex-*.$0", "G-unumIndex-*.*",
                                      "G-unumIndex-$1.($1+1)", "G-unumIndex-*.7.($0 - 1)"}) {
    INFO(text);
    CHECK_THROWS_AS(pattern(text), unum::Error);
  }
  CHECK_NOTHROW(pattern("G-unumIndex-($0+$1).$1"));
}

TEST_CASE("a computed part outside its level is no instance, a bare index always stands") {
  CHECK(error_of("G-unumIndex-($0+2)", kOne) ==
        "Unum.NoSuchInstance v: 'G-unumIndex-($0+2)': there is no instance with the index 4, given "
        "by '($0+2)'");
  CHECK(error_of("G-unumIndex-$0-3", kOne) ==
        "Unum.NoSuchInstance v: 'G-unumIndex-$0-3': there is no instance with the index -1, given "
        "by '$0-3'");
  CHECK(error_of("G-unumIndex-($0+1)", kOne) == "no error");
  const Frames beyond = {{FrameType::map, 9, 4}};
  CHECK(expanded("G-unumIndex-$0", beyond) == Names{"G-unumIndex-9"});
  CHECK(expanded("G-unumIndex-($0)", beyond) == Names{"G-unumIndex-9"});
  CHECK(expanded("G-unumIndex-9", kOne) == Names{"G-unumIndex-9"});
  // The bound is that of the level which the part takes.
  CHECK(expanded("G-unumIndex-$0.($1+3)", kTwo) == Names{"G-unumIndex-1.8"});
  CHECK(error_of("G-unumIndex-$0.($1+4)", kTwo).find("Unum.NoSuchInstance") == 0);
  CHECK(error_of("G-unumIndex-($size1 - 6).$1", kTwo).find("Unum.NoSuchInstance") == 0);
  CHECK(expanded("G-unumIndex-($size1 - 7).$1", kTwo) == Names{"G-unumIndex-2.5"});
}

TEST_CASE("a loop has no upper bound, only the lower one") {
  const Frames loop = {{FrameType::loop, 6, 1}, {FrameType::map, 1, 2}};
  CHECK(expanded("G-unumIndex-($0-1).$1", loop) == Names{"G-unumIndex-5.1"});
  CHECK(expanded("G-unumIndex-($0+9).$1", loop) == Names{"G-unumIndex-15.1"});
  CHECK(error_of("G-unumIndex-($0-7).$1", loop).find("Unum.NoSuchInstance") == 0);
}

TEST_CASE("in a pattern of another depth a part over one index is bounded by that index's level") {
  CHECK(expanded("G-unumIndex-($1+3)", kTwo) == Names{"G-unumIndex-8"});
  CHECK(error_of("G-unumIndex-($1+4)", kTwo).find("Unum.NoSuchInstance") == 0);
  CHECK(expanded("G-unumIndex-($size1+4)", kTwo) == Names{"G-unumIndex-13"});
  CHECK(expanded("G-unumIndex-($0+$1+90)", kTwo) == Names{"G-unumIndex-96"});
  CHECK(error_of("G-unumIndex-($0-$1)", kTwo).find("Unum.NoSuchInstance") == 0);
}

TEST_CASE("a level that the instance does not have is an error") {
  CHECK(error_of("G-unumIndex-$1", kOne) ==
        "Unum.NoSuchInstance v: 'G-unumIndex-$1': the instance has no level 1, its frames are 1");
  CHECK(error_of("G-unumIndex-$0", {}) ==
        "Unum.Expression v: the instance has no level 0, its frames are 0");
  CHECK(
      error_of("G-unumIndex-*", {}) ==
      "Unum.NoSuchInstance v: 'G-unumIndex-*': '*' stands for level 0, the instance has no frame");
  CHECK(error_of("G-unumIndex-($size1)", kOne) ==
        "Unum.Expression v: the instance has no level 1, its frames are 1");
}

TEST_CASE("a star over nothing names nothing") {
  CHECK(expanded("G-unumIndex-*", {{FrameType::map, 0, 0}}).empty());
}

TEST_CASE("a fan-in beyond the limit is refused") {
  NameList out;
  const Frames wide = {{FrameType::map, 0, unum::kFanOutMax}};
  pattern("G-unumIndex-*").expand(wide, out);
  CHECK(out.size() == static_cast<std::size_t>(unum::kFanOutMax));
  try {
    pattern("H").expand(wide, out);
    FAIL("taken");
  } catch (const unum::Error& error) {
    CHECK(error.kind() == unum::ErrorKind::exhausted);
    CHECK(error.code() == "Unum.FanInTooWide");
  }
}

TEST_CASE("what is no pattern is refused, with a caret under the place") {
  const auto message = [](std::string_view text) -> std::string {
    try {
      pattern(text);
    } catch (const unum::Error& error) {
      return error.message();
    }
    return "no error";
  };
  CHECK(
      message("G-unumIndex-1.x") ==
      "v: an index part is a number, '*', $k or an expression in parentheses\n    G-unumIndex-1.x\n"
      "                  ^");
  CHECK(message("G-unumIndex-($0 +)") ==
        "v: expected a value\n    G-unumIndex-($0 +)\n                     ^");
  CHECK(message("G-unumIndex-$0.$x").find("v: unknown variable") == 0);
  for (const std::string_view text : {"",
                                      "-unumIndex-1",
                                      "G-unumIndex-",
                                      "G-unumIndex-1.",
                                      "G-unumIndex-.1",
                                      "G-unumIndex-1..2",
                                      "G-unumIndex-01",
                                      "G-unumIndex--1",
                                      "G-unumIndex-1.5x",
                                      "G-unumIndex-9223372036854775808",
                                      "G $0",
                                      "G*",
                                      "G-$0",
                                      "G-unumIndex-($0",
                                      "G-unumIndex-$0)",
                                      "G-unumIndex-($0/2",
                                      "G-unumIndex-**",
                                      "G-unumIndex-$ret",
                                      "G-unumIndex-(0-1.5)",
                                      "G-unumIndex-$0 == 1",
                                      "G-unumIndex-1-unumIndex-2",
                                      "G-output",
                                      "G-unumIndex-$64",
                                      "G-unumIndex-('a')"}) {
    INFO(text);
    CHECK(message(text) != "no error");
  }
}

TEST_CASE("a pattern tells what it depends on") {
  CHECK(pattern("G-unumIndex-*").has_star());
  CHECK_FALSE(pattern("G-unumIndex-$0").has_star());
  CHECK(pattern("G-unumIndex-$1.($0+1)").uses_level0_index());
  CHECK_FALSE(pattern("G-unumIndex-*.$1").uses_level0_index());
  CHECK(pattern("G-unumIndex-*.$1").may_name("G", 2));
  CHECK_FALSE(pattern("G-unumIndex-*.$1").may_name("H", 2));
  CHECK(pattern("G-unumIndex-*.$1").parts() == 2);
  CHECK(pattern("G-unumIndex-*.$1").function() == "G");
}

TEST_CASE("the siblings whose list has a name are found without trying each") {
  const Frames frames = {{FrameType::map, 4, 1000}, {FrameType::map, 3, 7}};
  const auto naming = [&](std::string_view text, const std::vector<std::int64_t>& indexes) {
    return pattern(text).siblings_naming({"G", indexes}, frames);
  };
  using Ranges = std::vector<IndexRange>;
  CHECK(naming("G-unumIndex-$0.$1", {7, 3}) == Ranges{{7, 8}});
  CHECK(naming("G-unumIndex-$0.$1", {7, 4}) == Ranges{});
  CHECK(naming("G-unumIndex-($0+1).$1", {7, 3}) == Ranges{{6, 7}});
  CHECK(naming("G-unumIndex-($0+1).$1", {0, 3}) == Ranges{});
  CHECK(naming("G-unumIndex-($size-1-$0).$1", {7, 3}) == Ranges{{992, 993}});
  CHECK(naming("G-unumIndex-(2*$0).$1", {7, 3}) == Ranges{});
  CHECK(naming("G-unumIndex-*.$1", {7, 3}) == Ranges{{0, 1000}});
  CHECK(naming("G-unumIndex-*.$1", {1000, 3}) == Ranges{});
  CHECK(naming("G-unumIndex-5.$1", {5, 3}) == Ranges{{0, 1000}});
  CHECK(naming("G-unumIndex-($0 % 10).$1", {5, 3}) == std::nullopt);
  CHECK(naming("G-unumIndex-($0 % 10).$1", {5, 4}) == Ranges{});
  CHECK(naming("G-unumIndex-$0", {5, 3}) == Ranges{});
  CHECK(pattern("H").siblings_naming({"G", {}}, frames) == Ranges{});
  CHECK(pattern("G").siblings_naming({"G", {}}, frames) == Ranges{{0, 1000}});
}

TEST_CASE("the siblings found are those whose expansion has the name, on random patterns") {
  std::mt19937 random(99);
  const auto below = [&](std::size_t bound) { return static_cast<std::size_t>(random() % bound); };
  const Names parts = {
      "$0",           "$1",          "*",       "0",       "1",        "2",
      "($0+1)",       "($0-1)",      "($1+1)",  "($0+$1)", "(2*$0)",   "($size-1)",
      "($size-1-$0)", "($size1-$1)", "($0//2)", "($0%2)",  "(3-$0*2)", "(1//($0-1))",
      "$2",           "($size2)",    "($0-$0)"};
  int answered = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string text = "G-unumIndex-" + parts[below(parts.size())];
    for (std::size_t more = below(3); more > 0; --more) text += "." + parts[below(parts.size())];
    std::optional<ValuesPattern> values;
    try {
      values = pattern(text, below(2) ? IndexOrder::innermost_first : IndexOrder::outermost_first);
    } catch (const unum::Error&) {
      continue;
    }
    Frames frames;
    const std::size_t depth = 1 + below(3);
    for (std::size_t level = 0; level < depth; ++level) {
      frames.push_back({below(5) == 0 ? FrameType::loop : FrameType::map,
                        static_cast<std::int64_t>(below(4)),
                        static_cast<std::int64_t>(1 + below(5))});
    }
    unum::InstanceName name{"G", {}};
    for (std::size_t i = 0; i < values->parts(); ++i)
      name.indexes.push_back(static_cast<std::int64_t>(below(5)));
    const auto answer = values->siblings_naming(name, frames);
    if (!answer) continue;
    std::vector<std::int64_t> found;
    for (const IndexRange& range : *answer) {
      for (std::int64_t index = range.begin; index < range.end; ++index) found.push_back(index);
    }
    std::vector<std::int64_t> expected;
    Frames sibling = frames;
    const std::int64_t limit = unum::sibling_limit(frames);
    for (std::int64_t index = 0; index < limit; ++index) {
      sibling[0].index = index;
      NameList list;
      try {
        values->expand(sibling, list);
      } catch (const unum::Error&) {
        continue;
      }
      if (list.place_of(name)) expected.push_back(index);
    }
    std::string fan_out;
    unum::append_fan_out(fan_out, frames);
    INFO(text << " for " << fan_out);
    REQUIRE(found == expected);
    answered += expected.empty() ? 0 : 1;
  }
  CHECK(answered > 1000);
}
