// Monotonic time, in which deadlines are given, and the time of day.
#pragma once

#include <chrono>

namespace unum {

using Clock = std::chrono::steady_clock;

/// An absolute point in monotonic time (CLOCK_MONOTONIC, nanoseconds). Absolute, so that one
/// deadline can be passed to each of several waits in turn.
using Deadline = Clock::time_point;

/// A point in the time of day (UTC). It may jump, so no wait depends on it.
using WallTime = std::chrono::system_clock::time_point;

/// No deadline: wait as long as it takes.
inline constexpr Deadline kNoDeadline = Deadline::max();
/// Has always passed: poll without waiting.
inline constexpr Deadline kAlreadyPassed = Deadline::min();

}  // namespace unum
