// SHA-256 and HMAC-SHA-256 over libcrypto's own functions for it, not over EVP: the first fetch of
// an algorithm fills libcrypto's tables with the names of all, which takes longer than all the rest
// of a program that reads one value, and each hash by EVP costs more than the function below it.
#pragma once

#include <openssl/sha.h>

#include <array>
#include <string_view>

namespace unum::aws {

/// 32 bytes.
struct Digest {
  std::array<unsigned char, 32> bytes{};
  std::string_view view() const noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
};

/// The same as 64 small hex digits.
struct HexDigest {
  std::array<char, 64> digits{};
  std::string_view view() const noexcept { return {digits.data(), digits.size()}; }
};

HexDigest to_hex(const Digest& digest) noexcept;

class Sha256 {
 public:
  void hash(std::string_view bytes, Digest& out) noexcept;
  void hash(std::string_view bytes, HexDigest& out) noexcept;
};

/// HMAC (RFC 2104) with one key for many texts.
class HmacSha256 {
 public:
  HmacSha256() noexcept { set_key({}); }
  ~HmacSha256();
  HmacSha256(const HmacSha256&) = delete;
  HmacSha256& operator=(const HmacSha256&) = delete;
  void set_key(std::string_view key) noexcept;
  void sign(std::string_view bytes, Digest& out) noexcept;
  void sign(std::string_view bytes, HexDigest& out) noexcept;

 private:
  // Of the two hashes that HMAC is made of, after the block that the key makes.
  SHA256_CTX inner_;
  SHA256_CTX outer_;
};

}  // namespace unum::aws
