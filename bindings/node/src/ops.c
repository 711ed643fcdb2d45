/* Ops as promises, and the events that a turn leaves for JavaScript. */
#include <stdlib.h>
#include <string.h>

#include "addon.h"

_Thread_local state* turning = NULL;

static const unum_text kAbsent = {NULL, 0};

// --- Events -------------------------------------------------------------------------------------

static void append(state* own, event* added) {
  added->next = NULL;
  *own->last_event = added;
  own->last_event = &added->next;
}

static char* copy_text(char* to, unum_text from, unum_text* copy) {
  *copy = from;
  if (from.data == NULL) return to;
  if (from.bytes > 0) memcpy(to, from.data, from.bytes);
  copy->data = to;
  return to + from.bytes;
}

bool queue_event(state* own, event_kind kind, uint32_t id, uint32_t place, void* handle,
                 pending* op, unum_text text, unum_text instance) {
  // One byte more: an empty text is not an absent one.
  event* added = malloc(sizeof *added + text.bytes + instance.bytes + 1);
  if (added == NULL) return false;
  *added = (event){NULL, kind, id, place, handle, op, kAbsent, kAbsent};
  copy_text(copy_text((char*)(added + 1), text, &added->text), instance, &added->instance);
  append(own, added);
  return true;
}

void drop_events(state* own) {
  for (event* next = own->first_event; next != NULL;) {
    event* dropped = next;
    next = dropped->next;
    if (dropped->kind != EVENT_DONE) free(dropped);
  }
  own->first_event = NULL;
  own->last_event = &own->first_event;
}

static void on_line(unum_text line, void* user, uint32_t place) {
  // A line that no memory is left for is lost, as one is that nobody listens to.
  if (turning != NULL) {
    queue_event(turning, EVENT_LINE, (uint32_t)(uintptr_t)user, place, NULL, NULL, line, kAbsent);
  }
}
void on_warning(unum_text line, void* user) { on_line(line, user, 0); }
void on_waiting(unum_text line, void* user) { on_line(line, user, 1); }

// --- Ops ----------------------------------------------------------------------------------------

static void on_done(unum_op* op, void* user) {
  pending* ended = user;
  ended->op = op;
  append(ended->owner, &ended->ended);
}

pending* new_pending(entry* call, shape gives, size_t timeout_at) {
  state* own = call->own;
  pending* op = calloc(1, sizeof *op);
  if (op == NULL) {
    napi_throw_error(call->env, "ERR_MEMORY_ALLOCATION_FAILED", "no memory for the call");
    return NULL;
  }
  op->ended = (event){NULL, EVENT_DONE, 0, 0, NULL, op, kAbsent, kAbsent};
  op->owner = own;
  op->gives = gives;
  op->start = (unum_start){sizeof op->start, number_at(call, timeout_at), &on_done, op};
  op->next = own->running;
  if (op->next != NULL) op->next->previous = op;
  own->running = op;
  count_running(own, 1);
  return op;
}

void free_pending(pending* op) {
  state* own = op->owner;
  *(op->previous != NULL ? &op->previous->next : &own->running) = op->next;
  if (op->next != NULL) op->next->previous = op->previous;
  count_running(own, -1);
  free(op);
}

napi_value promise_of(entry* call, pending* op, unum_op* begun) {
  state* own = call->own;
  napi_env env = call->env;
  napi_value promise = NULL;
  own->last_op = begun;
  if (begun == NULL) {
    free_pending(op);
    return throw_last_error(call);
  }
  op->op = begun;
  if (napi_create_promise(env, &op->deferred, &promise) != napi_ok) {
    unum_op_free(begun);
    free_pending(op);
    napi_throw_error(env, NULL, "no promise can be made");
    return leave(call, NULL);
  }
  if (is_given(call, 0)) napi_create_reference(env, call->arguments[0], 1, &op->self);
  mark_begun(own);
  return leave(call, promise);
}

// --- What ops give ------------------------------------------------------------------------------

static void set_write(napi_env env, napi_value object, pending* op) {
  set_field(env, object, "written", js_boolean(env, unum_op_number(op->op) != 0));
  const unum_text stored = unum_op_value(op->op, 0);
  if (stored.data != NULL) set_field(env, object, "stored", js_text(env, stored, op->as_buffers));
}

