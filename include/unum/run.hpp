// Runs a whole application on this machine to its result, as `unum run` does.
//
// Invocations wait in a queue in memory, functions run in worker processes or are the caller's own
// code, and results are kept in a data store. Everything else runs on the reactor passed in,
// alongside the caller's own tasks. If the process dies, running the same session again continues
// from the stored results.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "unum/api.hpp"
#include "unum/application.hpp"
#include "unum/output.hpp"
#include "unum/reactor.hpp"
#include "unum/runtime.hpp"
#include "unum/store.hpp"
#include "unum/store_options.hpp"
#include "unum/task.hpp"

namespace unum {

/// A failure of one instance, or of the run as a whole.
struct RunFailure {
  std::string instance;  ///< Empty for the run as a whole.
  std::string error;     ///< The error's name.
  std::string cause;     ///< Message and traceback, for people.
  int attempt = 1;       ///< As in StepReport.
};

struct RunResult {
  enum class Status : std::uint8_t {
    succeeded,
    failed,       ///< See `failures`; once the causes are fixed, the session can be resumed.
    interrupted,  ///< A stop was requested.
    timed_out,    ///< The deadline passed.
  };
  Status status = Status::succeeded;
  std::string session;               ///< The session that was run.
  std::string result;                ///< JSON text if it succeeded, else empty.
  std::vector<RunFailure> failures;  ///< Sorted by instance.
  std::size_t instances = 0;         ///< Instances with an outcome.
  std::size_t user_code_runs = 0;    ///< Calls of user code that ended by themselves.
};

/// What is known when a run begins. The views are valid until the call returns.
struct RunStart {
  std::string_view session;
  std::string_view store_type;
  std::string_view store_name;  ///< For display: without a password.
};

/// Observes the progress of a run. Called on the reactor's thread. Must not throw, and must outlive
/// the run. The default implementations do nothing.
class UNUM_API RunObserver {
 public:
  virtual ~RunObserver();
  /// Before the first invocation, once the session is known and the store is open.
  virtual void began(const RunStart& start);
  /// An invocation was accepted.
  virtual void queued(std::string_view function, std::string_view instance);
  /// User code is about to be called for delivery number `attempt` of a step.
  virtual void running(std::string_view instance, int attempt);
  /// A step failed and is tried again (`will_retry`); `delayed` is called for the same.
  virtual void attempted(std::string_view function, const StepReport& report);
  /// A step has ended.
  virtual void ended(std::string_view function, const StepReport& report);
  /// A delivery ended in the error `why`; delivery number `attempt` follows.
  virtual void delivered_again(std::string_view instance, int attempt, const Error& why);
  /// A step failed with `error`; its `Retry` begins attempt number `attempt` after `delay`. Also
  /// called for each such delay that an earlier run of the session left.
  virtual void delayed(std::string_view instance, int attempt, std::chrono::milliseconds delay,
                       std::string_view error);
  /// User code printed a line.
  virtual void printed(const OutputLine& line);
  /// The run has ended, for whatever reason; its workers and its store are about to be closed.
  virtual void finished();
};

struct RunOptions {
  /// The entry's input: any JSON text, or a payload. Ignored with `resume`.
  std::string input = "{}";
  /// The session's id. The id of an existing session continues it from its stored results. Empty: a
  /// new id, or that of a payload in `input`.
  std::string session;
  /// Continues `session`, which must exist, with the input it was begun with.
  bool resume = false;
  /// TYPE:NAME of the data store, for example "redis:localhost:6379"; it must exist. Empty: the one
  /// named by the template, else `.unum/store` in the application's directory, which is created if
  /// it does not exist.
  std::string store;
  /// A data store that is open on the run's reactor, instead of `store`: not owned, and not closed
  /// by the run. May be null.
  Store* open_store = nullptr;
  /// How `store` is opened. `read_consistency` is ignored: the template sets it.
  StoreOptions store_options{};
  /// Functions whose code is the caller's, by name; not owned. The others run in worker processes.
  /// Neither `workers` nor the template's `Timeout` limits them (CheckedApplication::timeout_of
  /// tells it).
  std::map<std::string, UserCode*, std::less<>> code{};
  /// The most calls in worker processes at once; 0: one per core.
  unsigned workers = 0;
  /// Continues a session even if it has results of functions whose configuration has changed since.
  bool accept_changes = false;
  /// As RuntimeOptions::traces: what observers then find in StepReport::trace.
  std::optional<double> traces{};
  /// Not owned; may be null.
  RunObserver* observer = nullptr;
};

/// Runs the application in one session to its end. Everything the arguments refer to must outlive
/// the task.
///
/// A workflow that fails is a result, not an error. Throws `invalid` if the input is not JSON or
/// differs from the one the session was begun with, if the session belongs to another application
/// or (with `resume`) does not exist, if `store` does not name a type of store, or if `code` names
/// a function that the application does not have; `not_found` if the store, or a program or
/// directory that a function needs, does not exist; otherwise whatever the data store throws.
/// However the run ends, stored results are kept, and no worker process is left when the task has
/// ended.
///
/// When a stop is requested or the deadline passes, user code gets SIGTERM, then SIGKILL. Results
/// it has returned are still stored; then the status is `interrupted` or `timed_out`. If nothing
/// had run yet, the error is `cancelled` or `timeout`.
///
/// The process must not ignore SIGCHLD; no other signal is affected.
UNUM_API Task<RunResult> run_application(Reactor& reactor, const CheckedApplication& application,
                                         const RunOptions& options, Wait wait = {});

}  // namespace unum
