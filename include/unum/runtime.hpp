// The runtime: wraps a function's user code with ingress, checkpoint and egress.
//
// It does no I/O of its own: store, invoker and user code are passed in, and it runs on the store's
// reactor. A step processes one delivery of one payload. The host repeats a delivery until its step
// returns, or throws an error whose `delivery()` says otherwise. Repeated deliveries are harmless:
// an instance has one outcome, however often it is delivered.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "unum/api.hpp"
#include "unum/application.hpp"
#include "unum/function.hpp"
#include "unum/json.hpp"
#include "unum/reactor.hpp"
#include "unum/store.hpp"
#include "unum/task.hpp"

namespace unum {

struct Payload;
class ScanAndClaim;

/// A request to invoke one function.
struct Invocation {
  std::string_view function;  ///< Valid until the task of `invoke` has ended.
  std::string instance;       ///< The instance's name, derived from the payload's frames.
  /// What caused it: the invoking instance and its edge, or `fan_in_origin`. Duplicates of an
  /// invocation have the same origin. Different origins for one instance are an error in the
  /// application: two edges lead to the same instance name.
  std::string origin;
  json::Text payload;
  /// Of the function's `Retry`; from 1. Of two deliveries of one instance the one with the higher
  /// attempt counts, and two with the same attempt are one. It stands in the payload, too.
  int attempt = 1;
  /// The delivery must not begin before this time of day. With attempt 1: at once.
  WallTime not_before{};
};

/// Passes invocations to the platform: a queue, a service, a host in the same process.
class UNUM_API Invoker {
 public:
  virtual ~Invoker() = default;
  /// Returns once the platform has accepted the invocation, so that it is not lost; throws if it
  /// has not. The invoking step waits for it.
  virtual Task<void> invoke(Invocation invocation, Wait wait) = 0;
  /// The largest payload in bytes that is to be sent by value. A larger result is sent as a
  /// pointer to where it is stored, an element of a larger map as its place in the stored list.
  /// Asked before each invocation; a failure that an edge takes is sent by value at any size.
  virtual std::size_t payload_bytes_max() const noexcept { return SIZE_MAX; }
  /// The longest time for which it can keep an invocation before delivering it
  /// (`Invocation::not_before`), even if the process is killed meanwhile. 0, the default: none.
  virtual std::chrono::milliseconds delay_max() const noexcept;
  /// Whether each delivery that began is delivered again until it has ended itself, also where
  /// another delivery of the same invocation was acknowledged meanwhile. Queues for which they are
  /// one message do not: false, the default. It costs an item for each fan-in: whoever invokes an
  /// aggregator says so then, and whoever finds the fan-in claimed and nothing said invokes it,
  /// too.
  virtual bool keeps_every_delivery() const noexcept { return false; }
  /// Whether an invocation for which `invoke` has returned is accepted then. False for a step whose
  /// invocations are handed over when it has ended, by printing them say: nothing is said of them
  /// in the session then, and whoever finds a fan-in claimed whose aggregator has no outcome
  /// invokes it, too.
  virtual bool accepts_at_once() const noexcept { return true; }
};

/// For hosts, before they run anything: throws `invalid`, code "Unum.DelayTooLong", for a function
/// whose `Retry` can ask for a longer delay than the platform can keep; names both.
UNUM_API void check_delays(const Invoker& invoker, const Function& function);

/// An event that is not held whole: pieces of text that one after the other are one JSON value.
/// They are cut anywhere, also within a character.
class UNUM_API InputStream {
 public:
  virtual ~InputStream() = default;
  /// The next piece, never empty; nothing after the last one. One call at a time. Throws what
  /// reading it threw: pass that on, and let the code that has the pieces before it come to
  /// nothing. When `wait` ends, throws `timeout` or `cancelled`, and may be called again.
  virtual Task<std::optional<std::string>> next(Wait wait) = 0;
};

/// The arguments of a call of user code. The views are valid until the call's task has ended.
struct UserCall {
  std::string_view function;
  std::string_view instance;
  std::string_view session;
  json::View input;              ///< The event, unless it is in `input_stream`.
  std::string_view traceparent;  ///< W3C trace context; may be empty.
  /// From 1; above 1 where the code may have run for this step before: counts deliveries of this
  /// attempt and the attempts of `Retry` before it.
  int attempt = 1;
  /// The time limit of this call, from when the code begins to run (`TimeoutSeconds` of the
  /// function); 0: none. Beyond it, throw `timeout` with the code "States.Timeout".
  std::chrono::milliseconds timeout{0};
  /// The event in pieces; null: it is in `input`. Only of code that `streams_input`. Need not be
  /// read to its end.
  InputStream* input_stream = nullptr;
};

/// The result or the failure of user code.
struct UNUM_API UserResult {
  bool succeeded = true;
  json::Text value;   ///< The result, if it succeeded.
  std::string error;  ///< The error's name ("ValueError"), if it failed.
  std::string cause;  ///< Message and traceback, for people.