static napi_value js_item(napi_env env, unum_op* op, size_t place) {
  napi_value object = NULL;
  napi_value modified = NULL;
  napi_create_object(env, &object);
  const unum_item* item = unum_op_item(op, place);
  if (item == NULL) return object;
  set_text(env, object, "name", item->name);
  set_number(env, object, "kind", item->kind);
  set_number(env, object, "bytes", (double)item->bytes);
  napi_create_bigint_int64(env, item->modified_ns, &modified);
  set_field(env, object, "modifiedNs", modified);
  return object;
}

static napi_value js_fan_in(napi_env env, unum_op* op, size_t place) {
  napi_value object = NULL;
  napi_create_object(env, &object);
  const unum_fan_in_state* fan_in = unum_op_fan_in(op, place);
  if (fan_in == NULL) return object;
  set_number(env, object, "status", fan_in->status);
  set_text(env, object, "detail", fan_in->detail);
  return object;
}

static napi_value js_failure(napi_env env, unum_op* op, size_t place) {
  napi_value object = NULL;
  napi_create_object(env, &object);
  const unum_failure* failure = unum_op_failure(op, place);
  if (failure == NULL) return object;
  set_text(env, object, "instance", failure->instance);
  set_text(env, object, "error", failure->error);
  set_text(env, object, "cause", failure->cause);
  return object;
}

typedef napi_value (*js_element)(napi_env env, unum_op* op, size_t place);

/* All that the op gave; handles of elements do not pile up. NULL if one cannot be made. */
static napi_value js_list(napi_env env, pending* op, js_element element) {
  const size_t count = unum_op_count(op->op);
  napi_value list = NULL;
  napi_create_array_with_length(env, count, &list);
  for (size_t i = 0; i < count; ++i) {
    napi_handle_scope scope;
    if (napi_open_handle_scope(env, &scope) != napi_ok) return NULL;
    napi_value made = element != NULL ? element(env, op->op, i)
                                      : js_text(env, unum_op_value(op->op, i), op->as_buffers);
    if (made != NULL) napi_set_element(env, list, (uint32_t)i, made);
    napi_close_handle_scope(env, scope);
    if (made == NULL) return NULL;
  }
  return list;
}

static napi_value js_report(napi_env env, unum_op* op) {
  const unum_report* report = unum_op_report(op);
  napi_value object = NULL;
  napi_create_object(env, &object);
  if (report == NULL) return object;
  set_number(env, object, "status", report->status);
  set_number(env, object, "attempt", report->attempt);
  set_text(env, object, "session", report->session);
  set_text(env, object, "instance", report->instance);
  set_text(env, object, "error", report->error);
  set_text(env, object, "cause", report->cause);
  set_text(env, object, "result", report->result);
  set_number(env, object, "resultBytes", (double)report->result_bytes);
  set_number(env, object, "invocations", (double)report->invocations);
  set_number(env, object, "notBefore", (double)report->not_before);
  set_field(env, object, "adopted", js_boolean(env, report->adopted != 0));
  set_field(env, object, "userCodeRan", js_boolean(env, report->user_code_ran != 0));
  set_text(env, object, "disagreements", report->disagreements);
  return object;
}

static napi_value js_run(napi_env env, pending* op) {
  const unum_run_result* run = unum_op_run_result(op->op);
  napi_value object = NULL;
  napi_create_object(env, &object);
  if (run == NULL) return object;
  set_number(env, object, "status", run->status);
  set_text(env, object, "session", run->session);
  set_text(env, object, "result", run->result);
  set_number(env, object, "instances", (double)run->instances);
  set_number(env, object, "userCodeRuns", (double)run->user_code_runs);
  set_field(env, object, "failures", js_list(env, op, &js_failure));
  return object;
}

static napi_value js_result(napi_env env, pending* op) {
  napi_value object = NULL;
  switch (op->gives) {
    case SHAPE_NOTHING: return js_undefined(env);
    case SHAPE_BOOLEAN: return js_boolean(env, unum_op_number(op->op) != 0);
    case SHAPE_VALUE: return js_text(env, unum_op_value(op->op, 0), op->as_buffers);
    case SHAPE_VALUES: return js_list(env, op, NULL);
    case SHAPE_STORE: return js_handle(env, unum_op_store(op->op));
    case SHAPE_ITEMS: return js_list(env, op, &js_item);
    case SHAPE_STATES: return js_list(env, op, &js_fan_in);
    case SHAPE_REPORT: return js_report(env, op->op);
    case SHAPE_RUN: return js_run(env, op);
    case SHAPE_WRITE:
      napi_create_object(env, &object);
      set_write(env, object, op);
      return object;
    case SHAPE_COMMIT:
      napi_create_object(env, &object);
      set_write(env, object, op);
      set_field(env, object, "fanIns", js_list(env, op, &js_fan_in));
      return object;
  }
  return NULL;
}

