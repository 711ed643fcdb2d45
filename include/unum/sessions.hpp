// What a data store holds of sessions: which there are, how far each one is, what an instance was
// given and came to, and taking a result back so that it is computed again.
//
// All of it reads what is stored and needs no run. A session that is being run meanwhile is shown
// as it is at some moment of the call; `forget_instance` is only for sessions that nobody runs.
// Arguments passed by reference or view must outlive the task. Each call throws what the data store
// throws, and `invalid` (origin "host", code "Unum.UnknownSession") where there is no such
// session.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "unum/api.hpp"
#include "unum/application.hpp"
#include "unum/json.hpp"
#include "unum/run.hpp"
#include "unum/store.hpp"
#include "unum/task.hpp"
#include "unum/time.hpp"
#include "unum/wait.hpp"

namespace unum {

// --- Sessions of a store ------------------------------------------------------------------------

struct SessionSummary {
  std::string id;
  std::string entry;        ///< The function it was begun at; empty if nothing says it.
  std::string application;  ///< Its name; empty if the session does not say it.
  /// The input that it was begun with, JSON text: its first SessionFilter::input_bytes_max bytes.
  std::string input;
  std::uint64_t input_bytes = 0;  ///< Of the whole input.
  std::size_t items = 0;
  std::uint64_t bytes = 0;            ///< Of all items.
  std::int64_t modified_unix_ns = 0;  ///< When the newest item was written, by the store's clock.
};

struct SessionFilter {
  /// Only sessions that this application began, by its name, or for a session that holds no name
  /// by its entry function. Not owned; null: all sessions.
  const CheckedApplication* application = nullptr;
  std::size_t input_bytes_max = 256;
};

/// The sessions of a store, sorted by id. Lists each session once, and reads up to two of its
/// items. A session that is removed meanwhile is left out.
UNUM_API Task<std::vector<SessionSummary>> list_sessions(Store& store,
                                                         const SessionFilter& filter = {},
                                                         Wait wait = {});

// --- One session --------------------------------------------------------------------------------

enum class InstanceState : std::uint8_t {
  done,       ///< It has a result.
  caught,     ///< It failed, and its edge for errors was followed.
  failed,     ///< It failed, and nothing followed. The session can be run again.
  delayed,    ///< It failed, and another attempt is to come (`Retry`).
  waiting,    ///< Something stands in the session for it, and it has no outcome yet.
  collected,  ///< It had a result, which is no longer needed and was removed (`GC`).
  stalled,  ///< It has an outcome, and what should follow has not. Running the session again does.
  blocked,  ///< An aggregator that will not start because an instance before it failed.
};
/// "done", "caught", ...
UNUM_API std::string_view to_string(InstanceState state) noexcept;

struct InstanceSummary {
  std::string instance;
  InstanceState state = InstanceState::waiting;
  std::uint64_t bytes = 0;            ///< Of its outcome.
  std::int64_t modified_unix_ns = 0;  ///< Of what says its state; 0: nothing is stored of it.
  /// For people: the error and the first line of its cause, what a blocked aggregator waits for and
  /// why that is missing, or whether an aggregator that waits was "claimed" or "wanted".
  std::string detail{};
  int attempt = 0;        ///< If `delayed`: the attempt that is to come; 0 if that is damaged,
  WallTime not_before{};  ///< when it may begin,
  std::string error{};    ///< and the error of the attempt before.
};

/// The instances of a session, by function and then by index. Without an application nothing is
/// found to be `stalled` or `blocked`, and more outcomes must be read to find those that were
/// caught.
UNUM_API Task<std::vector<InstanceSummary>> inspect_session(
    Store& store, std::string_view session, const CheckedApplication* application = nullptr,
    Wait wait = {});

/// How far a session is as a whole.
struct SessionProgress {
  enum class State : std::uint8_t {
    running,  ///< Something is to come. That a platform has lost it is not seen.
    failed,   ///< Nothing is to come, and something failed: see `failures`.
    done,     ///< Nothing is to come.
  };
  State state = State::running;
  /// Instances that should follow or be tried again, and have no outcome so far; sorted.
  std::vector<std::string> to_come{};
  /// Instances from whose outcomes nothing follows: of a session that is `done` those whose values
  /// are its result; sorted.
  std::vector<std::string> ends{};
  /// What was not caught, then the aggregators that wait for it; each sorted by instance.
  std::vector<RunFailure> failures{};
};

/// Follows the session over what is stored. A session of which nothing is stored yet is `running`.
/// Throws `invalid`, code "Unum.NotCheckpointed", for an application with a function whose results
/// are not stored.
UNUM_API Task<SessionProgress> session_progress(Store& store, std::string_view session,
                                                const CheckedApplication& application,
                                                Wait wait = {});

/// Waits until the session is done or has failed, wherever it is run: looks again after 50 ms, then
/// less and less often, so that looking takes about a tenth of the time at most and a change is
/// seen within 5 s or ten times what a look takes. The result has the status `timed_out` when the
/// deadline passes first, and `interrupted` when a stop is requested.
UNUM_API Task<RunResult> await_session(Store& store, std::string_view session,
                                       const CheckedApplication& application, Wait wait = {});

// --- One instance -------------------------------------------------------------------------------

struct InstanceFailure {
  std::string error;
  std::string cause;
  bool caught = false;  ///< It is the instance's outcome, and an edge for errors was followed.
};

struct InstanceValues {
  InstanceState state = InstanceState::waiting;
  std::optional<json::Text> result;
  std::optional<InstanceFailure> failure;  ///< Of its outcome or, without one, of its last report.
  /// What its code was called with. Of an entry function it is stored; else the application is
  /// followed from its entry. Nothing where that is not known: without an application, behind a
  /// function that is not checkpointed, in a session that is collected, or if an input is missing.
  std::optional<json::Text> input;
};

/// What is stored of one instance, held whole. Throws `invalid` (code "Unum.UnknownInstance") if
/// nothing is, and `corrupt` for an outcome that is damaged.
UNUM_API Task<InstanceValues> show_instance(Store& store, std::string_view session,
                                            std::string_view instance,
                                            const CheckedApplication* application = nullptr,
                                            Wait wait = {});

struct ForgetOptions {
  /// Removes nothing, and tells what would be.
  bool dry_run = false;
};

/// Takes back what is stored of an instance and everything that was made from it: outcomes,
/// reports and attempts that are to come of the instances that follow, and the state of their
/// fan-ins. Running the session again (RunOptions::resume) computes them again, and all other
/// results are kept. Forgetting the entry function begins the session anew, with its input.
/// Returns the instances of which something was removed, in the order of removal.
///
/// No run of the session may be under way, here or elsewhere: its steps would put back some of what
/// is removed.
///
/// What was made last is removed first, and the instance itself at the end. So no result ever
/// stands without those it was made from, and a process that dies in the middle leaves a session
/// that the same call finishes, or that a run completes as if the call had never begun.
///
/// Throws `invalid`, and removes nothing: code "Unum.UnknownInstance" if nothing is stored of the
/// instance; "Unum.Collected" if the session is collected, so that inputs may be gone;
/// "Unum.OtherApplication" and "Unum.ChangedFunctions" as a run does; "Unum.NotFollowed" if what
/// was made from the instance cannot be told, because the application does not lead to it or an
/// outcome behind it is damaged. Then forgetting an instance before it, or the entry, may help.
UNUM_API Task<std::vector<std::string>> forget_instance(Store& store, std::string_view session,
                                                        std::string_view instance,
                                                        const CheckedApplication& application,
                                                        const ForgetOptions& options = {},
                                                        Wait wait = {});

}  // namespace unum
