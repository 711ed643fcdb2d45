// The parsed tree of an expression, shared by the parser, the evaluator and the solver. Private to
// them.
//
// Chains of one precedence (`a + b - c`, `a < b < c`, `a and b and c`, `$ret.a.b`) are one node
// with many children, so that the tree is only as deep as the text is nested (kExpressionDepthMax).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "workflow/expression.hpp"
#include "workflow/value.hpp"

namespace unum {

struct Expression::Node {
  enum class Kind : std::uint8_t {
    null,
    boolean,  ///< integer is 0 or 1
    integer,
    real,
    string,       ///< text
    list,         ///< children
    index,        ///< `$k`, k = level
    size,         ///< `$sizeK`, K = level
    result,       ///< `$ret`, `$out`
    path,         ///< children[0], then a key or place a step
    negate,       ///< children[0]
    logical_not,  ///< children[0]
    all,          ///< children, `and`
    any,          ///< children, `or`
    arithmetic,   ///< children[0] operators[0] children[1] ..., from the left
    comparison,   ///< children[0] operators[0] children[1] and children[1] operators[1] ...
  };
  enum class Operator : std::uint8_t {
    add,
    subtract,
    multiply,
    divide,
    floor_divide,
    modulo,
    equal,
    not_equal,
    less,
    less_equal,
    greater,
    greater_equal,
    in,
    not_in,
  };
  struct OperatorAt {
    Operator kind;
    std::size_t position;  ///< Where it stands in the text.
  };

  Kind kind = Kind::null;
  unsigned level = 0;
  std::size_t position = 0;  ///< Where it begins in the text.
  std::int64_t integer = 0;
  double real = 0;
  std::string text;
  std::vector<Node> children;
  std::vector<OperatorAt> operators;

  // Of the whole subtree.
  bool uses_result = false;
  std::uint64_t index_levels = 0;
  std::uint64_t size_levels = 0;

  bool has_variables() const noexcept {
    return uses_result || index_levels != 0 || size_levels != 0;
  }
};

/// Where an expression's text stands, for messages.
struct ExpressionText {
  std::string_view text;
  std::string_view where;
  std::string_view whole{};  ///< What messages show instead, unless empty,
  std::size_t offset = 0;    ///< and where `text` begins in it.

  /// Throws `invalid`, code "Unum.Expression": where, the reason, the text, a caret under
  /// `position`.
  [[noreturn]] void fail(std::size_t position, std::string_view reason) const;
};

/// The text on one line and a caret under the byte at `position` below it, each after a newline.
std::string with_caret(std::string_view text, std::size_t position);

/// Parses the whole text. Throws as ExpressionText::fail, `exhausted` beyond a limit.
Expression::Node parse_expression(ExpressionText text, ExpressionUse use);

/// The value of a tree. Throws as ExpressionText::fail.
Value evaluate(const Expression::Node& node, const Scope& scope, ExpressionText text);

/// The truth of a tree, which must be a condition. Throws as ExpressionText::fail.
bool evaluate_condition(const Expression::Node& node, const Scope& scope, ExpressionText text);

}  // namespace unum
