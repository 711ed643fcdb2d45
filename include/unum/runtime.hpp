// The runtime around one's own function: ingress, user code, checkpoint, egress.
//
// It does no I/O of its own: it is given its store, its invoker and the user's code, and runs on
// the store's reactor. One step is one delivery of one payload; every delivery that began must be
// delivered again until its step ended (`step` returned) or threw an error whose `delivery()` says
// otherwise; duplicates are absorbed.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "unum/api.hpp"
#include "unum/function.hpp"
#include "unum/json.hpp"
#include "unum/reactor.hpp"
#include "unum/store.hpp"
#include "unum/task.hpp"

namespace unum {

struct Payload;

/// One function to be invoked.
struct Invocation {
  std::string_view function;  ///< Lives until `invoke` returns.
  std::string instance;       ///< Its instance name, which the payload's frames give.
  /// Where it comes from: the invoking instance and its edge, or `fan_in_origin`. Duplicates of one
  /// invocation have the same origin; another origin is a second way into one name.
  std::string origin;
  json::Text payload;
  /// Of the function's `Retry`; from 1. Of two deliveries of one instance the one with the higher
  /// attempt counts, and two with the same attempt are one. It stands in the payload, too.
  int attempt = 1;
  /// The delivery must not begin before this time of day. With attempt 1: at once.
  WallTime not_before{};
};

/// Hands a payload to the platform.
class UNUM_API Invoker {
 public:
  virtual ~Invoker() = default;
  /// Returns once the platform has accepted the invocation, and only then; throws if it has not.
  /// The step that invokes is not done before.
  virtual Task<void> invoke(Invocation invocation, Wait wait) = 0;
  /// The longest that it can keep an invocation before delivering it (`Invocation::not_before`), so
  /// that a kill of the process does not lose it. 0, the default: not at all.
  virtual std::chrono::milliseconds delay_max() const noexcept;
};

/// For hosts, before they run anything: throws `invalid`, code "Unum.DelayTooLong", for a function
/// whose `Retry` can ask for a longer delay than the platform can keep; names both.
UNUM_API void check_delays(const Invoker& invoker, const Function& function);

/// What user code is told about its call.
struct UserCall {
  std::string_view function;
  std::string_view instance;
  std::string_view session;
  json::View input;  ///< The event.
  std::string_view traceparent;
  /// From 1; above 1 where the code may have run for this step before: deliveries of this attempt
  /// and the attempts of `Retry` before it.
  int attempt = 1;
  /// Of this call, from when the code begins to run (`TimeoutSeconds` of the function); 0: none.
  /// Whoever runs the code keeps it, and throws `timeout`, code "States.Timeout", beyond.
  std::chrono::milliseconds timeout{0};
};

/// What user code ended in.
struct UNUM_API UserResult {
  bool succeeded = true;
  json::Text value;   ///< The result, when it succeeded.
  std::string error;  ///< The error's name ("ValueError"), when it failed.
  std::string cause;  ///< Message and traceback, for people.

