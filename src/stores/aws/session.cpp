// Puts client, credentials and endpoint together.
#include "stores/aws/session.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "stores/aws/settings.hpp"
#include "unum/error.hpp"

namespace unum::aws {

namespace {

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

Task<Session> open_session(Reactor& reactor, std::string_view service, Protocol protocol,
                           std::size_t connections_max, Wait wait,
                           std::chrono::milliseconds request_timeout) {
  const Settings settings = Settings::load();
  Endpoint endpoint = resolve_endpoint(service, settings);
  http::ClientOptions options;
  options.connections_per_origin_max = connections_max;
  options.in_flight_max = connections_max;
  options.stall_timeout = request_timeout;
  options.ca_bundle = settings.get("AWS_CA_BUNDLE", "ca_bundle").value_or("");
  check_readable(options.ca_bundle);

  Session session;
  session.http = std::make_unique<http::Client>(reactor, options);
  session.credentials = default_credentials(reactor, *session.http);
  session.service = std::make_unique<ServiceClient>(reactor, *session.http, *session.credentials,
                                                    std::move(endpoint), protocol,
                                                    settings.retry_policy(service));
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
