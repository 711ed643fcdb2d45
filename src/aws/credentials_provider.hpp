// The places where credentials may come from, each behind the same call; and the source that keeps
// what one of them gave.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "aws/credentials.hpp"

namespace unum::aws {

/// What a place holds: credentials, or in words why none ("AWS_ACCESS_KEY_ID is not set").
struct Finding {
  std::optional<Credentials> credentials;
  std::string nothing;
};

/// One place.
class CredentialsProvider {
 public:
  virtual ~CredentialsProvider() = default;
  /// For messages: "environment", "profile work", ...
  virtual std::string name() const = 0;
  /// Asks anew. A place that is not set up at all is a finding of nothing; one that is and does not
  /// work throws, so that nobody goes on as somebody else.
  virtual Task<Finding> fetch(Wait wait) = 0;
  /// Whether credentials that have ended are used on while this place cannot be reached (EC2
  /// metadata: they often work longer than they say).
  virtual bool outlives_expiration() const noexcept { return false; }
};

/// A clock of a test's own; null: the reactor's.
using WallClock = std::function<WallTime()>;

/// Asks the places in their order; whichever had credentials is asked again before they end.
std::unique_ptr<CredentialsSource> cached_credentials(
    Reactor& reactor, std::vector<std::unique_ptr<CredentialsProvider>> places,
    WallClock clock = {});

}  // namespace unum::aws
