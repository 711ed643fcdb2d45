// What is under way and what it waits for, for people who see a program hang.
#pragma once

#include <string>

#include "unum/api.hpp"
#include "unum/reactor.hpp"

namespace unum {

/// Lines that end with a newline: first what runs on this thread (runs, steps, calls of user code,
/// requests), the oldest first, each with its age, its session and instance, and what it waits for;
/// then what the reactor has under way, by kind. Bounded. Call it on the reactor's thread, inside a
/// tick or between two.
UNUM_API std::string describe_waiting(Reactor& reactor);

}  // namespace unum
