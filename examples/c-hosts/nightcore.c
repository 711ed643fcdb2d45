/* An adapter to the worker interface of Nightcore (https://github.com/ut-osa/nightcore), whose
 * functions are shared objects, called one at a time on a worker's thread, with a callback that
 * invokes another function and waits for it. Each function is a shared object of its own:
 *
 *   cc -shared -fPIC -DFUNCTION='"Square"' nightcore.c functions.c \
 *      $(pkg-config --cflags --libs unum) -o libSquare.so
 *
 * The store is named by UNUM_STORE_TYPE and UNUM_STORE_NAME. What the function is called with is a
 * payload of unum; what it puts out is the result of the step, or nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "functions.h"

/* include/faas/worker_v1_interface.h of Nightcore declares the same. */
typedef int (*faas_invoke_func_fn_t)(void* caller_context, const char* func_name,
                                     const char* input_data, size_t input_length,
                                     const char** output_data, size_t* output_length);
typedef void (*faas_append_output_fn_t)(void* caller_context, const char* data, size_t length);

typedef struct worker {
  void* caller_context;
  faas_invoke_func_fn_t invoke;
  faas_append_output_fn_t append_output;
  unum_loop* loop; /* one for each worker: it belongs to the worker's thread */
  unum_store* store;
  unum_runtime* runtime;
  unum_function* function;
} worker;

static unum_status ended(unum_op* op) {
  unum_status status = UNUM_PENDING;
  while (status == UNUM_PENDING) status = unum_op_wait(op, -1);
  if (status != UNUM_OK && op != NULL) {
    const unum_error* error = unum_op_error(op);
    fprintf(stderr, FUNCTION ": %.*s\n", (int)error->message.bytes, error->message.data);
  }
  return status;
}

/* Nightcore's callback returns when the other function has ended. */
static void on_invocation(unum_invocation* invocation, void* user) {
  worker* self = user;
  const unum_invocation_details* details = unum_invocation_info(invocation);
  char name[65]; /* what a function's name has at most, and a zero byte */
  snprintf(name, sizeof name, "%.*s", (int)details->function.bytes, details->function.data);
  const char* output;
  size_t output_length;
  if (self->invoke(self->caller_context, name, details->payload.data, details->payload.bytes,
                   &output, &output_length) == 0) {
    unum_invocation_accepted(invocation);
  } else {
    unum_invocation_refused(invocation, UNUM_DISCONNECTED, unum_text_of("it was not invoked"));
  }
}

int faas_init(void) { return 0; }

int faas_destroy_func_worker(void* worker_handle) {
  worker* self = worker_handle;
  unum_loop_free(self->loop);
  free(self);
  return 0;
}

int faas_create_func_worker(void* caller_context, faas_invoke_func_fn_t invoke_func_fn,
                            faas_append_output_fn_t append_output_fn, void** worker_handle) {
  worker* self = calloc(1, sizeof *self);
  if (self == NULL) return -1;
  self->caller_context = caller_context;
  self->invoke = invoke_func_fn;
  self->append_output = append_output_fn;
  *worker_handle = self;
  if (unum_loop_new(NULL, &self->loop) != UNUM_OK) return -1;
  unum_op* open = unum_store_open(self->loop, unum_text_of(getenv("UNUM_STORE_TYPE")),
                                  unum_text_of(getenv("UNUM_STORE_NAME")), NULL, NULL);
  if (ended(open) != UNUM_OK) return -1;
  self->store = unum_op_store(open);
  const unum_runtime_options options = {
      .struct_bytes = sizeof options, .invoke = &on_invocation, .user = self};
  if (unum_runtime_new(self->store, &options, &self->runtime) != UNUM_OK) return -1;
  for (int i = 0; i < FUNCTION_COUNT; ++i) {
    if (strcmp(function_sources[i].name, FUNCTION) != 0) continue;
    return unum_function_parse(self->loop, unum_text_of(function_sources[i].configuration),
                               unum_text_of(FUNCTION), &self->function) == UNUM_OK
               ? 0
               : -1;
  }
  return -1;
}

int faas_func_call(void* worker_handle, const char* input, size_t input_length) {
  worker* self = worker_handle;
  const unum_code code = {.struct_bytes = sizeof code, .call = &run_function};
  const unum_text payload = {input, input_length};
  unum_op* step = unum_runtime_step(self->runtime, self->function, payload, 1, &code, NULL);
  const int failed = ended(step) != UNUM_OK;
  if (!failed) {
    const unum_report* report = unum_op_report(step);
    if (report->result.data != NULL) {
      self->append_output(self->caller_context, report->result.data, report->result.bytes);
    }
  }
  unum_op_free(step);
  return failed ? -1 : 0;
}
