// The canonical request, the string to sign, and the two places where the signature may stand.
#include "aws/sigv4.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "aws/hash.hpp"
#include "unum/assert.hpp"

namespace unum::aws {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
constexpr std::string_view kUnsignedPayload = "UNSIGNED-PAYLOAD";
// SHA-256 of no bytes: most requests have no body.
constexpr std::string_view kEmptyHash =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

bool is_unreserved(unsigned char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

void append_digits(std::string& out, unsigned value, std::size_t digits) {
  std::array<char, 8> text{};
  for (std::size_t i = digits; i > 0; --i, value /= 10) {
    text[i - 1] = static_cast<char>('0' + value % 10);
  }
  out.append(text.data(), digits);
}

/// One name and value, as views into the request or the signer.
struct Field {
  std::string_view name;
  std::string_view value;
};

/// The value without blanks around it, runs of blanks as one. Blanks are what HTTP folds lines
/// with, too.
void append_trimmed(std::string& out, std::string_view value) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  bool pending = false;
  bool any = false;
  for (const char c : value) {
    if (blank(c)) {
      pending = any;
      continue;
    }
    if (pending) out += ' ';
    pending = false;
    any = true;
    out += c;
  }
}

/// RFC 3986's removal of dot segments, and empty segments, too.
std::string normalized_path(std::string_view path) {
  std::vector<std::string_view> segments;
  const bool directory = path.ends_with('/') || path.ends_with("/.") || path.ends_with("/..");
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    const std::string_view segment = path.substr(0, slash);
    path.remove_prefix(std::min(slash + 1, path.size()));
    if (segment.empty() || segment == ".") continue;
    if (segment != "..") {
      segments.push_back(segment);
    } else if (!segments.empty()) {
      segments.pop_back();
    }
  }
  std::string result;
  for (const std::string_view segment : segments) {
    result += '/';
    result += segment;
  }
  if (directory || result.empty()) result += '/';
  return result;
}

}  // namespace

void append_uri_encoded(std::string& out, std::string_view text, bool keep_slash) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (is_unreserved(byte) || (keep_slash && c == '/')) {
      out += c;
    } else {
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
}

SigningRules signing_rules(std::string_view service) noexcept {
  SigningRules rules;
  if (service == "s3") {
    rules.encode_path_again = false;
    rules.normalize_path = false;
    rules.payload_hash_header = true;
  }
  return rules;
}

std::string sha256_hex(std::string_view bytes) {
  Sha256 sha;
  HexDigest digest;
  sha.hash(bytes, digest);
  return std::string(digest.view());
}

class Signer::Impl {
 public:
  Impl(std::string_view region, std::string_view service, SigningRules rules)
      : region_(region), service_(service), rules_(rules) {}

  void sign_query(const RequestToSign& request, const Credentials& credentials, WallTime now,
                  std::chrono::seconds lifetime, std::string& target) {
    prepare(credentials, now);
    fields_.clear();
    collect_headers(request);
    const bool with_token = !credentials.session_token.empty();
    build_query(request.query, lifetime, with_token && rules_.sign_session_token);
    const HexDigest& signature = sign(request, query_, payload_hash(request));
    target.assign(request.path);
    target += '?';
    target += query_;
    if (with_token && !rules_.sign_session_token) {
      target += "&X-Amz-Security-Token=";
      target += encoded_token_;
    }
    target += "&X-Amz-Signature=";
    target += signature.view();
  }

  std::size_t sign_headers(const RequestToSign& request, const Credentials& credentials,
                           WallTime now, std::vector<std::string>& headers, std::size_t first) {
    prepare(credentials, now);
    const std::string_view hash = payload_hash(request);
    fields_.clear();
    collect_headers(request);
    fields_.push_back({"x-amz-date", timestamp_});
    if (rules_.payload_hash_header) fields_.push_back({"x-amz-content-sha256", hash});
    if (!credentials.session_token.empty() && rules_.sign_session_token) {
      fields_.push_back({"x-amz-security-token", credentials.session_token});
    }
    sort_fields();
    join_signed_names();
    sort_query(request.query, 0);
    const HexDigest& signature = sign(request, query_, hash);
    std::size_t count = first;
    const auto line = [&](std::string_view name) -> std::string& {
      if (count == headers.size()) headers.emplace_back();
      return headers[count++].assign(name);
    };
    line("x-amz-date: ") += timestamp_;
    if (rules_.payload_hash_header) line("x-amz-content-sha256: ") += hash;
    if (!credentials.session_token.empty()) {
      line("x-amz-security-token: ") += credentials.session_token;
    }
    std::string& authorization = line("authorization: ");
    ((authorization += kAlgorithm) += " Credential=") += credential_;
    (authorization += ", SignedHeaders=") += signed_names_;
    (authorization += ", Signature=") += signature.view();
    return count;
  }

