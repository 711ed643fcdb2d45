// JSON as text: values are carried as the text they came in, and looked into only where needed.
//
// Nothing here changes number text, key order or escapes. What walks over text takes a View, which
// is known to be JSON. On one that was trusted and is none it throws `bug` or gives a wrong answer,
// but never reads outside it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "unum/error.hpp"
#include "unum/json.hpp"

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

/// The text without whitespace around it. Does not look inside.
std::string_view trim(std::string_view text) noexcept;

/// The type of a value, from its first byte.
Type type_of(View value);

/// Walks once over a value: into the arrays and objects that are of interest, past all else. No
/// allocation.
class Cursor {
 public:
  explicit Cursor(View value) noexcept;
  /// Of the value at hand.
  Type type() const;
  /// The value at hand; goes past it.
  View value();
  /// Into the array or object at hand, before its first element or member.
  void enter();
  /// To the next element of the array that was entered; false at its end, which it goes past.
  bool next_element();
  /// To the value of the next member of the object that was entered, `raw_key` being its key as it
  /// stands (see `string_value`); false at its end, which it goes past.
  bool next_member(View& raw_key);

 private:
  bool next(char bracket);

  const char* at_;
  const char* end_;
};

/// Walks over an array's elements, without an allocation.
class ElementReader {
 public:
  explicit ElementReader(View array) : at_(array) { at_.enter(); }
  /// The next element; false at the end.
  bool next(View& element) {
    if (!at_.next_element()) return false;
    element = at_.value();
    return true;
  }

 private:
  Cursor at_;
};

/// Walks over an object's members, without an allocation.
class MemberReader {
 public:
  explicit MemberReader(View object) : at_(object) { at_.enter(); }
  /// The next key as it stands, with quotes and escapes (see `string_value`), and the value; false
  /// at the end.
  bool next(View& raw_key, View& value) {
    if (!at_.next_member(raw_key)) return false;
    value = at_.value();
    return true;
  }

 private:
  Cursor at_;
};

/// An array's elements, in order.
std::vector<View> elements(View array);

struct Member {
  std::string key;  ///< Decoded.
  View value;
};
/// The members of an object in their order; a repeated key is `invalid`.
std::vector<Member> members(View object);

/// A member's value in an object, if there is one. Of a repeated key the last counts, as in Python
/// and JavaScript.
std::optional<View> member(View object, std::string_view key);

/// The decoded content of a JSON string: UTF-8, except that a lone surrogate stays what it
/// is, in three bytes that are no UTF-8. So strings and keys that differ stay different,
/// `append_string` writes back what was there, and who needs UTF-8 (a session, a name) asks
/// `is_utf8`.
std::string string_value(View value);

/// The same for people: UTF-8 in any case, with U+FFFD for a lone surrogate.
std::string readable_value(View value);

/// Whether the decoded content of the JSON string `value` is `text`; without an allocation
/// where no escape stands in it.
bool string_equals(View value, std::string_view text);

/// Appends the decoded form of what stands between a valid JSON string's quotes.
void append_unescaped(std::string& out, std::string_view inside);

/// Appends `text` (UTF-8) as a JSON string with quotes. A lone surrogate, as `string_value` gives
/// it, becomes its escape; other bytes that are not UTF-8 become U+FFFD.
void append_string(std::string& out, std::string_view text);

/// The value without whitespace between tokens.
Text minify(View value);

}  // namespace unum::json
