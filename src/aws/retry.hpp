// The one place of retries: how often and when a call is made again.
//
// The SDKs' "standard" mode in its form of November 2026 ("Retry behavior", AWS SDKs and Tools
// Reference Guide): exponential backoff with full jitter whose base depends on what went wrong, and
// a quota of tokens that all calls to one service share, so that retries do not add to an outage.
// The caller's deadline is the bound: a retry that would begin after it is not waited for.
//
// With a patience, which every store has, time takes the place of the number and of the quota: a
// service that is away for a moment, or asks for a slower pace, ends no workflow.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>

#include "base/backoff.hpp"
#include "unum/time.hpp"

namespace unum {

/// Why an attempt failed, as far as a retry cares.
enum class Failure : std::uint8_t {
  transient,   ///< A lost connection, a time-out, an internal error: likely gone in a moment.
  throttling,  ///< The service asks for a slower pace.
};

/// The pauses after each kind of failure.
struct RetryBackoff {
  Backoff transient{std::chrono::milliseconds(50), std::chrono::milliseconds(20'000)};
  Backoff throttling{std::chrono::milliseconds(1'000), std::chrono::milliseconds(20'000)};
};

/// Numbers in [0, 1), evenly spread: the reactor's, or a test's.
using Random = std::function<double()>;

/// Tokens for retries, shared by the calls of one service. While calls succeed it fills; while they
/// fail it empties, and then failures are told at once instead of being repeated.
class RetryQuota {
 public:
  static constexpr unsigned kCapacity = 500;
  static constexpr unsigned kTransientCost = 14;
  static constexpr unsigned kThrottlingCost = 5;
  static constexpr unsigned kSuccess = 1;  ///< What a success without a retry gives.

  explicit RetryQuota(unsigned capacity = kCapacity) noexcept
      : capacity_(capacity), tokens_(capacity) {}
  bool take(unsigned cost) noexcept;
  void give(unsigned tokens) noexcept;
  unsigned tokens() const noexcept { return tokens_; }

 private:
  unsigned capacity_;
  unsigned tokens_;
};

/// The attempts of one call.
class Retry {
 public:
  /// Why there is no further attempt.
  enum class End : std::uint8_t { none, attempts, quota, deadline, patience };

  /// As long as a pause that a service asks for is kept where no deadline allows more.
  static constexpr std::chrono::seconds kAskedMax{60};
  /// With a patience, pauses are no longer than these, so that a service that is back is soon
  /// noticed.
  static constexpr std::chrono::seconds kTransientPauseMax{2};
  static constexpr std::chrono::seconds kThrottlingPauseMax{5};
  /// A call that is refused for so many patiences, although others are answered, has failed.
  static constexpr int kPatiencesMax = 10;

  /// Patience 0: number and quota end a call. Else it is tried again until it has failed for so
  /// long; the quota is asked as before, and `is_over_quota` says when it has nothing left.
  Retry(const RetryBackoff& backoff, unsigned attempts_max, RetryQuota& quota, const Random& random,
        Deadline deadline, Clock::duration patience = {}) noexcept
      : backoff_(backoff),
        attempts_max_(attempts_max),
        quota_(quota),
        random_(random),
        deadline_(deadline),
        patience_(patience) {}

  /// An attempt failed: when the next one begins, or nothing, and `end()` says why. `asked`: how
  /// long the service asked to wait (Retry-After). `last_answer`: when the service last did what
  /// another call asked; while it does, one that is throttled waits its turn.
  std::optional<Deadline> failed(Failure failure, Deadline now,
                                 std::optional<Clock::duration> asked = std::nullopt,
                                 Deadline last_answer = {});
  /// An attempt succeeded (or failed in a way that says that the service works).
  void succeeded() noexcept;

  unsigned attempts() const noexcept { return attempts_; }  ///< That failed so far.
  End end() const noexcept { return end_; }
  /// When the first attempt failed, and since when the service has failed in the way it did last.
  Deadline first_failure() const noexcept { return first_failure_; }
  Deadline failing_since() const noexcept { return since_; }
  bool is_over_quota() const noexcept { return over_quota_; }

 private:
  Clock::duration pause_after(Failure failure, std::optional<Clock::duration> asked,
                              Clock::duration left) const;
  bool pay(Failure failure) noexcept;

  const RetryBackoff& backoff_;
  unsigned attempts_max_;
  RetryQuota& quota_;
  const Random& random_;
  Deadline deadline_;
  Clock::duration patience_;
  Deadline first_failure_{};
  Deadline since_{};
  std::optional<Failure> last_failure_{};
  unsigned attempts_ = 0;
  unsigned last_cost_ = 0;
  bool over_quota_ = false;
  End end_ = End::none;
};

}  // namespace unum
