// Error bodies of S3, STS and DynamoDB, and the codes that mean something to us.
#include "aws/service_error.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <pugixml.hpp>

#include "base/json.hpp"
#include "base/wall_time.hpp"

namespace unum::aws {
namespace {

// Bytes of a service's message that are passed on, and of a body that is looked into: an error is a
// few hundred bytes, but DynamoDB sends the item along that a condition failed on: up to 400 KB, in
// JSON up to six times as many.
constexpr std::size_t kMessageMax = 500;
constexpr std::size_t kErrorBodyMax = 3 * 1024 * 1024;
constexpr std::size_t kCodeMax = 100;

/// One line of printable text.
std::string one_line(std::string_view text) {
  std::string line;
  for (const char c : text.substr(0, kMessageMax)) {
    const bool blank = static_cast<unsigned char>(c) <= ' ' || c == '\x7f';
    if (!blank) {
      line += c;
    } else if (!line.empty() && line.back() != ' ') {
      line += ' ';
    }
  }
  if (text.size() > kMessageMax) {
    // Not in the middle of a character: without its last one, whole or not, if that is no ASCII.
    while (!line.empty() && (static_cast<unsigned char>(line.back()) & 0xC0) == 0x80) {
      line.pop_back();
    }
    if (!line.empty() && static_cast<unsigned char>(line.back()) >= 0xC0) line.pop_back();
    line += "...";
  }
  while (line.ends_with(' ')) line.pop_back();
  return line;
}

/// Codes are names; anything else is not one.
bool is_code(std::string_view text) noexcept {
  return !text.empty() && text.size() <= kCodeMax &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '_' || c == '-';
         });
}

/// "com.amazonaws.dynamodb.v20120810#ThrottlingException:http://..." -> "ThrottlingException".
std::string_view bare_type(std::string_view type) noexcept {
  if (const std::size_t hash = type.find('#'); hash != std::string_view::npos) {
    type.remove_prefix(hash + 1);
  }
  return type.substr(0, type.find(':'));
}

void read_xml(std::string_view body, Fault& fault) {
  pugi::xml_document document;
  if (!document.load_buffer(body.data(), body.size(), pugi::parse_default, pugi::encoding_utf8)) {
    return;
  }
  // S3: Error; STS: ErrorResponse/Error, with the request's id beside it.
  pugi::xml_node root = document.document_element();
  pugi::xml_node error = root;
  if (const pugi::xml_node inner = root.child("Error")) error = inner;
  if (const pugi::xml_node list = root.child("Errors")) error = list.child("Error");
  const std::string_view code = error.child_value("Code");
  if (!is_code(code)) return;
  fault.code = code;
  fault.message = one_line(error.child_value("Message"));
  for (const pugi::xml_node place : {error, root}) {
    for (const char* name : {"RequestId", "RequestID"}) {
      if (fault.request_id.empty()) fault.request_id = one_line(place.child_value(name));
    }
  }
}

void read_json(std::string_view response, Fault& fault) {
  try {
    const json::View body = json::validate(response, "an error");
    if (json::type_of(body) != json::Type::object) return;
    const auto text = [&](std::string_view key) -> std::string {
      const auto value = json::member(body, key);
      return value && json::type_of(*value) == json::Type::string ? json::string_value(*value)
                                                                  : std::string();
    };
    for (const char* key : {"__type", "code", "Code"}) {
      const std::string type = text(key);
      if (fault.code.empty() && is_code(bare_type(type))) fault.code = bare_type(type);
    }
    for (const char* key : {"message", "Message", "errorMessage"}) {
      if (fault.message.empty()) fault.message = one_line(text(key));
    }
  } catch (const Error&) {
    // Not JSON after all: the status says what there is to say.
  }
}

/// The title of a page, or its first words: what proxies and load balancers send.
std::string page_summary(std::string_view body) {
  const std::size_t begin = body.find("<title>");
  const std::size_t end = body.find("</title>");
  if (begin != std::string_view::npos && end != std::string_view::npos && end > begin) {
    return one_line(body.substr(begin + 7, end - begin - 7));
  }
  return body.find('<') == std::string_view::npos ? one_line(body.substr(0, 200)) : std::string();
}

