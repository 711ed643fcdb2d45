// An open AWS service: HTTP client, credentials and endpoint, as environment and profile say.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "aws/credentials.hpp"
#include "aws/service_client.hpp"
#include "reactor/http/client.hpp"
#include "unum/store_options.hpp"

namespace unum::aws {

/// An open service: client, credentials and endpoint by the environment's settings, kept alive
/// together. One a store.
struct OpenService {
  std::unique_ptr<http::Client> http;
  std::unique_ptr<CredentialsSource> credentials;
  std::unique_ptr<ServiceClient> service;

  /// Ends what is under way and closes connections.
  Task<void> close();
};

/// What an open service is for.
struct ServiceOptions {
  std::size_t connections_max = 1;  ///< Requests in flight.
  std::string store{};              ///< "dynamodb:orders", for lines that tell of waiting.
  std::chrono::milliseconds request_timeout = StoreOptions{}.request_timeout;
  /// See StoreOptions; 0: calls end by attempts and quota.
  std::chrono::milliseconds patience{0};
  std::function<void(std::string_view)> waiting{};
};
/// As a store's options say.
ServiceOptions service_options(const StoreOptions& options, std::string store);

/// Resolves region, endpoint, retry settings and credentials (the first fetch included, so that a
/// missing one is told at open). With a patience the service is one that is being opened until
/// `ServiceClient::set_opening(false)`.
Task<OpenService> open_service(Reactor& reactor, std::string_view service, Protocol protocol,
                               ServiceOptions options, Wait wait = {});
/// The same without a patience.
Task<OpenService> open_service(Reactor& reactor, std::string_view service, Protocol protocol,
                               std::size_t connections_max, Wait wait = {});
/// How long opening a store may take, without what is told of: a table that is being made.
Deadline opening_deadline(Reactor& reactor, const StoreOptions& options, const Wait& wait);

}  // namespace unum::aws