static napi_value js_too_large(state* own) {
  const unum_error error = {sizeof error,
                            UNUM_EXHAUSTED,
                            UNUM_DELIVERY_BOUNDED,
                            unum_text_of("node"),
                            unum_text_of("Unum.StringTooLong"),
                            unum_text_of("a value is longer than a string can be; ask for buffers "
                                         "({ as: 'buffer' })")};
  return js_error(own, &error);
}

static void settle(state* own, pending* op) {
  napi_env env = own->env;
  const unum_error* error = unum_op_error(op->op);
  napi_value result = error == NULL ? js_result(env, op) : NULL;
  if (result != NULL) {
    napi_resolve_deferred(env, op->deferred, result);
  } else {
    napi_value reason = error != NULL ? js_error(own, error) : js_too_large(own);
    if (reason != NULL) napi_reject_deferred(env, op->deferred, reason);
  }
  unum_op_free(op->op);
  if (op->self != NULL) napi_delete_reference(env, op->self);
  free_pending(op);
}

// --- Delivery -----------------------------------------------------------------------------------

static napi_value js_call(napi_env env, unum_call* call) {
  const unum_call_details* details = unum_call_info(call);
  napi_value object = NULL;
  napi_create_object(env, &object);
  if (details == NULL) return object;
  set_text(env, object, "function", details->function);
  set_text(env, object, "instance", details->instance);
  set_text(env, object, "session", details->session);
  set_text(env, object, "input", details->input);
  set_text(env, object, "traceparent", details->traceparent);
  set_number(env, object, "attempt", details->attempt);
  set_number(env, object, "timeoutMs", (double)details->timeout_ms);
  return object;
}

static napi_value js_invocation(napi_env env, unum_invocation* invocation) {
  const unum_invocation_details* details = unum_invocation_info(invocation);
  napi_value object = NULL;
  napi_create_object(env, &object);
  if (details == NULL) return object;
  set_text(env, object, "function", details->function);
  set_text(env, object, "instance", details->instance);
  set_text(env, object, "origin", details->origin);
  set_text(env, object, "payload", details->payload);
  set_number(env, object, "attempt", details->attempt);
  set_number(env, object, "notBefore", (double)details->not_before);
  return object;
}

/* What a listener throws is the process' uncaught exception. */
void report_thrown(napi_env env) {
  bool thrown = false;
  napi_value error = NULL;
  napi_is_exception_pending(env, &thrown);
  if (thrown && napi_get_and_clear_last_exception(env, &error) == napi_ok) {
    napi_fatal_exception(env, error);
  }
}

static void tell(state* own, const event* told) {
  napi_env env = own->env;
  napi_value receive = NULL;
  napi_get_reference_value(env, own->receive, &receive);
  napi_value value = NULL;
  uint32_t id = told->id;
  switch (told->kind) {
    case EVENT_CALL: value = js_call(env, told->handle); break;
    case EVENT_INVOKE: value = js_invocation(env, told->handle); break;
    case EVENT_VALUE:
      id = told->op->stream;
      value = js_text(env, told->text, told->op->as_buffers);
      break;
    default: value = js_text(env, told->text, false); break;
  }
  napi_value arguments[6] = {
      js_number(env, told->kind),
      js_number(env, id),
      js_number(env, told->place),
      js_handle(env, told->handle),
      value,
      js_text(env, told->instance, false),
  };
  for (size_t i = 4; i < 6; ++i) {
    if (arguments[i] == NULL) arguments[i] = js_undefined(env);
  }
  napi_value result = NULL;
  if (napi_call_function(env, js_undefined(env), receive, 6, arguments, &result) != napi_ok) {
    report_thrown(env);
  }
}

void deliver_events(state* own) {
  while (own->first_event != NULL) {
    event* next = own->first_event;
    own->first_event = next->next;
    if (own->first_event == NULL) own->last_event = &own->first_event;
    napi_handle_scope scope;
    const bool has_scope = napi_open_handle_scope(own->env, &scope) == napi_ok;
    if (next->kind == EVENT_DONE) {
      settle(own, next->op);
    } else {
      tell(own, next);
      free(next);
    }
    if (has_scope) napi_close_handle_scope(own->env, scope);
  }
}
