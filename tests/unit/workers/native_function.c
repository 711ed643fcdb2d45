/* Native functions for the tests of workers: each entry point is one behaviour. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unum/native.h>

static void release_value(unum_native_result* result) {
  printf("released\n");
  free(result->user);
}

UNUM_NATIVE_EXPORT int describe_call(const unum_native_call* call, unum_native_result* result) {
  size_t room = 1024 + call->event_bytes;
  char* text = malloc(room);
  if (text == NULL) return 1;
  printf("called\n");
  snprintf(text, room, "[\"%s\",\"%s\",\"%s\",\"%s\",%u,%zu,%s]", call->function, call->instance,
           call->session, call->traceparent, (unsigned)call->attempt, strlen(call->event),
           call->event);
  result->value = text;
  result->value_bytes = strlen(text);
  result->user = text;
  result->release = release_value;
  return call->milliseconds_left > 0 && call->struct_bytes == sizeof *call ? 0 : 1;
}

UNUM_NATIVE_EXPORT int fail(const unum_native_call* call, unum_native_result* result) {
  (void)call;
  result->error = "Full";
  result->cause = "no room";
  return -1;
}

UNUM_NATIVE_EXPORT int fail_silently(const unum_native_call* call, unum_native_result* result) {
  (void)call;
  (void)result;
  return 5;
}

UNUM_NATIVE_EXPORT int not_json(const unum_native_call* call, unum_native_result* result) {
  (void)call;
  result->value = "{oops";
  result->value_bytes = 5;
  return 0;
}

UNUM_NATIVE_EXPORT int leave(const unum_native_call* call, unum_native_result* result) {
  (void)call;
  (void)result;
  exit(3);
}

UNUM_NATIVE_EXPORT int crash(const unum_native_call* call, unum_native_result* result) {
  (void)result;
  if (call->event[0] == '1') return 0;
  raise(SIGSEGV);
  return 0;
}
