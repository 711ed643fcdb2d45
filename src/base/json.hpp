// JSON as text: values are carried as the text they came in, and looked into only where needed.
//
// Nothing here changes number text, key order or escapes. The functions below `validate` expect
// text that passed it; on other text they throw `bug` or give a wrong answer, but never read
// outside it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "unum/error.hpp"

namespace unum::json {

enum class Type : std::uint8_t { null, boolean, number, string, array, object };

/// What is wrong with a text, and where: "<what>: <reason>, at byte <offset>".
class SyntaxError : public Error {
 public:
  SyntaxError(ErrorKind kind, std::string_view code, std::string_view what, std::string reason,
              std::size_t offset);

  const std::string& reason() const noexcept { return reason_; }
  std::size_t offset() const noexcept { return offset_; }

 private:
  std::string reason_;
  std::size_t offset_;
};

/// Strict check (RFC 8259, UTF-8, depth <= kJsonDepthMax) of exactly one value with optional
/// whitespace around it. Throws a SyntaxError (origin "json"): `invalid` (code "Unum.InvalidJson"),
/// or `exhausted` (code "Unum.JsonTooDeep") when nested too deeply. NaN,
/// Infinity, trailing text, a byte order mark and empty text are errors. Accepted, since a value is
/// carried and not interpreted: numbers of any size (`1e999`), repeated keys, and the escape of a
/// lone surrogate (`"\ud800"`, which Python's json.dumps writes). `levels_around`, at most 16: so
/// many more levels are allowed, for a text that holds a value inside an envelope.
void validate(std::string_view text, std::string_view what, std::size_t levels_around = 0);

/// The text without whitespace around it. Does not look inside.
std::string_view trim(std::string_view text) noexcept;

/// The type of a valid value, from its first byte.
Type type_of(std::string_view value);

/// Walks over a valid array's elements, without an allocation.
class ElementReader {
 public:
  explicit ElementReader(std::string_view array);
  /// The next element's raw text, a view into the array; false at the end.
  bool next(std::string_view& element);

 private:
  const char* at_;
  const char* end_;
};

/// Walks over a valid object's members, without an allocation.
class MemberReader {
 public:
  explicit MemberReader(std::string_view object);
  /// The next key as it stands, with quotes and escapes (see `string_value`), and the value's raw
  /// text, views into the object; false at the end.
  bool next(std::string_view& raw_key, std::string_view& value);

 private:
  const char* at_;
  const char* end_;
};

/// The raw texts of a valid array's elements, in order; views into `array`.
std::vector<std::string_view> elements(std::string_view array);

struct Member {
  std::string key;         ///< Decoded.
  std::string_view value;  ///< Raw text, a view into the object.
};
/// The members of a valid object in their order; a repeated key is `invalid`.
std::vector<Member> members(std::string_view object);

/// The raw text of a member's value in a valid object, if there is one. Of a repeated key the last
/// counts, as in Python and JavaScript.
std::optional<std::string_view> member(std::string_view object, std::string_view key);

/// The decoded content of a valid JSON string: UTF-8, except that a lone surrogate stays what it
/// is, in three bytes that are no UTF-8. So strings and keys that differ stay different,
/// `append_string` writes back what was there, and who needs UTF-8 (a session, a name) asks
/// `is_utf8`.
std::string string_value(std::string_view value);

/// The same for people: UTF-8 in any case, with U+FFFD for a lone surrogate.
std::string readable_value(std::string_view value);

/// Whether the decoded content of the valid JSON string `value` is `text`; without an allocation
/// where no escape stands in it.
bool string_equals(std::string_view value, std::string_view text);

/// Appends the decoded form of what stands between a valid JSON string's quotes.
void append_unescaped(std::string& out, std::string_view inside);

/// Appends `text` (UTF-8) as a JSON string with quotes. A lone surrogate, as `string_value` gives
/// it, becomes its escape; other bytes that are not UTF-8 become U+FFFD.
void append_string(std::string& out, std::string_view text);

/// The valid text without whitespace between tokens.
std::string minify(std::string_view text);

}  // namespace unum::json
