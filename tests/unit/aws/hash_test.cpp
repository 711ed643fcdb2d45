// SHA-256 and HMAC-SHA-256 against published vectors: FIPS 180-2 (appendix B) and RFC 4231.
#include <string>

#include "aws/hash.hpp"
#include "catch.hpp"

using namespace unum;

namespace {

std::string sha256_of(std::string_view text) {
  aws::HexDigest digest;
  aws::Sha256().hash(text, digest);
  return std::string(digest.view());
}

std::string signed_by(aws::HmacSha256& mac, std::string_view text) {
  aws::HexDigest digest;
  mac.sign(text, digest);
  return std::string(digest.view());
}

std::string hmac_of(std::string_view key, std::string_view text) {
  aws::HmacSha256 mac;
  mac.set_key(key);
  return signed_by(mac, text);
}

}  // namespace

TEST_CASE("SHA-256 gives the standard's digests", "[aws]") {
  CHECK(sha256_of("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(sha256_of(std::string(1'000'000, 'a')) ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("HMAC-SHA-256 gives the RFC's digests", "[aws]") {
  CHECK(hmac_of(std::string(20, '\x0b'), "Hi There") ==
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  CHECK(hmac_of("Jefe", "what do ya want for nothing?") ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  CHECK(hmac_of(std::string(20, '\xaa'), std::string(50, '\xdd')) ==
        "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
  CHECK(
      hmac_of(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First") ==
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  CHECK(hmac_of(std::string(131, '\xaa'),
                "This is a test using a larger than block-size key and a larger than block-size "
                "data. The key needs to be hashed before being used by the HMAC algorithm.") ==
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

TEST_CASE("HMAC signs many texts with one key, and again after a new one", "[aws]") {
  aws::HmacSha256 mac;
  mac.set_key("Jefe");
  const std::string first = signed_by(mac, "what do ya want for nothing?");
  signed_by(mac, "something else");
  CHECK(signed_by(mac, "what do ya want for nothing?") == first);
  mac.set_key(std::string(20, '\x0b'));
  CHECK(signed_by(mac, "Hi There") ==
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  // A key of exactly one block is taken as it is.
  CHECK(hmac_of(std::string(64, 'k'), "") ==
        "83026a325aaee70e36cfe607536aa1054104ad1077c36134810d4ccded1ccd3b");
}
