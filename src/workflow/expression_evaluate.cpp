// The value of an expression's tree.
#include <bit>
#include <cmath>
#include <limits>

#include "base/json.hpp"
#include "unum/error.hpp"
#include "workflow/expression_node.hpp"

namespace unum {
namespace {

using Node = Expression::Node;
using Kind = Node::Kind;
using Operator = Node::Operator;

std::int64_t floor_quotient(std::int64_t a, std::int64_t b) {
  const std::int64_t quotient = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

std::int64_t floor_remainder(std::int64_t a, std::int64_t b) {
  const std::int64_t remainder = a % b;
  return remainder != 0 && (remainder < 0) != (b < 0) ? remainder + b : remainder;
}

/// The float nearest to a / b, as Python divides integers: rounded once, not first each operand.
double true_quotient(std::int64_t a, std::int64_t b) {
  __extension__ using Wide = unsigned __int128;
  if (a == 0) return 0.0;
  const auto magnitude = [](std::int64_t n) {
    return n < 0 ? 0 - static_cast<std::uint64_t>(n) : static_cast<std::uint64_t>(n);
  };
  // Shifted up the quotient has 64 bits at least; the remainder only tells whether it lies above
  // them.
  const int shift = 64 + std::countl_zero(magnitude(a));
  const Wide dividend = Wide{magnitude(a)} << shift;
  const Wide quotient = dividend / magnitude(b) | (dividend % magnitude(b) != 0 ? 1u : 0u);
  const double scaled = std::ldexp(static_cast<double>(quotient), -shift);
  return (a < 0) != (b < 0) ? -scaled : scaled;
}

struct Division {
  double quotient;
  double remainder;
};

/// Floor division of floats as Python does it: the remainder is exact and has the divisor's sign.
Division floor_divide(double a, double b) {
  double remainder = std::fmod(a, b);
  double quotient = (a - remainder) / b;
  if (remainder == 0) {
    remainder = std::copysign(0.0, b);
  } else if ((b < 0) != (remainder < 0)) {
    remainder += b;
    quotient -= 1;
  }
  if (quotient == 0) return {std::copysign(0.0, a / b), remainder};
  double whole = std::floor(quotient);
  if (quotient - whole > 0.5) whole += 1;
  return {whole, remainder};
}

class Evaluator {
 public:
  Evaluator(const Scope& scope, ExpressionText text) : scope_(scope), text_(text) {}

  Value value(const Node& node) const {
    switch (node.kind) {
      case Kind::null: return {};
      case Kind::boolean: return {node.integer != 0};
      case Kind::integer: return {node.integer};
      case Kind::real: return {node.real};
      case Kind::string: return {std::string_view(node.text)};
      case Kind::list: return list(node);
      case Kind::index: return {frame(node).index};
      case Kind::size: return {frame(node).size};
      case Kind::result: return result(node);
      case Kind::path: return path(node);
      case Kind::negate: return negated(node);
      case Kind::arithmetic: return arithmetic(node);
      case Kind::logical_not: return {!condition(node.children[0])};
      case Kind::all: return {all(node)};
      case Kind::any: return {any(node)};
      case Kind::comparison: return {comparison(node)};
    }
    return {};
  }

  bool condition(const Node& node) const {
    const Value truth = value(node);
    if (const bool* boolean = std::get_if<bool>(&truth.data)) return *boolean;
    if (truth.is_number()) return truth.real() != 0;
    fail(node.position,
         "a condition must be a boolean or a number, this is " + std::string(truth.type_name()));
  }

 private:
  [[noreturn]] void fail(std::size_t position, std::string_view reason) const {
    text_.fail(position, reason);
  }

  const Frame& frame(const Node& node) const {
    if (node.level < scope_.frames.size()) return scope_.frames[node.level];
    fail(node.position, "the instance has no level " + std::to_string(node.level) +
                            ", its frames are " + std::to_string(scope_.frames.size()));
  }

  Value result(const Node& node) const {
    if (!scope_.result) fail(node.position, "the result of the function is not known here");
    return Value::from_json(*scope_.result);
  }

  Value list(const Node& node) const {
    Value::List items;
    items.reserve(node.children.size());
    for (const Node& child : node.children) items.push_back(value(child));
    return {std::move(items)};
  }

  Value path(const Node& node) const {
    Value at = value(node.children[0]);
    for (std::size_t i = 1; i < node.children.size(); ++i) {
      at = step(at, value(node.children[i]), node.operators[i - 1].position);
    }
    return at;
  }

  Value step(const Value& from, const Value& key, std::size_t position) const {
    if (const auto name = key.string()) {
      if (!from.is_object()) {
        fail(position, std::string(from.type_name()) + " has no key '" + std::string(*name) + "'");
      }
      const auto found = json::member(std::get<Value::Json>(from.data).raw, *name);
      if (!found) fail(position, "there is no key '" + std::string(*name) + "'");
      return Value::from_json(*found);
    }
    const auto* place = std::get_if<std::int64_t>(&key.data);
    if (!place) {
      fail(position, "a part is named by an integer or a string, this is " +
                         std::string(std::get_if<double>(&key.data) ? "a float" : key.type_name()));
    }
    if (*place < 0) fail(position, "the index " + std::to_string(*place) + " is negative");
    if (!from.is_list()) {
      fail(position, std::string(from.type_name()) + " has no element " + std::to_string(*place));
    }
    return element(from, *place, position);
  }

  Value element(const Value& list, std::int64_t place, std::size_t position) const {
    std::int64_t count = 0;
    if (const auto* items = std::get_if<Value::List>(&list.data)) {
      count = static_cast<std::int64_t>(items->size());
      if (place < count) return (*items)[static_cast<std::size_t>(place)];
    } else {
      json::ElementReader reader(std::get<Value::Json>(list.data).raw);
      for (json::View raw; reader.next(raw); ++count) {
        if (count == place) return Value::from_json(raw);
      }
    }
    fail(position, "there is no element " + std::to_string(place) + ", the list has " +
                       std::to_string(count));
  }

  Value negated(const Node& node) const {
    const Value operand = value(node.children[0]);
    if (const auto* integer = std::get_if<std::int64_t>(&operand.data)) {
      if (*integer == std::numeric_limits<std::int64_t>::min()) fail_overflow(node.position);
      return {-*integer};
    }
    if (!operand.is_number()) {
      fail(node.position, "'-' needs a number, this is " + std::string(operand.type_name()));
    }
    return {-operand.real()};
  }

  Value arithmetic(const Node& node) const {
    Value left = value(node.children[0]);
    for (std::size_t i = 0; i < node.operators.size(); ++i) {
      const Value right = value(node.children[i + 1]);
      const auto [kind, position] = node.operators[i];
      if (!left.is_number() || !right.is_number()) {
        fail(position, "arithmetic needs numbers, these are " + std::string(left.type_name()) +
                           " and " + std::string(right.type_name()));
      }
      const auto* a = std::get_if<std::int64_t>(&left.data);
      const auto* b = std::get_if<std::int64_t>(&right.data);
      left = a && b ? integers(kind, *a, *b, position)
                    : Value{reals(kind, left.real(), right.real(), position)};
    }
    return left;
  }

  Value integers(Operator kind, std::int64_t a, std::int64_t b, std::size_t position) const {
    std::int64_t out = 0;
    switch (kind) {
      case Operator::add:
        if (__builtin_add_overflow(a, b, &out)) fail_overflow(position);
        return {out};
      case Operator::subtract:
        if (__builtin_sub_overflow(a, b, &out)) fail_overflow(position);
        return {out};
      case Operator::multiply:
        if (__builtin_mul_overflow(a, b, &out)) fail_overflow(position);
        return {out};
      default: break;
    }
    if (b == 0) fail(position, "division by zero");
    if (kind == Operator::divide) {
      return {true_quotient(a, b)};
    }
    if (b == -1) {  // the machine's own division of -2**63 by -1 traps
      if (kind == Operator::modulo) return {std::int64_t{0}};
      if (a == std::numeric_limits<std::int64_t>::min()) fail_overflow(position);
    }
    return {kind == Operator::modulo ? floor_remainder(a, b) : floor_quotient(a, b)};
  }

  double reals(Operator kind, double a, double b, std::size_t position) const {
    const bool divides =
        kind != Operator::add && kind != Operator::subtract && kind != Operator::multiply;
    if (divides && b == 0) fail(position, "division by zero");
    double out = 0;
    switch (kind) {
      case Operator::add: out = a + b; break;
      case Operator::subtract: out = a - b; break;
      case Operator::multiply: out = a * b; break;
      case Operator::divide: out = a / b; break;
      case Operator::floor_divide: out = floor_divide(a, b).quotient; break;
      default: out = floor_divide(a, b).remainder; break;
    }
    if (!std::isfinite(out)) fail(position, "the result does not fit a float");
    return out;
  }

  [[noreturn]] void fail_overflow(std::size_t position) const {
    fail(position, "the result does not fit 64 bits");
  }

  bool all(const Node& node) const {
    for (const Node& child : node.children) {
      if (!condition(child)) return false;
    }
    return true;
  }

  bool any(const Node& node) const {
    for (const Node& child : node.children) {
      if (condition(child)) return true;
    }
    return false;
  }

  bool comparison(const Node& node) const {
    Value left = value(node.children[0]);
    for (std::size_t i = 0; i < node.operators.size(); ++i) {
      Value right = value(node.children[i + 1]);
      if (!compare(node.operators[i], left, right)) return false;
      left = std::move(right);
    }
    return true;
  }

  bool compare(const Node::OperatorAt& op, const Value& left, const Value& right) const {
    switch (op.kind) {
      case Operator::equal: return equal(left, right);
      case Operator::not_equal: return !equal(left, right);
      case Operator::in:
      case Operator::not_in: {
        const std::optional<bool> found = contains(right, left);
        if (!found) {
          fail(op.position, "'in' looks for " + std::string(left.type_name()) + " in " +
                                std::string(right.type_name()) +
                                "; it needs a list, a string in a string, or a key of an object");
        }
        return *found == (op.kind == Operator::in);
      }
      default: break;
    }
    const std::optional<std::partial_ordering> ordering = order(left, right);
    if (!ordering) {
      fail(op.position, "only two numbers or two strings have an order, these are " +
                            std::string(left.type_name()) + " and " +
                            std::string(right.type_name()));
    }
    switch (op.kind) {
      case Operator::less: return *ordering < 0;
      case Operator::less_equal: return *ordering <= 0;
      case Operator::greater: return *ordering > 0;
      default: return *ordering >= 0;
    }
  }

  const Scope& scope_;
  ExpressionText text_;
};

}  // namespace

Value evaluate(const Expression::Node& node, const Scope& scope, ExpressionText text) {
  return Evaluator(scope, text).value(node);
}

bool evaluate_condition(const Expression::Node& node, const Scope& scope, ExpressionText text) {
  return Evaluator(scope, text).condition(node);
}

}  // namespace unum
