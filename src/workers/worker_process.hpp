// A worker's process, whichever way it came about: started by us, or forked from the fork server.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "reactor/descriptor.hpp"
#include "reactor/process.hpp"
#include "unum/detail/wait_list.hpp"
#include "unum/reactor.hpp"
#include "unum/task.hpp"

namespace unum {

/// Our ends of a worker's pipes.
struct WorkerPipes {
  Descriptor requests;
  /// The worker's end of its requests, kept so that a write to a dead worker is no SIGPIPE: its end
  /// is told by the process's end.
  Descriptor requests_far;
  Descriptor responses;
  Descriptor output;
};

/// What the worker gets.
struct WorkerFarEnds {
  Descriptor responses;
  Descriptor output;
};

class ForkServer;

/// A process in a group of its own. It must have ended (`wait_exit` returned) before this object
/// dies, or it is ended and waited for then.
class WorkerProcess {
 public:
  explicit WorkerProcess(Process process) noexcept : spawned_(std::move(process)) {}
  WorkerProcess(std::shared_ptr<ForkServer> server, pid_t pid, Descriptor pidfd) noexcept
      : server_(std::move(server)), pid_(pid), pidfd_(std::move(pidfd)) {}
  WorkerProcess(WorkerProcess&&) = default;

  pid_t pid() const noexcept { return spawned_ ? spawned_.pid() : pid_; }
  /// What it was forked from, if it was.
  const ForkServer* server() const noexcept { return server_.get(); }
  /// Sends a signal to the whole group; without effect once the process has ended and was reaped.
  void kill(int signal) noexcept;
  /// Waits for the end, ends what is left of the group, and reaps. Nothing if it is not known how
  /// it ended.
  Task<std::optional<ExitStatus>> wait_exit(Reactor& reactor);

 private:
  Process spawned_;
  std::shared_ptr<ForkServer> server_;
  pid_t pid_ = -1;
  Descriptor pidfd_;  ///< Of a forked one, until it is reaped.
};

/// The Python process that workers are forked from; see the shim's ForkServer for what is said on
/// the socket.
class ForkServer : public std::enable_shared_from_this<ForkServer> {
 public:
  /// Starts it; it is ready some time later. `output` is its stdout and stderr. Throws what
  /// spawning throws.
  static std::shared_ptr<ForkServer> start(Reactor& reactor,
                                           const std::vector<std::string>& command, int output);
  explicit ForkServer(Reactor& reactor) noexcept : reactor_(reactor) {}

  /// Forks a worker that has these descriptors. Throws `disconnected` when the server has ended:
  /// then start another, or, if it is not proven, start workers without it.
  Task<WorkerProcess> fork(int requests, int responses, int output);
  /// Reaps a worker that has ended.
  Task<std::optional<ExitStatus>> reap(pid_t pid);

  /// Whether it has answered before, and nothing showed that it cannot be used here.
  bool proven() const noexcept { return proven_; }
  bool alive() const noexcept { return alive_; }
  /// Whether its process is gone.
  bool ended() const noexcept { return !process_.running(); }
  pid_t pid() const noexcept { return process_.pid(); }
  /// Waits for its end, after which nothing it forked is alive for long.
  Task<void> watch();
  /// Ends it, and with it what it forked.
  void kill() noexcept;

 private:
  struct Reply {
    char type = 0;
    std::int32_t first = 0;
    std::int32_t second = 0;
  };
  /// One request and its reply at a time. Nothing when the server has ended.
  Task<std::optional<Reply>> ask(std::string message, std::vector<int> descriptors);
  bool send(const std::string& message, const std::vector<int>& descriptors);

  Reactor& reactor_;
  Process process_;
  Descriptor socket_;
  detail::WaitList turn_;
  bool busy_ = false;
  bool proven_ = false;
  bool alive_ = true;
};

/// A pipe with close-on-exec ends. Throws `exhausted`, naming the limit, when there are no
/// descriptors left.
void make_pipe(Descriptor& read_end, Descriptor& write_end);
/// All of a worker's.
void make_worker_pipes(WorkerPipes& near, WorkerFarEnds& far);

}  // namespace unum
