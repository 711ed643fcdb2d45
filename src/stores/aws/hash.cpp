// The calls of OpenSSL 3.
#include "stores/aws/hash.hpp"

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include <string>

#include "unum/error.hpp"

namespace unum::aws {
namespace {

[[noreturn]] void fail(const char* call) {
  throw Error(ErrorKind::exhausted, "aws", "Unum.Crypto",
              std::string("libcrypto refuses ") + call + ": out of memory, or without SHA-256");
}

void require(bool ok, const char* call) {
  if (!ok) fail(call);
}

// Never freed: they belong to the process.
EVP_MD* sha256() {
  static EVP_MD* const kMd = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  require(kMd != nullptr, "EVP_MD_fetch");
  return kMd;
}

EVP_MAC* hmac() {
  static EVP_MAC* const kMac = EVP_MAC_fetch(nullptr, OSSL_MAC_NAME_HMAC, nullptr);
  require(kMac != nullptr, "EVP_MAC_fetch");
  return kMac;
}

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

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

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  require(context_ != nullptr, "EVP_MD_CTX_new");
  if (EVP_DigestInit_ex2(context_, sha256(), nullptr) != 1) {
    EVP_MD_CTX_free(context_);
    fail("EVP_DigestInit_ex2");
  }
}

Sha256::~Sha256() { EVP_MD_CTX_free(context_); }

void Sha256::hash(std::string_view bytes, Digest& out) {
  require(EVP_DigestInit_ex2(context_, nullptr, nullptr) == 1 &&
              EVP_DigestUpdate(context_, bytes.data(), bytes.size()) == 1 &&
              EVP_DigestFinal_ex(context_, out.bytes.data(), nullptr) == 1,
          "EVP_Digest");
}

void Sha256::hash(std::string_view bytes, HexDigest& out) {
  Digest digest;
  hash(bytes, digest);
  out = to_hex(digest);
}

HmacSha256::HmacSha256() : context_(EVP_MAC_CTX_new(hmac())) {
  require(context_ != nullptr, "EVP_MAC_CTX_new");
}

HmacSha256::~HmacSha256() { EVP_MAC_CTX_free(context_); }

void HmacSha256::set_key(std::string_view key) {
  char name[] = "SHA256";
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                                   OSSL_PARAM_construct_end()};
  require(EVP_MAC_init(context_, bytes_of(key), key.size(), parameters) == 1, "EVP_MAC_init");
}

void HmacSha256::sign(std::string_view bytes, Digest& out) {
  std::size_t length = 0;
  // Without a key: from the start, with the key that it has.
  require(EVP_MAC_init(context_, nullptr, 0, nullptr) == 1 &&
              EVP_MAC_update(context_, bytes_of(bytes), bytes.size()) == 1 &&
              EVP_MAC_final(context_, out.bytes.data(), &length, out.bytes.size()) == 1,
          "EVP_MAC");
}

void HmacSha256::sign(std::string_view bytes, HexDigest& out) {
  Digest digest;
  sign(bytes, digest);
  out = to_hex(digest);
}

}  // namespace unum::aws
