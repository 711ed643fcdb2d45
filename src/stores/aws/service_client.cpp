// One call: sign, send, judge the answer, and again.
#include "stores/aws/service_client.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "base/limits.hpp"
#include "reactor/wait_list.hpp"
#include "stores/aws/checksum.hpp"
#include "stores/aws/service_error.hpp"
#include "stores/aws/sigv4.hpp"
#include "unum/task_group.hpp"

namespace unum::aws {
namespace {

// How long a signature in a query is good for. It stands in access logs, so it is short; a request
// may wait in the client's queue before it is sent, so it is not shorter.
// docs/decisions/0011-signing.md.
constexpr std::chrono::seconds kQueryLifetime{60};
// Clocks that differ by less are not the reason for a refusal: the services allow 5 or 15 minutes.
constexpr std::chrono::minutes kSkewAllowed{4};
// Buffers of requests that are kept for the next ones: as many as are usually in flight, 1 KB each.
constexpr std::size_t kSparePartsMax = 256;

/// What one request came to: an answer, or the error that took its place.
struct Outcome {
  std::optional<http::Response> response;
  std::optional<Error> error;
};

/// Where requests go. Requests under way hold it while another one takes its place.
struct Target {
  Endpoint endpoint;
  std::string host;
  bool tls = false;
};

/// What a request is made of, kept for its memory.
/// What a signature claims.
struct Signed {
  WallTime claimed{};     ///< When it was made, by the service's clock as far as it was known.
  unsigned renewals = 0;  ///< How often credentials had been renewed until then.
};

struct Parts {
  std::string target;
  std::string path;
  std::vector<std::string> headers;
  std::size_t header_count = 0;
  Signed signed_as;
  std::shared_ptr<const Target> sent_to;
};

std::string host_of(std::string_view origin) {
  std::string_view host = origin;
  const bool tls = host.starts_with("https://");
  if (const std::size_t scheme = host.find("://"); scheme != std::string_view::npos) {
    host.remove_prefix(scheme + 3);
  }
  const std::string_view own_port = tls ? ":443" : ":80";
  if (host.ends_with(own_port)) host.remove_suffix(own_port.size());
  return std::string(host);
}

bool contains(std::span<const std::string_view> codes, std::string_view code) noexcept {
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

bool is_success(int status) noexcept { return status >= 200 && status < 300; }

/// What may explain that somebody else answers, or nobody.
std::string proxy_of(const Endpoint& endpoint) {
  const std::string proxy = http::proxy_setting(endpoint.origin);
  return proxy.empty() ? proxy : "; " + proxy;
}

void hide(std::string& text, const std::string& secret) {
  if (secret.size() < 8) return;  // no secret of AWS's is that short
  for (std::size_t at = 0; (at = text.find(secret, at)) != std::string::npos;) {
    text.replace(at, secret.size(), "***");
  }
}

}  // namespace

class ServiceClient::Impl {
 public:
  Impl(Reactor& reactor, http::Client& http, CredentialsSource& credentials, Endpoint endpoint,
       Protocol protocol, RetryPolicy policy)
      : reactor_(reactor),
        http_(http),
        credentials_(credentials),
        protocol_(protocol),
        policy_(std::move(policy)) {
    spare_.reserve(kSparePartsMax);  // so that giving one back cannot fail
    set_endpoint(std::move(endpoint));
  }

  Task<Reply> send(const Call& call, Wait wait);

  const Endpoint& endpoint() const noexcept { return target_->endpoint; }
  void set_endpoint(Endpoint endpoint) {
    auto target = std::make_shared<Target>();
    target->host = host_of(endpoint.origin);
    target->tls = endpoint.origin.starts_with("https://");
    target->endpoint = std::move(endpoint);
    signer_.emplace(target->endpoint.region, target->endpoint.service);
    target_ = std::move(target);
  }
  ServiceCounters counters() const noexcept { return counters_; }

 private:
  class Lease;
  struct Race;
  struct Mended;
  struct Verdict;

  Task<const Credentials*> fresh_credentials(const Call& call, Wait wait);
  http::Request make_request(const Call& call, const Credentials* credentials, Parts& parts);
  void sign(const Call& call, const Credentials& credentials, Parts& parts, http::Request& request);
  Task<Outcome> send_hedged(const Call& call, http::Request request, Wait wait);
  static Task<void> run_leg(Race& race, std::size_t leg, http::Request request, Wait wait);
  Task<Outcome> send_once(http::Request request, Wait wait);

