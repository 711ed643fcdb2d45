// Backoff, quota and the decision whether there is another attempt.
#include "stores/retry.hpp"

#include <algorithm>
#include <memory>
#include <random>

namespace unum {

Clock::duration Backoff::delay(Failure failure, unsigned attempt, double random) const noexcept {
  const auto base = failure == Failure::throttling ? throttling_base : transient_base;
  // Beyond 2^30 every base is above any maximum.
  const double doubled =
      static_cast<double>(base.count()) * static_cast<double>(1u << std::min(attempt, 30u));
  const double bounded = std::min(doubled, static_cast<double>(delay_max.count()));
  return std::chrono::duration_cast<Clock::duration>(
      std::chrono::duration<double, std::milli>(bounded * random));
}

Random make_random() {
  std::random_device device;
  auto engine = std::make_shared<std::minstd_rand>(device());
  return [engine] { return std::uniform_real_distribution<double>(0.0, 1.0)(*engine); };
}

bool RetryQuota::take(unsigned cost) noexcept {
  if (cost > tokens_) return false;
  tokens_ -= cost;
  return true;
}

void RetryQuota::give(unsigned tokens) noexcept {
  tokens_ = std::min(capacity_, tokens_ + std::min(tokens, capacity_));
}

std::optional<Deadline> Retry::failed(Failure failure, Deadline now,
                                      std::optional<Clock::duration> asked) {
  ++attempts_;
  if (attempts_ >= attempts_max_) {
    end_ = End::attempts;
    return std::nullopt;
  }
  Clock::duration delay = backoff_.delay(failure, attempts_ - 1, random_());
  if (asked) delay = std::max(delay, *asked);
  // In this order, so that a retry which the deadline forbids costs no tokens. Compared by
  // difference: a deadline of "never" has no room for a sum.
  if (now >= deadline_ || deadline_ - now <= delay) {
    end_ = End::deadline;
    return std::nullopt;
  }
  const unsigned cost =
      failure == Failure::throttling ? RetryQuota::kThrottlingCost : RetryQuota::kTransientCost;
  if (!quota_.take(cost)) {
    end_ = End::quota;
    return std::nullopt;
  }
  last_cost_ = cost;
  return now + delay;
}

void Retry::succeeded() noexcept {
  quota_.give(last_cost_ != 0 ? last_cost_ : RetryQuota::kSuccess);
  last_cost_ = 0;
}

}  // namespace unum