  const std::string& canonical() const noexcept { return canonical_; }
  const std::string& string_to_sign() const noexcept { return string_to_sign_; }

 private:
  /// Derives the key and what goes with it, if the day or the credentials are not the last ones.
  void prepare(const Credentials& credentials, WallTime now) {
    const auto second = std::chrono::floor<std::chrono::seconds>(now);
    bool new_day = false;
    if (second != second_ || timestamp_.empty()) new_day = set_time(second);
    if (!new_day && credentials.secret_access_key == secret_ &&
        credentials.access_key_id == access_key_id_ && credentials.session_token == token_) {
      return;
    }
    secret_ = credentials.secret_access_key;
    access_key_id_ = credentials.access_key_id;
    token_ = credentials.session_token;
    encoded_token_.clear();
    append_uri_encoded(encoded_token_, token_);
    const std::string_view date = std::string_view(timestamp_).substr(0, 8);
    scope_.assign(date);
    (((scope_ += '/') += region_) += '/') += service_;
    scope_ += "/aws4_request";
    credential_.assign(access_key_id_);
    (credential_ += '/') += scope_;
    encoded_credential_.clear();
    append_uri_encoded(encoded_credential_, credential_);
    derive_key(date);
  }

  void derive_key(std::string_view date) {
    Digest key;
    mac_.set_key("AWS4" + secret_);
    mac_.sign(date, key);
    for (const std::string_view part : {std::string_view(region_), std::string_view(service_),
                                        std::string_view("aws4_request")}) {
      mac_.set_key(key.view());
      mac_.sign(part, key);
    }
    mac_.set_key(key.view());
  }

  /// Writes the timestamp; whether the day is another one.
  bool set_time(std::chrono::sys_seconds second) {
    second_ = second;
    const auto day = std::chrono::floor<std::chrono::days>(second);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss time(second - day);
    std::string& text = timestamp_;
    text.clear();
    append_digits(text, static_cast<unsigned>(static_cast<int>(date.year())), 4);
    append_digits(text, static_cast<unsigned>(date.month()), 2);
    append_digits(text, static_cast<unsigned>(date.day()), 2);
    text += 'T';
    append_digits(text, static_cast<unsigned>(time.hours().count()), 2);
    append_digits(text, static_cast<unsigned>(time.minutes().count()), 2);
    append_digits(text, static_cast<unsigned>(time.seconds().count()), 2);
    text += 'Z';
    return std::exchange(day_, day) != day;
  }

  std::string_view payload_hash(const RequestToSign& request) {
    if (request.unsigned_payload) return kUnsignedPayload;
    if (request.body.empty()) return kEmptyHash;
    sha_.hash(request.body, payload_hash_);
    return payload_hash_.view();
  }

  /// The request's own headers and the host, sorted, and their names in one text.
  void collect_headers(const RequestToSign& request) {
    fields_.push_back({"host", request.host});
    for (const std::string& header : request.headers) {
      const std::string_view line = header;
      const std::size_t colon = line.find(':');
      UNUM_ASSERT(colon != std::string_view::npos);
      fields_.push_back({line.substr(0, colon), line.substr(colon + 1)});
    }
    sort_fields();
    join_signed_names();
  }

  /// Few, and nearly in order: an insertion sort. Equal names keep their order.
  void sort_fields() noexcept {
    for (std::size_t i = 1; i < fields_.size(); ++i) {
      for (std::size_t k = i; k > 0 && fields_[k].name < fields_[k - 1].name; --k) {
        std::swap(fields_[k], fields_[k - 1]);
      }
    }
  }

  void join_signed_names() {
    signed_names_.clear();
    for (std::size_t i = 0; i < fields_.size(); ++i) {
      if (i > 0 && fields_[i].name == fields_[i - 1].name) continue;
      if (!signed_names_.empty()) signed_names_ += ';';
      signed_names_ += fields_[i].name;
    }
  }

  /// The query with the signature's parameters, in canonical order.
  void build_query(std::string_view query, std::chrono::seconds lifetime, bool with_token) {
    ours_.assign("X-Amz-Algorithm=");
    (ours_ += kAlgorithm) += "&X-Amz-Credential=";
    (ours_ += encoded_credential_) += "&X-Amz-Date=";
    (ours_ += timestamp_) += "&X-Amz-Expires=";
    const auto seconds = static_cast<unsigned>(lifetime.count());
    std::size_t digits = 1;
    for (unsigned rest = seconds; rest >= 10; rest /= 10) ++digits;
    append_digits(ours_, seconds, digits);
    if (with_token) (ours_ += "&X-Amz-Security-Token=") += encoded_token_;
    ours_ += "&X-Amz-SignedHeaders=";
    append_uri_encoded(ours_, signed_names_);
    sort_query(query, ours_.size());
  }

