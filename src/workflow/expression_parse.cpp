// The parser of expressions: text to tokens to a tree, by recursive descent over Python's
// precedence.
#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <utility>

#include "base/json.hpp"
#include "base/limits.hpp"
#include "unum/error.hpp"
#include "workflow/expression_lexer.hpp"
#include "workflow/expression_node.hpp"

namespace unum {
namespace {

using Node = Expression::Node;
using Kind = Node::Kind;
using Operator = Node::Operator;

class Parser {
 public:
  Parser(ExpressionText text, ExpressionUse use)
      : text_(text), use_(use), tokens_(expression_tokens(text)) {}

  Node run() {
    Node root = condition();
    if (token().kind == TokenKind::end) return root;
    if (token().kind == TokenKind::name) fail_name();
    fail("expected an operator or the end");
  }

 private:
  using Operators = std::initializer_list<std::pair<std::string_view, Operator>>;

  const Token& token() const { return tokens_[at_]; }
  bool is(std::string_view spelling) const {
    return (token().kind == TokenKind::symbol || token().kind == TokenKind::name) &&
           token().text == spelling;
  }
  bool take(std::string_view spelling) {
    if (!is(spelling)) return false;
    ++at_;
    return true;
  }
  [[noreturn]] void fail(std::string_view reason) const { text_.fail(token().position, reason); }

  /// A level of nesting, for as long as it is in scope.
  class Nesting {
   public:
    explicit Nesting(Parser& parser) : depth_(parser.depth_) {
      if (++depth_ <= kExpressionDepthMax) return;
      throw Error(ErrorKind::exhausted, "ir", "Unum.Expression",
                  std::string(parser.text_.where) + ": nested deeper than " +
                      std::to_string(kExpressionDepthMax) + " levels" +
                      with_caret(parser.text_.text, parser.token().position));
    }
    ~Nesting() { --depth_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;

   private:
    std::size_t& depth_;
  };

  Node make(Kind kind) const {
    Node node;
    node.kind = kind;
    node.position = token().position;
    return node;
  }

  static void add(Node& parent, Node child) {
    parent.uses_result |= child.uses_result;
    parent.index_levels |= child.index_levels;
    parent.size_levels |= child.size_levels;
    parent.children.push_back(std::move(child));
  }

  static Node parent_of(Kind kind, Node first) {
    Node node;
    node.kind = kind;
    node.position = first.position;
    add(node, std::move(first));
    return node;
  }

  Node condition() {
    const Nesting nesting(*this);
    return chain("or", Kind::any,
                 [this] { return chain("and", Kind::all, [this] { return negation(); }); });
  }

  template <typename Next>
  Node chain(std::string_view word, Kind kind, Next next) {
    Node first = next();
    if (!is(word)) return first;
    Node node = parent_of(kind, std::move(first));
    while (take(word)) add(node, next());
    return node;
  }

  Node negation() {
    if (!is("not")) return comparison();
    const Nesting nesting(*this);
    Node node = make(Kind::logical_not);
    ++at_;
    add(node, negation());
    return node;
  }

  bool take_operator(Operators operators, Node::OperatorAt& found) {
    found.position = token().position;
    for (const auto& [spelling, kind] : operators) {
      if (token().kind == TokenKind::symbol && take(spelling)) {
        found.kind = kind;
        return true;
      }
    }
    return false;
  }

  bool take_comparison(Node::OperatorAt& found) {
    if (take_operator({{"==", Operator::equal},
                       {"!=", Operator::not_equal},
                       {"<", Operator::less},
                       {"<=", Operator::less_equal},
                       {">", Operator::greater},
                       {">=", Operator::greater_equal}},
                      found)) {
      return true;
    }
    const bool negative = is("not");
    if (negative) {
      if (tokens_[at_ + 1].kind != TokenKind::name || tokens_[at_ + 1].text != "in") {
        fail("expected 'not in'");
      }
      ++at_;
    }
    found.kind = negative ? Operator::not_in : Operator::in;
    return take("in");
  }

  Node comparison() {
    Node first = sum();
    Node::OperatorAt found{};
    if (!take_comparison(found)) return first;
    Node node = parent_of(Kind::comparison, std::move(first));
    do {
      node.operators.push_back(found);
      add(node, sum());
    } while (take_comparison(found));
    return node;
  }

  template <typename Next>
  Node arithmetic(Operators operators, Next next) {
    Node first = next();
    Node::OperatorAt found{};
    if (!take_operator(operators, found)) return first;
    Node node = parent_of(Kind::arithmetic, std::move(first));
    do {
      node.operators.push_back(found);
      add(node, next());
    } while (take_operator(operators, found));
    return node;
  }

