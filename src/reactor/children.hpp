// This process's children beside waiting for one: how one ended that somebody else has waited for,
// which are ours, the limits that a new one can meet, and orphans that come to an init.
#pragma once

#include <sys/types.h>

#include <mutex>
#include <optional>
#include <string>

namespace unum::children {

/// The status, as waitpid gives it, of a child that is gone without our having waited for it: the
/// process ignores SIGCHLD, or something in it waits for every child. Nothing before Linux 6.15,
/// where it cannot be known.
std::optional<int> status_after_reaping(int pidfd) noexcept;

/// Held while a child is made, so that none is taken for an orphan before it is known.
class Birth {
 public:
  Birth();
  /// It stands in the list of ours until `forget`.
  void happened(pid_t pid) noexcept;

 private:
  std::lock_guard<std::mutex> lock_;
};
void forget(pid_t pid) noexcept;

/// Whether orphans of this process's descendants become its children: it is process 1 of a
/// container, or was made a subreaper.
bool adopts_orphans() noexcept;
/// Reaps all children that have ended and are nobody's here. False if one of ours that has ended
/// hides others behind it: to be tried again when that one is reaped.
bool reap_orphans() noexcept;

/// Which limits a process that cannot be started can have met: ": no more processes may be started:
/// the user's limit (ulimit -u) is 64". Nothing where system_error says it.
std::string process_limits_text(int error);

}  // namespace unum::children
