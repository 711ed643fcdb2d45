// Attempts and delays of Retry.
#include "workflow/retry.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/limits.hpp"

namespace unum {
namespace {

std::int64_t uses_of(const RetryState& state, std::size_t retrier) {
  // With one retrier all attempts but the first were its own.
  if (state.tries.empty()) return state.attempt - 1;
  return retrier < state.tries.size() ? state.tries[retrier] : 0;
}

}  // namespace

bool names_error(const std::vector<std::string>& error_equals, std::string_view error) {
  return std::any_of(error_equals.begin(), error_equals.end(), [&](const std::string& name) {
    return name == kAllErrors || name == error || (name == kTaskFailed && error != kTimeoutError);
  });
}

std::optional<NextAttempt> next_attempt(const std::vector<Retrier>& retriers, const RetryState& now,
                                        std::string_view error, std::string_view cause) {
  const auto found = std::find_if(retriers.begin(), retriers.end(), [&](const Retrier& retrier) {
    return names_error(retrier.error_equals, error);
  });
  if (found == retriers.end()) return std::nullopt;
  NextAttempt next;
  next.retrier = static_cast<std::size_t>(found - retriers.begin());
  next.uses = uses_of(now, next.retrier);
  if (next.uses >= found->attempts_max || now.attempt == std::numeric_limits<int>::max()) {
    return std::nullopt;
  }
  next.state = {now.attempt + 1, std::string(error), std::string(cause)};
  if (retriers.size() > 1) {
    for (std::size_t i = 0; i < retriers.size(); ++i) next.state.tries.push_back(uses_of(now, i));
    ++next.state.tries[next.retrier];
  }
  return next;
}

std::chrono::milliseconds retry_delay(const Retrier& retrier, std::int64_t uses, double fraction) {
  constexpr auto kMax = static_cast<double>(kRetryDelaySecondsMax);
  double seconds = static_cast<double>(retrier.interval_seconds) *
                   std::pow(retrier.backoff_rate, static_cast<double>(uses));
  seconds = std::min(seconds, static_cast<double>(retrier.delay_seconds_max.value_or(kMax)));
  seconds = std::min(seconds, kMax);
  if (retrier.jitter == Jitter::full) seconds *= fraction;
  return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
}

std::chrono::milliseconds longest_delay(const std::vector<Retrier>& retriers) {
  std::chrono::milliseconds longest{0};
  for (Retrier retrier : retriers) {
    if (retrier.attempts_max == 0) continue;
    retrier.jitter = Jitter::none;
    longest = std::max(longest, retry_delay(retrier, retrier.attempts_max - 1, 0));
  }
  return longest;
}

}  // namespace unum
