// Characters of UTF-8 (RFC 3629), told from bytes that are none.
#pragma once

#include <cstddef>
#include <string_view>

namespace unum {

struct Utf8Character {
  std::size_t length = 0;  ///< 0: no well-formed character stands there.
  /// Then: how many bytes one replacement character stands for (the practice of the Unicode
  /// standard, 3.9).
  std::size_t skip = 1;
};

/// The character at `place`, which must be within the text.
Utf8Character utf8_character(std::string_view text, std::size_t place) noexcept;

/// Whether all of the text is UTF-8.
bool is_utf8(std::string_view text) noexcept;

}  // namespace unum
