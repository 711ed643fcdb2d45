// Time as the reactor counts it: monotonic, absolute deadlines; and the time of day.
#pragma once

#include <chrono>

namespace unum {

using Clock = std::chrono::steady_clock;

/// An absolute point of monotonic time (CLOCK_MONOTONIC, nanoseconds). Absolute, so that a wait
/// made of many waits needs no arithmetic.
using Deadline = Clock::time_point;

/// A point of the time of day (UTC). It may jump: nothing waits by it.
using WallTime = std::chrono::system_clock::time_point;

/// Waits as long as it takes.
inline constexpr Deadline kNoDeadline = Deadline::max();
/// Has always passed: look, do not wait.
inline constexpr Deadline kAlreadyPassed = Deadline::min();

}  // namespace unum
