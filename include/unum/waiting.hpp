// What is in progress and what it waits for: for diagnosing a program that hangs.
#pragma once

#include <string>

#include "unum/api.hpp"
#include "unum/reactor.hpp"

namespace unum {

/// Text for people, each line ended by a newline: first the activities of this thread (runs, steps,
/// calls of user code, requests), oldest first, each with its age, session, instance and what it
/// waits for; then the reactor's pending operations by kind. Of bounded length. Call it on the
/// reactor's thread, at any time.
UNUM_API std::string describe_waiting(Reactor& reactor);

}  // namespace unum
