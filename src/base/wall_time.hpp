// Times that come from outside, brought into ranges that can be computed with.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>

#include "unum/time.hpp"

namespace unum {

/// Nanoseconds since 1970.
constexpr std::int64_t unix_ns(WallTime time) noexcept {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

/// Nanoseconds since 1970. A time before September 1677 or after April 2262 becomes the least or
/// the greatest value.
constexpr std::int64_t saturated_unix_ns(std::int64_t seconds, std::int64_t nanoseconds) noexcept {
  std::int64_t result = 0;
  if (!__builtin_mul_overflow(seconds, std::int64_t{1'000'000'000}, &result) &&
      !__builtin_add_overflow(result, nanoseconds, &result)) {
    return result;
  }
  return seconds < 0 ? std::numeric_limits<std::int64_t>::min()
                     : std::numeric_limits<std::int64_t>::max();
}

/// A moment that somebody else names, seconds since 1970. Before 1970 it becomes 1970, after 2200
/// it becomes 2200: what is decided by it does not change, and sums with it do not overflow.
constexpr WallTime bounded_wall_time(std::chrono::sys_seconds time) noexcept {
  using std::chrono::sys_days;
  using std::chrono::year;
  return std::clamp(time, std::chrono::sys_seconds(sys_days(year(1970) / 1 / 1)),
                    std::chrono::sys_seconds(sys_days(year(2200) / 1 / 1)));
}

}  // namespace unum
