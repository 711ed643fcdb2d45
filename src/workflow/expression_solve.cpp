// For which indexes of level 0 a conditional is true, found from its form.
//
// Comparisons of sides of the form a*$0 + b are solved to ranges, which and, or and not combine.
// What is not of that form, or could give an error for some index, has no answer: then the caller
// must evaluate index by index, and meets the error there. So where there is an answer it is the
// same as evaluation's.
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/limits.hpp"
#include "unum/error.hpp"
#include "workflow/expression_node.hpp"

namespace unum {
namespace {

using Node = Expression::Node;
using Kind = Node::Kind;
using Operator = Node::Operator;
using Affine = Expression::Affine;
using Ranges = std::vector<IndexRange>;
__extension__ using Wide = __int128;

constexpr Wide kMin = std::numeric_limits<std::int64_t>::min();
constexpr Wide kMax = std::numeric_limits<std::int64_t>::max();

bool fits(Wide value) { return value >= kMin && value <= kMax; }

Wide floor_quotient(Wide a, Wide b) {
  const Wide quotient = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

/// One side of a comparison: a*$0 + b, or a value that is no integer and the same for all indexes.
struct Side {
  std::optional<Affine> affine;
  Value other;
};

class Solver {
 public:
  Solver(const Scope& scope, ExpressionText text, unsigned level = 0)
      : scope_(scope),
        text_(text),
        level_(level),
        limit_(level == 0 ? sibling_limit(scope.frames) : kFanOutMax) {}

  std::optional<Affine> affine(const Node& node) const {
    if (!uses_level(node)) {
      const std::optional<Side> side = constant_side(node);
      return side ? side->affine : std::nullopt;
    }
    switch (node.kind) {
      case Kind::index: return checked(1, 0);
      case Kind::negate: {
        const std::optional<Affine> operand = affine(node.children[0]);
        return operand ? checked(-Wide{operand->factor}, -Wide{operand->offset}) : std::nullopt;
      }
      case Kind::arithmetic: return affine_chain(node);
      default: return std::nullopt;
    }
  }

  std::optional<Ranges> true_ranges(const Node& node) const {
    if (!uses_level(node)) return constant_ranges(node);
    switch (node.kind) {
      case Kind::logical_not: {
        std::optional<Ranges> inside = true_ranges(node.children[0]);
        if (inside) *inside = complement(*inside);
        return inside;
      }
      case Kind::all:
      case Kind::any: return combined(node);
      case Kind::comparison: return comparison(node);
      default: {  // a number as a condition
        const std::optional<Affine> number = affine(node);
        if (!number) return std::nullopt;
        return complement(solve(Operator::equal, number->factor, number->offset));
      }
    }
  }

 private:
  bool uses_level(const Node& node) const {
    return node.uses_result || (node.index_levels >> level_ & 1u) != 0;
  }

  /// The form, if no index in question leaves 64 bits with it: it grows or falls throughout.
  std::optional<Affine> checked(Wide factor, Wide offset) const {
    if (!fits(factor) || !fits(offset)) return std::nullopt;
    if (limit_ > 0 && !fits(factor * (limit_ - 1) + offset)) return std::nullopt;
    return Affine{static_cast<std::int64_t>(factor), static_cast<std::int64_t>(offset)};
  }

  std::optional<Affine> affine_chain(const Node& node) const {
    std::optional<Affine> left = affine(node.children[0]);
    for (std::size_t i = 0; left && i < node.operators.size(); ++i) {
      const std::optional<Affine> right = affine(node.children[i + 1]);
      if (!right) return std::nullopt;
      left = applied(node.operators[i].kind, *left, *right);
    }
    return left;
  }

  std::optional<Affine> applied(Operator kind, const Affine& left, const Affine& right) const {
    const Wide a = left.factor;
    const Wide b = left.offset;
    const Wide c = right.factor;
    const Wide d = right.offset;
    switch (kind) {
      case Operator::add: return checked(a + c, b + d);
      case Operator::subtract: return checked(a - c, b - d);
      case Operator::multiply:
        if (c == 0) return checked(a * d, b * d);
        if (a == 0) return checked(b * c, b * d);
        return std::nullopt;
      case Operator::floor_divide: return divided(left, right);
      case Operator::modulo: return remainder(left, right);
      default: return std::nullopt;
    }
  }

  /// A quotient stays affine where the divisor divides both parts, for example `(2 * $0 + 4) // 2`.
  std::optional<Affine> divided(const Affine& left, const Affine& right) const {
    const Wide divisor = right.offset;
    if (right.factor != 0 || divisor == 0) return std::nullopt;
    if (left.factor == 0) return checked(0, floor_quotient(left.offset, divisor));
    if (left.factor % divisor != 0) return std::nullopt;
    return checked(left.factor / divisor, floor_quotient(left.offset, divisor));
  }

  std::optional<Affine> remainder(const Affine& left, const Affine& right) const {
    const Wide divisor = right.offset;
    if (right.factor != 0 || divisor == 0 || left.factor % divisor != 0) return std::nullopt;
    return checked(0, left.offset - floor_quotient(left.offset, divisor) * divisor);
  }

  /// A side that is the same for all indexes, nothing if evaluating it is an error.
  std::optional<Side> constant_side(const Node& node) const {
    try {
      Value value = evaluate(node, scope_, text_);
      if (const auto* integer = std::get_if<std::int64_t>(&value.data)) {
        return Side{Affine{0, *integer}, {}};
      }
      return Side{std::nullopt, std::move(value)};
    } catch (const Error&) {
      return std::nullopt;
    }
  }

  std::optional<Side> side(const Node& node) const {
    if (!uses_level(node)) return constant_side(node);
    const std::optional<Affine> form = affine(node);
    return form ? std::optional<Side>(Side{form, {}}) : std::nullopt;
  }

  std::optional<Ranges> constant_ranges(const Node& node) const {
    try {
      return evaluate_condition(node, scope_, text_) ? everything() : Ranges{};
    } catch (const Error&) {
      return std::nullopt;
    }
  }

  std::optional<Ranges> combined(const Node& node) const {
    const bool all = node.kind == Kind::all;
    Ranges out = all ? everything() : Ranges{};
    for (const Node& child : node.children) {
      const std::optional<Ranges> next = true_ranges(child);
      if (!next) return std::nullopt;
      out = all ? intersection(out, *next) : either(out, *next);
    }
    return out;
  }

  std::optional<Ranges> comparison(const Node& node) const {
    Ranges out = everything();
    for (std::size_t i = 0; i < node.operators.size(); ++i) {
      const std::optional<Ranges> next =
          pair(node.operators[i].kind, node.children[i], node.children[i + 1]);
      if (!next) return std::nullopt;
      out = intersection(out, *next);
    }
    return out;
  }

  std::optional<Ranges> pair(Operator kind, const Node& left_node, const Node& right_node) const {
    const std::optional<Side> left = side(left_node);
    if (!left) return std::nullopt;
    if (kind == Operator::in || kind == Operator::not_in) {
      std::optional<Ranges> found = membership(*left, right_node);
      if (found && kind == Operator::not_in) *found = complement(*found);
      return found;
    }
    const std::optional<Side> right = side(right_node);
    return right ? compared(kind, *left, *right) : std::nullopt;
  }

  /// `in` a list that is written in the expression.
  std::optional<Ranges> membership(const Side& left, const Node& list) const {
    if (list.kind != Kind::list) return std::nullopt;
    Ranges out;
    for (const Node& child : list.children) {
      const std::optional<Side> right = side(child);
      if (!right) return std::nullopt;
      const std::optional<Ranges> equal_to = compared(Operator::equal, left, *right);
      if (!equal_to) return std::nullopt;
      out = either(out, *equal_to);
    }
    return out;
  }

  std::optional<Ranges> compared(Operator kind, const Side& left, const Side& right) const {
    if (left.affine && right.affine) {
      return solve(kind, Wide{left.affine->factor} - right.affine->factor,
                   Wide{left.affine->offset} - right.affine->offset);
    }
    if (left.affine) return compared_with(kind, *left.affine, right.other);
    if (right.affine) return compared_with(mirrored(kind), *right.affine, left.other);
    if (kind == Operator::equal || kind == Operator::not_equal) {
      return equal(left.other, right.other) == (kind == Operator::equal) ? everything() : Ranges{};
    }
    return ordered(kind, order(left.other, right.other));
  }

  std::optional<Ranges> ordered(Operator kind,
                                std::optional<std::partial_ordering> ordering) const {
    if (!ordering) return std::nullopt;
    const bool truth = kind == Operator::less         ? *ordering < 0
                       : kind == Operator::less_equal ? *ordering <= 0
                       : kind == Operator::greater    ? *ordering > 0
                                                      : *ordering >= 0;
    return truth ? everything() : Ranges{};
  }

  static Operator mirrored(Operator kind) {
    switch (kind) {
      case Operator::less: return Operator::greater;
      case Operator::less_equal: return Operator::greater_equal;
      case Operator::greater: return Operator::less;
      case Operator::greater_equal: return Operator::less_equal;
      default: return kind;
    }
  }

  /// An integer form beside a value that is none.
  std::optional<Ranges> compared_with(Operator kind, const Affine& form, const Value& other) const {
    const auto* real = std::get_if<double>(&other.data);
    if (!real) {
      if (kind == Operator::equal) return Ranges{};
      if (kind == Operator::not_equal) return everything();
      return std::nullopt;
    }
    // Integers against a float: against the integers beside it. Beyond 64 bits all lie on one side.
    constexpr double kTwoTo64 = 18446744073709551616.0;
    if (std::isnan(*real)) return kind == Operator::not_equal ? everything() : Ranges{};
    const double bounded = std::clamp(*real, -kTwoTo64, kTwoTo64);
    const bool whole = bounded == std::floor(bounded);
    const Wide low = static_cast<Wide>(std::floor(bounded));
    const Wide high = static_cast<Wide>(std::ceil(bounded));
    switch (kind) {
      case Operator::equal: return whole ? solve(kind, form.factor, form.offset - low) : Ranges{};
      case Operator::not_equal:
        return whole ? solve(kind, form.factor, form.offset - low) : everything();
      case Operator::less:
      case Operator::greater_equal: return solve(kind, form.factor, form.offset - high);
      default: return solve(kind, form.factor, form.offset - low);
    }
  }

  /// The indexes for which factor*$0 + offset compares so with 0.
  Ranges solve(Operator kind, Wide factor, Wide offset) const {
    switch (kind) {
      case Operator::equal: return zeros(factor, offset);
      case Operator::not_equal: return complement(zeros(factor, offset));
      case Operator::less: return negatives(factor, offset);
      case Operator::less_equal: return negatives(factor, offset - 1);
      case Operator::greater: return negatives(-factor, -offset);
      default: return negatives(-factor, -offset - 1);
    }
  }

  Ranges zeros(Wide factor, Wide offset) const {
    if (factor == 0) return offset == 0 ? everything() : Ranges{};
    return offset % factor == 0 ? range(-offset / factor, -offset / factor + 1) : Ranges{};
  }

  /// factor*j + offset < 0, over integers.
  Ranges negatives(Wide factor, Wide offset) const {
    if (factor == 0) return offset < 0 ? everything() : Ranges{};
    // j < -offset/factor for a positive factor, j > -offset/factor for a negative one.
    if (factor > 0) return range(0, -floor_quotient(offset, factor));
    return range(floor_quotient(-offset, factor) + 1, limit_);
  }

  Ranges range(Wide begin, Wide end) const {
    begin = std::max<Wide>(begin, 0);
    end = std::min<Wide>(end, limit_);
    if (begin >= end) return {};
    return {{static_cast<std::int64_t>(begin), static_cast<std::int64_t>(end)}};
  }

  Ranges everything() const { return range(0, limit_); }

  Ranges complement(const Ranges& ranges) const {
    Ranges out;
    std::int64_t begin = 0;
    for (const IndexRange& one : ranges) {
      if (begin < one.begin) out.push_back({begin, one.begin});
      begin = one.end;
    }
    if (begin < limit_) out.push_back({begin, limit_});
    return out;
  }

  static Ranges intersection(const Ranges& a, const Ranges& b) {
    Ranges out;
    for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
      const IndexRange both{std::max(a[i].begin, b[j].begin), std::min(a[i].end, b[j].end)};
      if (both.begin < both.end) out.push_back(both);
      a[i].end < b[j].end ? ++i : ++j;
    }
    return out;
  }

  Ranges either(const Ranges& a, const Ranges& b) const {
    return complement(intersection(complement(a), complement(b)));
  }

  const Scope& scope_;
  ExpressionText text_;
  unsigned level_;  ///< Whose index is the unknown.
  std::int64_t limit_;
};

}  // namespace

std::optional<Expression::Affine> Expression::affine_in_level(unsigned level,
                                                              const Scope& scope) const {
  if (level >= 64) return std::nullopt;
  return Solver(scope, place(), level).affine(*root_);
}

std::optional<std::vector<IndexRange>> Expression::true_indexes(const Scope& scope) const {
  return Solver(scope, place()).true_ranges(*root_);
}

}  // namespace unum