template <std::size_t N>
bool is_one_of(std::string_view code, const std::array<std::string_view, N>& codes) noexcept {
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

// What the SDKs count as throttling, and what S3 and DynamoDB add to it.
constexpr std::array<std::string_view, 18> kThrottling = {"Throttling",
                                                          "ThrottlingException",
                                                          "ThrottledException",
                                                          "RequestThrottledException",
                                                          "RequestThrottled",
                                                          "TooManyRequestsException",
                                                          "ProvisionedThroughputExceededException",
                                                          "TransactionInProgressException",
                                                          "RequestLimitExceeded",
                                                          "BandwidthLimitExceeded",
                                                          "SlowDown",
                                                          "LimitExceededException",
                                                          "PriorRequestNotComplete",
                                                          "EC2ThrottledException",
                                                          "ReplicatedWriteConflictException",
                                                          "ServiceUnavailable",
                                                          "ServiceUnavailableException",
                                                          "Busy"};

constexpr std::array<std::string_view, 9> kTransient = {
    "RequestTimeout",  "RequestTimeoutException",   "InternalError",
    "InternalFailure", "InternalServerError",       "IDPCommunicationError",
    "BadDigest",       "XAmzContentSHA256Mismatch", "ServerUnavailable"};

// Signatures, keys and tokens that are not what they should be. Their messages echo what was
// signed, session tokens included, so they are not passed on.
constexpr std::array<std::string_view, 6> kBadSignature = {"SignatureDoesNotMatch",
                                                           "InvalidSignatureException",
                                                           "IncompleteSignature",
                                                           "IncompleteSignatureException",
                                                           "AuthorizationQueryParametersError",
                                                           "MissingAuthenticationTokenException"};

constexpr std::array<std::string_view, 15> kDenied = {
    "AccessDenied",          "AccessDeniedException",
    "InvalidAccessKeyId",    "UnrecognizedClientException",
    "InvalidClientTokenId",  "ExpiredToken",
    "ExpiredTokenException", "InvalidToken",
    "RequestTimeTooSkewed",  "RequestExpired",
    "AllAccessDisabled",     "AccountProblem",
    "NotSignedUp",           "InvalidIdentityToken",
    "OptInRequired"};

constexpr std::array<std::string_view, 6> kNotFound = {
    "NoSuchBucket",           "NoSuchKey", "NoSuchUpload", "ResourceNotFoundException",
    "TableNotFoundException", "NotFound"};

constexpr std::array<std::string_view, 9> kConflict = {"ConditionalCheckFailedException",
                                                       "PreconditionFailed",
                                                       "ConditionalRequestConflict",
                                                       "OperationAborted",
                                                       "ResourceInUseException",
                                                       "TransactionConflictException",
                                                       "TransactionCanceledException",
                                                       "BucketAlreadyOwnedByYou",
                                                       "BucketAlreadyExists"};

constexpr std::array<std::string_view, 3> kExhausted = {"ServiceQuotaExceededException",
                                                        "QuotaExceeded", "TooManyBuckets"};

std::optional<long long> whole_number(std::string_view text) noexcept {
  long long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

}  // namespace

Fault read_fault(const http::Response& response, Protocol protocol) {
  Fault fault;
  const std::string_view body = std::string_view(response.body).substr(0, kErrorBodyMax);
  const std::size_t first = body.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  const char begin = first == std::string_view::npos ? '\0' : body[first];
  if (protocol == Protocol::json_1_0) {
    const std::string_view type = bare_type(response.header("x-amzn-errortype"));
    if (is_code(type)) fault.code = type;
  }
  if (begin == '<') read_xml(body.substr(first), fault);
  if (begin == '{') read_json(body.substr(first), fault);
  if (fault.code.empty()) {
    fault.code = std::to_string(response.status);
    fault.message = page_summary(body);
  }
  for (const char* name : {"x-amz-request-id", "x-amzn-requestid"}) {
    if (const std::string_view id = response.header(name); !id.empty()) {
      fault.request_id = one_line(id);
    }
  }
  if (fault.message.starts_with("Credential should be scoped to")) {
    fault.message += " (does AWS_REGION name the region of this endpoint?)";
  } else if (is_one_of(fault.code, kBadSignature)) {
    fault.message =
        "the service computes another signature: the secret access key does not belong to the "
        "access key, or something on the way changes the request";
  }
  return fault;
}

bool is_error_document(std::string_view body) noexcept {
  std::size_t at = body.find_first_not_of(" \t\r\n");
  if (at == std::string_view::npos) return false;
  body.remove_prefix(at);
  if (body.starts_with("<?xml")) {
    at = body.find("?>");
    if (at == std::string_view::npos) return false;
    body.remove_prefix(at + 2);
    at = body.find_first_not_of(" \t\r\n");
    if (at == std::string_view::npos) return false;
    body.remove_prefix(at);
  }
  return body.starts_with("<Error>") || body.starts_with("<Error ");
}

ErrorKind kind_of(const Fault& fault, int status) noexcept {
  const std::string_view code = fault.code;
  if (is_one_of(code, kThrottling)) return ErrorKind::throttled;
  if (is_one_of(code, kBadSignature) || is_one_of(code, kDenied)) return ErrorKind::denied;
  if (is_one_of(code, kNotFound)) return ErrorKind::not_found;
  if (is_one_of(code, kConflict)) return ErrorKind::conflict;
  if (is_one_of(code, kExhausted)) return ErrorKind::exhausted;
  if (code.starts_with("RequestTimeout")) return ErrorKind::timeout;
  if (code == "BadDigest" || code == "XAmzContentSHA256Mismatch") return ErrorKind::corrupt;
  switch (status) {
    case 401:
    case 403:
    case 407: return ErrorKind::denied;
    case 404:
    case 410: return ErrorKind::not_found;
    case 408:
    case 504: return ErrorKind::timeout;
    case 409:
    case 412: return ErrorKind::conflict;
    case 507: return ErrorKind::exhausted;
    case 429:
    case 503: return ErrorKind::throttled;
    default: break;
  }
  // A service that broke off in the middle: as with a lost connection, the effect is unknown.
  return status >= 500 ? ErrorKind::disconnected : ErrorKind::invalid;
}

std::optional<Failure> failure_of(const Fault& fault, int status) noexcept {
  if (is_one_of(fault.code, kThrottling) || status == 429) return Failure::throttling;
  if (is_one_of(fault.code, kTransient)) return Failure::transient;
  if (status == 500 || status == 502 || status == 503 || status == 504 || status == 408) {
    return Failure::transient;
  }
  return std::nullopt;
}

bool is_clock_skew(std::string_view code) noexcept {
  return code == "RequestTimeTooSkewed" || code == "RequestExpired" || code == "RequestInTheFuture";
}

bool may_be_clock_skew(std::string_view code, int status) noexcept {
  return is_one_of(code, kBadSignature) || code == "AuthFailure" || code == "AccessDenied" ||
         (code == "403" && status == 403);
}

bool is_expired_token(std::string_view code) noexcept {
  return code == "ExpiredToken" || code == "ExpiredTokenException" ||
         code == "TokenRefreshRequired";
}

std::optional<std::chrono::system_clock::time_point> parse_http_date(std::string_view text) {
  static constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  // "Wed, 21 Oct 2015 07:28:00 GMT": every field stands at its place.
  if (text.size() != 29 || !text.ends_with(" GMT") || text.substr(3, 2) != ", ") {
    return std::nullopt;
  }
  const auto number = [&](std::size_t at, std::size_t digits) {
    return whole_number(text.substr(at, digits)).value_or(-1);
  };
  const std::size_t month = kMonths.find(text.substr(8, 3));
  if (month == std::string_view::npos || month % 3 != 0) return std::nullopt;
  const auto year = static_cast<int>(number(12, 4));
  const std::chrono::year_month_day day(std::chrono::year(year),
                                        std::chrono::month(static_cast<unsigned>(month / 3 + 1)),
                                        std::chrono::day(static_cast<unsigned>(number(5, 2))));
  const long long hours = number(17, 2);
  const long long minutes = number(20, 2);
  const long long seconds = number(23, 2);
  if (year < 0 || !day.ok() || hours < 0 || hours > 23 || minutes < 0 || minutes > 59 ||
      seconds < 0 || seconds > 60) {
    return std::nullopt;
  }
  return bounded_wall_time(std::chrono::sys_days(day) + std::chrono::hours(hours) +
                           std::chrono::minutes(minutes) + std::chrono::seconds(seconds));
}

std::optional<Clock::duration> retry_after(const http::Response& response,
                                           std::chrono::system_clock::time_point now) {
  // Far above any pause a service asks for, and safe to compute with.
  constexpr long long kLongestMs = 24ll * 3600 * 1000;
  if (const auto ms = whole_number(response.header("x-amz-retry-after"))) {
    return std::chrono::milliseconds(std::min(*ms, kLongestMs));
  }
  const std::string_view text = response.header("retry-after");
  if (const auto seconds = whole_number(text)) {
    return std::chrono::seconds(std::min(*seconds, kLongestMs / 1000));
  }
  if (const auto date = parse_http_date(text); date && *date > now) {
    return std::min<Clock::duration>(std::chrono::duration_cast<Clock::duration>(*date - now),
                                     std::chrono::milliseconds(kLongestMs));
  }
  return std::nullopt;
}

}  // namespace unum::aws