  Node sum() {
    return arithmetic({{"+", Operator::add}, {"-", Operator::subtract}}, [this] { return term(); });
  }

  Node term() {
    return arithmetic({{"*", Operator::multiply},
                       {"/", Operator::divide},
                       {"//", Operator::floor_divide},
                       {"%", Operator::modulo}},
                      [this] { return unary(); });
  }

  Node unary() {
    if (token().kind != TokenKind::symbol || !is("-")) return postfix();
    const Nesting nesting(*this);
    Node node = make(Kind::negate);
    ++at_;
    if (token().kind == TokenKind::integer) {
      node.kind = Kind::integer;
      node.integer = integer("-");
      return node;
    }
    add(node, unary());
    return node;
  }

  /// The value of the integer at hand, with its sign: -2**63 has no positive counterpart.
  std::int64_t integer(std::string_view sign) {
    const std::string digits = std::string(sign) + std::string(token().text);
    std::int64_t value = 0;
    if (std::from_chars(digits.data(), digits.data() + digits.size(), value).ec != std::errc()) {
      fail("the integer does not fit 64 bits");
    }
    ++at_;
    return value;
  }

  Node postfix() {
    Node first = primary();
    if (!is(".") && !is("[")) return first;
    if (first.kind != Kind::result && first.kind != Kind::list && first.kind != Kind::path) {
      fail("only $ret, $out and lists have parts");
    }
    Node node = parent_of(Kind::path, std::move(first));
    while (is(".") || is("[")) {
      const std::size_t position = token().position;
      if (take(".")) {
        if (token().kind != TokenKind::name) {
          fail("expected a key; write [\"...\"] for one that is not a word, [0] for an element");
        }
        Node key = make(Kind::string);
        key.text = token().text;
        ++at_;
        add(node, std::move(key));
      } else {
        ++at_;
        add(node, condition());
        if (!take("]")) fail("expected ']'");
      }
      // A message about this step points to where it begins.
      node.operators.push_back({Operator::in, position});
    }
    return node;
  }

  Node primary() {
    Node node = make(Kind::null);
    const Token& first = token();
    switch (first.kind) {
      case TokenKind::integer:
        node.kind = Kind::integer;
        node.integer = integer("");
        return node;
      case TokenKind::real:
        node.kind = Kind::real;
        if (std::from_chars(first.text.data(), first.text.data() + first.text.size(), node.real)
                .ec != std::errc()) {
          fail("the number does not fit a float");
        }
        break;
      case TokenKind::string:
        node.kind = Kind::string;
        node.text = first.decoded;
        break;
      case TokenKind::index:
        node.kind = Kind::index;
        node.level = first.level;
        node.index_levels = std::uint64_t{1} << first.level;
        break;
      case TokenKind::size:
        node.kind = Kind::size;
        node.level = first.level;
        node.size_levels = std::uint64_t{1} << first.level;
        break;
      case TokenKind::result:
        if (use_ != ExpressionUse::conditional) {
          fail("the result of the function is known in conditionals only");
        }
        node.kind = Kind::result;
        node.uses_result = true;
        break;
      case TokenKind::name: return word(std::move(node));
      case TokenKind::symbol:
        if (is("(")) return parenthesis();
        if (is("[")) return list();
        [[fallthrough]];
      case TokenKind::end: fail("expected a value");
    }
    ++at_;
    return node;
  }

  Node word(Node node) {
    const std::string_view name = token().text;
    if (name == "True" || name == "true" || name == "False" || name == "false") {
      node.kind = Kind::boolean;
      node.integer = name == "True" || name == "true" ? 1 : 0;
    } else if (name != "None" && name != "null") {
      fail_name();
    }
    ++at_;
    return node;
  }

  [[noreturn]] void fail_name() const {
    for (const std::string_view word :
         {"and", "or", "not", "in", "True", "true", "False", "false", "None", "null"}) {
      if (token().text == word) fail("'" + std::string(word) + "' cannot stand here");
    }
    fail("unknown word '" + std::string(token().text) + "'; text stands in quotes");
  }

  Node parenthesis() {
    ++at_;
    Node inside = condition();
    if (!take(")")) fail("expected ')'");
    return inside;
  }

  Node list() {
    Node node = make(Kind::list);
    ++at_;
    while (!take("]")) {
      if (!node.children.empty()) {
        if (!take(",")) fail("expected ',' or ']'");
        if (take("]")) break;  // a comma at the end, as in Python
      }
      add(node, condition());
    }
    return node;
  }

  ExpressionText text_;
  ExpressionUse use_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  std::size_t depth_ = 0;
};

}  // namespace

Expression::Node parse_expression(ExpressionText text, ExpressionUse use) {
  return Parser(text, use).run();
}

}  // namespace unum
