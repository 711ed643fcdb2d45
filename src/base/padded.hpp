// Values as they are handed out: with room behind them for a JSON parser that reads in blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace unum {

/// Bytes of capacity behind a value's end: what simdjson may read beyond its input
/// (SIMDJSON_PADDING, at most 64 in its releases), so that a value can be parsed in place without a
/// copy.
inline constexpr std::size_t kValuePadding = 64;

inline std::string padded_copy(std::string_view value) {
  std::string copy;
  copy.reserve(value.size() + kValuePadding);
  copy.append(value);
  return copy;
}

/// The bytes at [offset, offset + bytes) of a value, as far as it reaches.
inline std::string_view part_of(std::string_view value, std::uint64_t offset, std::size_t bytes) {
  return offset < value.size() ? value.substr(static_cast<std::size_t>(offset), bytes)
                               : std::string_view();
}

}  // namespace unum
