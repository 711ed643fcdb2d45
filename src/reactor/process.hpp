// Child processes that can neither outlive their parent nor become zombies.
//
// A child is ended with SIGKILL by the kernel when the thread that spawned it dies
// (PR_SET_PDEATHSIG), so also after kill -9 of the parent; the thread that owns the reactor spawns.
// (A child's own children go with its group at every other end of the parent; after kill -9 they
// are left to the child's way of noticing that its streams are closed.) It gets a clean signal
// mask, default signal handling (what was ignored, as by nohup, stays ignored; SIGPIPE, SIGCHLD and
// SIGXFSZ do not), the limit of descriptors that this process was started with, and only the
// descriptors that are mapped, beside 0, 1 and 2.
//
// A process that ignores SIGCHLD can have children all the same, and is told how they ended where
// the kernel keeps that (Linux 6.15); what they leave running is then not ended with them.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "reactor/descriptor.hpp"
#include "unum/error.hpp"
#include "unum/reactor.hpp"
#include "unum/task.hpp"

namespace unum {

struct SpawnOptions {
  /// In the child, descriptor `child` is what `parent` is here. The parent keeps its own.
  struct Mapping {
    int child = -1;
    int parent = -1;
  };

  /// The program and its arguments. A program without '/' is looked for in the parent's PATH; one
  /// with
  /// '/' that is not absolute is relative to `directory`.
  std::vector<std::string> argv;
  /// "NAME=value" each; nothing: the parent's environment.
  std::optional<std::vector<std::string>> environment;
  /// The working directory; empty: the parent's.
  std::string directory;
  std::vector<Mapping> descriptors;
  /// Puts the child at the head of a process group of its own: `kill` then reaches its descendants,
  /// too, Ctrl-C at the terminal does not, and what it leaves running is ended when it is reaped.
  bool own_group = true;
};

/// How a child ended.
struct ExitStatus {
  int code = 0;    ///< What it returned, if no signal ended it.
  int signal = 0;  ///< The signal that ended it, or 0.
  /// False if nobody can say how it ended: this process ignores SIGCHLD, or something in it waits
  /// for all children, on Linux before 6.15.
  bool known = true;
  bool succeeded() const noexcept { return known && code == 0 && signal == 0; }
  friend bool operator==(const ExitStatus&, const ExitStatus&) = default;
};

/// "exit code 3", "signal 9 (SIGKILL)".
std::string to_string(const ExitStatus& status);

/// Thrown where the fault is the program's, or its working directory's: it is not there, may not be
/// run, or is nothing that this machine runs.
class ProgramError final : public Error {
 public:
  explicit ProgramError(const Error& error) : Error(error) {}
};

/// A child. Owned by one; its destructor ends and reaps a child that still runs.
class Process {
 public:
  /// Starts the program; when it returns, the program runs. Blocks for the time of a vfork (some
  /// 100 microseconds). Throws a ProgramError of origin "process" that names the program, or the
  /// working directory, when either cannot be had: `not_found`, `denied`, ...; an error with the
  /// code EAGAIN, ENOMEM, EMFILE or ENFILE when a limit that it names is reached; `invalid` for an
  /// empty argv.
  static Process spawn(const SpawnOptions& options);

  Process() = default;
  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;
  /// SIGKILL and reap. Nobody may be awaiting `wait_exit`.
  ~Process() { end_now(); }

  explicit operator bool() const noexcept { return pid_ > 0; }
  /// The child's id, which names nobody else until it is reaped.
  pid_t pid() const noexcept { return pid_; }
  /// Spawned, and not yet known to have ended.
  bool running() const noexcept { return pidfd_.get() >= 0; }
  /// How it ended, once that is known.
  const std::optional<ExitStatus>& status() const noexcept { return status_; }

  /// Waits for the end and reaps; nothing when the wait ended first. May be called again. The
  /// process must neither be moved nor destroyed meanwhile.
  Task<std::optional<ExitStatus>> wait_exit(Reactor& reactor, Wait wait = {});
  /// Asks it to end with SIGTERM, with SIGKILL from `patience` on, and reaps it.
  Task<ExitStatus> end(Reactor& reactor, Deadline patience);
  /// Sends a signal to the child, and to its whole group if it has its own. Without effect once
  /// reaped.
  void kill(int signal) noexcept;
  /// SIGKILL and reap, waiting for the kernel.
  void end_now() noexcept;

 private:
  bool reap(bool block) noexcept;

  pid_t pid_ = -1;
  bool own_group_ = false;
  Descriptor pidfd_;
  std::optional<ExitStatus> status_;
};

}  // namespace unum
