// JSON strings: decoding their escapes, and writing text as one.

#include <algorithm>
#include <cstring>

#include "base/json.hpp"
#include "base/utf8.hpp"
#include "unum/error.hpp"

namespace unum::json {
namespace {

constexpr std::uint32_t kReplacement = 0xFFFD;

void append_utf8(std::string& out, std::uint32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | code >> 6);
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | code >> 12);
    out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | code >> 18);
    out += static_cast<char>(0x80 | (code >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

/// The code unit of `\uXXXX` at `place`; -1 if none stands there.
int code_unit(std::string_view text, std::size_t place) {
  if (text.size() - place < 6 || text[place] != '\\' || text[place + 1] != 'u') return -1;
  int unit = 0;
  for (std::size_t i = place + 2; i < place + 6; ++i) {
    const char c = text[i];
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

/// Decodes the escape at `place` and gives the place after it.
std::size_t append_escape(std::string& out, std::string_view inside, std::size_t place) {
  if (place + 1 >= inside.size()) {
    throw Error(ErrorKind::bug, "json", "Unum.InvalidJson", "a string ends within an escape");
  }
  switch (inside[place + 1]) {
    case 'b': out += '\b'; return place + 2;
    case 'f': out += '\f'; return place + 2;
    case 'n': out += '\n'; return place + 2;
    case 'r': out += '\r'; return place + 2;
    case 't': out += '\t'; return place + 2;
    case 'u': break;
    default: out += inside[place + 1]; return place + 2;
  }
  const int unit = code_unit(inside, place);
  if (unit < 0) {
    throw Error(ErrorKind::bug, "json", "Unum.InvalidJson", "a string has a broken escape");
  }
  if (unit < 0xD800 || unit > 0xDFFF) {
    append_utf8(out, static_cast<std::uint32_t>(unit));
    return place + 6;
  }
  const int low = unit < 0xDC00 ? code_unit(inside, place + 6) : -1;
  if (low < 0xDC00 || low > 0xDFFF) {
    append_utf8(out, static_cast<std::uint32_t>(unit));
    return place + 6;
  }
  append_utf8(out, 0x10000u + ((static_cast<std::uint32_t>(unit) - 0xD800u) << 10) +
                       (static_cast<std::uint32_t>(low) - 0xDC00u));
  return place + 12;
}

/// What stands between the quotes of a string.
std::string_view inside_of(View value) {
  const std::string_view text = value.text();
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') {
    throw Error(ErrorKind::bug, "json", "Unum.InvalidJson", "the value is not a JSON string");
  }
  return text.substr(1, text.size() - 2);
}

/// The lone surrogate at `place` in the three bytes that UTF-8's rule for other characters gives
/// it (and UTF-8 does not allow); 0 if none stands there.
std::uint32_t surrogate_at(std::string_view text, std::size_t place) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[place + i]); };
  if (text.size() - place < 3 || byte(0) != 0xED || byte(1) < 0xA0 || byte(1) > 0xBF ||
      (byte(2) & 0xC0u) != 0x80) {
    return 0;
  }
  return 0xD000u | (byte(1) & 0x3Fu) << 6 | (byte(2) & 0x3Fu);
}

/// The text with what is not UTF-8 replaced. Lone surrogates are given to `surrogate`.
template <class Surrogate>
std::string repaired(std::string_view text, Surrogate surrogate) {
  std::string out;
  out.reserve(text.size() + 16);
  for (std::size_t place = 0; place < text.size();) {
    if (const std::uint32_t unit = surrogate_at(text, place); unit != 0) {
      surrogate(out, unit);
      place += 3;
      continue;
    }
    const Utf8Character character = utf8_character(text, place);
    if (character.length == 0) {
      append_utf8(out, kReplacement);
    } else {
      out.append(text, place, character.length);
    }
    place += character.skip;
  }
  return out;
}

/// Writes the text, all of it, between quotes, with escapes where JSON needs them.
void append_escaped(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::size_t plain = 0;  // from here on nothing was copied yet
  for (std::size_t place = 0; place < text.size(); ++place) {
    const auto c = static_cast<unsigned char>(text[place]);
    const std::uint32_t surrogate = c == 0xED ? surrogate_at(text, place) : 0;
    if (surrogate == 0 && c >= 0x20 && c != '"' && c != '\\') continue;
    out.append(text, plain, place - plain);
    plain = place + 1;
    out += '\\';
    if (surrogate != 0) {
      out += 'u';
      for (int shift = 12; shift >= 0; shift -= 4) out += kHex[surrogate >> shift & 0xF];
      place += 2;
      plain = place + 1;
      continue;
    }
    switch (c) {
      case '"':
      case '\\': out += static_cast<char>(c); break;
      case '\b': out += 'b'; break;
      case '\f': out += 'f'; break;
      case '\n': out += 'n'; break;
      case '\r': out += 'r'; break;
      case '\t': out += 't'; break;
      default:
        out += "u00";
        out += kHex[c >> 4];
        out += kHex[c & 0xF];
    }
  }
  out.append(text, plain, text.size() - plain);
}

/// Whether the text stands for itself in a JSON string: ASCII that needs no escape. Eight bytes at
/// a time: names and keys are nearly always of this kind, and there are thousands of them.
bool is_plain(std::string_view text) noexcept {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kHighBits = 0x80 * kOnes;
  // The high bit of each byte that is zero, below 0x20, or beyond ASCII. A borrow can only make a
  // byte above such a one look alike: whether there is any is always right.
  const auto zeros = [](std::uint64_t bytes) { return (bytes - kOnes) & ~bytes; };
  const auto odd = [&](std::uint64_t bytes) {
    return ((bytes - 0x20 * kOnes) | bytes | zeros(bytes ^ '"' * kOnes) |
            zeros(bytes ^ '\\' * kOnes)) &
           kHighBits;
  };
  std::size_t place = 0;
  std::uint64_t bytes = 0;
  for (; text.size() - place >= sizeof bytes; place += sizeof bytes) {
    std::memcpy(&bytes, text.data() + place, sizeof bytes);
    if (odd(bytes) != 0) return false;
  }
  bytes = ' ' * kOnes;  // behind the end
  std::memcpy(&bytes, text.data() + place, text.size() - place);
  return odd(bytes) == 0;
}

}  // namespace

void append_unescaped(std::string& out, std::string_view inside) {
  for (std::size_t place = 0; place < inside.size();) {
    const std::size_t escape = std::min(inside.find('\\', place), inside.size());
    out.append(inside, place, escape - place);
    place = escape;
    if (place < inside.size()) place = append_escape(out, inside, place);
  }
}

std::string string_value(View value) {
  const std::string_view inside = inside_of(value);
  std::string out;
  out.reserve(inside.size());
  append_unescaped(out, inside);
  return out;
}

bool string_equals(View value, std::string_view text) {
  const std::string_view inside = inside_of(value);
  // An escape is longer than what it means.
  if (inside.size() <= text.size()) return inside == text;
  return inside.find('\\') != std::string_view::npos && string_value(value) == text;
}

void append_string(std::string& out, std::string_view text) {
  if (is_plain(text)) {
    out += '"';
    out.append(text);
    out += '"';
    return;
  }
  out += '"';
  if (is_utf8(text)) {
    append_escaped(out, text);
  } else {
    append_escaped(out, repaired(text, append_utf8));  // its surrogates stay
  }
  out += '"';
}

std::string readable_value(View value) {
  std::string text = string_value(value);
  if (is_utf8(text)) return text;
  return repaired(text, [](std::string& out, std::uint32_t) { append_utf8(out, kReplacement); });
}

}  // namespace unum::json
