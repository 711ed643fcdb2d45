#include "capi/runtime.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <limits>

#include "capi/application.hpp"
#include "capi/op.hpp"
#include "unum/error.hpp"
#include "workflow/retry.hpp"

namespace unum::capi {
namespace {

std::int64_t unix_ms(WallTime time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

/// The error that a caller names by its status.
std::unique_ptr<Error> error_of(unum_status status, std::string_view origin, unum_text message) {
  if (status < UNUM_NOT_FOUND || status > UNUM_BUG) {
    refuse("status", fmt::format("{} is no error", status));
  }
  return std::make_unique<Error>(static_cast<ErrorKind>(status), origin, "Unum.Refused",
                                 string_of(message, "message"));
}

/// What is left of an object that was answered: whether somebody waited for it.
unum_status settle(Event& answered, bool is_awaited) {
  answered.set();
  return is_awaited ? UNUM_OK : UNUM_CANCELLED;
}

}  // namespace

// --- Invocations --------------------------------------------------------------------------------

InvocationObject::InvocationObject(Reactor& reactor, Invocation asked)
    : invocation(std::move(asked)), function(invocation.function), answered(reactor) {
  details = {sizeof details,
             text_of(function),
             text_of(invocation.instance),
             text_of(invocation.origin),
             text_of(invocation.payload.text()),
             invocation.attempt,
             0,
             std::max<std::int64_t>(0, unix_ms(invocation.not_before))};
}

RuntimeObject::RuntimeObject(Loop& loop, StorePtr store, const unum_runtime_options& options,
                             RuntimeOptions runtime_options)
    : loop_(loop),
      store_(std::move(store)),
      invoke_(options.invoke),
      user_(options.user),
      payload_bytes_max_(options.payload_bytes_max == 0
                             ? std::numeric_limits<std::size_t>::max()
                             : static_cast<std::size_t>(options.payload_bytes_max)),
      delay_max_(options.delay_max_ms),
      keeps_every_delivery_(options.keeps_every_delivery != 0),
      runtime_(*store_->store, *this, std::move(runtime_options)) {}

Task<void> RuntimeObject::invoke(Invocation invocation, Wait wait) {
  const auto asked = std::make_shared<InvocationObject>(loop_.reactor, std::move(invocation));
  const HandleNumber handle = loop_.handles.add(Kind::invocation, asked);
  invoke_(handle_of<unum_invocation>(handle), user_);
  try {
    co_await asked->answered.wait(wait, "the platform to accept an invocation");
  } catch (...) {
    asked->is_awaited = false;
    throw;
  }
  if (asked->refusal) throw *asked->refusal;
}

// --- Calls --------------------------------------------------------------------------------------

CallObject::CallObject(Reactor& reactor, const UserCall& call) : answered(reactor) {
  texts = {std::string(call.function), std::string(call.instance), std::string(call.session),
           std::string(call.input.text()), std::string(call.traceparent)};
  details = {sizeof details,      text_of(texts[0]), text_of(texts[1]), text_of(texts[2]),
             text_of(texts[3]),   text_of(texts[4]), call.attempt,      0,
             call.timeout.count()};
}

Task<UserResult> CallbackCode::call(const UserCall& call, Wait wait) {
  const auto asked = std::make_shared<CallObject>(loop_.reactor, call);
  const HandleNumber handle = loop_.handles.add(Kind::call, asked);
  const Deadline limit =
      call.timeout.count() > 0 ? loop_.reactor.now() + call.timeout : kNoDeadline;
  const Wait limited{std::min(limit, wait.deadline), wait.stop};
  code_.call(handle_of<unum_call>(handle), code_.user);
  std::exception_ptr gave_up;
  try {
    co_await asked->answered.wait(limited, "the answer of user code");
  } catch (...) {
    gave_up = std::current_exception();
  }
  if (gave_up) {
    asked->is_awaited = false;
    if (code_.cancel != nullptr) code_.cancel(handle_of<unum_call>(handle), code_.user);
    if (limit < wait.deadline && !wait.stop.stop_requested()) {
      throw Error(
          ErrorKind::timeout, "worker", kTimeoutError,
          fmt::format("{} took longer than its {} ms", call.instance, call.timeout.count()));
    }
    std::rethrow_exception(gave_up);
  }
  if (asked->lost) throw *asked->lost;
  co_return std::move(asked->result);
}

unum_code code_of(const unum_code* code) {
  const unum_code given = struct_of(code, "unum_code");
  if (given.call == nullptr) refuse("unum_code.call", "NULL; it is what runs");
  return given;
}

// --- Steps --------------------------------------------------------------------------------------

namespace {

using RuntimePtr = std::shared_ptr<RuntimeObject>;
using FunctionPtr = std::shared_ptr<FunctionObject>;

Task<void> step(RuntimePtr runtime, FunctionPtr function, std::string payload, int attempt,
                unum_code code, Op& op) {
  // Callbacks are called in turns of the loop only.
  co_await op.loop.reactor.yield();
  CallbackCode own(op.loop, code);
  const json::View view = validate_payload(payload);
  StepReport report =
      co_await runtime->runtime().step(function->function, view, own, attempt, op.wait());
  op.result = std::make_unique<StepReport>(std::move(report));
}

Task<void> give_up(RuntimePtr runtime, FunctionPtr function, std::string payload, int attempt,
                   std::string error, std::string cause, Op& op) {
  co_await op.loop.reactor.yield();
  const json::View view = validate_payload(payload);
  StepReport report = co_await runtime->runtime().give_up(function->function, view, error, cause,
                                                          attempt, op.wait());
  op.result = std::make_unique<StepReport>(std::move(report));
}

/// Begins an op of a runtime for a function of the same loop.
template <class Make>
unum_op* on_runtime(unum_runtime* runtime, unum_function* function, std::int32_t attempt,
                    const unum_start* start, Make make) noexcept {
  return guarded_or<unum_op*>(nullptr, [&] {
    Loop* loop = nullptr;
    const RuntimePtr own = object_of(runtime, &loop);
    return begin_op(*loop, start, [&](Op& op) {
      Loop* other = nullptr;
      const FunctionPtr stepped = object_of(function, &other);
      if (other != loop) {
        throw Error(ErrorKind::bug, "capi", "Unum.OtherLoop",
                    "the function belongs to another loop than the runtime");
      }
      if (attempt < 1) refuse("attempt", fmt::format("{}; the first delivery is 1", attempt));
      return make(own, stepped, op);
    });
  });
}

}  // namespace
}  // namespace unum::capi

using namespace unum;
using namespace unum::capi;

extern "C" {

unum_status unum_function_parse(unum_loop* loop, unum_text configuration, unum_text source,
                                unum_function** function) {
  return guarded([&] {
    Loop& own = loop_of(number_of(loop), Kind::loop);
    if (function == nullptr) refuse("function", "NULL; it must say where the handle goes");
    *function = nullptr;
    Function parsed =
        Function::parse(view_of(configuration, "configuration"), view_of(source, "source"));
    auto object = std::make_shared<FunctionObject>(std::move(parsed));
    *function = handle_of<unum_function>(own.handles.add(Kind::function, std::move(object)));
  });
}

unum_status unum_function_free(unum_function* function) {
  if (function == nullptr) return UNUM_OK;
  return guarded([&] { take_object(function); });
}

unum_text unum_function_name(unum_function* function) {
  return guarded_or(kAbsent, [&] { return text_of(object_of(function)->function.name()); });
}

unum_text unum_function_configuration(unum_function* function) {
  return guarded_or(kAbsent, [&] {
    const FunctionPtr own = object_of(function);
    if (own->text.empty()) own->text = own->function.text();
    return text_of(own->text);
  });
}

const unum_invocation_details* unum_invocation_info(unum_invocation* invocation) {
  return guarded_or<const unum_invocation_details*>(
      nullptr, [&] { return &object_of(invocation)->details; });
}

unum_status unum_invocation_accepted(unum_invocation* invocation) {
  return guarded([&] {
    const std::shared_ptr<InvocationObject> own = take_object(invocation);
    return settle(own->answered, own->is_awaited);
  });
}

unum_status unum_invocation_refused(unum_invocation* invocation, unum_status status,
                                    unum_text message) {
  return guarded([&] {
    object_of(invocation);
    std::unique_ptr<Error> refusal = error_of(status, "invoker", message);
    const std::shared_ptr<InvocationObject> own = take_object(invocation);
    own->refusal = std::move(refusal);
    return settle(own->answered, own->is_awaited);
  });
}

unum_status unum_runtime_new(unum_store* store, const unum_runtime_options* options,
                             unum_runtime** runtime) {
  return guarded([&] {
    Loop* loop = nullptr;
    const StorePtr own = object_of(store, &loop);
    if (runtime == nullptr) refuse("runtime", "NULL; it must say where the handle goes");
    *runtime = nullptr;
    const unum_runtime_options wanted = struct_of(options, "unum_runtime_options");
    if (wanted.invoke == nullptr) refuse("unum_runtime_options.invoke", "NULL; it is the platform");
    check_not_negative(wanted.delay_max_ms, "unum_runtime_options.delay_max_ms");
    RuntimeOptions chosen;
    chosen.collects_garbage = wanted.collects_garbage != 0;
    if (wanted.invocations_in_flight > 0) {
      chosen.invocations_in_flight_max = wanted.invocations_in_flight;
    }
    if (wanted.application != nullptr) {
      chosen.application = identity_of(*object_of(wanted.application));
    }
    auto object = std::make_shared<RuntimeObject>(*loop, own, wanted, std::move(chosen));
    *runtime = handle_of<unum_runtime>(loop->handles.add(Kind::runtime, std::move(object)));
  });
}

unum_status unum_runtime_free(unum_runtime* runtime) {
  if (runtime == nullptr) return UNUM_OK;
  return guarded([&] { take_object(runtime); });
}

const unum_call_details* unum_call_info(unum_call* call) {
  return guarded_or<const unum_call_details*>(nullptr, [&] { return &object_of(call)->details; });
}

unum_status unum_call_succeed(unum_call* call, unum_text value) {
  return guarded([&] {
    object_of(call);
    UserResult result = UserResult::success(value_of(value, "value"), "the result");
    const std::shared_ptr<CallObject> own = take_object(call);
    own->result = std::move(result);
    return settle(own->answered, own->is_awaited);
  });
}

unum_status unum_call_fail(unum_call* call, unum_text error, unum_text cause) {
  return guarded([&] {
    object_of(call);
    UserResult result = UserResult::failure(string_of(error, "error"), string_of(cause, "cause"));
    const std::shared_ptr<CallObject> own = take_object(call);
    own->result = std::move(result);
    return settle(own->answered, own->is_awaited);
  });
}

unum_status unum_call_lost(unum_call* call, unum_text message) {
  return guarded([&] {
    object_of(call);
    std::unique_ptr<Error> lost = error_of(UNUM_DISCONNECTED, "worker", message);
    const std::shared_ptr<CallObject> own = take_object(call);
    own->lost = std::move(lost);
    return settle(own->answered, own->is_awaited);
  });
}

unum_op* unum_runtime_step(unum_runtime* runtime, unum_function* function, unum_text payload,
                           int32_t attempt, const unum_code* code, const unum_start* start) {
  return on_runtime(runtime, function, attempt, start,
                    [&](const RuntimePtr& own, const FunctionPtr& stepped, Op& op) {
                      return step(own, stepped, value_of(payload, "payload"), attempt,
                                  capi::code_of(code), op);
                    });
}

unum_op* unum_runtime_give_up(unum_runtime* runtime, unum_function* function, unum_text payload,
                              int32_t attempt, unum_text error, unum_text cause,
                              const unum_start* start) {
  return on_runtime(runtime, function, attempt, start,
                    [&](const RuntimePtr& own, const FunctionPtr& stepped, Op& op) {
                      return give_up(own, stepped, value_of(payload, "payload"), attempt,
                                     string_of(error, "error"), string_of(cause, "cause"), op);
                    });
}

const unum_report* unum_op_report(unum_op* op) {
  return guarded_or<const unum_report*>(nullptr, [&]() -> const unum_report* {
    const std::shared_ptr<Op> asked = object_of(op);
    const StepReport* report = large_given_by<StepReport>(*asked);
    if (report == nullptr) return nullptr;
    std::string& lines = shown_of(*asked).text;
    lines.clear();
    for (const std::string& line : report->disagreements) {
      if (!lines.empty()) lines += '\n';
      lines += line;
    }
    const bool will_retry = report->status == StepReport::Status::will_retry;
    return show_whole(*asked, unum_report{
                                  sizeof(unum_report),
                                  static_cast<std::int32_t>(report->status) + 1,
                                  report->attempt,
                                  text_of(report->session),
                                  text_of(report->instance),
                                  text_of(report->error),
                                  text_of(report->cause),
                                  report->result ? text_of(report->result->text()) : kAbsent,
                                  report->result_bytes,
                                  report->invocations,
                                  will_retry ? unix_ms(report->not_before) : 0,
                                  report->adopted ? 1 : 0,
                                  report->user_code_ran ? 1 : 0,
                                  report->disagreements.empty() ? kAbsent : text_of(lines),
                              });
  });
}

unum_status unum_entry_payload(unum_loop* loop, unum_text input, unum_text session,
                               unum_text* payload) {
  return guarded([&] {
    Loop& own = loop_of(number_of(loop), Kind::loop);
    if (payload == nullptr) refuse("payload", "NULL; it must say where the text goes");
    *payload = kAbsent;
    own.payload = entry_payload(value_of(input, "input"), view_of(session, "session")).text();
    *payload = text_of(own.payload);
  });
}

unum_status unum_identify_payload(unum_function* function, unum_text payload,
                                  unum_context* context) {
  return guarded([&] {
    const FunctionPtr own = object_of(function);
    if (context == nullptr) refuse("context", "NULL; it must say where the names go");
    *context = {kAbsent, kAbsent};
    const json::View view = validate_payload(view_of(payload, "payload"));
    PayloadIdentity identity = identify_payload(own->function, view);
    own->session = std::move(identity.session);
    own->instance = std::move(identity.instance);
    *context = {text_of(own->session), text_of(own->instance)};
  });
}

}  // extern "C"
