// Puts client, credentials and endpoint together.
#include "aws/open_service.hpp"

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

std::chrono::milliseconds stall_timeout(const ServiceOptions& options) {
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

Task<void> OpenService::close() {
  if (http) co_await http->close();
}

ServiceOptions service_options(const StoreOptions& options, std::string store) {
  ServiceOptions result;
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

Task<OpenService> open_service(Reactor& reactor, std::string_view service, Protocol protocol,
                               std::size_t connections_max, Wait wait) {
  ServiceOptions options;
  options.connections_max = connections_max;
  return open_service(reactor, service, protocol, std::move(options), wait);
}

Task<OpenService> open_service(Reactor& reactor, std::string_view service, Protocol protocol,
                               ServiceOptions given, Wait wait) {
  const Settings settings = Settings::load();
  Endpoint endpoint = resolve_endpoint(service, settings);
  http::ClientOptions options;
  options.connections_per_origin_max = given.connections_max;
  options.in_flight_max = given.connections_max;
  options.stall_timeout = stall_timeout(given);
  options.ca_bundle = settings.get("AWS_CA_BUNDLE", "ca_bundle").value_or("");
  check_readable(options.ca_bundle);

  OpenService opened;
  opened.http = std::make_unique<http::Client>(reactor, options);
  opened.credentials = default_credentials(reactor, *opened.http);
  RetryPolicy policy = settings.retry_policy(service);
  policy.patience = given.patience;
  policy.opening_request = std::min(policy.opening_request, 2 * given.request_timeout);
  policy.store = std::move(given.store);
  policy.waiting = std::move(given.waiting);
  opened.service = std::make_unique<ServiceClient>(
      reactor, *opened.http, *opened.credentials, std::move(endpoint), protocol, std::move(policy));
  opened.service->set_opening(given.patience.count() > 0);
  std::exception_ptr failed;
  try {
    co_await opened.credentials->get(wait);
  } catch (...) {
    failed = std::current_exception();
  }
  if (failed) {
    co_await opened.close();
    std::rethrow_exception(failed);
  }
  co_return opened;
}

}  // namespace unum::aws
