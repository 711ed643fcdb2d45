// How many descriptors this process may have, and what to do when there is none left.
//
// A lack of descriptors passes: files are open for the time of a write, workers end. So whoever is
// refused one waits for a while before it fails, and what is in flight follows what there is.
#pragma once

#include <sys/resource.h>

#include <cerrno>
#include <chrono>
#include <cstddef>

#include "unum/reactor.hpp"
#include "unum/task.hpp"

namespace unum {

/// Raises the soft limit to the hard one. For a program's start, not for a library. Children from
/// `Process::spawn` get the limit that was there before: programs that use select(2) rely on it.
void raise_descriptor_limit() noexcept;
/// The soft limit as it was before `raise_descriptor_limit`; nothing was raised: the present one.
rlimit descriptor_limit_of_children() noexcept;
/// The soft limit now; SIZE_MAX if there is none.
std::size_t descriptors_max() noexcept;

/// Whether a result (a descriptor, or a negative errno) says that there is no descriptor left, here
/// (-EMFILE) or on the machine (-ENFILE).
constexpr bool means_no_descriptor(int result) noexcept {
  return result == -EMFILE || result == -ENFILE;
}

/// The patience of one call that was refused a descriptor. Whoever holds descriptors may neither
/// wait for the next one without giving them back nor for longer than this.
class DescriptorPatience {
 public:
  /// Waits a moment; false when the patience or the wait is over.
  Task<bool> wait(Reactor& reactor, Wait until);

 private:
  Deadline last_ = kNoDeadline;
  std::chrono::milliseconds pause_{1};
};

}  // namespace unum
