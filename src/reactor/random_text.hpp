// Random names, for files, items and sessions that no other process may name the same.
#pragma once

#include <array>
#include <cstddef>
#include <span>
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

/// A random UUID (RFC 9562, version 4). Throws the same.
inline std::string random_uuid(Reactor& reactor) {
  std::array<unsigned char, 16> bytes;
  reactor.random_bytes(std::as_writable_bytes(std::span(bytes)));
  bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0F) | 0x40);
  bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3F) | 0x80);
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  text.reserve(36);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += kHex[bytes[i] >> 4];
    text += kHex[bytes[i] & 0xF];
  }
  return text;
}

}  // namespace unum