  Verdict judge(const Call& call, const Outcome& outcome, const Signed& as, Mended& mended);
  bool try_anew_at_once(const Call& call, const Fault& fault, const http::Response& response,
                        const Signed& as, Mended& mended);
  bool correct_clock(const Call& call, const Fault& fault, const http::Response& response,
                     WallTime claimed);
  bool means_expired_token(const Call& call, const Fault& fault);
  void refuse_if_damaged(Outcome& outcome) const;
  [[noreturn]] void fail(const Call& call, const Outcome& outcome, const Fault& fault,
                         const Retry& retry);
  std::string without_secrets(std::string message);
  WallTime wall_now() const {
    return policy_.wall_clock ? policy_.wall_clock() : std::chrono::system_clock::now();
  }

  Reactor& reactor_;
  http::Client& http_;
  CredentialsSource& credentials_;
  const Protocol protocol_;
  const RetryPolicy policy_;
  RetryQuota quota_;
  std::shared_ptr<const Target> target_;
  std::optional<Signer> signer_;
  std::chrono::seconds skew_{0};  ///< The service's clock less ours.
  unsigned renewals_ = 0;         ///< How often credentials were given back as expired.
  std::vector<std::unique_ptr<Parts>> spare_;
  ServiceCounters counters_;
};

/// Parts for one request, given back when it has ended.
class ServiceClient::Impl::Lease {
 public:
  explicit Lease(Impl& impl) : impl_(impl) {
    if (impl.spare_.empty()) {
      parts_ = std::make_unique<Parts>();
    } else {
      parts_ = std::move(impl.spare_.back());
      impl.spare_.pop_back();
    }
  }
  ~Lease() {
    if (impl_.spare_.size() < kSparePartsMax) impl_.spare_.push_back(std::move(parts_));
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  Parts& operator*() const noexcept { return *parts_; }

 private:
  Impl& impl_;
  std::unique_ptr<Parts> parts_;
};

/// What an outcome means for the call.
struct ServiceClient::Impl::Verdict {
  bool done = false;                 ///< A success, or an error that the caller expects.
  bool at_once = false;              ///< What was wrong is mended.
  std::optional<Failure> failure{};  ///< What a repetition may help against.
  std::optional<Clock::duration> asked{};
  Fault fault{};
};

/// What was mended once in a call, and is not mended twice.
struct ServiceClient::Impl::Mended {
  bool clock_corrected = false;
  bool credentials_renewed = false;
};

Task<const Credentials*> ServiceClient::Impl::fresh_credentials(const Call& call, Wait wait) {
  std::optional<Error> failed;
  try {
    co_return co_await credentials_.get(wait);
  } catch (const Error& error) {
    failed = error;
  }
  throw Error(failed->kind(), failed->origin(), failed->code(),
              std::string(call.what) + ": " + failed->message());
}

void ServiceClient::Impl::sign(const Call& call, const Credentials& credentials, Parts& parts,
                               http::Request& request) {
  const bool protected_by_tls =
      call.unsigned_payload && target_->tls && target_->endpoint.service == "s3";
  const bool in_query = call.signing == Signing::query && (call.body.empty() || protected_by_tls);
  const WallTime now = wall_now() + skew_;
  parts.signed_as = {now, renewals_};
  RequestToSign to_sign{.method = http::to_string(call.method),
                        .host = target_->host,
                        .path = request.target,
                        .query = call.query,
                        .headers = call.headers,
                        .body = call.body,
                        .unsigned_payload = in_query || protected_by_tls};
  if (in_query) {
    std::string& target = parts.target;
    signer_->sign_query(to_sign, credentials, now, kQueryLifetime, target);
    request.target = target;
    request.headers = call.headers;
    return;
  }
  const std::size_t given = call.headers.size();
  if (parts.headers.size() < given) parts.headers.resize(given);
  for (std::size_t i = 0; i < given; ++i) parts.headers[i].assign(call.headers[i]);
  parts.header_count = signer_->sign_headers(to_sign, credentials, now, parts.headers, given);
  request.headers = std::span<const std::string>(parts.headers).first(parts.header_count);
}

http::Request ServiceClient::Impl::make_request(const Call& call, const Credentials* credentials,
                                                Parts& parts) {
  http::Request request;
  parts.sent_to = target_;
  request.method = call.method;
  request.origin = target_->endpoint.origin;
  request.target = call.path;
  if (!target_->endpoint.base_path.empty()) {
    (parts.path = target_->endpoint.base_path) += call.path;
    request.target = parts.path;
  }
  request.headers = call.headers;
  request.body = call.body;
  request.long_body = call.long_body;
  request.body_bytes_max = call.body_bytes_max;
  if (credentials != nullptr) sign(call, *credentials, parts, request);
  if (request.target.data() != parts.target.data() && !call.query.empty()) {
    std::string& target = parts.target;
    target.assign(request.target);
    (target += '?') += call.query;
    request.target = target;
  }
  return request;
}

Task<Outcome> ServiceClient::Impl::send_once(http::Request request, Wait wait) {
  Outcome outcome;
  try {
    outcome.response = co_await http_.send(std::move(request), wait);
  } catch (const Error& error) {
    outcome.error = error;
  }
  co_return outcome;
}

/// Two requests for one answer.
struct ServiceClient::Impl::Race {
  Impl& impl;
  std::array<Outcome, 2> outcomes{};
  std::size_t started = 0;
  std::size_t ended = 0;
  std::optional<std::size_t> winner{};
  WaitList changed{};

