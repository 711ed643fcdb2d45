// How long to wait before a failed attempt is made again: the one rule for all clients.
#pragma once

#include <algorithm>
#include <chrono>

#include "unum/time.hpp"

namespace unum {

/// Exponential backoff with full jitter: a pause is random between nothing and a bound that doubles
/// from attempt to attempt, so that clients which failed together do not come back together.
struct Backoff {
  std::chrono::milliseconds first;  ///< The bound before the second attempt,
  std::chrono::milliseconds most;   ///< and the greatest.

  /// The pause after `failures` attempts have failed before this one (0: it was the first).
  /// `random` is in [0, 1): Reactor::random_fraction.
  Clock::duration pause(unsigned failures, double random) const noexcept {
    // Beyond 2^30 any first bound is above any greatest one.
    const double doubled =
        static_cast<double>(first.count()) * static_cast<double>(1u << std::min(failures, 30u));
    const double bound = std::min(doubled, static_cast<double>(most.count()));
    return std::chrono::duration_cast<Clock::duration>(
        std::chrono::duration<double, std::milli>(bound * random));
  }
};

}  // namespace unum
