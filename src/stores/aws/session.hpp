// An open AWS service: HTTP client, credentials and endpoint, as environment and profile say.
#pragma once

#include <memory>

#include "reactor/http/client.hpp"
#include "stores/aws/credentials.hpp"
#include "stores/aws/service_client.hpp"
#include "unum/data_store.hpp"

namespace unum::aws {

/// An open service: client, credentials and endpoint by the environment's settings, kept alive
/// together. One a store.
struct Session {
  std::unique_ptr<http::Client> http;
  std::unique_ptr<CredentialsSource> credentials;
  std::unique_ptr<ServiceClient> service;

  /// Ends what is under way and closes connections.
  Task<void> close();
};

/// Resolves region, endpoint, retry settings and credentials (the first fetch included, so that a
/// missing one is told at open). `connections_max`: requests in flight.
Task<Session> open_session(
    Reactor& reactor, std::string_view service, Protocol protocol, std::size_t connections_max,
    Wait wait = {}, std::chrono::milliseconds request_timeout = StoreOptions{}.request_timeout);

}  // namespace unum::aws
