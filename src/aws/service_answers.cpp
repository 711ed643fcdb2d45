// What is made of an answer or a failure: the end of the call, another attempt, or an error with
// all there is to say.
#include <algorithm>
#include <chrono>

#include "aws/checksum.hpp"
#include "aws/service_client_impl.hpp"
#include "base/log.hpp"

namespace unum::aws {
namespace {

// Clocks that differ by less are not the reason for a refusal: the services allow 5 or 15 minutes.
constexpr std::chrono::minutes kSkewAllowed{4};
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

/// An answer whose body is not the one that was sent is like none: the connection failed.
void ServiceClient::Impl::refuse_if_damaged(Attempt& attempt) const {
  if (protocol_ != Protocol::json_1_0 || !attempt.response) return;
  const http::Response& response = *attempt.response;
  if (matches_checksum(response)) return;
  std::string message = "the answer was damaged on its way: its body of " +
                        std::to_string(response.body.size()) +
                        " bytes does not have the checksum that came with it";
  const std::string_view request = response.header("x-amzn-requestid").substr(0, 64);
  if (!request.empty()) message.append(", request ").append(request);
  attempt.error =
      Error(ErrorKind::corrupt, target_->endpoint.service, "Unum.BadChecksum", std::move(message));
  attempt.response.reset();
}

ServiceClient::Impl::Verdict ServiceClient::Impl::judge(const Call& call, const Attempt& attempt,
                                                        const Signed& as,
                                                        Corrections& corrections) {
  Verdict verdict;
  if (!attempt.response) {
    const ErrorKind kind = attempt.error->kind();
    if (kind == ErrorKind::disconnected || kind == ErrorKind::timeout ||
        kind == ErrorKind::corrupt) {
      verdict.failure = Failure::transient;
    }
    return verdict;
  }
  const http::Response& response = *attempt.response;
  const bool success = is_success(response.status);
  if (success && !(protocol_ == Protocol::rest_xml && call.method == http::Method::post &&
                   is_error_document(response.body))) {
    verdict.done = true;
    return verdict;
  }
  Fault& fault = verdict.fault;
  fault = read_fault(response, protocol_);
  verdict.done =
      contains(call.expected, fault.code) ||
      (call.expects != nullptr && call.expects(response.status, fault.code, response.body));
  if (verdict.done) return verdict;
  verdict.at_once = try_anew_at_once(call, fault, response, as, corrections);
  verdict.failure = failure_of(fault, response.status);
  if (success || contains(call.retried, fault.code)) verdict.failure = Failure::transient;
  if (verdict.failure) verdict.asked = retry_after(response, wall_now());
  return verdict;
}

/// Corrects what the answer complains of, once a call. Returns whether it did: then the call is
/// made again at once.
bool ServiceClient::Impl::try_anew_at_once(const Call& call, const Fault& fault,
                                           const http::Response& response, const Signed& as,
                                           Corrections& corrections) {
  if (call.signing == Signing::none) return false;
  if (!corrections.clock_corrected && correct_clock(call, fault, response, as.claimed)) {
    corrections.clock_corrected = true;
    return true;
  }
  if (!corrections.credentials_renewed && means_expired_token(call, fault)) {
    corrections.credentials_renewed = true;
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

std::string ServiceClient::Impl::attempts_text(const Retry& retry) {
  std::string text = ", " + std::to_string(retry.attempts()) + " attempts";
  if (policy_.patience.count() == 0) return text;
  if (retry.end() == Retry::End::attempts) return text + " (AWS_MAX_ATTEMPTS)";
  const auto time = reactor_.now() - retry.first_failure();
  return text + " in " + std::to_string(std::chrono::round<std::chrono::seconds>(time).count()) +
         " s";
}

void ServiceClient::Impl::fail(const Call& call, const Attempt& attempt, const Fault& fault,
                               const Retry& retry) {
  const Endpoint& endpoint = target_->endpoint;
  std::string message(call.what);
  if (retry.attempts() > 1) message += attempts_text(retry);
  message += ": ";
  std::string where = endpoint.service + " in " + endpoint.region + " at " + endpoint.origin + ")";
  if (attempt.error) {
    const Error& error = *attempt.error;
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
  const http::Response& response = *attempt.response;
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

// --- Another attempt

/// When the call is made again after a failure; nothing: not again.
std::optional<Deadline> ServiceClient::Impl::when_again(const Attempt& attempt,
                                                        const Verdict& verdict, unsigned epoch,
                                                        Retry& retry) {
  const Deadline now = reactor_.now();
  const bool patient = policy_.patience.count() > 0;
  const bool throttled = verdict.failure == Failure::throttling;
  if (patient && throttled) pace_.refused(epoch, now);
  std::optional<Deadline> next =
      retry.failed(*verdict.failure, now, verdict.asked, pace_.last_answer());
  if (next && opening_ && !throttled) next = when_again_in_opening(attempt, retry, *next);
  if (next) log_retry(attempt, verdict, retry, *next - now);
  if (!next || !patient) return next;
  if (retry.is_over_quota()) pace_.lost();
  tell(attempt, verdict, retry, *next);
  return next;
}

void ServiceClient::Impl::log_retry(const Attempt& attempt, const Verdict& verdict,
                                    const Retry& retry, Clock::duration pause) const noexcept {
  log::debug(LogArea::aws, "{}: attempt {} failed ({}{}); again in {} ms",
             target_->endpoint.service, retry.attempts(),
             verdict.failure == Failure::throttling ? "throttled: " : "",
             attempt.error ? attempt.error->code() : verdict.fault.code,
             std::chrono::duration_cast<std::chrono::milliseconds>(pause).count());
}

std::optional<Deadline> ServiceClient::Impl::when_again_in_opening(const Attempt& attempt,
                                                                   const Retry& retry,
                                                                   Deadline next) const {
  const bool no_such_host =
      attempt.error && attempt.error->code().starts_with("CURLE_COULDNT_RESOLVE");
  if (no_such_host && retry.attempts() >= policy_.attempts_max) return std::nullopt;
  const Deadline last = retry.failing_since() +
                        std::min<std::chrono::milliseconds>(kOpeningPatience, policy_.patience);
  if (reactor_.now() >= last) return std::nullopt;
  return std::min(next, last);
}

/// Somebody may wonder why nothing goes on.
void ServiceClient::Impl::tell(const Attempt& attempt, const Verdict& verdict, const Retry& retry,
                               Deadline next) {
  // Of a message that names a whole URL.
  constexpr std::size_t kWhyBytesMax = 300;
  const Deadline now = reactor_.now();
  if (!notices_.is_due(now)) return;
  if (verdict.asked && *verdict.asked >= Notices::kWorthTelling) {
    notices_.asked_to_wait(now, *verdict.asked, next - now);
    return;
  }
  const Clock::duration failing = now - retry.first_failure();
  const bool throttled = verdict.failure == Failure::throttling;
  const bool slowing = throttled && (pace_.cuts() > 1 || is_held_back());
  const bool hangs = attempt.error && attempt.error->kind() == ErrorKind::timeout;
  if (failing < Notices::kWorthTelling && !hangs && !slowing) return;
  if (throttled && pace_.is_limited() && now - pace_.last_answer() < 2 * Notices::kEvery) {
    notices_.slowed(now, verdict.fault.code, pace_.rate());
    return;
  }
  std::string why = attempt.error ? attempt.error->message() : verdict.fault.code;
  if (!attempt.error && !verdict.fault.message.empty()) why += ": " + verdict.fault.message;
  const Clock::duration patience =
      opening_ ? std::min<Clock::duration>(kOpeningPatience, policy_.patience) : policy_.patience;
  notices_.away(now, now - retry.failing_since(), throttled ? policy_.patience : patience,
                without_secrets(why.substr(0, kWhyBytesMax)));
}

/// The wait ended before the next attempt.
void ServiceClient::Impl::fail_waiting(const Call& call, const Attempt& attempt,
                                       const Verdict& verdict, const Retry& retry,
                                       const Wait& wait) {
  if (wait.stop.stop_requested()) {
    throw Error(ErrorKind::cancelled, target_->endpoint.service, "Unum.Cancelled",
                std::string(call.what) + ": stopped while waiting for the next attempt");
  }
  if (retry.attempts() > 0) fail(call, attempt, verdict.fault, retry);
  throw Error(ErrorKind::timeout, target_->endpoint.service, "Unum.Throttled",
              std::string(call.what) +
                  ": the deadline passed while it waited for its turn; the service asked for a "
                  "slower pace");
}

}  // namespace unum::aws