  static UserResult success(json::Text value) { return {true, std::move(value), {}, {}}; }
  /// Validates the text first: the failure "Runtime.MarshalError" if it is not JSON. `what` names
  /// it in the cause.
  static UserResult success(std::string text, std::string_view what = "the result");
  static UserResult failure(std::string error, std::string cause) {
    return {false, {}, std::move(error), std::move(cause)};
  }
};

/// A function's user code. `call` throws an Error if the code did not end by itself, because its
/// process crashed or timed out. The step then throws it, too, and its `delivery()` tells the host
/// what to do. With origin "worker", kinds `disconnected` and `timeout` are `bounded`.
class UNUM_API UserCode {
 public:
  virtual ~UserCode() = default;
  virtual Task<UserResult> call(const UserCall& call, Wait wait) = 0;
  /// Whether `call` takes UserCall::input_stream. The inputs of an aggregator are then not held all
  /// at once where they are large.
  virtual bool streams_input() const noexcept { return false; }
};

/// The origin of invocations of an aggregator by a fan-in over this list.
UNUM_API std::string fan_in_origin(const FanInSet& set);

/// A fan-in that a step took part in. For an observer only those whose recorded list names it.
struct FanInReport {
  std::string aggregator;  ///< Instance name.
  FanInRole role = FanInRole::contributor;
  FanInState::Status status = FanInState::Status::incomplete;
  std::shared_ptr<const FanInSet> set;
};

/// A step as a span of a trace (OpenTelemetry): ids in hexadecimal digits.
struct StepTrace {
  std::string trace_id;            ///< 32 digits.
  std::string span_id;             ///< 16 digits; the same for every delivery of an instance.
  std::string parent_span_id;      ///< Of whoever invoked the instance; empty: nobody is known.
  std::vector<std::string> links;  ///< Spans of an aggregator's contributors, the first 128.
  WallTime begun{};
  WallTime ended{};
};

/// How a step ended.
struct StepReport {
  enum class Status : std::uint8_t {
    succeeded,   ///< The instance has a result, and its edges were followed.
    caught,      ///< It failed; the failure is its outcome, and its edge for errors was followed.
    failed,      ///< User code or an expression failed; a report was written to the session.
    will_retry,  ///< It failed, and the platform accepted another attempt (`Retry`).
  };
  Status status = Status::succeeded;
  std::string session;
  std::string instance;
  /// The stored outcome is another delivery's: user code did not run here, or finished later.
  bool adopted = false;
  bool user_code_ran = false;
  std::string error;  ///< Of a step that failed, also if that was caught or is retried: its name,
  std::string cause;  ///< and its message and traceback.
  /// The attempt of the function's `Retry`, from 1; of a function without one: the delivery.
  int attempt = 1;
  WallTime not_before{};        ///< If `will_retry`: when the next attempt may begin.
  std::size_t invocations = 0;  ///< Instances that this step invoked.
  std::vector<FanInReport> fan_ins;
  /// The result, if the step invoked nothing and no fan-in is known to need it, so that it may be
  /// the workflow's. Empty otherwise, and if the result was already garbage-collected.
  std::optional<json::Text> result;
  std::uint64_t result_bytes =
      0;  ///< The size of the instance's result, whether or not it is here.
  /// Fan-ins whose contributors have different lists, each as a readable text with both lists. The
  /// run as a whole has then failed.
  std::vector<std::string> disagreements;
  bool has_outcome = false;  ///< It stands in the store, collected or not.
  /// Its session is collected, and what this step did of it. A collection that failed is no failure
  /// of the step: whoever comes next does it again.
  bool collects = false;
  bool was_collected = false;          ///< A tombstone stood in the place of its outcome.
  std::vector<std::string> collected;  ///< The instances that this step put tombstones for.
  bool fan_in_removed = false;         ///< The state of the fan-in that it was invoked by.
  std::string collection_error;        ///< Empty: none.
  std::optional<StepTrace> trace{};    ///< If RuntimeOptions::traces, and its trace is sampled.
};

/// "succeeded", "caught", "failed" or "will_retry".
UNUM_API std::string_view to_string(StepReport::Status status) noexcept;

struct RuntimeOptions {
  bool checkpoint_default = true;  ///< For functions whose configuration does not set it.
  std::size_t invocations_in_flight_max = 64;  ///< Of one step.
  /// Sessions that begin here are garbage-collected: outcomes that are no longer needed become
  /// tombstones. A session that has begun stays as it began.
  bool collects_garbage = false;
  /// Bytes of an aggregator's inputs that are held at once, if its code `streams_input`: above,
  /// they are read while it takes them. One value is always held, and the first 64.
  std::size_t input_bytes_held_max = 16u * 1024 * 1024;
  /// How long a claim that nobody confirmed is left to its owner, where the invoker does not keep
  /// every delivery (Invoker::keeps_every_delivery).
  std::chrono::milliseconds confirmation_patience{100};
  /// If set, each step is a span: user code and what the step invokes get a trace context
  /// (`traceparent`) that names it, and StepReport::trace tells it. Of the traces that begin here
  /// this part is sampled, 0 to 1; others are as their `traceparent` says. If not set, trace
  /// contexts are passed on as they come.
  std::optional<double> traces{};
  /// If set, the first step of a session's entry function records it in the session before user
  /// code runs. Sessions of another application are refused, and so are those with results of
  /// functions whose digests differ. If not set, sessions are not checked.
  std::optional<ApplicationIdentity> application{};
};

/// Runs steps: any number of functions, sessions and steps at once. Keeps no state between the
/// steps of an instance. Does not own store, invoker and user code, which must outlive it and its
/// steps.
class UNUM_API Runtime {
 public:
  Runtime(Store& store, Invoker& invoker, RuntimeOptions options = {});
  ~Runtime();

