// Finding what stands between a URL's // and its @.
#include "base/secrets.hpp"

#include <algorithm>

namespace unum {
namespace {

/// As our own messages spell it where they say what a URL looks like.
bool is_placeholder(std::string_view password) {
  return password == "password" || password == "PASSWORD" || password == "***";
}

/// A word without blanks and quotes.
std::string hidden_in_word(std::string_view word) {
  const std::size_t slashes = word.find("//");
  const std::size_t at = word.rfind('@');
  if (slashes == std::string_view::npos || at == std::string_view::npos || at < slashes + 2)
    return std::string(word);
  const std::size_t begin = slashes + 2;
  const std::string_view identity = word.substr(begin, at - begin);
  // Without a user nothing but the password stands there.
  const std::size_t colon = identity.find(':');
  const std::size_t user = colon == std::string_view::npos ? 0 : colon + 1;
  if (user == identity.size() || is_placeholder(identity.substr(user))) return std::string(word);
  return std::string(word.substr(0, begin + user)) + "***" + std::string(word.substr(at));
}

}  // namespace

std::string hide_passwords(std::string_view text) {
  constexpr std::string_view kBetweenWords = " \t\r\n\"'";
  std::string hidden;
  hidden.reserve(text.size());
  while (!text.empty()) {
    const std::size_t word = std::min(text.find_first_of(kBetweenWords), text.size());
    hidden += hidden_in_word(text.substr(0, word));
    text.remove_prefix(word);
    const std::size_t next = std::min(text.find_first_not_of(kBetweenWords), text.size());
    hidden += text.substr(0, next);
    text.remove_prefix(next);
  }
  return hidden;
}

}  // namespace unum
