/* The addon's parts: one state for each environment (the main thread, each worker), with a loop of
 * unum's that turns inside the environment's libuv loop.
 *
 * Handles of unum's cross to JavaScript as BigInts. The library looks up every handle, so one that
 * is stale or another thread's is an error there, never a crash here.
 *
 * Callbacks of unum's run inside a turn and never call JavaScript: they leave an event, and events
 * are delivered when the turn has ended. So no exception can cross C, and JavaScript may begin,
 * cancel and close whatever it likes. */
#ifndef UNUM_NODE_ADDON_H
#define UNUM_NODE_ADDON_H

#define NAPI_VERSION 8
#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unum.h>

#include "uv_calls.h"

/* What an op gives, and so what its promise is resolved with. */
typedef enum shape {
  SHAPE_NOTHING,
  SHAPE_BOOLEAN,
  SHAPE_WRITE,
  SHAPE_VALUE,
  SHAPE_VALUES,
  SHAPE_STORE,
  SHAPE_ITEMS,
  SHAPE_STATES,
  SHAPE_COMMIT,
  SHAPE_REPORT,
  SHAPE_RUN
} shape;

/* The numbers are known to lib/native.cjs. */
typedef enum event_kind {
  EVENT_DONE = 0, /* resolved here; JavaScript sees only its promise */
  EVENT_LINE = 1,
  EVENT_VALUE = 2,
  EVENT_CALL = 3,
  EVENT_CANCEL = 4,
  EVENT_INVOKE = 5
} event_kind;

typedef struct state state;
typedef struct pending pending;
typedef struct block block;

typedef struct event {
  struct event* next;
  event_kind kind;
  uint32_t id;    /* what JavaScript registered the receiver under */
  uint32_t place; /* of a value; which receiver of a line */
  void* handle;   /* of the call or invocation */
  pending* op;    /* that ended, or that a value is of */
  unum_text text; /* behind the event, in the same block */
  unum_text instance;
} event;

/* An op that has not ended, or whose end was not delivered yet. */
struct pending {
  event ended;
  state* owner;
  pending* previous;
  pending* next;
  unum_op* op;
  napi_deferred deferred;
  napi_ref self; /* the JavaScript object that began it: not collected meanwhile */
  unum_start start;
  shape gives;
  bool as_buffers;
  uint32_t stream;
};

struct state {
  napi_env env;
  unum_loop* loop; /* NULL until the first use */
  unum_loop_options options;
  uv_poll_t* readable;
  uv_timer_t* due;
  uv_prepare_t* prepare;
  int open_handles;
  napi_async_cleanup_hook_handle cleanup;
  napi_async_context context;
  napi_ref resource;
  napi_ref make_error; /* (status, origin, code, message, delivery) => UnumError */
  napi_ref receive;    /* (event kind, id, place, handle, value, instance) */
  pending* running;
  size_t running_count;
  event* first_event;
  event** last_event;
  unum_op* last_op;
  block* spare; /* for the texts of the next call that needs one */
  bool begun;   /* something to submit since the last turn */
};

/* One call from JavaScript: its arguments, and the memory of their texts until it returns. */
struct block {
  block* next;
  size_t bytes;
};

enum { ARGUMENTS_MAX = 16, FIRST_BLOCK_BYTES = 4096 };

typedef struct entry {
  napi_env env;
  state* own;
  size_t count;
  napi_value arguments[ARGUMENTS_MAX];
  block* blocks;
  char* free_at;
  size_t free_bytes;
  char first[FIRST_BLOCK_BYTES];
} entry;

/* --- environment.c --- */

void find_environment(void);
/* Before everything that may run the library. */
void follow_environment(void);

/* --- values.c: between JavaScript and C --- */

/* False, with an exception thrown: the function returns NULL, after `leave`. */
bool enter(napi_env env, napi_callback_info info, entry* call);
napi_value leave(entry* call, napi_value value);

bool is_given(entry* call, size_t place);
/* A string, or the bytes of a Uint8Array; `name` is for the TypeError. */
bool text_at(entry* call, size_t place, const char* name, unum_text* text);
/* The same, where undefined and null are an absent text. */
bool optional_text_at(entry* call, size_t place, const char* name, unum_text* text);
bool texts_at(entry* call, size_t place, const char* name, unum_text** texts, size_t* count);
/* Of a value. Texts are an array of them, or one string with zero bytes between them. */
bool text_of(entry* call, napi_value value, const char* name, unum_text* text);
bool texts_of(entry* call, napi_value value, const char* name, unum_text** texts, size_t* count);
/* 0 where nothing is given; lib/ has checked the range. */
int64_t number_at(entry* call, size_t place);
bool handle_at(entry* call, size_t place, void** handle);
/* Memory until `leave`; NULL, with an exception, if there is none. */
void* memory_of(entry* call, size_t bytes);

napi_value js_undefined(napi_env env);
napi_value js_boolean(napi_env env, bool value);
napi_value js_number(napi_env env, double value);
napi_value js_handle(napi_env env, const void* handle);
/* NULL if it cannot be a string (V8 holds about 512 MiB): nothing is thrown. An absent text is
 * undefined. */
napi_value js_text(napi_env env, unum_text text, bool as_buffer);
void set_field(napi_env env, napi_value object, const char* name, napi_value value);
void set_text(napi_env env, napi_value object, const char* name, unum_text text);
void set_number(napi_env env, napi_value object, const char* name, double value);

napi_value js_error(state* own, const unum_error* error);
napi_value throw_last_error(entry* call);
/* Returns undefined, or throws the last error. */
napi_value leave_with_status(entry* call, unum_status status);

/* --- turns.c: the loop in the environment's loop --- */

/* Makes the loop if there is none yet. False, with an exception thrown, if that fails. */
bool need_loop(entry* call);
/* To be called after everything that a turn must see. */
void mark_begun(state* own);
/* Keeps the process alive as long as an op runs. */
void count_running(state* own, int change);
/* Closes the loop and all that is on it; calls `closed` once libuv has let go of it. */
void close_loop(state* own);
/* Between events: frees those that cannot be delivered any more. */
void drop_events(state* own);

/* --- ops.c: ops as promises, events --- */

/* The state of the loop that turns on this thread, in callbacks; NULL elsewhere. */
extern _Thread_local state* turning;

/* An op of the object in argument 0; its time is in the argument `timeout_at`. */
pending* new_pending(entry* call, shape gives, size_t timeout_at);
/* The promise of an op that was begun with `&op->start`, or failed to. Leaves the call. */
napi_value promise_of(entry* call, pending* op, unum_op* begun);
/* A copy of the texts, queued. False if there is no memory. */
bool queue_event(state* own, event_kind kind, uint32_t id, uint32_t place, void* handle,
                 pending* op, unum_text text, unum_text instance);
void deliver_events(state* own);
void free_pending(pending* op);
void report_thrown(napi_env env);

void on_warning(unum_text line, void* user);
void on_waiting(unum_text line, void* user);

/* --- runtimes.c --- */

/* Code whose calls the receiver of this number gets. */
unum_code code_of(uint32_t id);

/* --- What JavaScript sees --- */

typedef struct exported {
  const char* name;
  napi_callback function;
} exported;

extern const exported store_functions[];
extern const exported runtime_functions[];
extern const exported application_functions[];
extern const exported log_functions[];

/* The log's part of an environment's end. */
void end_log(state* own);
/* Fills the options of a store from four arguments: [flags and numbers], id of its lines. */
bool store_options_at(entry* call, size_t place, unum_store_options* options);

#endif
