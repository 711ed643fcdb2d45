// A host in this process: runs the functions of one workflow with the caller's own code.
//
// It keeps a queue of invocations in memory, runs steps from it, and delivers again what did not
// end. `run_application` (unum/run.hpp) is this host with an application's functions, worker
// processes and data store; use it unless all of these are the caller's own.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string_view>

#include "unum/api.hpp"
#include "unum/function.hpp"
#include "unum/reactor.hpp"
#include "unum/run.hpp"
#include "unum/runtime.hpp"
#include "unum/store.hpp"
#include "unum/task.hpp"

namespace unum {

struct LocalHostOptions {
  /// The most deliveries of one attempt of a step. A step whose code crashes or exceeds its time in
  /// all of them has failed; a run whose data store refuses all of them ends with the store's
  /// error, and its session can be run again.
  int deliveries_max = 3;
  /// The most steps that have begun and not ended. Each may have a result that is computed and not
  /// stored yet, so at most so many run again if the process is killed.
  std::size_t steps_in_flight_max = 256;
  /// Bytes of queued payloads. Above, a larger result is passed on as a pointer to where it is
  /// stored.
  std::size_t queued_bytes_max = 64u * 1024 * 1024;
  /// How long the data store may take to store results that are computed already when a run is told
  /// to end.
  std::chrono::milliseconds store_grace{5'000};
  /// Set `application` (CheckedApplication::identity) to have sessions of other applications
  /// refused.
  RuntimeOptions runtime{};
  /// Told of `queued`, `running`, `ended`, `delivered_again` and `delayed`; the other calls are
  /// those of `run_application`. Not owned; may be null.
  RunObserver* observer = nullptr;
};

struct LocalHostTuning;

/// Runs workflows of one application, one run at a time. Hosts on one reactor and one store do not
/// disturb each other, and two that run one session compute each result once.
class UNUM_API LocalHost {
 public:
  /// Reactor and store must outlive the host. `store` is one that was opened on `reactor`; it is
  /// not closed.
  LocalHost(Reactor& reactor, Store& store, const LocalHostOptions& options = {});
  /// For the library's own layers: LocalHostTuning is not installed.
  LocalHost(Reactor& reactor, Store& store, const LocalHostTuning& tuning);
  /// Not while a run is under way.
  ~LocalHost();
  LocalHost(const LocalHost&) = delete;
  LocalHost& operator=(const LocalHost&) = delete;

  /// Adds a function. `code` must outlive the host; functions may share it. Throws `invalid` if the
  /// function's name is taken, or if there is an entry function already. Functions are linked when
  /// a run begins, unless they are (`link_functions`).
  void add(Function function, UserCode& code);

  /// Runs the workflow in this session to its end. `input` is any JSON text, or a payload. Both
  /// must outlive the task. A session that exists is continued from its stored results; the input
  /// must be the one it was begun with.
  ///
  /// What a platform owes the runtime is done here:
  /// - *Delivery again*: a delivery that ended in an error is repeated as `Error::delivery()` says,
  ///   up to `deliveries_max` times; then `Runtime::give_up` ends the step.
  /// - *Delays* of `Retry` are timers, and stand in the session, so that an attempt that was
  ///   promised is made by the next run if this process dies.
  /// - *A second look*: when nothing is left to run, fan-ins that are complete but from which
  ///   nobody continued (a process died after its claim, or the store lost an update) are found,
  ///   and the entry is delivered once more; results that exist are adopted, and the aggregator is
  ///   invoked.
  /// - In sessions that are collected, outcomes that stand are delivered again, too, and what no
  ///   step could collect is collected when the run succeeded.
  ///
  /// A workflow that fails is a result, not an error. Throws `invalid` without an entry function,
  /// for an input that is not JSON or differs from the session's, and for a session of another
  /// application; otherwise what the data store throws. When `wait` ends, user code's `wait` ends,
  /// results it returned are still stored, and the status is `interrupted` or `timed_out`.
  Task<RunResult> run(std::string_view session, std::string_view input, Wait wait = {});

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace unum
