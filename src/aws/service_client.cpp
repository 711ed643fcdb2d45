// One call: sign, send, judge the answer, and again.
#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <utility>

#include "aws/service_client_impl.hpp"
#include "unum/detail/wait_list.hpp"
#include "unum/task_group.hpp"

namespace unum::aws {

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
  request.slow_answer = call.slow_answer;
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

Task<Attempt> ServiceClient::Impl::send_once(http::Request request, Wait wait) {
  Attempt attempt;
  try {
    attempt.response = co_await http_.send(std::move(request), wait);
  } catch (const Error& error) {
    attempt.error = error;
  }
  co_return attempt;
}

/// Two requests for one answer.
struct ServiceClient::Impl::Race {
  Impl& impl;
  std::array<Attempt, 2> attempts{};
  std::size_t started = 0;
  std::size_t ended = 0;
  std::optional<std::size_t> winner{};
  detail::WaitList changed{};

  bool decided() const noexcept { return winner.has_value() || ended == started; }
};

Task<void> ServiceClient::Impl::run_leg(Race& race, std::size_t leg, http::Request request,
                                        Wait wait) {
  race.attempts[leg] = co_await race.impl.send_once(std::move(request), wait);
  ++race.ended;
  // An answer that would be repeated is no reason to give up the other request.
  const std::optional<http::Response>& response = race.attempts[leg].response;
  if (!race.winner && response && response->status < 500 && response->status != 429) {
    race.winner = leg;
  }
  race.changed.wake_all();
}

Task<Attempt> ServiceClient::Impl::send_hedged(const Call& call, http::Request request, Wait wait) {
  Race race{*this};
  std::array<StopSource, 2> stops{StopSource(wait.stop), StopSource(wait.stop)};
  BorrowedParts parts(*this);
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
    legs.spawn(run_leg(race, 1, make_request(call, credentials, *parts),
                       Wait{wait.deadline, stops[1].token()}));
  }
  while (!race.decided()) co_await race.changed.wait(reactor_, Wait{});
  for (StopSource& stop : stops) stop.request("the other request was answered first");
  co_await legs.drain();
  // Without a winner both failed: the first one's failure is as good as the other's.
  co_return std::move(race.attempts[race.winner.value_or(0)]);
}

Retry ServiceClient::Impl::make_retry(const Wait& wait) noexcept {
  const bool counted = policy_.patience.count() == 0 || policy_.attempts_are_given;
  const unsigned attempts = counted ? policy_.attempts_max : std::numeric_limits<unsigned>::max();
  return Retry(policy_.backoff, attempts, quota_, policy_.random, wait.deadline, policy_.patience);
}

Wait ServiceClient::Impl::wait_of_request(const Wait& wait) noexcept {
  if (!opening_) return wait;
  return Wait{std::min<Deadline>(wait.deadline, reactor_.now() + policy_.opening_request),
              wait.stop};
}

Task<ServiceAnswer> ServiceClient::Impl::send(const Call& call, Wait wait) {
  Retry retry = make_retry(wait);
  Corrections corrections;
  BorrowedParts parts(*this);
  Attempt attempt;
  Verdict verdict;
  for (;;) {
    if (pace_.is_limited()) {
      const bool mine = co_await pace_.turn(wait);
      if (!mine) fail_waiting(call, attempt, verdict, retry, wait);
    }
    const unsigned epoch = pace_.epoch();
    const Credentials* credentials = nullptr;
    if (call.signing != Signing::none) {
      credentials = credentials_.peek();
      if (credentials == nullptr) credentials = co_await fresh_credentials(call, wait);
    }
    http::Request request = make_request(call, credentials, *parts);
    bool sink_used = false;
    if (call.sink) {
      request.sink = [&call, &sink_used](std::span<const std::byte> bytes) {
        sink_used = true;
        return call.sink(bytes);
      };
    }
    ++counters_.requests;
    attempt.response.reset();
    attempt.error.reset();
    const Wait request_wait = wait_of_request(wait);
    if (call.may_hedge && policy_.hedge_after.count() > 0 && !call.sink) {
      attempt = co_await send_hedged(call, std::move(request), request_wait);
    } else {
      // Without a coroutine of its own: this is the way of every warm request.
      try {
        attempt.response = co_await http_.send(std::move(request), request_wait);
      } catch (const Error& error) {
        attempt.error = error;
      }
    }
    refuse_if_damaged(attempt);

    verdict = judge(call, attempt, (*parts).signed_as, corrections);
    if (attempt.response && !verdict.failure) pace_.answered(reactor_.now());
    if (verdict.done) {
      retry.succeeded();
      co_return ServiceAnswer{std::move(*attempt.response), std::move(verdict.fault.code)};
    }
    if (!verdict.at_once) {
      std::optional<Deadline> next;
      if (verdict.failure && !sink_used) next = when_again(attempt, verdict, epoch, retry);
      if (!next) fail(call, attempt, verdict.fault, retry);
      ++pausing_;
      const bool passed = co_await reactor_.sleep_until(*next, wait.stop);
      --pausing_;
      if (!passed) fail_waiting(call, attempt, verdict, retry, wait);
    }
    ++counters_.retries;
  }
}

ServiceClient::ServiceClient(Reactor& reactor, http::Client& http, CredentialsSource& credentials,
                             Endpoint endpoint, Protocol protocol, RetryPolicy retry)
    : impl_(std::make_unique<Impl>(reactor, http, credentials, std::move(endpoint), protocol,
                                   std::move(retry))) {}
ServiceClient::~ServiceClient() = default;

Task<ServiceAnswer> ServiceClient::send(const Call& call, Wait wait) {
  return impl_->send(call, wait);
}
const Endpoint& ServiceClient::endpoint() const noexcept { return impl_->endpoint(); }
void ServiceClient::set_endpoint(Endpoint endpoint) { impl_->set_endpoint(std::move(endpoint)); }
void ServiceClient::set_opening(bool opening) noexcept { impl_->set_opening(opening); }
std::chrono::milliseconds ServiceClient::patience() const noexcept { return impl_->patience(); }
bool ServiceClient::is_held_back() const noexcept { return impl_->is_held_back(); }
ServiceCounters ServiceClient::counters() const noexcept { return impl_->counters(); }

}  // namespace unum::aws
