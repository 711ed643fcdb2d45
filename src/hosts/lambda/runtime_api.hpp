// The Runtime API of AWS Lambda: where a function's process fetches its events and leaves what came
// of them.
//
// HTTP/1.1 on a loopback address that AWS_LAMBDA_RUNTIME_API names; version path 2018-06-01
// ("Using the Lambda runtime API for custom runtimes", AWS Lambda Developer Guide).
#pragma once

#include <string>
#include <string_view>

#include "reactor/http/client.hpp"
#include "unum/error.hpp"
#include "unum/reactor.hpp"
#include "unum/task.hpp"

namespace unum::lambda {

/// One invocation of the function.
struct Event {
  std::string request_id;     ///< The same in Lambda's own retries of an asynchronous event.
  std::string invocation_id;  ///< Tells such retries apart; empty where the service sends none.
  std::string function_arn;
  std::string body;  ///< Whatever the caller sent: not always JSON.
  /// When Lambda ends it: the header's time of day, turned into monotonic time at receipt; a day
  /// later where there is none. Never keep it beyond the event: the environment may be frozen for
  /// hours in between.
  Deadline deadline{};
};

/// As the service's header for errors must be: "Function.NoStore" for "Unum.NoStore". What does not
/// match `(Runtime|Function)\.[A-Z][a-zA-Z]+` counts as `Runtime.Unknown` there.
std::string function_error_type(std::string_view code);

class RuntimeApi {
 public:
  /// `address` is HOST:PORT; `events_max` is the number of calls of `next` at once.
  RuntimeApi(Reactor& reactor, std::string_view address, unsigned events_max);

  /// Waits for the next event, without a time limit of its own. Throws `cancelled` when `wait` is
  /// stopped, and SendError or `disconnected` when the service has gone: then the process ends.
  Task<Event> next(Wait wait);
  /// Leaves the result of an event. That nobody waits for it any more (410), or that it is refused
  /// for another reason, is logged and is no error.
  Task<void> succeed(const Event& event, std::string_view result);
  /// Leaves a failure; for an asynchronous event Lambda then delivers it again.
  Task<void> fail(const Event& event, const Error& error);
  /// Says that the process cannot start. It must exit with a status other than 0 then.
  Task<void> fail_init(const Error& error);

  /// Registers an internal extension, without which Lambda ends the process with SIGKILL and no
  /// SIGTERM before, and waits for that end. Returns when `wait` is stopped, or at once where
  /// extensions are not offered.
  Task<void> stand_by_as_extension(Wait wait);

  Task<void> close() { return http_.close(); }

 private:
  Task<void> answer(const Event& event, std::string_view what, std::string_view body,
                    std::string_view error_type);

  const std::string origin_;
  Reactor& reactor_;
  http::Client http_;
};

}  // namespace unum::lambda
