// Pauses, quota and the decision whether there is another attempt.
#include "aws/retry.hpp"

#include <algorithm>

namespace unum {

bool RetryQuota::take(unsigned cost) noexcept {
  if (cost > tokens_) return false;
  tokens_ -= cost;
  return true;
}

void RetryQuota::give(unsigned tokens) noexcept {
  tokens_ = std::min(capacity_, tokens_ + std::min(tokens, capacity_));
}

/// How long until the next attempt, of the time that is left.
Clock::duration Retry::pause_after(Failure failure, std::optional<Clock::duration> asked,
                                   Clock::duration left) const {
  const Backoff& backoff =
      failure == Failure::throttling ? backoff_.throttling : backoff_.transient;
  Clock::duration pause = backoff.pause(attempts_ - 1, random_());
  if (patience_.count() > 0) {
    const Clock::duration most =
        failure == Failure::throttling ? kThrottlingPauseMax : kTransientPauseMax;
    // The last attempt is made when the time is over, so that none of it is wasted.
    pause = std::min({pause, most, left});
  }
  if (asked) {
    const bool bounded = deadline_ != kNoDeadline;
    pause = std::max(pause, bounded ? *asked : std::min<Clock::duration>(*asked, kAskedMax));
  }
  return pause;
}

bool Retry::pay(Failure failure) noexcept {
  const bool throttled = failure == Failure::throttling;
  // Who waits its turn adds nothing to an outage.
  if (throttled && patience_.count() > 0) return true;
  const unsigned cost = throttled ? RetryQuota::kThrottlingCost : RetryQuota::kTransientCost;
  over_quota_ = !quota_.take(cost);
  if (!over_quota_) last_cost_ = cost;
  return !over_quota_ || patience_.count() > 0;
}

std::optional<Deadline> Retry::failed(Failure failure, Deadline now,
                                      std::optional<Clock::duration> asked, Deadline last_answer) {
  ++attempts_;
  if (attempts_ == 1) first_failure_ = now;
  if (last_failure_ != failure) since_ = now;
  last_failure_ = failure;
  if (attempts_ >= attempts_max_) {
    end_ = End::attempts;
    return std::nullopt;
  }
  Clock::duration left = Clock::duration::max();
  if (patience_.count() > 0) {
    if (failure == Failure::throttling) since_ = std::max(since_, last_answer);
    left = std::min(since_ + patience_, first_failure_ + kPatiencesMax * patience_) - now;
    if (left <= Clock::duration::zero()) {
      end_ = End::patience;
      return std::nullopt;
    }
  }
  const Clock::duration pause = pause_after(failure, asked, left);
  // In this order, so that a retry which the deadline forbids costs no tokens. Compared by
  // difference: a deadline of "never" has no room for a sum.
  if (now >= deadline_ || deadline_ - now <= pause) {
    end_ = End::deadline;
    return std::nullopt;
  }
  if (!pay(failure)) {
    end_ = End::quota;
    return std::nullopt;
  }
  return now + pause;
}

void Retry::succeeded() noexcept {
  quota_.give(last_cost_ != 0 ? last_cost_ : RetryQuota::kSuccess);
  last_cost_ = 0;
}

}  // namespace unum
