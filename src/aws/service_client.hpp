// Calls of one AWS service (or of a server that speaks its protocol): signed, sent, retried, their
// errors named.
//
// It knows nothing of buckets and tables: a store says path, query, headers and body, and which
// error codes are outcomes to it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "aws/credentials.hpp"
#include "aws/endpoint.hpp"
#include "aws/retry.hpp"
#include "reactor/http/client.hpp"
#include "unum/reactor.hpp"
#include "unum/task.hpp"

namespace unum::aws {

/// How errors are written: S3 and STS answer in XML, DynamoDB in JSON.
enum class Protocol : std::uint8_t { rest_xml, json_1_0, query };

/// Where a signature goes: to the query, where it costs libcurl nothing (S3's GET, HEAD and PUT),
/// to headers, or nowhere (STS, for who has a web identity and no credentials yet). A signature in
/// the query does not cover the body: a body that has to be hashed takes it to the headers.
enum class Signing : std::uint8_t { query, header, none };

/// One call. What the views name must live until the task has ended.
struct Call {
  http::Method method = http::Method::get;
  /// Already encoded (once), as it is to be sent; begins with '/'.
  std::string_view path;
  /// "name=value&name=value", encoded and sorted by name; or empty.
  std::string_view query;
  /// Further headers "name: value" with names in lower case; all of them are signed.
  std::span<const std::string> headers;
  std::string_view body;
  /// Where the body of a success goes. Once it got something the call is not tried again: whoever
  /// owns the sink knows from where to go on.
  http::Sink sink{};
  Signing signing = Signing::header;
  /// Do not hash the body: only over TLS, where the connection protects it (S3 only). Without TLS
  /// the body is hashed whatever this says.
  bool unsigned_payload = false;
  /// Error codes that are outcomes to the caller, not errors: returned, not thrown. A response
  /// without a body (HEAD) has its status as the code: "404".
  std::span<const std::string_view> expected;
  /// Whether an answer with this status and code is such an outcome; null: only `expected` says.
  bool (*expects)(int status, std::string_view code, std::string_view body) noexcept = nullptr;
  /// Codes that are tried again beside those of the protocol ("ConditionalRequestConflict").
  std::span<const std::string_view> retried;
  /// Whether a second request may be sent beside a slow one, if the policy hedges: reads without a
  /// sink only.
  bool may_hedge = false;
  /// See http::Request.
  bool long_body = false;
  bool slow_answer = false;
  std::size_t body_bytes_max = 0;
  /// What it is about, for messages: "GetObject bucket/key".
  std::string_view what;
};

struct ServiceAnswer {
  http::Response response;
  /// Empty for success, else one of `Call::expected`.
  std::string error_code;
};

/// How often and how fast calls are repeated. The SDKs' "standard" mode, the rate of their
/// "adaptive" one, and a patience.
struct RetryPolicy {
  unsigned attempts_max = 3;
  /// By AWS_MAX_ATTEMPTS or max_attempts of the profile: then they count whatever the patience is.
  bool attempts_are_given = false;
  /// How long failures of a call are waited out; 0: attempts and quota end it.
  std::chrono::milliseconds patience{0};
  /// A request of a store that is being opened ends after this time, whatever moves.
  std::chrono::milliseconds opening_request{10'000};
  /// The store as the user named it, for the lines that `waiting` is told: see StoreOptions.
  std::string store{};
  std::function<void(std::string_view)> waiting{};
  /// After this long without an answer a read is sent a second time, and the first answer counts;
  /// 0: never. UNUM_HEDGE_MS.
  std::chrono::milliseconds hedge_after{0};
  RetryBackoff backoff{};
  /// For tests; null: the reactor's, as for the wall clock.
  Random random{};
  std::function<WallTime()> wall_clock{};
};

struct ServiceCounters {
  std::uint64_t requests = 0;  ///< Sent, retries and hedges included.
  std::uint64_t retries = 0;
  std::uint64_t hedges = 0;  ///< Second requests beside slow ones.
};

/// Signs, sends and repeats the calls of one service at one endpoint. Uses the http client and the
/// credentials of others, which must outlive it.
class ServiceClient {
 public:
  ServiceClient(Reactor& reactor, http::Client& http, CredentialsSource& credentials,
                Endpoint endpoint, Protocol protocol, RetryPolicy retry = {});
  ~ServiceClient();
  ServiceClient(const ServiceClient&) = delete;
  ServiceClient& operator=(const ServiceClient&) = delete;

  /// The answer of success or of an expected error. Anything else is thrown, once attempts, retry
  /// tokens or time are used up: `Error` with the service as origin ("s3"), the service's code, and
  /// a message that holds `what`, the service's own message, the request's id and the endpoint.
  /// Kinds:
  ///   `denied`     access denied, bad or expired credentials, untrusted certificate;
  ///   `not_found`  bucket or table (ResourceNotFoundException, NoSuchBucket);
  ///   `throttled`, `timeout`, `disconnected`, `cancelled`, `exhausted` (quota, size), `invalid`,
  ///   `conflict`, `corrupt`.
  /// A time-out or a lost connection leaves open whether the effect took place.
  Task<ServiceAnswer> send(const Call& call, Wait wait = {});

  /// While a store is being opened, somebody waits for the answer, who may have mistyped a name: a
  /// service that cannot be reached is waited for at most kOpeningPatience, a host that has no
  /// address not at all, and each request ends after RetryPolicy::opening_request. Throttling is
  /// waited out as ever.
  static constexpr std::chrono::seconds kOpeningPatience{5};
  void set_opening(bool opening) noexcept;
  /// How long what the service leaves undone is waited for; 0: not at all.
  std::chrono::milliseconds patience() const noexcept;
  /// See Store.
  bool is_held_back() const noexcept;

  const Endpoint& endpoint() const noexcept;
  /// Goes on at another endpoint or in another region: a bucket of another region, say.
  void set_endpoint(Endpoint endpoint);
  ServiceCounters counters() const noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace unum::aws
