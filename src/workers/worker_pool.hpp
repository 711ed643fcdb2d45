// Runs users' functions in worker processes: started once, reused, bounded, first come first
// served.
//
// One worker process serves one function. At most `running_max` calls run at once over all
// functions; what is idle is kept for the next call up to `idle_max`. A worker that crashes,
// answers nonsense or does not answer in time is killed with its process group and replaced; only
// what it was running is affected.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "unum/output.hpp"
#include "unum/reactor.hpp"
#include "unum/runtime.hpp"
#include "unum/task.hpp"
#include "workers/function_code.hpp"

namespace unum {

struct WorkerPoolOptions {
  /// Calls running at once, over all functions; 0: as many as there are cores.
  unsigned running_max = 0;
  /// Processes kept while they have nothing to do; the one idle longest goes first. A process of
  /// Node counts for eight: it is that much larger. 0 restarts a process for each call.
  unsigned idle_max = 64;
  /// Between SIGTERM and SIGKILL when calls are stopped.
  std::chrono::milliseconds stop_grace{500};
  /// Python workers are forked from one process that has the interpreter ready: 1 ms instead of 15.
  bool fork_python = true;
  OutputSink output;
};

/// What a pool did, for tests and benchmarks.
struct WorkerPoolCounters {
  std::uint64_t calls = 0;
  std::uint64_t started = 0;  ///< Worker processes, those started ahead included.
  std::uint64_t crashed = 0;  ///< Ended, answered nonsense or timed out during a call.
  std::uint64_t evicted = 0;  ///< Ended because too many were idle.
  std::size_t running = 0;    ///< Calls that hold a place now.
  std::size_t waiting = 0;    ///< Calls that wait for one.
  std::size_t processes = 0;  ///< Worker processes alive now.
};

class WorkerPool final : public UserCode {
 public:
  /// Starts nothing. The reactor must outlive the pool.
  WorkerPool(Reactor& reactor, std::vector<FunctionCode> functions, WorkerPoolOptions options = {});
  /// After `shutdown`, or if neither `prepare` nor `call` was called.
  ~WorkerPool() override;
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  /// Looks whether what the functions need is there, before anything runs: interpreters
  /// (UNUM_PYTHON and UNUM_NODE, default `python3` and `node` from PATH), the worker programs, code
  /// directories, executables. Throws `not_found` that names function and file. Starts the process
  /// that Python workers are forked from, without waiting for it. Optional: `call` does the same
  /// for its own function.
  void prepare();

  /// Runs the function's code once for `call`. What `call` points to must live until it returns.
  ///
  /// Returns what the code ended in: a failure when it raised ("ValueError"), could not be imported
  /// ("Runtime.ImportModuleError"), has no such handler ("Runtime.HandlerNotFound"), called exit
  /// ("Runtime.ExitError"), or returned what is not JSON ("Runtime.MarshalError") or more than
  /// kValueBytesMax ("Unum.ResultTooLarge"). A success's value is valid JSON text. Throws an Error
  /// of origin "worker": `disconnected`, code "Unum.WorkerCrashed", when the process ended or
  /// answered nonsense (the message has signal or exit code and the last lines it wrote);
  /// `timeout`, code "States.Timeout", when the function's timeout or `wait.deadline` passed;
  /// `cancelled` after a stop; `not_found` for an unknown function or a program that is missing. In
  /// all these cases the process is gone or going.
  Task<UserResult> call(const UserCall& call, Wait wait) override;
  /// An event in pieces goes to the process as it comes. A time limit stands still while the next
  /// piece is waited for. An error of the stream ends the process, and is thrown.
  bool streams_input() const noexcept override { return true; }

  /// Ends all processes and waits for them: what runs gets SIGTERM, after `stop_grace` SIGKILL; its
  /// calls throw `cancelled`. Waiting calls throw it too, and so do later ones. Again: waits as
  /// well.
  Task<void> shutdown();

  WorkerPoolCounters counters() const noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace unum
