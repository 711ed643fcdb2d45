// See bridge.h. The functions that begin with `unumGo` are Go's.
#include "bridge.h"

#include "_cgo_export.h"

static void on_done(unum_op* op, void* user) { unumGoDone(op, (uintptr_t)user); }
static void on_warning(unum_text line, void* user) { unumGoLine(0, line, (uintptr_t)user); }
static void on_waiting(unum_text line, void* user) { unumGoLine(1, line, (uintptr_t)user); }
static void on_invoke(unum_invocation* invocation, void* user) {
  unumGoInvoke(invocation, (uintptr_t)user);
}
static void on_call(unum_call* call, void* user) { unumGoCall(call, (uintptr_t)user); }
static void on_cancel(unum_call* call, void* user) { unumGoCancel(call, (uintptr_t)user); }
static void on_printed(unum_text instance, unum_text line, void* user) {
  unumGoPrinted(instance, line, (uintptr_t)user);
}
static void on_log(unum_text level, unum_text area, unum_text session, unum_text instance,
                   unum_text line, void* user) {
  (void)user;
  unumGoLog(level, area, session, instance, line);
}
static unum_status on_value(size_t place, unum_text value, void* user) {
  return unumGoValue(place, value, (uintptr_t)user);
}

void unum_go_set_done(unum_start* start, uintptr_t user) {
  start->done = on_done;
  start->user = (void*)user;
}

void unum_go_set_lines(unum_store_options* options, int warn, int waiting, uintptr_t user) {
  options->warn = warn ? on_warning : NULL;
  options->waiting = waiting ? on_waiting : NULL;
  options->user = (void*)user;
}

void unum_go_set_invoke(unum_runtime_options* options, uintptr_t user) {
  options->invoke = on_invoke;
  options->user = (void*)user;
}

void unum_go_set_code(unum_code* code, uintptr_t user) {
  code->call = on_call;
  code->cancel = on_cancel;
  code->user = (void*)user;
}

void unum_go_set_printed(unum_run_options* options, uintptr_t user) {
  options->printed = on_printed;
  options->user = (void*)user;
}

unum_status unum_go_set_log(unum_text levels, int to_go) {
  return unum_set_log(levels, to_go ? on_log : NULL, NULL);
}

unum_op* unum_go_read_input_stream(unum_store* store, unum_text session, unum_text* instances,
                                   size_t count, uintptr_t user, const unum_start* start) {
  return unum_read_input_stream(store, session, instances, count, on_value, (void*)user, start);
}
