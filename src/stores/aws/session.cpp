// Puts client, credentials and endpoint together.
#include "stores/aws/session.hpp"

#include <utility>

#include "stores/aws/settings.hpp"

namespace unum::aws {

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
