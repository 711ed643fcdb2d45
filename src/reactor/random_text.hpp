// Random names, for files and items that no other process may name the same.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "unum/reactor.hpp"

namespace unum {

/// Random bytes in hexadecimal digits, two a byte. Throws what `Reactor::random_bytes` does.
inline std::string random_hex(Reactor& reactor, std::size_t count) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::vector<std::byte> bytes(count);
  reactor.random_bytes(bytes);
  std::string text;
  text.reserve(2 * count);
  for (const std::byte byte : bytes) {
    text += kHex[std::to_integer<unsigned>(byte) >> 4];
    text += kHex[std::to_integer<unsigned>(byte) & 0xF];
  }
  return text;
}

}  // namespace unum
