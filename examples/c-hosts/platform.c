#include "platform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "functions.h"

enum { STEPS_IN_FLIGHT_MAX = 64, DELIVERIES_MAX = 3 };

/* A payload on its way to a function. */
typedef struct message {
  struct message* next;
  platform* owner;
  int function;
  int deliveries;
  unum_text payload;
} message;

struct platform {
  unum_loop* loop;
  unum_store* store;
  unum_runtime* runtime;
  unum_function* functions[FUNCTION_COUNT];
  message* first;
  message** end;
  int steps_in_flight;
  int failed;
  char* result;
  const char* input;
  platform_ended ended;
  void* user;
};

static void complain(const char* what, const unum_error* error) {
  fprintf(stderr, "%s: %.*s\n", what, (int)error->message.bytes, error->message.data);
}

static unum_text kept(unum_text text) {
  char* copy = malloc(text.bytes + 1);
  if (copy == NULL) abort();
  memcpy(copy, text.data, text.bytes);
  copy[text.bytes] = '\0';
  return (unum_text){copy, text.bytes};
}

static void enqueue(platform* own, message* queued) {
  queued->next = NULL;
  *own->end = queued;
  own->end = &queued->next;
}

static void add_message(platform* own, int function, unum_text payload) {
  message* added = calloc(1, sizeof *added);
  if (added == NULL) abort();
  added->owner = own;
  added->function = function;
  added->payload = kept(payload);
  enqueue(own, added);
}

static void drop(message* done) {
  free((char*)done->payload.data);
  free(done);
}

static void step_next(platform* own);

/* The runtime's invocations: in the queue they are safe, as far as this platform goes. */
static void on_invocation(unum_invocation* invocation, void* user) {
  platform* own = user;
  const unum_invocation_details* details = unum_invocation_info(invocation);
  for (int i = 0; i < FUNCTION_COUNT; ++i) {
    const char* name = function_sources[i].name;
    if (details->function.bytes != strlen(name)) continue;
    if (memcmp(details->function.data, name, strlen(name)) != 0) continue;
    add_message(own, i, details->payload);
    unum_invocation_accepted(invocation);
    return;
  }
  unum_invocation_refused(invocation, UNUM_NOT_FOUND, unum_text_of("there is no such function"));
}

static void end_if_done(platform* own) {
  if (own->first != NULL || own->steps_in_flight > 0) return;
  own->ended(own->failed ? NULL : own->result, own->user);
}

static void on_step(unum_op* op, void* user) {
  message* delivered = user;
  platform* own = delivered->owner;
  --own->steps_in_flight;
  if (unum_op_status(op) == UNUM_OK) {
    const unum_report* report = unum_op_report(op);
    if (report->status == UNUM_STEP_FAILED) {
      fprintf(stderr, "%.*s failed: %.*s\n", (int)report->instance.bytes, report->instance.data,
              (int)report->cause.bytes, report->cause.data);
      own->failed = 1;
    }
    if (report->result.data != NULL && own->result == NULL) {
      own->result = (char*)kept(report->result).data;
    }
    drop(delivered);
  } else {
    const unum_error* error = unum_op_error(op);
    complain(function_sources[delivered->function].name, error);
    if (error->delivery == UNUM_DELIVERY_FINAL || delivered->deliveries > DELIVERIES_MAX) {
      own->failed = 1;
      drop(delivered);
    } else {
      enqueue(own, delivered); /* to be delivered again */
    }
  }
  unum_op_free(op);
  step_next(own);
  end_if_done(own);
}

static void step_next(platform* own) {
  while (own->first != NULL && own->steps_in_flight < STEPS_IN_FLIGHT_MAX) {
    message* taken = own->first;
    own->first = taken->next;
    if (own->first == NULL) own->end = &own->first;
    ++own->steps_in_flight;
    const unum_code code = {.struct_bytes = sizeof code, .call = &run_function};
    const unum_start start = {.struct_bytes = sizeof start, .done = &on_step, .user = taken};
    unum_op* begun;
    if (++taken->deliveries > DELIVERIES_MAX) {
      begun = unum_runtime_give_up(own->runtime, own->functions[taken->function], taken->payload,
                                   taken->deliveries, unum_text_of("Platform.GivenUp"),
                                   unum_text_of("delivered three times"), &start);
    } else {
      begun = unum_runtime_step(own->runtime, own->functions[taken->function], taken->payload,
                                taken->deliveries, &code, &start);
    }
    if (begun == NULL) {
      complain("a step", unum_last_error());
      abort();
    }
  }
}

static int begin_workflow(platform* own) {
  const unum_runtime_options options = {
      .struct_bytes = sizeof options, .invoke = &on_invocation, .user = own};
  if (unum_runtime_new(own->store, &options, &own->runtime) != UNUM_OK) return 0;
  for (int i = 0; i < FUNCTION_COUNT; ++i) {
    const unum_text name = unum_text_of(function_sources[i].name);
    const unum_text configuration = unum_text_of(function_sources[i].configuration);
    if (unum_function_parse(own->loop, configuration, name, &own->functions[i]) != UNUM_OK) {
      return 0;
    }
  }
  char session[UNUM_SESSION_BYTES];
  if (unum_create_session_context(own->store, session) != UNUM_OK) return 0;
  unum_text payload;
  const unum_text id = {session, sizeof session};
  if (unum_entry_payload(own->loop, unum_text_of(own->input), id, &payload) != UNUM_OK) return 0;
  add_message(own, 0, payload);
  step_next(own);
  return 1;
}

static void on_open(unum_op* op, void* user) {
  platform* own = user;
  own->store = unum_op_store(op);
  const int begun = own->store != NULL && begin_workflow(own);
  if (!begun) {
    complain("the workflow", own->store == NULL ? unum_op_error(op) : unum_last_error());
    own->ended(NULL, own->user);
  }
  unum_op_free(op);
}

platform* platform_begin(unum_loop* loop, const char* store_type, const char* store_name,
                         const char* input, platform_ended ended, void* user) {
  platform* own = calloc(1, sizeof *own);
  if (own == NULL) return NULL;
  own->loop = loop;
  own->end = &own->first;
  own->input = input;
  own->ended = ended;
  own->user = user;
  const unum_start start = {.struct_bytes = sizeof start, .done = &on_open, .user = own};
  const unum_op* begun =
      unum_store_open(loop, unum_text_of(store_type), unum_text_of(store_name), NULL, &start);
  if (begun == NULL) {
    free(own);
    return NULL;
  }
  return own;
}

void platform_free(platform* own) {
  free(own->result);
  free(own);
}
