// Retry: which failure of a step is followed by another attempt, and after what delay. Pure
// functions.
//
// The rules are those of the States Language: the first retrier that names the error counts its own
// uses; one that is used up is not followed by the next.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace unum {

/// In ErrorEquals: every error.
inline constexpr std::string_view kAllErrors = "States.ALL";
/// In ErrorEquals: every error but kTimeoutError.
inline constexpr std::string_view kTaskFailed = "States.TaskFailed";
/// The error of a call that took longer than it may.
inline constexpr std::string_view kTimeoutError = "States.Timeout";

/// Whether a list of `ErrorEquals` names the error.
bool names_error(const std::vector<std::string>& error_equals, std::string_view error);

enum class Jitter : std::uint8_t {
  none,
  full,  ///< Anywhere between no delay and the whole, evenly.
};

/// One entry of `Retry`. The bounds of its numbers are in limits.hpp.
struct Retrier {
  std::vector<std::string> error_equals;  ///< At least one.
  std::int64_t interval_seconds = 1;      ///< Before the first attempt that it grants.
  double backoff_rate = 2.0;              ///< What each later delay is multiplied by; at least 1.
  std::int64_t attempts_max = 3;          ///< That it grants; 0: none.
  std::optional<std::int64_t> delay_seconds_max{};
  Jitter jitter = Jitter::none;
};

/// What a payload says about the attempts before it (`Retry`). It stands there and nowhere else.
struct RetryState {
  int attempt = 1;      ///< Of this delivery.
  std::string error{};  ///< Of the attempt before.
  std::string cause{};
  std::vector<std::int64_t> tries{};  ///< Uses of each retrier; empty where there is but one.
};

struct NextAttempt {
  RetryState state;
  std::size_t retrier = 0;  ///< The one that grants it.
  std::int64_t uses = 0;    ///< Of that retrier, before this one.
};

/// What follows an attempt that ended in this error; nothing: no other attempt does.
std::optional<NextAttempt> next_attempt(const std::vector<Retrier>& retriers, const RetryState& now,
                                        std::string_view error, std::string_view cause);

/// The delay before the attempt that a retrier grants after so many uses. `fraction`, from 0 up to
/// but not including 1, is the chance of full jitter. At most kRetryDelaySecondsMax.
std::chrono::milliseconds retry_delay(const Retrier& retrier, std::int64_t uses, double fraction);
/// The longest delay that any of them can ask for.
std::chrono::milliseconds longest_delay(const std::vector<Retrier>& retriers);

}  // namespace unum
