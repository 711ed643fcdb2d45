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
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "unum/reactor.hpp"
#include "unum/runtime.hpp"
#include "unum/task.hpp"

namespace unum {

enum class CodeKind : std::uint8_t {
  python,      ///< `lambda_handler(event, context)`, Python >= 3.8.
  node,        ///< `exports.handler`, Node >= 18.
  executable,  ///< Any program: a process an invocation, JSON on stdin, JSON on stdout.
  native,      ///< A shared object with the entry point of unum/native.h.
};

/// What a template's `Runtime` runs as: "python3.12", "nodejs20.x", "provided.al2023", "native";
/// nothing for others.
std::optional<CodeKind> code_kind(std::string_view runtime);

/// What to run for a function.
struct FunctionCode {
  std::string function;
  CodeKind kind = CodeKind::python;
  /// The directory of the code (`CodeUri`): the worker's working directory and first place of
  /// import. Absolute.
  std::string directory;
  /// python: `app.lambda_handler`, `pkg/mod.handler`. node: `index.handler`. executable: a path in
  /// the directory (if there is no such file: `bootstrap`). native: `libcount.so` or
  /// `libcount.so:symbol`.
  std::string handler = "app.lambda_handler";
  /// Added to the environment of the host. The AWS_LAMBDA_* and UNUM_* variables come from the
  /// pool.
  std::vector<std::pair<std::string, std::string>> environment;
  int memory_mb = 512;  ///< Told to the code; not enforced.
  /// Of one call, counted from when a worker has it. Zero: none.
  std::chrono::milliseconds timeout{60'000};
};

/// A line that user code wrote to stdout or stderr (they share one pipe, so the order is the
/// program's own). Views die when the sink returns.
struct OutputLine {
  std::string_view function;
  std::string_view
      instance;  ///< Whose call was running; empty before the first call and between calls.
  std::string_view session;
  std::string_view text;  ///< Without the newline; any bytes.
  /// The line goes on in the next one: it is longer than kOutputLineBytesMax.
  bool continues = false;
};
/// Called on the reactor's thread, before the call that wrote the line returns. Must not throw.
using OutputSink = std::function<void(const OutputLine&)>;

/// A longer line is handed on in pieces: what is held for a line that never ends is bounded.
inline constexpr std::size_t kOutputLineBytesMax = 16 * 1024;

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