  static UserResult success(json::Text value) { return {true, std::move(value), {}, {}}; }
  /// The same with text that is not known to be JSON: a failure "Runtime.MarshalError" if it is
  /// none. `what` names it in the cause.
  static UserResult success(std::string text, std::string_view what = "the result");
  static UserResult failure(std::string error, std::string cause) {
    return {false, {}, std::move(error), std::move(cause)};
  }
};

/// The user's code. Throws an Error when the code did not end by itself (its process crashed or ran
/// out of time): the step is then not done, and the error's `delivery()` says what becomes of it.
/// Errors of the origin "worker" are `bounded` where their kind is `disconnected` or `timeout`.
class UNUM_API UserCode {
 public:
  virtual ~UserCode() = default;
  virtual Task<UserResult> call(const UserCall& call, Wait wait) = 0;
};

/// The origin of an aggregator's invocation by a fan-in with this list.
UNUM_API std::string fan_in_origin(const FanInSet& set);

/// One fan-in a step took part in. An observer is told of only where a requested list names it.
struct FanInReport {
  std::string aggregator;  ///< Instance name.
  FanInRole role = FanInRole::contributor;
  FanInState::Status status = FanInState::Status::incomplete;
  std::shared_ptr<const FanInSet> set;
};

/// How a step ended.
struct StepReport {
  enum class Status : std::uint8_t {
    succeeded,  ///< It has a result, and its edges were run.
    caught,     ///< It failed, the failure is its outcome, and the edge for errors was run.
    failed,     ///< User code or an expression failed; the report was written to the session.
    /// It failed, and the platform accepted another attempt (`Retry`).
    will_retry,
  };
  Status status = Status::succeeded;
  std::string session;
  std::string instance;
  bool adopted =
      false;  ///< The outcome was there already: user code did not run, or lost the race.
  bool user_code_ran = false;
  std::string error;  ///< Of a step that failed, also where the failure was caught or is retried.
  std::string cause;
  /// Of a function with `Retry`: its attempt that this was, from 1. Of others: the delivery.
  int attempt = 1;
  WallTime not_before{};        ///< Of `will_retry`: when the next attempt may begin.
  std::size_t invocations = 0;  ///< How many instances this step invoked.
  std::vector<FanInReport> fan_ins;
  /// The result, when the step invoked nothing and no fan-in is known to need it. Nothing else, and
  /// when the result had been collected.
  std::optional<json::Text> result;
  std::uint64_t result_bytes = 0;
  /// Contributors disagree on a fan-in: a failure of the run as a whole. Readable, both sides
  /// shown.
  std::vector<std::string> disagreements;
};

/// Whose sessions these are.
struct ApplicationIdentity {
  std::string name;
  std::map<std::string, std::string, std::less<>> functions;  ///< Name to Function::digest().
  /// Goes on in a session that has results of functions that were changed since.
  bool accept_changes = false;
};

struct RuntimeOptions {
  bool checkpoint_default = true;  ///< For functions whose IR does not say.
  std::size_t invocations_in_flight_max = 64;
  /// Given: the first step of a session's entry records it in the session, before user code runs. A
  /// session of another application is refused, and so is one that has results of functions whose
  /// digests differ. Absent: sessions are not looked at.
  std::optional<ApplicationIdentity> application{};
};

/// The runtime of one process: any number of functions, sessions and steps at once; it keeps no
/// state of an invocation between steps. Store, invoker and code must outlive it and the steps it
/// runs.
class UNUM_API Runtime {
 public:
  Runtime(Store& store, Invoker& invoker, RuntimeOptions options = {});

  /// One delivery of `payload` to `function`. Returns when nothing more is to be done by this
  /// delivery: acknowledge it, also when the step `failed` (a failure of user code, or a final
  /// error, both reported in the session). Throws otherwise, what the store, the invoker or `code`
  /// threw; its `delivery()` says what to do: `again`, do not acknowledge; `bounded`, the same so
  /// many times as the host allows, then `give_up`; `final`, nothing was run and there is no
  /// session to report it to. Those are `invalid`: a payload that is none, a session that was given
  /// another input before (code "Unum.OtherInput"), that belongs to another application
  /// ("Unum.OtherApplication") or has results of functions that were changed since
  /// ("Unum.ChangedFunctions"). An exception that is no Error: `again`.
  /// A failure that `Retry` names ends in `will_retry`, once the invoker accepted the next attempt.
  Task<StepReport> step(const Function& function, json::View payload, UserCode& code,
                        int attempt = 1, Wait wait = {});

  /// Ends a step whose deliveries all ended in `bounded` errors (a crash, a time-out): the failure
  /// goes to its edge for errors, or is reported in the session. A step that has an outcome keeps
  /// it: `failed`, and nothing is written. Returns and throws as `step` does.
  /// Its `Retry` sees the failure before its edges do.
  Task<StepReport> give_up(const Function& function, json::View payload, std::string_view error,
                           std::string_view cause, int attempt, Wait wait = {});

 private:
  struct Step;
  Step begin(const Function& function, const Payload& payload, int delivery, Wait wait);

  Store& store_;
  Invoker& invoker_;
  RuntimeOptions options_;
};

/// The payload of a first invocation: any JSON value wrapped with its session, unless it is a
/// payload. Throws `invalid` if `input` is not JSON.
UNUM_API json::Text entry_payload(std::string_view input, std::string_view session);

/// A payload that came from outside. Throws `invalid` if it is not JSON; whether it is a payload is
/// for the step to say.
UNUM_API json::View validate_payload(std::string_view text);

/// The instance a payload is for and its session, without running anything.
struct PayloadIdentity {
  std::string session;
  std::string instance;
};
UNUM_API PayloadIdentity identify_payload(const Function& function, json::View payload);

}  // namespace unum