  /// Processes delivery number `attempt` (from 1) of `payload` to `function`. Everything passed by
  /// reference or view must outlive the task.
  ///
  /// Returns once the delivery is finished: acknowledge it, even if the step `failed` (user code or
  /// a final error; both are reported in the session). Otherwise throws the error of the store, the
  /// invoker or `code`, whose `delivery()` tells the host what to do. `again`: do not acknowledge.
  /// `bounded`: the same, up to a limit of the host's, then call `give_up`. `final`: acknowledge;
  /// nothing ran, and there is no session to report the error in. The final errors are of kind
  /// `invalid`: a malformed payload, a session that was begun with another input (code
  /// "Unum.OtherInput"), that belongs to another application ("Unum.OtherApplication"), or that has
  /// results of functions that have changed since ("Unum.ChangedFunctions"). Treat an exception
  /// that is not an Error as `again`.
  ///
  /// A failure that the function's `Retry` names ends in `will_retry`, once the invoker has
  /// accepted the next attempt.
  ///
  /// When `wait` ends, throws `timeout` or `cancelled`; the next delivery continues from what was
  /// stored.
  Task<StepReport> step(const Function& function, json::View payload, UserCode& code,
                        int attempt = 1, Wait wait = {});

  /// Ends a step whose deliveries all ended in `bounded` errors (a crash, a timeout): the failure
  /// `error` with its `cause` is passed to the edge for errors, or reported in the session. If the
  /// instance has an outcome already, another delivery's, that is gone on from as by `step`.
  /// Returns and throws as `step` does; `Retry` applies before the edges for errors.
  Task<StepReport> give_up(const Function& function, json::View payload, std::string_view error,
                           std::string_view cause, int attempt, Wait wait = {});

 private:
  struct Step;
  Step begin(const Function& function, const Payload& payload, int delivery, Wait wait);

  Store& store_;
  Invoker& invoker_;
  RuntimeOptions options_;
  const std::unique_ptr<ScanAndClaim> readers_;  ///< Which outcomes were found to exist.
};

/// The payload of a workflow's first invocation: `input`, any JSON value, with the session's id; or
/// `input` itself if it is a payload already. Throws `invalid` if it is not JSON.
UNUM_API json::Text entry_payload(std::string_view input, std::string_view session);

/// The same with `input` as it is, even where it looks like a payload: for inputs of which nothing
/// is known, and for one that a session was begun with. `traceparent` is a W3C trace context, which
/// reaches the code of every invocation that follows; may be empty. The other payloads of a
/// workflow are those that an Invoker is given, and those of `redelivery_payload`.
UNUM_API json::Text entry_payload_by_value(std::string_view input, std::string_view session,
                                           std::string_view traceparent = {});

/// Validates a payload that was received from outside. Throws `invalid` if it is not JSON; whether
/// it is a well-formed payload is checked by `Runtime::step`. Views `text`.
UNUM_API json::View validate_payload(std::string_view text);

/// The payload that delivers again an instance which has an outcome, made of what is stored beside
/// that (Store::redelivery_of). Throws `corrupt` for text that is none.
UNUM_API json::Text redelivery_payload(std::string_view kept, std::string_view store_type,
                                       std::string_view session, std::string_view instance);

/// The session and the instance that a payload is for.
struct PayloadIdentity {
  std::string session;
  std::string instance;
};
/// Parses a payload without running anything. Throws `invalid` if it is malformed.
UNUM_API PayloadIdentity identify_payload(const Function& function, json::View payload);

}  // namespace unum
