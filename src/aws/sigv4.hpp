// AWS Signature Version 4 over libcrypto: in headers, or in the query ("presigned").
//
// Own code, because libcurl's signer changed meaning in many releases, derives the key anew for
// every request and formats headers, which is what a small request costs most. The rules are those
// of "AWS Signature Version 4 for API requests" (IAM User Guide) and "Authenticating Requests"
// (Amazon S3 API Reference); tests/fixtures/sigv4 holds the published vectors.
#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "aws/credentials.hpp"

namespace unum::aws {

/// Where services differ.
struct SigningRules {
  /// S3 signs the path as it is sent; the others encode it a second time.
  bool encode_path_again = true;
  /// The others resolve "//", "/./" and "/../" first; in S3 these are names like any other.
  bool normalize_path = true;
  /// S3 wants the payload's hash in a header, x-amz-content-sha256.
  bool payload_hash_header = false;
  /// Some services want the session token beside the signature, not below it.
  bool sign_session_token = true;
};
/// "s3" has rules of its own.
SigningRules signing_rules(std::string_view service) noexcept;

/// What is to be signed. The views must live during the call only.
struct RequestToSign {
  std::string_view method;
  std::string_view host;   ///< As the Host header says it: without the scheme's own port.
  std::string_view path;   ///< As it is sent: encoded once.
  std::string_view query;  ///< As it is sent: encoded.
  std::span<const std::string> headers;  ///< "name: value", names in lower case; all are signed.
  std::string_view body;
  bool unsigned_payload = false;  ///< S3 only: "UNSIGNED-PAYLOAD" stands for the hash of the body.
};

/// Signs for one service in one region. Keeps the derived key of the day, the digest's and the
/// MAC's contexts and its buffers, so that a signature allocates next to nothing. One thread only.
class Signer {
 public:
  Signer(std::string_view region, std::string_view service, SigningRules rules);
  Signer(std::string_view region, std::string_view service)
      : Signer(region, service, signing_rules(service)) {}
  ~Signer();
  Signer(Signer&&) noexcept;
  Signer& operator=(Signer&&) noexcept;

  /// `target` becomes path and query with the signature in it, good for `lifetime` from `now` on.
  void sign_query(const RequestToSign& request, const Credentials& credentials, WallTime now,
                  std::chrono::seconds lifetime, std::string& target);

  /// Overwrites `headers` from `first` on with the lines of the signature: x-amz-date,
  /// authorization and what else the rules want. Strings that are there already are reused.
  /// Returns how many lines stand in `headers` then; it may hold more strings than that.
  std::size_t sign_headers(const RequestToSign& request, const Credentials& credentials,
                           WallTime now, std::vector<std::string>& headers, std::size_t first);

  /// What the last signature was made of, for tests.
  std::string_view canonical_request() const noexcept;
  std::string_view string_to_sign() const noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// SHA-256 in 64 hex digits.
std::string sha256_hex(std::string_view bytes);

/// Appends the text with every byte but A-Z a-z 0-9 - . _ ~ as %XX, as AWS wants it; '/' too,
/// unless `keep_slash`.
void append_uri_encoded(std::string& out, std::string_view text, bool keep_slash = false);

}  // namespace unum::aws
