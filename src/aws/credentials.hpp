// Credentials of AWS: where they come from, and that they are fresh when a request is signed.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "reactor/http/client.hpp"
#include "unum/reactor.hpp"
#include "unum/task.hpp"

namespace unum::aws {

/// An access key. Its texts never reach a message or a log.
struct Credentials {
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;  ///< Empty for long-lived keys.
  /// When they end, by the wall clock; nothing: never.
  std::optional<std::chrono::system_clock::time_point> expiration;
  /// Which source they came from, for messages: "environment", "profile work", ...
  std::string source;
};

/// Gives credentials; refreshes them before they end. Those that have ended already when they come
/// are given all the same and renewed once a minute at most: it may be this machine's clock that is
/// wrong, and the service is who decides.
class CredentialsSource {
 public:
  virtual ~CredentialsSource() = default;
  /// Ready at once while what it has is fresh (no I/O, no allocation). Those that are about to end
  /// are refreshed by one caller while the others go on with what they have; after their end all
  /// wait for that one. Lives until the next call. Throws `denied`, code "Unum.NoCredentials", with
  /// every place that was looked at and what was found there.
  virtual Task<const Credentials*> get(Wait wait) = 0;
  /// What is in hand and fresh, or null: so that a warm request needs no coroutine.
  virtual const Credentials* peek() noexcept = 0;
  /// The service says that they have expired or are not valid: the next `get` asks anew.
  virtual void invalidate() noexcept = 0;
  /// A service's clock is so far ahead of this machine's: what ends when is told by the service's.
  virtual void use_clock(std::chrono::seconds ahead) noexcept = 0;
};

/// Always these.
std::unique_ptr<CredentialsSource> fixed_credentials(Credentials credentials);

/// The order of the SDKs: environment, web identity, profile (config and credentials files: keys,
/// role_arn with source_profile or credential_source, web_identity_token_file, credential_process),
/// container endpoint, EC2 instance metadata (version 2). The client is used for STS, container and
/// metadata endpoints and must outlive it.
std::unique_ptr<CredentialsSource> default_credentials(Reactor& reactor, http::Client& http);

}  // namespace unum::aws