  /// `query_` becomes the parameters of the query, and of `ours_` if that counts, sorted.
  void sort_query(std::string_view query, std::size_t ours) {
    const std::string_view mine = std::string_view(ours_).substr(0, ours);
    // The usual cases: nothing of the caller's, or names that begin with a small letter.
    if (query.empty()) {
      query_.assign(mine);
      return;
    }
    parameters_.clear();
    split_query(mine);
    split_query(query);
    std::stable_sort(parameters_.begin(), parameters_.end(), [](const Field& a, const Field& b) {
      return a.name != b.name ? a.name < b.name : a.value < b.value;
    });
    query_.clear();
    for (const Field& parameter : parameters_) {
      if (!query_.empty()) query_ += '&';
      ((query_ += parameter.name) += '=') += parameter.value;
    }
  }

  void split_query(std::string_view query) {
    while (!query.empty()) {
      const std::size_t end = std::min(query.find('&'), query.size());
      const std::string_view parameter = query.substr(0, end);
      query.remove_prefix(std::min(end + 1, query.size()));
      const std::size_t equals = std::min(parameter.find('='), parameter.size());
      if (parameter.empty()) continue;
      parameters_.push_back(
          {parameter.substr(0, equals), parameter.substr(std::min(equals + 1, parameter.size()))});
    }
  }

  const HexDigest& sign(const RequestToSign& request, std::string_view query,
                        std::string_view payload_hash) {
    canonical_.assign(request.method);
    canonical_ += '\n';
    append_canonical_path(request.path);
    ((canonical_ += '\n') += query) += '\n';
    for (std::size_t i = 0; i < fields_.size(); ++i) {
      if (i > 0 && fields_[i].name == fields_[i - 1].name) {
        canonical_.back() = ',';  // instead of the line's end
      } else {
        (canonical_ += fields_[i].name) += ':';
      }
      append_trimmed(canonical_, fields_[i].value);
      canonical_ += '\n';
    }
    ((canonical_ += '\n') += signed_names_) += '\n';
    canonical_ += payload_hash;

    sha_.hash(canonical_, canonical_hash_);
    (string_to_sign_.assign(kAlgorithm) += '\n') += timestamp_;
    ((string_to_sign_ += '\n') += scope_) += '\n';
    string_to_sign_ += canonical_hash_.view();
    mac_.sign(string_to_sign_, signature_);
    return signature_;
  }

  void append_canonical_path(std::string_view path) {
    if (path.empty()) path = "/";
    std::string normal;
    if (rules_.normalize_path &&
        (path.find("//") != std::string_view::npos || path.find("/.") != std::string_view::npos)) {
      normal = normalized_path(path);
      path = normal;
    }
    if (rules_.encode_path_again) {
      append_uri_encoded(canonical_, path, true);
    } else {
      canonical_ += path;
    }
  }

  const std::string region_;
  const std::string service_;
  const SigningRules rules_;
  Sha256 sha_;
  HmacSha256 mac_;  ///< Holds the signing key.

  // What the key and its texts were made of.
  std::string secret_;
  std::string access_key_id_;
  std::string token_;
  std::chrono::sys_days day_{};
  std::string scope_;
  std::string credential_;
  std::string encoded_credential_;
  std::string encoded_token_;

  std::chrono::sys_seconds second_{};
  std::string timestamp_;

  // Buffers, kept for their memory.
  std::vector<Field> fields_;
  std::vector<Field> parameters_;
  std::string signed_names_;
  std::string ours_;
  std::string query_;
  std::string canonical_;
  std::string string_to_sign_;
  HexDigest payload_hash_;
  HexDigest canonical_hash_;
  HexDigest signature_;
};

Signer::Signer(std::string_view region, std::string_view service, SigningRules rules)
    : impl_(std::make_unique<Impl>(region, service, rules)) {}
Signer::~Signer() = default;
Signer::Signer(Signer&&) noexcept = default;
Signer& Signer::operator=(Signer&&) noexcept = default;

void Signer::sign_query(const RequestToSign& request, const Credentials& credentials, WallTime now,
                        std::chrono::seconds lifetime, std::string& target) {
  impl_->sign_query(request, credentials, now, lifetime, target);
}

std::size_t Signer::sign_headers(const RequestToSign& request, const Credentials& credentials,
                                 WallTime now, std::vector<std::string>& headers,
                                 std::size_t first) {
  return impl_->sign_headers(request, credentials, now, headers, first);
}

std::string_view Signer::canonical_request() const noexcept { return impl_->canonical(); }
std::string_view Signer::string_to_sign() const noexcept { return impl_->string_to_sign(); }

}  // namespace unum::aws
