/* Functions, runtimes and their steps; the answers to calls and invocations. */
#include "addon.h"

static const unum_text kAbsent = {NULL, 0};

// --- Callbacks: in a turn, so they leave an event -----------------------------------------------

static void on_call(unum_call* asked, void* user) {
  const uint32_t id = (uint32_t)(uintptr_t)user;
  const bool queued =
      turning != NULL && queue_event(turning, EVENT_CALL, id, 0, asked, NULL, kAbsent, kAbsent);
  if (!queued) unum_call_lost(asked, unum_text_of("no memory for the call"));
}

static void on_cancel(unum_call* asked, void* user) {
  const uint32_t id = (uint32_t)(uintptr_t)user;
  if (turning == NULL) return;
  // Untold, the call goes on, and its answer goes nowhere.
  queue_event(turning, EVENT_CANCEL, id, 0, asked, NULL, kAbsent, kAbsent);
}

unum_code code_of(uint32_t id) {
  return (unum_code){sizeof(unum_code), &on_call, &on_cancel, (void*)(uintptr_t)id};
}

static void on_invoke(unum_invocation* invocation, void* user) {
  const uint32_t id = (uint32_t)(uintptr_t)user;
  const bool queued = turning != NULL &&
                      queue_event(turning, EVENT_INVOKE, id, 0, invocation, NULL, kAbsent, kAbsent);
  if (!queued) {
    unum_invocation_refused(invocation, UNUM_EXHAUSTED, unum_text_of("no memory for it"));
  }
}

// --- Functions ----------------------------------------------------------------------------------

/* (configuration, source) */
static napi_value parse_function(napi_env env, napi_callback_info info) {
  entry call;
  unum_text configuration;
  unum_text source;
  unum_function* function = NULL;
  if (!enter(env, info, &call) || !need_loop(&call)) return NULL;
  if (!text_at(&call, 0, "configuration", &configuration) ||
      !text_at(&call, 1, "source", &source)) {
    return leave(&call, NULL);
  }
  if (unum_function_parse(call.own->loop, configuration, source, &function) != UNUM_OK) {
    return throw_last_error(&call);
  }
  return leave(&call, js_handle(env, function));
}

static bool enter_handle(napi_env env, napi_callback_info info, entry* call, void** handle) {
  if (!enter(env, info, call)) return false;
  if (!handle_at(call, 0, handle)) {
    leave(call, NULL);
    return false;
  }
  return true;
}

static napi_value free_function(napi_env env, napi_callback_info info) {
  entry call;
  void* function;
  if (!enter_handle(env, info, &call, &function)) return NULL;
  return leave_with_status(&call, unum_function_free(function));
}

static napi_value function_text(napi_env env, napi_callback_info info,
                                unum_text (*text_of_it)(unum_function* function)) {
  entry call;
  void* function;
  if (!enter_handle(env, info, &call, &function)) return NULL;
  const unum_text text = text_of_it(function);
  if (text.data == NULL) return throw_last_error(&call);
  return leave(&call, js_text(env, text, false));
}

static napi_value function_name(napi_env env, napi_callback_info info) {
  return function_text(env, info, &unum_function_name);
}
static napi_value function_configuration(napi_env env, napi_callback_info info) {
  return function_text(env, info, &unum_function_configuration);
}

/* (function, payload) => {session, instance} */
static napi_value identify_payload(napi_env env, napi_callback_info info) {
  entry call;
  void* function;
  unum_text payload;
  unum_context context;
  napi_value object = NULL;
  if (!enter_handle(env, info, &call, &function)) return NULL;
  if (!text_at(&call, 1, "payload", &payload)) return leave(&call, NULL);
  if (unum_identify_payload(function, payload, &context) != UNUM_OK) {
    return throw_last_error(&call);
  }
  napi_create_object(env, &object);
  set_text(env, object, "session", context.session);
  set_text(env, object, "instance", context.instance);
  return leave(&call, object);
}

/* (input as JSON, session) */
static napi_value entry_payload(napi_env env, napi_callback_info info) {
  entry call;
  unum_text input;
  unum_text session;
  unum_text payload;
  if (!enter(env, info, &call) || !need_loop(&call)) return NULL;
  if (!text_at(&call, 0, "input", &input) || !text_at(&call, 1, "session", &session)) {
    return leave(&call, NULL);
  }
  if (unum_entry_payload(call.own->loop, input, session, &payload) != UNUM_OK) {
    return throw_last_error(&call);
  }
  return leave(&call, js_text(env, payload, false));
}

// --- Runtimes and steps -------------------------------------------------------------------------

/* (store, id, payloadBytesMax, delayMaxMs, invocationsInFlight, collectsGarbage, application,
 * keepsEveryDelivery) */
static napi_value new_runtime(napi_env env, napi_callback_info info) {
  entry call;
  void* store;
  void* application = NULL;
  unum_runtime* runtime = NULL;
  if (!enter_handle(env, info, &call, &store)) return NULL;
  if (is_given(&call, 6) && !handle_at(&call, 6, &application)) return leave(&call, NULL);
  const unum_runtime_options options = {
      .struct_bytes = sizeof options,
      .invoke = &on_invoke,
      .user = (void*)(uintptr_t)(uint32_t)number_at(&call, 1),
      .payload_bytes_max = (uint64_t)number_at(&call, 2),
      .delay_max_ms = number_at(&call, 3),
      .invocations_in_flight = (uint32_t)number_at(&call, 4),
      .collects_garbage = number_at(&call, 5) != 0,
      .application = application,
      .keeps_every_delivery = number_at(&call, 7) != 0,
  };
  if (unum_runtime_new(store, &options, &runtime) != UNUM_OK) return throw_last_error(&call);
  return leave(&call, js_handle(env, runtime));
}

