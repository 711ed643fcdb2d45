// A whole application on this machine, from its directory to its result: what `unum run` does.
//
// The entry's invocation and all that follow wait in a queue in memory; functions run in worker
// processes; results are in a data store. Everything else runs on the one reactor that the call is
// given, beside whatever else runs there. If this process dies, running the session again goes on
// from what is stored.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "unum/api.hpp"
#include "unum/application.hpp"
#include "unum/output.hpp"
#include "unum/reactor.hpp"
#include "unum/runtime.hpp"
#include "unum/store_options.hpp"
#include "unum/task.hpp"

namespace unum {

/// A failure of an instance, or (with an empty instance) of the run as a whole.
struct RunFailure {
  std::string instance;
  std::string error;
  std::string cause;
  int attempt = 1;  ///< As StepReport has it.
};

struct RunResult {
  enum class Status : std::uint8_t {
    succeeded,
    failed,       ///< See `failures`; once they are fixed, the session can go on.
    interrupted,  ///< A stop was requested.
    timed_out,    ///< The deadline passed.
  };
  Status status = Status::succeeded;
  std::string session;               ///< Of which this is the result.
  std::string result;                ///< JSON text, when it succeeded.
  std::vector<RunFailure> failures;  ///< Sorted by instance.
  std::size_t instances = 0;         ///< How many have an outcome.
  std::size_t user_code_runs = 0;    ///< How often user code ran to its end.
};

/// What is known when a run begins. The views die when the call returns.
struct RunStart {
  std::string_view session;
  std::string_view store_type;
  std::string_view store_name;  ///< As it may be shown to people: without a password.
};

/// Sees a run as it goes, for progress. Called on the reactor's thread; must not throw, and must
/// outlive the run. What is not overridden is not looked at.
class UNUM_API RunObserver {
 public:
  virtual ~RunObserver();
  /// Before the first invocation, once the session is known and the store is open.
  virtual void began(const RunStart& start);
  /// An invocation was accepted.
  virtual void queued(std::string_view function, std::string_view instance);
  /// The user's code of a step is called, for this delivery.
  virtual void running(std::string_view instance, int attempt);
  virtual void ended(std::string_view function, const StepReport& report);
  virtual void delivered_again(std::string_view instance, int attempt, const Error& why);
  /// A step failed with `error`, and its `Retry` lets attempt number `attempt` begin after `delay`;
  /// or an earlier run of the session left it so.
  virtual void delayed(std::string_view instance, int attempt, std::chrono::milliseconds delay,
                       std::string_view error);
  /// A line that user code printed.
  virtual void printed(const OutputLine& line);
  /// The run has ended, in whatever way; workers and store are about to be closed.
  virtual void finished();
};

struct RunOptions {
  /// Any JSON, or a payload: what the entry gets. Not looked at with `resume`.
  std::string input = "{}";
  /// Session id: the same id again goes on from what is stored. Empty: a new one, or that of a
  /// payload in `input`.
  std::string session;
  /// Goes on with `session` and the input it was begun with. It must exist.
  bool resume = false;
  /// TYPE:NAME of the data store, for example "redis:localhost:6379"; it must exist. Empty: the
  /// template's. Only the default that nobody named, `.unum/store` in the application's directory,
  /// is made if it does not exist.
  std::string store;
  /// How the store is opened, but for `read_consistency`: the template says it.
  StoreOptions store_options{};
  /// Calls of user code that run at once; 0: as many as there are cores.
  unsigned workers = 0;
  /// Goes on in a session that has results of functions whose configuration was changed since.
  bool accept_changes = false;
  RunObserver* observer = nullptr;
};

/// Runs the application in one session to its end. What the arguments refer to must live until the
/// task has ended.
///
/// A workflow that fails is a result, not an error. Throws `invalid`: an input that is no JSON, or
/// another one than the session was begun with; a session of another application, or (with
/// `resume`) one that does not exist; a store that is none. `not_found`: a store that does not
/// exist, a program or directory that a function needs. Else what the data store throws. Whatever
/// ends the run, results that were stored stay, and no worker process is left when the task ends.
///
/// A stop, or the deadline: user code gets SIGTERM, then SIGKILL; what it had computed is still
/// stored; then the result says `interrupted` or `timed_out`. Before anything ran it is the error
/// `cancelled` or `timeout`.
///
/// SIGCHLD must not be ignored in the process; no other signal is touched.
UNUM_API Task<RunResult> run_application(Reactor& reactor, const CheckedApplication& application,
                                         const RunOptions& options, Wait wait = {});

}  // namespace unum
