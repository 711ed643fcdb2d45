// The tokens of an expression.
#include "workflow/expression_lexer.hpp"

#include <array>
#include <charconv>

#include "base/json.hpp"
#include "base/limits.hpp"
#include "unum/error.hpp"

namespace unum {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
/// Letters beyond ASCII are taken as they come: keys of a result may have them.
bool begins_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool continues_word(char c) { return begins_word(c) || is_digit(c); }

class Lexer {
 public:
  explicit Lexer(ExpressionText text) : text_(text), rest_(text.text) {}

  std::vector<Token> run() {
    std::vector<Token> tokens;
    for (;;) {
      while (!rest_.empty() && (rest_[0] == ' ' || (rest_[0] >= '\t' && rest_[0] <= '\r'))) skip(1);
      tokens.push_back(next());
      if (tokens.back().kind == TokenKind::end) return tokens;
    }
  }

 private:
  void skip(std::size_t count) { rest_.remove_prefix(count); }
  std::size_t position() const { return text_.text.size() - rest_.size(); }
  [[noreturn]] void fail(std::string_view reason) const { text_.fail(position(), reason); }

  template <typename Belongs>
  std::size_t count(std::size_t from, Belongs belongs) const {
    while (from < rest_.size() && belongs(rest_[from])) ++from;
    return from;
  }

  Token take(TokenKind kind, std::size_t size) {
    Token token;
    token.kind = kind;
    token.position = position();
    token.text = rest_.substr(0, size);
    skip(size);
    return token;
  }

  Token next() {
    if (rest_.empty()) return take(TokenKind::end, 0);
    const char c = rest_[0];
    if (is_digit(c)) return number();
    if (c == '"' || c == '\'') return string();
    if (c == '$') return variable();
    if (begins_word(c)) return take(TokenKind::name, count(1, continues_word));
    return symbol();
  }

  Token number() {
    std::size_t size = count(0, is_digit);
    TokenKind kind = TokenKind::integer;
    if (size > 1 && rest_[0] == '0') fail("a number cannot begin with 0");
    if (size < rest_.size() && rest_[size] == '.') {
      kind = TokenKind::real;
      const std::size_t fraction = count(size + 1, is_digit);
      if (fraction == size + 1) fail("expected a digit after '.'");
      size = fraction;
    }
    if (size < rest_.size() && (rest_[size] == 'e' || rest_[size] == 'E')) {
      kind = TokenKind::real;
      std::size_t digits = size + 1;
      if (digits < rest_.size() && (rest_[digits] == '+' || rest_[digits] == '-')) ++digits;
      size = count(digits, is_digit);
      if (size == digits) fail("expected a digit in the exponent");
    }
    if (size < rest_.size() && (continues_word(rest_[size]) || rest_[size] == '.')) {
      fail("not a number");
    }
    return take(kind, size);
  }

  Token string() {
    std::string inside;  // with JSON's escapes only
    std::size_t size = 1;
    for (;; ++size) {
      if (size >= rest_.size()) fail("the string has no end");
      if (rest_[size] == rest_[0]) break;
      if (rest_[size] != '\\') {
        inside += rest_[size];
        continue;
      }
      const std::size_t escape = check_escape(size);
      if (rest_[size + 1] == '\'') {
        inside += '\'';
      } else {
        inside.append(rest_, size, escape);
      }
      size += escape - 1;
    }
    Token token = take(TokenKind::string, size + 1);
    json::append_unescaped(token.decoded, inside);
    return token;
  }

  /// The length of the escape at `place`.
  std::size_t check_escape(std::size_t place) const {
    const std::string_view rest = rest_.substr(place);
    if (rest.size() < 2) fail("the string has no end");
    if (std::string_view("\"'\\/bfnrt").find(rest[1]) != std::string_view::npos) return 2;
    const bool four_digits =
        rest[1] == 'u' && rest.size() >= 6 &&
        rest.substr(2, 4).find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
    if (!four_digits) text_.fail(position() + place, "unknown escape; a backslash is written \\\\");
    return 6;
  }

  Token variable() {
    const std::size_t size = count(1, continues_word);
    const std::string_view name = rest_.substr(1, size - 1);
    if (name == "ret" || name == "out") return take(TokenKind::result, size);
    const bool is_size = name.starts_with("size");
    const std::string_view digits = is_size ? name.substr(4) : name;
    unsigned level = 0;
    if (!digits.empty()) {
      const char* end = digits.data() + digits.size();
      const auto [past, problem] = std::from_chars(digits.data(), end, level);
      if (past == digits.data() || past != end || (digits.size() > 1 && digits[0] == '0')) {
        fail_variable();
      }
      if (problem != std::errc() || level >= kFramesMax) {
        fail("levels go from 0 to " + std::to_string(kFramesMax - 1));
      }
    } else if (!is_size) {
      fail_variable();
    }
    Token token = take(is_size ? TokenKind::size : TokenKind::index, size);
    token.level = level;
    return token;
  }

  [[noreturn]] void fail_variable() const {
    fail("unknown variable; there are $0, $1, ..., $size, $size1, ..., $ret and $out");
  }

  Token symbol() {
    for (const std::string_view two : {"==", "!=", "<=", ">=", "//"}) {
      if (rest_.starts_with(two)) return take(TokenKind::symbol, 2);
    }
    if (rest_.starts_with("**")) fail("there is no operator '**'");
    if (std::string_view("<>+-*/%()[],.").find(rest_[0]) != std::string_view::npos) {
      return take(TokenKind::symbol, 1);
    }
    switch (rest_[0]) {
      case '=': fail("'=' does not compare; write '=='");
      case '!': fail("write 'not' for '!'");
      case '&': fail("write 'and' for '&&'");
      case '|': fail("write 'or' for '||'");
      default: fail("unknown character");
    }
  }

  ExpressionText text_;
  std::string_view rest_;
};

}  // namespace

std::vector<Token> expression_tokens(ExpressionText text) {
  if (text.text.size() > kExpressionBytesMax) {
    throw Error(ErrorKind::exhausted, "ir", "Unum.Expression",
                std::string(text.where) + ": an expression of " + std::to_string(text.text.size()) +
                    " bytes, at most " + std::to_string(kExpressionBytesMax) + " are allowed");
  }
  return Lexer(text).run();
}

}  // namespace unum