  bool decided() const noexcept { return winner.has_value() || ended == started; }
};

Task<void> ServiceClient::Impl::run_leg(Race& race, std::size_t leg, http::Request request,
                                        Wait wait) {
  race.outcomes[leg] = co_await race.impl.send_once(std::move(request), wait);
  ++race.ended;
  // An answer that would be repeated is no reason to give up the other request.
  const std::optional<http::Response>& response = race.outcomes[leg].response;
  if (!race.winner && response && response->status < 500 && response->status != 429) {
    race.winner = leg;
  }
  race.changed.wake_all();
}

Task<Outcome> ServiceClient::Impl::send_hedged(const Call& call, http::Request request, Wait wait) {
  Race race{*this};
  std::array<StopSource, 2> stops{StopSource(wait.stop), StopSource(wait.stop)};
  Lease lease(*this);
  TaskGroup legs;
  race.started = 1;
  legs.spawn(run_leg(race, 0, request, Wait{wait.deadline, stops[0].token()}));
  if (!race.decided()) {
    const Deadline patience = std::min(wait.deadline, reactor_.now() + policy_.hedge_after);
    co_await race.changed.wait(reactor_, Wait{patience, wait.stop});
  }
  const Credentials* credentials = call.signing == Signing::none ? nullptr : credentials_.peek();
  const bool can_sign = credentials != nullptr || call.signing == Signing::none;
  // Hedges are paid from the quota of retries, so that a slow service is not asked twice for all.
  if (!race.decided() && !wait.stop.stop_requested() && can_sign &&
      quota_.take(RetryQuota::kThrottlingCost)) {
    ++counters_.requests;
    ++counters_.hedges;
    race.started = 2;
    legs.spawn(run_leg(race, 1, make_request(call, credentials, *lease),
                       Wait{wait.deadline, stops[1].token()}));
  }
  while (!race.decided()) co_await race.changed.wait(reactor_, Wait{});
  for (StopSource& stop : stops) stop.request("the other request was answered first");
  co_await legs.drain();
  // Without a winner both failed: the first one's failure is as good as the other's.
  co_return std::move(race.outcomes[race.winner.value_or(0)]);
}

Task<Reply> ServiceClient::Impl::send(const Call& call, Wait wait) {
  Retry retry(policy_.backoff, policy_.attempts_max, quota_, policy_.random, wait.deadline);
  Mended mended;
  Lease lease(*this);
  for (;;) {
    const Credentials* credentials = nullptr;
    if (call.signing != Signing::none) {
      credentials = credentials_.peek();
      if (credentials == nullptr) credentials = co_await fresh_credentials(call, wait);
    }
    http::Request request = make_request(call, credentials, *lease);
    bool sink_used = false;
    if (call.sink) {
      request.sink = [&call, &sink_used](std::span<const std::byte> bytes) {
        sink_used = true;
        return call.sink(bytes);
      };
    }
    ++counters_.requests;
    Outcome outcome;
    if (call.may_hedge && policy_.hedge_after.count() > 0 && !call.sink) {
      outcome = co_await send_hedged(call, std::move(request), wait);
    } else {
      // Without a coroutine of its own: this is the way of every warm request.
      try {
        outcome.response = co_await http_.send(std::move(request), wait);
      } catch (const Error& error) {
        outcome.error = error;
      }
    }
    refuse_if_damaged(outcome);

    Verdict verdict = judge(call, outcome, (*lease).signed_as, mended);
    if (verdict.done) {
      retry.succeeded();
      co_return Reply{std::move(*outcome.response), std::move(verdict.fault.code)};
    }
    if (!verdict.at_once) {
      std::optional<Deadline> next;
      if (verdict.failure && !sink_used) {
        next = retry.failed(*verdict.failure, reactor_.now(), verdict.asked);
      }
      if (!next) fail(call, outcome, verdict.fault, retry);
      if (!co_await reactor_.sleep_until(*next, wait.stop)) {
        throw Error(ErrorKind::cancelled, target_->endpoint.service, "Unum.Cancelled",
                    std::string(call.what) + ": stopped while waiting for the next attempt");
      }
    }
    ++counters_.retries;
  }
}

/// An answer whose body is not the one that was sent is like none: the connection failed.
void ServiceClient::Impl::refuse_if_damaged(Outcome& outcome) const {
  if (protocol_ != Protocol::json_1_0 || !outcome.response) return;
  const http::Response& response = *outcome.response;
  if (matches_checksum(response)) return;
  std::string message = "the answer was damaged on its way: its body of " +
                        std::to_string(response.body.size()) +
                        " bytes does not have the checksum that came with it";
  const std::string_view request = response.header("x-amzn-requestid").substr(0, 64);
  if (!request.empty()) message.append(", request ").append(request);
  outcome.error =
      Error(ErrorKind::corrupt, target_->endpoint.service, "Unum.BadChecksum", std::move(message));
  outcome.response.reset();
}

ServiceClient::Impl::Verdict ServiceClient::Impl::judge(const Call& call, const Outcome& outcome,
                                                        const Signed& as, Mended& mended) {
  Verdict verdict;
  if (!outcome.response) {
    const ErrorKind kind = outcome.error->kind();
    if (kind == ErrorKind::disconnected || kind == ErrorKind::timeout ||
        kind == ErrorKind::corrupt) {
      verdict.failure = Failure::transient;
    }
    return verdict;
  }
  const http::Response& response = *outcome.response;
  const bool success = is_success(response.status);
  if (success && !(protocol_ == Protocol::rest_xml && call.method == http::Method::post &&
                   is_error_document(response.body))) {
    verdict.done = true;
    return verdict;
  }
  Fault& fault = verdict.fault;
  fault = read_fault(response, protocol_);
  verdict.done = contains(call.expected, fault.code);
  if (verdict.done) return verdict;
  verdict.at_once = try_anew_at_once(call, fault, response, as, mended);
  verdict.failure = failure_of(fault, response.status);
  if (success || contains(call.retried, fault.code)) verdict.failure = Failure::transient;
  if (verdict.failure) verdict.asked = retry_after(response, wall_now());
  return verdict;
}

/// Whether what the answer complains of was mended, so that the call can be made again at once.
bool ServiceClient::Impl::try_anew_at_once(const Call& call, const Fault& fault,
                                           const http::Response& response, const Signed& as,
                                           Mended& mended) {
  if (call.signing == Signing::none) return false;
  if (!mended.clock_corrected && correct_clock(call, fault, response, as.claimed)) {
    mended.clock_corrected = true;
    return true;
  }
  if (!mended.credentials_renewed && means_expired_token(call, fault)) {
    mended.credentials_renewed = true;
    // Of many that were under way with the same token one gives it back.
    if (as.renewals == renewals_) {
      credentials_.invalidate();
      ++renewals_;
    }
    return true;
  }
  return false;
}

/// A HEAD is answered without a reason; with a token, an expired one is the usual reason of a 400.
bool ServiceClient::Impl::means_expired_token(const Call& call, const Fault& fault) {
  if (is_expired_token(fault.code)) return true;
  if (call.method != http::Method::head || fault.code != "400") return false;
  const Credentials* const credentials = credentials_.peek();
  return credentials != nullptr && !credentials->session_token.empty();
}

bool ServiceClient::Impl::correct_clock(const Call& call, const Fault& fault,
                                        const http::Response& response, WallTime claimed) {
  const bool certain = is_clock_skew(fault.code);
  if (!certain && !may_be_clock_skew(fault.code, response.status)) return false;
  const std::optional<WallTime> date = parse_http_date(response.header("date"));
  if (!date || !response.header("age").empty()) return false;  // a cache's date is an old one
  const bool too_early = *date + kSkewAllowed < claimed;
  const bool too_late = call.signing == Signing::query ? *date > claimed + kQueryLifetime
                                                       : *date > claimed + kSkewAllowed;
  if (!certain && !too_early && !too_late) return false;
  skew_ = std::chrono::round<std::chrono::seconds>(*date - wall_now());
  credentials_.use_clock(skew_);
  return true;
}

std::string ServiceClient::Impl::without_secrets(std::string message) {
  if (const Credentials* credentials = credentials_.peek()) {
    hide(message, credentials->secret_access_key);
    hide(message, credentials->session_token);
  }
  return message;
}

void ServiceClient::Impl::fail(const Call& call, const Outcome& outcome, const Fault& fault,
                               const Retry& retry) {
  const Endpoint& endpoint = target_->endpoint;
  std::string message(call.what);
  if (retry.attempts() > 1) message += ", " + std::to_string(retry.attempts()) + " attempts";
  message += ": ";
  std::string where = endpoint.service + " in " + endpoint.region + " at " + endpoint.origin + ")";
  if (outcome.error) {
    const Error& error = *outcome.error;
    message += error.message() + " (" + where + proxy_of(endpoint);
    if (error.kind() == ErrorKind::denied) {
      message +=
          "; the certificate must be for this host and from a CA that the system or the file "
          "of AWS_CA_BUNDLE vouches for";
    } else if (error.code().starts_with("CURLE_COULDNT_")) {  // resolve, connect
      message += endpoint.custom ? "; is a server running there, and is the endpoint right "
                                   "(AWS_ENDPOINT_URL or the profile)?"
                                 : "; is the network there, and is AWS_REGION right?";
    }
    throw Error(error.kind(), endpoint.service, error.code(), without_secrets(std::move(message)));
  }
  const http::Response& response = *outcome.response;
  const std::string status = std::to_string(response.status);
  message += fault.code == status ? "HTTP " + status : fault.code;
  if (!fault.message.empty()) message += ": " + fault.message;
  message += " (";
  if (fault.code != status) message += "HTTP " + status + ", ";
  if (!fault.request_id.empty()) message += "request " + fault.request_id + ", ";
  message += where;
  // Not the service itself speaks so.
  if (fault.code == status) message += proxy_of(endpoint);
  const ErrorKind kind = kind_of(fault, response.status);
  const Credentials* credentials = call.signing == Signing::none ? nullptr : credentials_.peek();
  if (kind == ErrorKind::denied && credentials != nullptr) {
    message += "; credentials used: " + credentials->source;
    if (is_expired_token(fault.code)) message += "; new ones are needed";
  }
  if (call.method == http::Method::head && fault.code == "400") {
    message +=
        "; a HEAD is answered without the reason, credentials that have expired are the usual one";
  }
  const std::string_view region = response.header("x-amz-bucket-region");
  if (!region.empty() && region != endpoint.region) {
    message +=
        "; the bucket is in region " + std::string(region.substr(0, 64)) + ": set AWS_REGION to it";
  }
  throw Error(kind, endpoint.service, fault.code, without_secrets(std::move(message)));
}

ServiceClient::ServiceClient(Reactor& reactor, http::Client& http, CredentialsSource& credentials,
                             Endpoint endpoint, Protocol protocol, RetryPolicy retry)
    : impl_(std::make_unique<Impl>(reactor, http, credentials, std::move(endpoint), protocol,
                                   std::move(retry))) {}
ServiceClient::~ServiceClient() = default;

Task<Reply> ServiceClient::send(const Call& call, Wait wait) { return impl_->send(call, wait); }
const Endpoint& ServiceClient::endpoint() const noexcept { return impl_->endpoint(); }
void ServiceClient::set_endpoint(Endpoint endpoint) { impl_->set_endpoint(std::move(endpoint)); }
ServiceCounters ServiceClient::counters() const noexcept { return impl_->counters(); }

}  // namespace unum::aws
