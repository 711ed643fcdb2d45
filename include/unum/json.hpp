// JSON values as text that is known to be valid: a view of it, or a copy.
//
// User values are never decoded and encoded again, so numbers, key order and escapes are preserved
// to the byte. A function that takes one of these types need not check it: they are created only by
// `validate`, and by `trusted` for text that the caller has itself written as JSON.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "unum/api.hpp"

namespace unum::json {

/// A view of one JSON value, without whitespace around it. Does not own the text.
class UNUM_API View {
 public:
  /// `null`.
  constexpr View() noexcept = default;
  /// Without a check: for text that the caller has written as JSON, or cut out of valid JSON.
  static constexpr View trusted(std::string_view text) noexcept { return View(text); }

  constexpr std::string_view text() const noexcept { return text_; }
  constexpr std::size_t size() const noexcept { return text_.size(); }
  // NOLINTNEXTLINE(google-explicit-constructor): all JSON is text
  constexpr operator std::string_view() const noexcept { return text_; }

  friend constexpr bool operator==(View a, View b) noexcept { return a.text_ == b.text_; }
  friend constexpr bool operator==(View a, std::string_view b) noexcept { return a.text_ == b; }

 private:
  explicit constexpr View(std::string_view text) noexcept : text_(text) {}
  std::string_view text_ = "null";
};

/// Checks strictly (RFC 8259, UTF-8, at most 1,024 levels) that `text` is exactly one value with
/// optional whitespace around it. Throws an Error of origin "json" whose message contains `what`,
/// the reason and the byte offset: `invalid` (code "Unum.InvalidJson") or `exhausted` (code
/// "Unum.JsonTooDeep"). NaN, Infinity, trailing text, a byte order mark and empty text are errors.
/// Since values are not interpreted, numbers of any size (`1e999`), repeated keys and the escape of
/// a lone surrogate (`"\ud800"`, which Python's json.dumps writes) are accepted. `levels_around`,
/// at most 16, allows that many more levels, for an envelope around a value.
UNUM_API View validate(std::string_view text, std::string_view what, std::size_t levels_around = 0);

/// A JSON value that owns its text.
class UNUM_API Text {
 public:
  /// `null`.
  Text() : text_("null") {}
  explicit Text(View value) : text_(value.text()) {}
  /// As `validate`.
  static Text parse(std::string text, std::string_view what, std::size_t levels_around = 0);
  /// As View::trusted.
  static Text trusted(std::string text) noexcept { return Text(std::move(text)); }

  View view() const noexcept { return View::trusted(text_); }
  const std::string& text() const& noexcept { return text_; }
  std::string text() && noexcept { return std::move(text_); }
  std::size_t size() const noexcept { return text_.size(); }
  // NOLINTNEXTLINE(google-explicit-constructor): as View's
  operator View() const noexcept { return view(); }

  friend bool operator==(const Text& a, std::string_view b) noexcept { return a.text_ == b; }

 private:
  explicit Text(std::string text) noexcept : text_(std::move(text)) {}
  std::string text_;
};

}  // namespace unum::json
