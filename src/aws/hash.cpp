// The calls of libcrypto. It advises against them since 3.0 in favour of EVP, keeps them all the
// same, and EVP itself is made of them; the header says what EVP would cost.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "aws/hash.hpp"

#include <openssl/crypto.h>

#include <algorithm>

namespace unum::aws {
namespace {

// What the key is combined with for the inner and for the outer hash (RFC 2104, section 2).
constexpr unsigned char kInnerPad = 0x36;
constexpr unsigned char kOuterPad = 0x5c;

}  // namespace

HexDigest to_hex(const Digest& digest) noexcept {
  static constexpr char kHex[] = "0123456789abcdef";
  HexDigest hex;
  for (std::size_t i = 0; i < digest.bytes.size(); ++i) {
    hex.digits[2 * i] = kHex[digest.bytes[i] >> 4];
    hex.digits[2 * i + 1] = kHex[digest.bytes[i] & 15];
  }
  return hex;
}

void Sha256::hash(std::string_view bytes, Digest& out) noexcept {
  SHA256_CTX context;
  SHA256_Init(&context);
  SHA256_Update(&context, bytes.data(), bytes.size());
  SHA256_Final(out.bytes.data(), &context);
}

void Sha256::hash(std::string_view bytes, HexDigest& out) noexcept {
  Digest digest;
  hash(bytes, digest);
  out = to_hex(digest);
}

HmacSha256::~HmacSha256() {
  OPENSSL_cleanse(&inner_, sizeof inner_);
  OPENSSL_cleanse(&outer_, sizeof outer_);
}

void HmacSha256::set_key(std::string_view key) noexcept {
  std::array<unsigned char, SHA256_CBLOCK> block{};
  if (key.size() <= block.size()) {
    std::copy(key.begin(), key.end(), block.begin());
  } else {
    Digest digest;
    Sha256().hash(key, digest);
    std::copy(digest.bytes.begin(), digest.bytes.end(), block.begin());
    OPENSSL_cleanse(&digest, sizeof digest);
  }
  for (unsigned char& byte : block) byte ^= kInnerPad;
  SHA256_Init(&inner_);
  SHA256_Update(&inner_, block.data(), block.size());
  for (unsigned char& byte : block) byte ^= kInnerPad ^ kOuterPad;
  SHA256_Init(&outer_);
  SHA256_Update(&outer_, block.data(), block.size());
  OPENSSL_cleanse(block.data(), block.size());
}

void HmacSha256::sign(std::string_view bytes, Digest& out) noexcept {
  SHA256_CTX context = inner_;
  SHA256_Update(&context, bytes.data(), bytes.size());
  SHA256_Final(out.bytes.data(), &context);
  context = outer_;
  SHA256_Update(&context, out.bytes.data(), out.bytes.size());
  SHA256_Final(out.bytes.data(), &context);
}

void HmacSha256::sign(std::string_view bytes, HexDigest& out) noexcept {
  Digest digest;
  sign(bytes, digest);
  out = to_hex(digest);
}

}  // namespace unum::aws
