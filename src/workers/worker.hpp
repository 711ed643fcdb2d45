// One worker process and the calls it answers, one after the other.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "unum/detail/wait_list.hpp"
#include "unum/output.hpp"
#include "unum/runtime.hpp"
#include "unum/task_group.hpp"
#include "workers/answer_buffer.hpp"
#include "workers/worker_output.hpp"
#include "workers/worker_process.hpp"
#include "workers/worker_programs.hpp"
#include "workers/worker_protocol.hpp"

namespace unum {

/// Shared by the pool, the call that it runs and `tend`, which goes on until the process has ended.
class Worker {
 public:
  Worker(Reactor& reactor, WorkerProcess process, WorkerPipes pipes, const OutputSink& sink);

  /// Says whose code it runs; it reaches the process with the first call. Once.
  void load(const FunctionCode& code, const Variables* environment);
  const FunctionCode* code() const noexcept { return code_; }

  /// One call at a time, until `usable` is false. Throws as WorkerPool::call does; then the process
  /// has been told to end or has ended.
  Task<UserResult> call(const UserCall& call, Wait wait);

  /// Of a call that threw `disconnected`: the process had ended before it read any of it, so that
  /// the call can go to another worker without running twice.
  bool call_never_began() const noexcept { return call_never_began_; }
  /// Whether it can take another call.
  bool usable() const noexcept { return usable_ && !ended_; }
  bool ended() const noexcept { return ended_; }
  pid_t pid() const noexcept { return process_.pid(); }
  const ForkServer* fork_server() const noexcept { return process_.server(); }

  /// Reads its output and waits for its end. Runs beside the calls; ends after the process.
  Task<void> tend();
  /// Ends the process at once.
  void kill() noexcept;
  /// SIGTERM, from `patience` on SIGKILL.
  Task<void> terminate(Deadline patience);
  /// Makes the call that runs, if any, throw `cancelled`.
  void stop_call() noexcept;

 private:
  enum class Fault : std::uint8_t { none, ended, closed, nonsense, deadline, stopped };

  struct CallGuard;

  struct Sending;

  std::uint32_t milliseconds_until(Deadline deadline);
  Task<Fault> exchange_in_pieces(const UserCall& call, std::chrono::milliseconds time, Wait wait,
                                 StopSource& stop);
  Task<void> send_beside(Sending& sending, StopSource& stop, Wait wait);
  Task<Fault> send_pieces(Sending& sending, Wait wait);
  Fault write_now(std::string_view& bytes) noexcept;
  Task<Fault> send_rest(std::string_view request, std::string_view event, Wait wait);
  int read_left(std::span<char> space) noexcept;
  Task<Fault> receive(Wait wait);
  Fault fault_of(int result) const noexcept;
  bool take_answer(UserResult& result);
  Task<void> watch_output();
  Task<void> throw_fault(Fault fault, const UserCall& call, Wait wait, std::string stop_reason);

  Reactor& reactor_;
  WorkerProcess process_;
  WorkerPipes pipes_;
  WorkerOutput output_;
  const FunctionCode* code_ = nullptr;
  std::string request_;  ///< The load frame, when it is due, and the head of the call's.
  AnswerBuffer answer_;
  std::string result_name_;  ///< How messages call what it returns.
  std::uint32_t sequence_ = 0;
  std::size_t sent_ = 0;  ///< Bytes written of the call.
  bool call_never_began_ = false;
  bool usable_ = true;
  bool ended_ = false;
  std::optional<ExitStatus> status_;
  StopSource* current_call_ = nullptr;
  StopSource end_of_output_;
  TaskGroup output_watch_;
  detail::WaitList end_waiters_;
};

}  // namespace unum
