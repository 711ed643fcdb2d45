// The parts of a service's client, which stand in two files: requests in service_client.cpp, what
// is made of their answers and failures in service_answers.cpp.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "aws/notices.hpp"
#include "aws/pace.hpp"
#include "aws/service_client.hpp"
#include "aws/service_error.hpp"
#include "aws/sigv4.hpp"

namespace unum::aws {

// How long a signature in a query is good for. It stands in access logs, so it is short; a request
// may wait in the client's queue before it is sent, so it is not shorter.
// docs/decisions/0011-signing.md.
inline constexpr std::chrono::seconds kQueryLifetime{60};
// Buffers of requests that are kept for the next ones: as many as are usually in flight, 1 KB each.
inline constexpr std::size_t kSparePartsMax = 256;

/// One request that was sent and how it ended: with a response, or with an error.
struct Attempt {
  std::optional<http::Response> response;
  std::optional<Error> error;
};

/// Where requests go. Requests under way hold it while another one takes its place.
struct Target {
  Endpoint endpoint;
  std::string host;
  bool tls = false;
};

/// What a signature claims.
struct Signed {
  WallTime claimed{};     ///< When it was made, by the service's clock as far as it was known.
  unsigned renewals = 0;  ///< How often credentials had been renewed until then.
};

/// What a request is made of, kept for its memory.
struct Parts {
  std::string target;
  std::string path;
  std::vector<std::string> headers;
  std::size_t header_count = 0;
  Signed signed_as;
  std::shared_ptr<const Target> sent_to;
};

/// Host and port of an origin, as the signature has them.
std::string host_of(std::string_view origin);

class ServiceClient::Impl {
 public:
  Impl(Reactor& reactor, http::Client& http, CredentialsSource& credentials, Endpoint endpoint,
       Protocol protocol, RetryPolicy policy)
      : reactor_(reactor),
        http_(http),
        credentials_(credentials),
        protocol_(protocol),
        policy_(std::move(policy)),
        pace_(reactor),
        notices_(policy_.store.empty() ? endpoint.service : policy_.store, policy_.waiting) {
    if (!policy_.random) policy_.random = [&reactor] { return reactor.random_fraction(); };
    spare_.reserve(kSparePartsMax);  // so that giving one back cannot fail
    set_endpoint(std::move(endpoint));
  }

  Task<ServiceAnswer> send(const Call& call, Wait wait);

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
  void set_opening(bool opening) noexcept { opening_ = opening; }
  std::chrono::milliseconds patience() const noexcept { return policy_.patience; }
  bool is_held_back() const noexcept {
    return pace_.is_limited() &&
           static_cast<double>(pace_.waiting() + pausing_) >= std::max(1.0, pace_.rate());
  }

 private:
  class BorrowedParts;
  struct Race;
  struct Corrections;
  struct Verdict;

  Task<const Credentials*> fresh_credentials(const Call& call, Wait wait);
  http::Request make_request(const Call& call, const Credentials* credentials, Parts& parts);
  void sign(const Call& call, const Credentials& credentials, Parts& parts, http::Request& request);
  Task<Attempt> send_hedged(const Call& call, http::Request request, Wait wait);
  static Task<void> run_leg(Race& race, std::size_t leg, http::Request request, Wait wait);
  Task<Attempt> send_once(http::Request request, Wait wait);

  Retry make_retry(const Wait& wait) noexcept;
  Wait wait_of_request(const Wait& wait) noexcept;
  std::optional<Deadline> when_again(const Attempt& attempt, const Verdict& verdict, unsigned epoch,
                                     Retry& retry);
  std::optional<Deadline> when_again_in_opening(const Attempt& attempt, const Retry& retry,
                                                Deadline next) const;
  void log_retry(const Attempt& attempt, const Verdict& verdict, const Retry& retry,
                 Clock::duration pause) const noexcept;
  void tell(const Attempt& attempt, const Verdict& verdict, const Retry& retry, Deadline next);
  [[noreturn]] void fail_waiting(const Call& call, const Attempt& attempt, const Verdict& verdict,
                                 const Retry& retry, const Wait& wait);

  Verdict judge(const Call& call, const Attempt& attempt, const Signed& as,
                Corrections& corrections);
  bool try_anew_at_once(const Call& call, const Fault& fault, const http::Response& response,
                        const Signed& as, Corrections& corrections);
  bool correct_clock(const Call& call, const Fault& fault, const http::Response& response,
                     WallTime claimed);
  bool means_expired_token(const Call& call, const Fault& fault);
  void refuse_if_damaged(Attempt& attempt) const;
  std::string attempts_text(const Retry& retry);
  [[noreturn]] void fail(const Call& call, const Attempt& attempt, const Fault& fault,
                         const Retry& retry);
  std::string without_secrets(std::string message);
  WallTime wall_now() const {
    return policy_.wall_clock ? policy_.wall_clock() : reactor_.wall_time();
  }

  Reactor& reactor_;
  http::Client& http_;
  CredentialsSource& credentials_;
  const Protocol protocol_;
  RetryPolicy policy_;
  RetryQuota quota_;
  Pace pace_;
  Notices notices_;
  std::size_t pausing_ = 0;  ///< Calls between two attempts.
  bool opening_ = false;
  std::shared_ptr<const Target> target_;
  std::optional<Signer> signer_;
  std::chrono::seconds skew_{0};  ///< The service's clock less ours.
  unsigned renewals_ = 0;         ///< How often credentials were given back as expired.
  std::vector<std::unique_ptr<Parts>> spare_;
  ServiceCounters counters_;
};

/// Parts for one request, borrowed from the client and returned when the request has ended.
class ServiceClient::Impl::BorrowedParts {
 public:
  explicit BorrowedParts(Impl& impl) : impl_(impl) {
    if (impl.spare_.empty()) {
      parts_ = std::make_unique<Parts>();
    } else {
      parts_ = std::move(impl.spare_.back());
      impl.spare_.pop_back();
    }
  }
  ~BorrowedParts() {
    if (impl_.spare_.size() < kSparePartsMax) impl_.spare_.push_back(std::move(parts_));
  }
  BorrowedParts(const BorrowedParts&) = delete;
  BorrowedParts& operator=(const BorrowedParts&) = delete;
  Parts& operator*() const noexcept { return *parts_; }

 private:
  Impl& impl_;
  std::unique_ptr<Parts> parts_;
};

/// What an outcome means for the call.
struct ServiceClient::Impl::Verdict {
  bool done = false;                 ///< A success, or an error that the caller expects.
  bool at_once = false;              ///< The cause was corrected; no pause is needed.
  std::optional<Failure> failure{};  ///< What a repetition may help against.
  std::optional<Clock::duration> asked{};
  Fault fault{};
};

/// What a call has corrected so far. Nothing is corrected twice.
struct ServiceClient::Impl::Corrections {
  bool clock_corrected = false;
  bool credentials_renewed = false;
};

}  // namespace unum::aws
