// A value while an expression is evaluated: numbers and strings decoded, arrays and objects as the
// text they came in, so that looking at one field of a large result decodes that field only.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "unum/json.hpp"

namespace unum {

/// Views stay valid as long as the JSON text and the expression that the value came from.
struct Value {
  /// An array or object that nobody has looked into yet.
  struct Json {
    json::View raw;
  };
  using List = std::vector<Value>;
  std::variant<std::monostate, bool, std::int64_t, double, std::string_view, std::string, Json,
               List>
      data;

  /// Integers beyond 64 bits count as floats.
  static Value from_json(json::View raw);

  bool is_number() const noexcept {
    return std::holds_alternative<std::int64_t>(data) || std::holds_alternative<double>(data);
  }
  /// The value of a number as a float.
  double real() const noexcept;
  /// The content of a string, nothing for another type. Valid as long as this value stays in place.
  std::optional<std::string_view> string() const noexcept;
  bool is_list() const noexcept;
  bool is_object() const noexcept;
  /// "null", "a boolean", "a number", "a string", "a list" or "an object", for messages.
  std::string_view type_name() const noexcept;
};

/// Python's equality without its conversions: numbers by their exact value, lists by their
/// elements, objects whatever the order of their keys, false across types (a boolean is not a
/// number).
bool equal(const Value& a, const Value& b);

/// The order of two numbers (exact, an integer beside a float too) or of two strings (by code
/// points); nothing for other pairs.
std::optional<std::partial_ordering> order(const Value& a, const Value& b);

/// Whether a list has an equal element, a string the substring, an object the key; nothing where
/// the question makes no sense.
std::optional<bool> contains(const Value& container, const Value& value);

}  // namespace unum
