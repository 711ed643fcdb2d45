// Puts client, credentials and endpoint together.
#include "aws/session.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "aws/settings.hpp"
#include "unum/error.hpp"

namespace unum::aws {

namespace {

// Without an answer opening ends after this time, or the patience if that is longer.
constexpr std::chrono::milliseconds kOpenTime{30'000};
// Beyond this nobody means what they say, and sums of times stay far from their limits.
constexpr std::chrono::hours kPatienceMax{24 * 365};
// A request that hangs is given up soon enough for several tries to fit in the patience, but never
// sooner than a service may take.
constexpr int kTriesInPatience = 3;
constexpr std::chrono::milliseconds kStallLeast{5'000};

std::chrono::milliseconds stall_timeout(const SessionOptions& options) {
  if (options.patience.count() == 0) return options.request_timeout;
  return std::min(options.request_timeout,
                  std::max(kStallLeast, options.patience / kTriesInPatience));
}

void check_readable(const std::string& ca_bundle) {
  if (ca_bundle.empty() || ::access(ca_bundle.c_str(), R_OK) == 0) return;
  throw Error(ErrorKind::invalid, "aws", "Unum.InvalidSetting",
              "AWS_CA_BUNDLE (or ca_bundle of the profile) names \"" + ca_bundle +
                  "\" for the CA certificates, which cannot be read: " + std::strerror(errno));
}

}  // namespace

Task<void> Session::close() {
  if (http) co_await http->close();
}

SessionOptions session_options(const StoreOptions& options, std::string store) {
  SessionOptions result;
  result.connections_max = std::max<std::size_t>(1, options.in_flight_max);
  result.store = std::move(store);
  result.request_timeout = options.request_timeout;
  result.patience = std::clamp<std::chrono::milliseconds>(options.patience, {}, kPatienceMax);
  result.waiting = options.waiting;
  return result;
}

Deadline opening_deadline(Reactor& reactor, const StoreOptions& options, const Wait& wait) {
  const auto patience = std::min<std::chrono::milliseconds>(options.patience, kPatienceMax);
  return std::min<Deadline>(wait.deadline, reactor.now() + std::max(kOpenTime, patience));
}

Task<Session> open_session(Reactor& reactor, std::string_view service, Protocol protocol,
                           std::size_t connections_max, Wait wait) {
  SessionOptions options;
  options.connections_max = connections_max;
  return open_session(reactor, service, protocol, std::move(options), wait);
}

Task<Session> open_session(Reactor& reactor, std::string_view service, Protocol protocol,
                           SessionOptions given, Wait wait) {
  const Settings settings = Settings::load();
  Endpoint endpoint = resolve_endpoint(service, settings);
  http::ClientOptions options;
  options.connections_per_origin_max = given.connections_max;
  options.in_flight_max = given.connections_max;
  options.stall_timeout = stall_timeout(given);
  options.ca_bundle = settings.get("AWS_CA_BUNDLE", "ca_bundle").value_or("");
  check_readable(options.ca_bundle);

  Session session;
  session.http = std::make_unique<http::Client>(reactor, options);
  session.credentials = default_credentials(reactor, *session.http);
  RetryPolicy policy = settings.retry_policy(service);
  policy.patience = given.patience;
  policy.opening_request = std::min(policy.opening_request, 2 * given.request_timeout);
  policy.store = std::move(given.store);
  policy.waiting = std::move(given.waiting);
  session.service =
      std::make_unique<ServiceClient>(reactor, *session.http, *session.credentials,
                                      std::move(endpoint), protocol, std::move(policy));
  session.service->set_opening(given.patience.count() > 0);
  std::exception_ptr failed;
  try {
    co_await session.credentials->get(wait);
  } catch (...) {
    failed = std::current_exception();
  }
  if (failed) {
    co_await session.close();
    std::rethrow_exception(failed);
  }
  co_return session;
}

}  // namespace unum::aws
