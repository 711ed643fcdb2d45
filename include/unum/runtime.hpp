// The runtime around one's own function: ingress, user code, checkpoint, egress.
//
// It does no I/O of its own: it is given its store, its invoker and the user's code, and runs on
// the store's reactor. One step is one delivery of one payload; every delivery that began must be
// delivered again until its step ended (`step` returned), duplicates are absorbed.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "unum/api.hpp"
#include "unum/data_store.hpp"
#include "unum/function.hpp"
#include "unum/reactor.hpp"
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
  std::string payload;  ///< JSON text.
};

/// Hands a payload to the platform.
class UNUM_API Invoker {
 public:
  virtual ~Invoker() = default;
  /// Returns once the platform has accepted the invocation, and only then; throws if it has not.
  /// The step that invokes is not done before.
  virtual Task<void> invoke(Invocation invocation, Wait wait) = 0;
};

/// What user code is told about its call.
struct UserCall {
  std::string_view function;
  std::string_view instance;
  std::string_view session;
  std::string_view input;  ///< JSON text of the event.
  std::string_view traceparent;
  int attempt = 1;  ///< Delivery of this step, from 1.
};

/// What user code ended in.
struct UserResult {
  bool succeeded = true;
  std::string value;  ///< JSON text of the result, when it succeeded.
  std::string error;  ///< The error's name ("ValueError"), when it failed.
  std::string cause;  ///< Message and traceback, for people.

  static UserResult success(std::string json) { return {true, std::move(json), {}, {}}; }
  static UserResult failure(std::string error, std::string cause) {
    return {false, {}, std::move(error), std::move(cause)};
  }
};

/// The user's code. Throws an Error (`disconnected`, `timeout`, ...) when the code did not end by
/// itself: the step is then not done and the platform delivers it again.
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
  };
  Status status = Status::succeeded;
  std::string session;
  std::string instance;
  bool adopted =
      false;  ///< The outcome was there already: user code did not run, or lost the race.
  bool user_code_ran = false;
  std::string error;  ///< Of a failed step, or of one whose failure was caught.
  std::string cause;
  std::size_t invocations = 0;  ///< How many instances this step invoked.
  std::vector<FanInReport> fan_ins;
  /// The result's JSON text, when the step invoked nothing and no fan-in is known to need it. Empty
  /// else, and when the result had been collected.
  std::string result;
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
  Runtime(DataStore& store, Invoker& invoker, RuntimeOptions options = {});

  /// One delivery of `payload` to `function`. Throws what the store, the invoker or `code` threw
  /// (then: deliver it again), `invalid` for a payload that is none, a session that was given
  /// another input before (code "Unum.OtherInput"), or one that belongs to another application
  /// ("Unum.OtherApplication") or has results of functions that were changed since
  /// ("Unum.ChangedFunctions").
  Task<StepReport> step(const Function& function, std::string_view payload, UserCode& code,
                        int attempt = 1, Wait wait = {});

  /// Ends a step whose deliveries all died (a crash, a time-out): the failure goes to its edge for
  /// errors, or is reported in the session. A step that has an outcome keeps it: `failed`, and
  /// nothing is written.
  Task<StepReport> give_up(const Function& function, std::string_view payload,
                           std::string_view error, std::string_view cause, int attempt,
                           Wait wait = {});

 private:
  struct Step;
  Step begin(const Function& function, const Payload& payload, Wait wait);

  DataStore& store_;
  Invoker& invoker_;
  RuntimeOptions options_;
};

/// The payload of a first invocation: any JSON value wrapped with its session, unless it is a
/// payload. Throws `invalid` if `input` is not JSON.
UNUM_API std::string entry_payload(std::string_view input, std::string_view session);

/// The instance a payload is for and its session, without running anything.
struct PayloadIdentity {
  std::string session;
  std::string instance;
};
UNUM_API PayloadIdentity identify_payload(const Function& function, std::string_view payload);

}  // namespace unum
