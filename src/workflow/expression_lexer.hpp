// The tokens of an expression. Private to the parser.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "workflow/expression_node.hpp"

namespace unum {

enum class TokenKind : std::uint8_t {
  end,
  integer,
  real,
  string,
  name,
  index,
  size,
  result,
  symbol
};

struct Token {
  TokenKind kind = TokenKind::end;
  unsigned level = 0;        ///< Of `$k` and `$sizeK`.
  std::size_t position = 0;  ///< Of its first byte.
  std::string_view text;
  std::string decoded;  ///< Of a string.
};

/// All tokens; the last one is `end`. Throws as ExpressionText::fail, `exhausted` for a long text.
std::vector<Token> expression_tokens(ExpressionText text);

}  // namespace unum
