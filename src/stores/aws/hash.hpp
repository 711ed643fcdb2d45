// SHA-256 and HMAC-SHA-256 over libcrypto, with everything that can be kept kept: the algorithms
// are fetched once a process (a fetch takes longer than the hash of a small request), the contexts
// once an object.
#pragma once

#include <openssl/types.h>

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

/// Throws `exhausted` when libcrypto has no memory, `bug` when it has no SHA-256.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void hash(std::string_view bytes, Digest& out);
  void hash(std::string_view bytes, HexDigest& out);

 private:
  EVP_MD_CTX* context_;
};

/// HMAC with one key for many texts.
class HmacSha256 {
 public:
  HmacSha256();
  ~HmacSha256();
  HmacSha256(const HmacSha256&) = delete;
  HmacSha256& operator=(const HmacSha256&) = delete;
  void set_key(std::string_view key);
  void sign(std::string_view bytes, Digest& out);
  void sign(std::string_view bytes, HexDigest& out);

 private:
  EVP_MAC_CTX* context_;
};

}  // namespace unum::aws
