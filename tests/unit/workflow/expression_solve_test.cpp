// The indexes for which a conditional is true, against evaluation index by index.
#include <random>

#include "catch.hpp"
#include "unum/error.hpp"
#include "workflow/expression.hpp"

using unum::Expression;
using unum::ExpressionUse;
using unum::Frames;
using unum::FrameType;
using unum::IndexRange;
using unum::Scope;

namespace {

using Ranges = std::vector<IndexRange>;

std::optional<Ranges> solved(std::string_view text, const Frames& frames,
                             std::optional<std::string_view> json = std::nullopt) {
  std::optional<unum::json::View> result;
  if (json) result = unum::json::validate(*json, "the result");
  const Expression expression = Expression::parse(text, ExpressionUse::conditional, "c");
  return expression.true_indexes(Scope{frames, result});
}

/// Evaluates for each index; nothing if one of them is an error.
std::optional<Ranges> tried(const Expression& expression, Frames frames) {
  Ranges out;
  const std::int64_t limit = unum::sibling_limit(frames);
  for (std::int64_t index = 0; index < limit; ++index) {
    frames[0].index = index;
    try {
      if (!expression.is_true(Scope{frames, std::nullopt})) continue;
    } catch (const unum::Error&) {
      return std::nullopt;
    }
    if (!out.empty() && out.back().end == index) {
      ++out.back().end;
    } else {
      out.push_back({index, index + 1});
    }
  }
  return out;
}

/// Random expressions over two levels; often of the form that can be solved.
class Generator {
 public:
  explicit Generator(unsigned seed) : random_(seed) {}

  std::string condition(int depth) {
    switch (below(depth > 0 ? 7 : 3)) {
      case 0:
      case 1: return comparison();
      case 2: return below(4) == 0 ? number(1) : comparison();
      case 3: return "(" + condition(depth - 1) + " and " + condition(depth - 1) + ")";
      case 4: return "(" + condition(depth - 1) + " or " + condition(depth - 1) + ")";
      case 5: return "not " + condition(depth - 1);
      default: return "(" + condition(depth - 1) + ")";
    }
  }

  std::string number(int depth) {
    switch (below(depth > 0 ? 12 : 6)) {
      case 0:
      case 1:
      case 2: return "$0";
      case 3: return pick({"$size", "$1", "$size1"});
      case 4: return std::to_string(below(12));
      case 5: return pick({"-3", "2.5", "-0.5", "4.0", "9223372036854775807", "1e30"});
      case 6:
      case 7: return "(" + number(depth - 1) + " + " + number(depth - 1) + ")";
      case 8: return "(" + number(depth - 1) + " - " + number(depth - 1) + ")";
      case 9: return std::to_string(below(5)) + " * " + number(depth - 1);
      case 10: return "-" + number(depth - 1);
      default:
        return "(" + number(depth - 1) + pick({" // ", " % ", " / "}) +
               pick({"2", "-2", "0", "$1"}) + ")";
    }
  }

  unsigned below(unsigned bound) { return static_cast<unsigned>(random_() % bound); }

 private:
  std::string pick(std::vector<std::string> choices) {
    return choices[below(static_cast<unsigned>(choices.size()))];
  }
  std::string comparison() {
    if (below(8) == 0) return "$0 " + pick({"in", "not in"}) + " [1, " + number(1) + ", 'a', 3]";
    std::string out = number(2) + comparator() + number(2);
    if (below(5) == 0) out += comparator() + number(1);
    if (below(12) == 0) out += pick({" == 'a'", " != null", " < 'a'", " == true"});
    return out;
  }
  std::string comparator() { return pick({" == ", " != ", " < ", " <= ", " > ", " >= "}); }

  std::mt19937 random_;
};

}  // namespace

