// How long a call may wait: the argument of everything that can be awaited.
#pragma once

#include "unum/stop.hpp"
#include "unum/time.hpp"

namespace unum {

/// Bounds of a wait: it ends early at the deadline or when a stop is requested, whichever comes
/// first. The default waits as long as it takes. Copied by value; the token's source must outlive
/// the wait.
struct Wait {
  Deadline deadline = kNoDeadline;
  StopToken stop{};
};

}  // namespace unum
