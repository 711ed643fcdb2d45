// Reading JSON text: the strict check, and the walk over arrays and objects.
//
// UTF-8 checking is simdjson's. The structural walk is our own, for three reasons: simdjson's
// parsers refuse numbers beyond 64 bits, `1e999` and lone surrogates, which are valid values here;
// its on-demand front end checks only what is looked at; and both need a padded copy of the input
// and four bytes of index for each byte of it, which a value of 100 MB should not cost.
#include "base/json.hpp"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "base/limits.hpp"
#include "unum/assert.hpp"
#include "unum/error.hpp"

namespace unum::json {
namespace {

constexpr std::uint64_t kOnes = 0x0101010101010101u;
constexpr std::uint64_t kHighs = 0x8080808080808080u;

/// Nonzero if one of the eight bytes is `"`, `\` or a control character.
inline std::uint64_t ends_plain_run(std::uint64_t word) noexcept {
  const std::uint64_t quote = word ^ (kOnes * '"');
  const std::uint64_t backslash = word ^ (kOnes * '\\');
  return (((quote - kOnes) & ~quote) | ((backslash - kOnes) & ~backslash) |
          ((word - kOnes * 0x20) & ~word)) &
         kHighs;
}

inline bool is_space(char c) noexcept { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
inline bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

inline const char* skip_spaces(const char* p, const char* end) noexcept {
  while (p != end && is_space(*p)) ++p;
  return p;
}

/// The first byte from `p` on that is `"`, `\` or a control character; `end` if there is none.
inline const char* skip_plain(const char* p, const char* end) noexcept {
  while (end - p >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, p, 8);
    if (const std::uint64_t ends = ends_plain_run(word)) {
      if constexpr (std::endian::native != std::endian::little) break;
      // A borrow can only mark bytes behind one that ends the run: the first mark is right.
      return p + std::countr_zero(ends) / 8;
    }
    p += 8;
  }
  while (p != end && *p != '"' && *p != '\\' && static_cast<unsigned char>(*p) >= 0x20) ++p;
  return p;
}

int hex_digit(char c) noexcept {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

SyntaxError invalid(std::string_view what, std::string_view reason, std::size_t offset) {
  return {ErrorKind::invalid, "Unum.InvalidJson", what, "not valid JSON: " + std::string(reason),
          offset};
}

constexpr std::size_t kLevelsAroundMax = 16;

/// One strict pass over a text, without recursion: the open containers are a stack of bits.
class Validator {
 public:
  Validator(std::string_view text, std::string_view what, std::size_t levels_around) noexcept
      : begin_(text.data()),
        at_(text.data()),
        end_(text.data() + text.size()),
        what_(what),
        depth_max_(kJsonDepthMax + levels_around) {
    UNUM_ASSERT(levels_around <= kLevelsAroundMax);
  }

  void run() {
    at_ = skip_spaces(at_, end_);
    if (at_ == end_) fail("the text is empty");
    bool value_expected = true;
    for (;;) {
      if (value_expected && !value()) continue;  // a container was opened, a value follows
      at_ = skip_spaces(at_, end_);
      if (depth_ == 0) break;
      value_expected = after_value();
    }
    if (at_ != end_) fail("text follows after the value");
  }

 private:
  std::size_t offset() const noexcept { return static_cast<std::size_t>(at_ - begin_); }

  [[noreturn]] void fail(std::string_view reason) const { throw invalid(what_, reason, offset()); }

  bool in_object() const noexcept { return (open_[depth_ / 64] >> (depth_ % 64) & 1u) != 0; }

  void open(bool object) {
    if (depth_ == depth_max_) {
      throw SyntaxError(ErrorKind::exhausted, "Unum.JsonTooDeep", what_,
                        "JSON nested deeper than " + std::to_string(kJsonDepthMax) + " levels",
                        offset());
    }
    ++depth_;
    const std::uint64_t bit = std::uint64_t{1} << (depth_ % 64);
    open_[depth_ / 64] = object ? open_[depth_ / 64] | bit : open_[depth_ / 64] & ~bit;
    at_ = skip_spaces(at_ + 1, end_);
  }

  /// One value from its first byte on; false if it opened a container that has something in it.
  bool value() {
    if (at_ == end_) fail(depth_ == 0 ? "a value is missing" : "the text ends within a value");
    switch (*at_) {
      case '"': string(); return true;
      case '[': return open_array();
      case '{': return open_object();
      case 't': literal("true"); return true;
      case 'f': literal("false"); return true;
      case 'n': literal("null"); return true;
      default: number(); return true;
    }
  }

  bool open_array() {
    open(false);
    if (at_ == end_ || *at_ != ']') return false;
    ++at_;
    --depth_;
    return true;
  }

  bool open_object() {
    open(true);
    if (at_ != end_ && *at_ == '}') {
      ++at_;
      --depth_;
      return true;
    }
    key();
    return false;
  }

  void key() {
    if (at_ == end_) fail("the text ends within an object");
    if (*at_ != '"') fail("expected a key in quotes");
    string();
    at_ = skip_spaces(at_, end_);
    if (at_ == end_ || *at_ != ':') fail("expected ':' after the key");
    at_ = skip_spaces(at_ + 1, end_);
  }

  /// What follows a value in a container; true if that is another value.
  bool after_value() {
    const bool object = in_object();
    if (at_ == end_)
      fail(object ? "the text ends within an object" : "the text ends within an array");
    if (*at_ == ',') {
      at_ = skip_spaces(at_ + 1, end_);
      if (object) key();
      return true;
    }
    if (*at_ != (object ? '}' : ']')) fail(object ? "expected ',' or '}'" : "expected ',' or ']'");
    ++at_;
    --depth_;
    return false;
  }

  void string() {
    ++at_;
    for (;;) {
      at_ = skip_plain(at_, end_);
      if (at_ == end_) fail("the text ends within a string");
      if (*at_ == '"') break;
      if (*at_ != '\\') fail("a control character stands in a string");
      escape();
    }
    ++at_;
  }

  void escape() {
    if (end_ - at_ < 2) fail("the text ends within a string");
    switch (at_[1]) {
      case '"':
      case '\\':
      case '/':
      case 'b':
      case 'f':
      case 'n':
      case 'r':
      case 't': at_ += 2; return;
      case 'u':
        if (end_ - at_ < 6) fail("the text ends within a string");
        if (!std::all_of(at_ + 2, at_ + 6, [](char c) { return hex_digit(c) >= 0; })) {
          fail("expected four hexadecimal digits after \\u");
        }
        at_ += 6;
        return;
      default: fail("unknown escape in a string");
    }
  }

  void literal(std::string_view word) {
    if (static_cast<std::size_t>(end_ - at_) < word.size() ||
        std::memcmp(at_, word.data(), word.size()) != 0) {
      fail("expected a value");
    }
    at_ += word.size();
  }

  void digits(std::string_view reason) {
    if (at_ == end_ || !is_digit(*at_)) fail(reason);
    while (at_ != end_ && is_digit(*at_)) ++at_;
  }

  void number() {
    const bool negative = *at_ == '-';
    if (!negative && !is_digit(*at_)) fail_value();
    if (negative) ++at_;
    if (at_ != end_ && *at_ == '0') {
      ++at_;
      if (at_ != end_ && is_digit(*at_)) fail("a number has a leading zero");
    } else {
      digits(at_ != end_ && *at_ == 'I' ? "Infinity is not JSON" : "expected a digit after '-'");
    }
    if (at_ != end_ && *at_ == '.') {
      ++at_;
      digits("expected a digit after '.'");
    }
    if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
      ++at_;
      if (at_ != end_ && (*at_ == '+' || *at_ == '-')) ++at_;
      digits("expected a digit in the exponent");
    }
  }

  [[noreturn]] void fail_value() const {
    const std::string_view rest(at_, static_cast<std::size_t>(end_ - at_));
    if (rest.starts_with("NaN")) fail("NaN is not JSON");
    if (rest.starts_with("Infinity")) fail("Infinity is not JSON");
    if (rest.starts_with("\xEF\xBB\xBF")) fail("a byte order mark is not JSON");
    fail("expected a value");
  }

  const char* begin_;
  const char* at_;
  const char* end_;
  std::string_view what_;
  const std::size_t depth_max_;
  std::size_t depth_ = 0;
  // Bit d is set if the container at depth d is an object. Only bits up to depth_ are ever read.
  std::array<std::uint64_t, (kJsonDepthMax + kLevelsAroundMax) / 64 + 1> open_;
};

/// The first byte that does not belong to valid UTF-8; for the message only.
std::size_t first_invalid_utf8(std::string_view text) {
  std::size_t good = 0;
  std::size_t bad = text.size();
  while (bad - good > 1) {  // prefixes are valid up to the place, apart from a cut character
    const std::size_t middle = good + (bad - good) / 2;
    std::size_t cut = middle;
    while (cut > good && (static_cast<unsigned char>(text[cut]) & 0xC0u) == 0x80) --cut;
    if (cut == good) break;
    (simdjson::validate_utf8(text.data(), cut) ? good : bad) = cut;
  }
  // What is left begins with at most one whole character before the place.
  for (std::size_t bytes = 1; bytes <= 4 && good + bytes < text.size(); ++bytes) {
    if (simdjson::validate_utf8(text.data() + good, bytes)) return good + bytes;
  }
  return good;
}

[[noreturn]] void fail_walk() {
  throw Error(ErrorKind::bug, "json", "Unum.InvalidJson", "text that is not valid JSON was walked");
}

/// Past the string that begins at `p`.
const char* skip_string(const char* p, const char* end) {
  ++p;
  for (;;) {
    p = skip_plain(p, end);
    if (p == end) fail_walk();
    if (*p == '"') return p + 1;
    p += *p == '\\' && end - p > 1 ? 2 : 1;
  }
}

/// Past the array or object that begins at `p`.
const char* skip_container(const char* p, const char* end) {
  std::size_t depth = 0;
  while (p != end) {
    switch (*p) {
      case '"': p = skip_string(p, end); continue;
      case '[':
      case '{': ++depth; break;
      case ']':
      case '}':
        if (--depth == 0) return p + 1;
        break;
      default: break;
    }
    ++p;
  }
  fail_walk();
}

/// Past the value that begins at `p`.
const char* skip_value(const char* p, const char* end) {
  if (p == end) fail_walk();
  if (*p == '"') return skip_string(p, end);
  if (*p == '[' || *p == '{') return skip_container(p, end);
  const char* start = p;
  while (p != end && *p != ',' && *p != ']' && *p != '}' && !is_space(*p)) ++p;
  if (p == start) fail_walk();
  return p;
}

inline View between(const char* begin, const char* end) {
  return View::trusted({begin, static_cast<std::size_t>(end - begin)});
}

/// From behind a value to what follows it: past the comma, or onto the bracket or the end.
const char* after_value(const char* p, const char* end) {
  p = skip_spaces(p, end);
  if (p == end) return p;
  if (*p == ',') return skip_spaces(p + 1, end);
  if (*p != ']' && *p != '}') fail_walk();
  return p;
}

Type type_at(const char* p, const char* end) {
  if (p == end) fail_walk();
  switch (*p) {
    case 'n': return Type::null;
    case 't':
    case 'f': return Type::boolean;
    case '"': return Type::string;
    case '[': return Type::array;
    case '{': return Type::object;
    default: return Type::number;
  }
}

}  // namespace

SyntaxError::SyntaxError(ErrorKind kind, std::string_view code, std::string_view what,
                         std::string reason, std::size_t offset)
    : Error(kind, "json", code,
            std::string(what) + ": " + reason + ", at byte " + std::to_string(offset)),
      reason_(std::move(reason)),
      offset_(offset) {}

View validate(std::string_view text, std::string_view what, std::size_t levels_around) {
  Validator(text, what, levels_around).run();
  // After the walk: every byte outside of strings is known to be ASCII by now.
  if (!simdjson::validate_utf8(text.data(), text.size())) {
    throw invalid(what, "the text is not UTF-8", first_invalid_utf8(text));
  }
  return View::trusted(trim(text));
}

Text Text::parse(std::string text, std::string_view what, std::size_t levels_around) {
  const View value = validate(text, what, levels_around);
  const auto before = static_cast<std::size_t>(value.text().data() - text.data());
  text.resize(before + value.size());
  if (before > 0) text.erase(0, before);
  return Text(std::move(text));
}

std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

Type type_of(View value) {
  return type_at(value.text().data(), value.text().data() + value.size());
}

Cursor::Cursor(View value) noexcept
    : at_(value.text().data()), end_(value.text().data() + value.size()) {}

Type Cursor::type() const { return type_at(at_, end_); }

View Cursor::value() {
  const char* begin = at_;
  const char* past = skip_value(begin, end_);
  at_ = after_value(past, end_);
  return between(begin, past);
}

void Cursor::enter() {
  if (at_ == end_ || (*at_ != '[' && *at_ != '{')) fail_walk();
  at_ = skip_spaces(at_ + 1, end_);
}

bool Cursor::next(char bracket) {
  if (at_ == end_) fail_walk();
  if (*at_ != bracket) return true;
  at_ = after_value(at_ + 1, end_);
  return false;
}

bool Cursor::next_element() { return next(']'); }

bool Cursor::next_member(View& raw_key) {
  if (!next('}')) return false;
  if (*at_ != '"') fail_walk();
  const char* past = skip_string(at_, end_);
  raw_key = between(at_, past);
  past = skip_spaces(past, end_);
  if (past == end_ || *past != ':') fail_walk();
  at_ = skip_spaces(past + 1, end_);
  return true;
}

std::vector<View> elements(View array) {
  std::vector<View> out;
  ElementReader reader(array);
  View element;
  while (reader.next(element)) out.push_back(element);
  return out;
}

std::vector<Member> members(View object) {
  std::vector<Member> out;
  MemberReader reader(object);
  View key;
  View value;
  while (reader.next(key, value)) out.push_back({string_value(key), value});
  std::vector<std::string_view> keys;
  keys.reserve(out.size());
  for (const Member& one : out) keys.push_back(one.key);
  std::sort(keys.begin(), keys.end());
  const auto repeated = std::adjacent_find(keys.begin(), keys.end());
  if (repeated != keys.end()) {
    throw Error(ErrorKind::invalid, "json", "Unum.RepeatedKey",
                "the key \"" + std::string(*repeated) + "\" stands twice in one object");
  }
  return out;
}

std::optional<View> member(View object, std::string_view key) {
  std::optional<View> found;
  MemberReader reader(object);
  View raw_key;
  View value;
  while (reader.next(raw_key, value)) {
    if (string_equals(raw_key, key)) found = value;
  }
  return found;
}

Text minify(View value) {
  std::string out(value.size(), '\0');
  std::size_t size = 0;
  if (simdjson::minify(value.text().data(), value.size(), out.data(), size) != simdjson::SUCCESS)
    fail_walk();
  out.resize(size);
  return Text::trusted(std::move(out));
}

}  // namespace unum::json
