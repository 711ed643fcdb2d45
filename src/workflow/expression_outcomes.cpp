// What an expression may give while the user's result is unknown, and the constants in it. For
// `unum check`, which follows workflows without running their code.
#include <algorithm>

#include "unum/error.hpp"
#include "workflow/expression_node.hpp"

namespace unum {
namespace {

using Node = Expression::Node;
using Kind = Node::Kind;
using Outcomes = Expression::Outcomes;

class Analysis {
 public:
  Analysis(const Scope& scope, ExpressionText text) : scope_(scope), text_(text) {}

  Outcomes condition(const Node& node) const {
    if (!node.uses_result) return exact(node);
    switch (node.kind) {
      case Kind::logical_not: {
        Outcomes inner = condition(node.children[0]);
        std::swap(inner.may_be_true, inner.may_be_false);
        return inner;
      }
      case Kind::all: return chain(node, true);
      case Kind::any: return chain(node, false);
      default: break;
    }
    std::string error = failure(node);
    if (!error.empty()) return {false, false, std::move(error)};
    return {true, true, {}};
  }

 private:
  Outcomes exact(const Node& node) const {
    try {
      const bool value = evaluate_condition(node, scope_, text_);
      return {value, !value, {}};
    } catch (const Error& error) {
      return {false, false, error.message()};
    }
  }

  /// `and` goes on while its parts are true, `or` while they are false.
  Outcomes chain(const Node& node, bool all) const {
    Outcomes out;
    for (const Node& child : node.children) {
      const Outcomes next = condition(child);
      if (out.error.empty()) out.error = next.error;
      (all ? out.may_be_false : out.may_be_true) |= all ? next.may_be_false : next.may_be_true;
      if (!(all ? next.may_be_true : next.may_be_false)) return out;
    }
    (all ? out.may_be_true : out.may_be_false) = true;
    return out;
  }

  /// The error that evaluating the node gives whatever the result is; empty if there is none.
  std::string failure(const Node& node) const {
    if (!node.uses_result) {
      try {
        evaluate(node, scope_, text_);
        return {};
      } catch (const Error& error) {
        return error.message();
      }
    }
    std::size_t always = node.children.size();  // How many children are evaluated in any case.
    if (node.kind == Kind::all || node.kind == Kind::any) always = 1;
    if (node.kind == Kind::comparison) always = 2;
    for (std::size_t i = 0; i < std::min(always, node.children.size()); ++i) {
      std::string error = failure(node.children[i]);
      if (!error.empty()) return error;
    }
    return {};
  }

  const Scope& scope_;
  ExpressionText text_;
};

void collect(const Node& node, std::vector<std::int64_t>& out) {
  if (node.kind == Kind::integer) out.push_back(node.integer);
  for (const Node& child : node.children) collect(child, out);
  if (node.kind == Kind::real && node.real >= 0 && node.real < 1e15) {
    out.push_back(static_cast<std::int64_t>(node.real));
  }
  const bool folded = node.kind == Kind::arithmetic && !node.has_variables();
  if (!folded) return;
  try {
    const Value value = evaluate(node, Scope{}, {});
    if (const auto* integer = std::get_if<std::int64_t>(&value.data)) out.push_back(*integer);
  } catch (const Error&) {
    // Such as 1 // 0: no value.
  }
}

/// Whether a part compares a size with a constant that makes a list of one element special.
bool singles_out_one(const Node& node) {
  if (node.kind == Kind::comparison) {
    for (std::size_t i = 0; i < node.operators.size(); ++i) {
      const Node* size = &node.children[i];
      const Node* constant = &node.children[i + 1];
      if (size->kind != Kind::size) std::swap(size, constant);
      if (size->kind != Kind::size || constant->kind != Kind::integer) continue;
      if (constant->integer == 1 || constant->integer == 2) return true;
    }
  }
  return std::any_of(node.children.begin(), node.children.end(), singles_out_one);
}

}  // namespace

Expression::Outcomes Expression::outcomes(std::span<const Frame> frames) const {
  const Scope scope{frames, std::nullopt};
  return Analysis(scope, place()).condition(*root_);
}

void Expression::add_constants(std::vector<std::int64_t>& out) const { collect(*root_, out); }

bool Expression::singles_out_one_element() const { return singles_out_one(*root_); }

}  // namespace unum