TEST_CASE("comparisons of the index with constants and sizes are solved to ranges") {
  const Frames frames = {{FrameType::map, 4, 1000}, {FrameType::map, 3, 7}};
  CHECK(solved("$0 == $size - 1", frames) == Ranges{{999, 1000}});
  CHECK(solved("$0 < 3", frames) == Ranges{{0, 3}});
  CHECK(solved("$0 != 5", frames) == Ranges{{0, 5}, {6, 1000}});
  CHECK(solved("10 <= $0 < 20", frames) == Ranges{{10, 20}});
  CHECK(solved("$0 < 2.5", frames) == Ranges{{0, 3}});
  CHECK(solved("$0 == 2.5", frames) == Ranges{});
  CHECK(solved("$0 == 2.0", frames) == Ranges{{2, 3}});
  CHECK(solved("2 * $0 + 1 == $1 * 3", frames) == Ranges{{4, 5}});
  CHECK(solved("2 * $0 == $1", frames) == Ranges{});
  CHECK(solved("$0 < 3 or $0 >= 998", frames) == Ranges{{0, 3}, {998, 1000}});
  CHECK(solved("not ($0 < 3 or $0 >= 998)", frames) == Ranges{{3, 998}});
  CHECK(solved("$0", frames) == Ranges{{1, 1000}});
  CHECK(solved("$0 in [1, 2, 7, $size, 'x']", frames) == Ranges{{1, 3}, {7, 8}});
  CHECK(solved("$1 == 3", frames) == Ranges{{0, 1000}});
  CHECK(solved("$1 == 4", frames) == Ranges{});
  CHECK(solved("true", frames) == Ranges{{0, 1000}});
  CHECK(solved("$0 == '3'", frames) == Ranges{});
  CHECK(solved("$0 - $0 == 0", frames) == Ranges{{0, 1000}});
}

TEST_CASE("what cannot be solved, or could be an error, has no answer") {
  const Frames frames = {{FrameType::map, 4, 1000}, {FrameType::map, 3, 7}};
  for (const std::string_view text :
       {"$0 % 2 == 0", "$0 * $0 == 4", "$0 / 2 == 1", "[$0] == [1]", "$0 < 'a'",
        "$0 < 3 and $5 == 1", "$0 // $2 == 1", "$ret == 1", "$0 < 3 or $ret",
        "$0 + 9223372036854775807 > 0"}) {
    INFO(text);
    CHECK(solved(text, frames, "1") == std::nullopt);
  }
}

TEST_CASE("a huge width costs no more than a small one") {
  const Frames frames = {{FrameType::map, 0, INT64_MAX}};
  CHECK(solved("$0 == $size - 1 or $0 < 2", frames) == Ranges{{0, 2}, {INT64_MAX - 1, INT64_MAX}});
}

TEST_CASE("the rounds of a loop so far are its indexes") {
  CHECK(solved("$0 >= 2", {{FrameType::loop, 5, 1}}) == Ranges{{2, 6}});
  CHECK(solved("$0 >= 0", {{FrameType::map, 5, 1}}) == Ranges{{0, 1}});
  CHECK(solved("$0 >= 0", {{FrameType::map, 0, 0}}) == Ranges{});
}

TEST_CASE("solving gives what evaluation gives for each index, on random expressions") {
  Generator generator(20240607);
  int answered = 0;
  for (int round = 0; round < 20000; ++round) {
    const Frames frames = {{FrameType::map, 1, static_cast<std::int64_t>(generator.below(14))},
                           {FrameType::map, static_cast<std::int64_t>(generator.below(5)), 5}};
    const std::string text = generator.condition(3);
    std::optional<Expression> expression;
    try {
      expression = Expression::parse(text, ExpressionUse::conditional, "c");
    } catch (const unum::Error&) {
      continue;  // a constant error
    }
    const std::optional<Ranges> answer = expression->true_indexes(Scope{frames, std::nullopt});
    if (!answer) continue;
    ++answered;
    if (answer != tried(*expression, frames)) {
      FAIL(text << " with size " << frames[0].size << " and $1 = " << frames[1].index);
    }
  }
  CHECK(answered > 5000);
}

TEST_CASE("an affine form gives what evaluation gives, on random expressions") {
  Generator generator(7);
  int answered = 0;
  for (int round = 0; round < 5000; ++round) {
    Frames frames = {{FrameType::map, 1, 9}, {FrameType::map, 3, 5}};
    const std::string text = generator.number(3);
    std::optional<Expression> expression;
    try {
      expression = Expression::parse(text, ExpressionUse::values, "c");
    } catch (const unum::Error&) {
      continue;
    }
    const auto form = expression->affine_in_level0(Scope{frames, std::nullopt});
    if (!form) continue;
    ++answered;
    for (frames[0].index = 0; frames[0].index < 9; ++frames[0].index) {
      INFO(text << " at " << frames[0].index);
      REQUIRE(expression->integer(Scope{frames, std::nullopt}) ==
              form->factor * frames[0].index + form->offset);
    }
  }
  CHECK(answered > 1000);
}