static napi_value free_runtime(napi_env env, napi_callback_info info) {
  entry call;
  void* runtime;
  if (!enter_handle(env, info, &call, &runtime)) return NULL;
  return leave_with_status(&call, unum_runtime_free(runtime));
}

/* (self, runtime, function, payload, attempt, code's id, timeout) */
static napi_value step(napi_env env, napi_callback_info info) {
  entry call;
  void* runtime;
  void* function;
  unum_text payload;
  if (!enter(env, info, &call)) return NULL;
  if (!handle_at(&call, 1, &runtime) || !handle_at(&call, 2, &function) ||
      !text_at(&call, 3, "payload", &payload)) {
    return leave(&call, NULL);
  }
  pending* op = new_pending(&call, SHAPE_REPORT, 6);
  if (op == NULL) return leave(&call, NULL);
  const unum_code code = code_of((uint32_t)number_at(&call, 5));
  return promise_of(&call, op,
                    unum_runtime_step(runtime, function, payload, (int32_t)number_at(&call, 4),
                                      &code, &op->start));
}

/* (self, runtime, function, payload, attempt, error, cause, timeout) */
static napi_value give_up(napi_env env, napi_callback_info info) {
  entry call;
  void* runtime;
  void* function;
  unum_text payload;
  unum_text error;
  unum_text cause;
  if (!enter(env, info, &call)) return NULL;
  if (!handle_at(&call, 1, &runtime) || !handle_at(&call, 2, &function) ||
      !text_at(&call, 3, "payload", &payload) || !text_at(&call, 5, "error", &error) ||
      !text_at(&call, 6, "cause", &cause)) {
    return leave(&call, NULL);
  }
  pending* op = new_pending(&call, SHAPE_REPORT, 7);
  if (op == NULL) return leave(&call, NULL);
  return promise_of(&call, op,
                    unum_runtime_give_up(runtime, function, payload, (int32_t)number_at(&call, 4),
                                         error, cause, &op->start));
}

// --- Answers: UNUM_CANCELLED says that nobody waits, which does no harm -------------------------

static napi_value leave_answered(entry* call, unum_status status) {
  mark_begun(call->own);
  return leave_with_status(call, status == UNUM_CANCELLED ? UNUM_OK : status);
}

static napi_value call_succeed(napi_env env, napi_callback_info info) {
  entry call;
  void* asked;
  unum_text value;
  if (!enter_handle(env, info, &call, &asked)) return NULL;
  if (!text_at(&call, 1, "result", &value)) return leave(&call, NULL);
  return leave_answered(&call, unum_call_succeed(asked, value));
}

static napi_value call_fail(napi_env env, napi_callback_info info) {
  entry call;
  void* asked;
  unum_text error;
  unum_text cause;
  if (!enter_handle(env, info, &call, &asked)) return NULL;
  if (!text_at(&call, 1, "error", &error) || !text_at(&call, 2, "cause", &cause)) {
    return leave(&call, NULL);
  }
  return leave_answered(&call, unum_call_fail(asked, error, cause));
}

static napi_value call_lost(napi_env env, napi_callback_info info) {
  entry call;
  void* asked;
  unum_text message;
  if (!enter_handle(env, info, &call, &asked)) return NULL;
  if (!text_at(&call, 1, "message", &message)) return leave(&call, NULL);
  return leave_answered(&call, unum_call_lost(asked, message));
}

static napi_value invocation_accepted(napi_env env, napi_callback_info info) {
  entry call;
  void* invocation;
  if (!enter_handle(env, info, &call, &invocation)) return NULL;
  return leave_answered(&call, unum_invocation_accepted(invocation));
}

/* (invocation, status, message) */
static napi_value invocation_refused(napi_env env, napi_callback_info info) {
  entry call;
  void* invocation;
  unum_text message;
  if (!enter_handle(env, info, &call, &invocation)) return NULL;
  if (!text_at(&call, 2, "message", &message)) return leave(&call, NULL);
  const unum_status status = (unum_status)number_at(&call, 1);
  return leave_answered(&call, unum_invocation_refused(invocation, status, message));
}

const exported runtime_functions[] = {{"parseFunction", &parse_function},
                                      {"freeFunction", &free_function},
                                      {"functionName", &function_name},
                                      {"functionConfiguration", &function_configuration},
                                      {"identifyPayload", &identify_payload},
                                      {"entryPayload", &entry_payload},
                                      {"newRuntime", &new_runtime},
                                      {"freeRuntime", &free_runtime},
                                      {"step", &step},
                                      {"giveUp", &give_up},
                                      {"callSucceed", &call_succeed},
                                      {"callFail", &call_fail},
                                      {"callLost", &call_lost},
                                      {"invocationAccepted", &invocation_accepted},
                                      {"invocationRefused", &invocation_refused},
                                      {NULL, NULL}};
