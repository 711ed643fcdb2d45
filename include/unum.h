/* unum for programs in C, and for every language that can call C.
 *
 * Everything runs on a loop: one thread, one io_uring (or epoll, where the kernel refuses that).
 * What takes time is an *op*: the function that begins it returns at once, and it ends exactly
 * once, inside unum_loop_dispatch, unum_loop_run or unum_op_wait, never elsewhere.
 *
 *   unum_loop* loop;
 *   if (unum_loop_new(NULL, &loop) != UNUM_OK) return complain(unum_last_error());
 *   unum_op* op = unum_store_open(loop, unum_text_of("fs"), unum_text_of("/srv/store"), NULL,
 * NULL); while (unum_op_wait(op, -1) == UNUM_PENDING) {} if (unum_op_status(op) != UNUM_OK) return
 * complain(unum_op_error(op)); unum_store* store = unum_op_store(op); unum_op_free(op);
 *
 * A program with a loop of its own waits until unum_loop_fd is readable or unum_loop_timeout_ms has
 * passed, and then calls unum_loop_dispatch; also once after it began ops, which are not submitted
 * before.
 *
 * Handles (unum_loop*, unum_op*, ...) are numbers in the shape of pointers. One that was freed, is
 * of another kind, or belongs to another loop than the call's other handles is refused with
 * UNUM_BUG; it is never followed. NULL is none. Freeing NULL does nothing.
 *
 * Threads: a loop and all of its handles belong to the thread that made it. A call from another one
 * is refused with UNUM_BUG, but for unum_loop_wake. Several threads may have a loop each. A child
 * after fork(2) must not use its parent's loops.
 *
 * Ownership: arguments are copied before a call returns. What a handle gives (texts, errors,
 * reports) is valid until it is freed. Nothing is to be freed with free(3).
 *
 * Errors: a function that returns a status, a handle or a pointer says what was wrong by
 * unum_last_error when it returns neither UNUM_OK nor UNUM_PENDING, or NULL; an op that ended
 * otherwise by unum_op_error. No text contains a secret. errno is left alone, and no exception
 * leaves the library. Callbacks must return: no exception, no longjmp.
 *
 * Re-entrancy: callbacks may call everything, but not dispatch, run, wait, or free a loop:
 * UNUM_BUG.
 *
 * Structs: the caller sets `struct_bytes` to sizeof; all else that is zero is the default. Later
 * versions add fields at the end. A larger struct than this library knows is taken if what it does
 * not know is zero, and refused otherwise. Structs that the library gives say their size, too.
 *
 * Times are milliseconds. Points of time are milliseconds since 1970 (UTC).
 */
#ifndef UNUM_H
#define UNUM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* NOLINTBEGIN(readability-identifier-naming, modernize-use-using): this header is C. */

#if defined(UNUM_BUILDING_CAPI)
#define UNUM_C_API __attribute__((visibility("default")))
#else
#define UNUM_C_API
#endif

typedef struct unum_loop unum_loop;
typedef struct unum_store unum_store;
typedef struct unum_op unum_op;
typedef struct unum_function unum_function;
typedef struct unum_runtime unum_runtime;
typedef struct unum_call unum_call;
typedef struct unum_invocation unum_invocation;
typedef struct unum_application unum_application;

/* Bytes, usually UTF-8. No zero byte is needed at the end, and none ends the text. `data` may be
 * NULL if `bytes` is 0. Where a value may be absent, an absent one has NULL as its data, and an
 * empty one has not. */
typedef struct unum_text {
  const char* data;
  size_t bytes;
} unum_text;

/* --- Errors ----------------------------------------------------------------------------------- */

/* What became of a call or an op: UNUM_OK, UNUM_PENDING, or the kind of its error, which says what
 * the caller can do. The numbers never change; later versions may add some. */
typedef int32_t unum_status;
enum {
  UNUM_PENDING = -1, /* the op has not ended */
  UNUM_OK = 0,
  UNUM_NOT_FOUND = 1,    /* what was named does not exist: create it, or correct the name */
  UNUM_CONFLICT = 2,     /* someone wrote something different: do not retry unchanged */
  UNUM_INVALID = 3,      /* the input is wrong: correct it */
  UNUM_DENIED = 4,       /* not permitted: change credentials or permissions */
  UNUM_THROTTLED = 5,    /* the service asks for fewer requests: retry later */
  UNUM_TIMEOUT = 6,      /* the time is up; it may or may not have taken effect */
  UNUM_DISCONNECTED = 7, /* the peer is lost; it may or may not have taken effect */
  UNUM_CANCELLED = 8,    /* the op was cancelled; it may or may not have taken effect */
  UNUM_CORRUPT = 9,      /* stored or received data is damaged */
  UNUM_EXHAUSTED = 10,   /* a limit was reached, or disk, memory or descriptors ran out */
  UNUM_BUG = 11          /* the library or its caller broke a rule of this header */
};

/* What becomes of a delivery whose step ended in an error: unum_error.delivery. */
enum {
  UNUM_DELIVERY_FINAL = 1,  /* acknowledge it: another one would fail the same way */
  UNUM_DELIVERY_AGAIN = 2,  /* do not acknowledge it; deliver again until the error is gone */
  UNUM_DELIVERY_BOUNDED = 3 /* the same, up to a limit of the host's; then unum_runtime_give_up */
};

typedef struct unum_error {
  size_t struct_bytes;
  unum_status status;
  int32_t delivery;
  unum_text origin;  /* "fs", "ir", "reactor", "capi", ... */
  unum_text code;    /* stable, for people and their scripts: "ENOSPC", "Unum.MissingInput", ... */
  unum_text message; /* what happened, and what is involved */
} unum_error;

/* The error of the last call on this thread that returned a status above UNUM_OK or NULL for a
 * failure; never NULL, valid until the thread's next failure. */
UNUM_C_API const unum_error* unum_last_error(void);
/* The status' name: "not_found"; "ok", "pending"; "unknown" for another number. A literal. */
UNUM_C_API const char* unum_status_name(unum_status status);
/* The library's version, "1.2.3". A literal. */
UNUM_C_API const char* unum_version(void);

/* --- Loops ------------------------------------------------------------------------------------ */

enum { UNUM_BACKEND_AUTOMATIC = 0, UNUM_BACKEND_URING = 1, UNUM_BACKEND_EPOLL = 2 };

typedef struct unum_loop_options {
  size_t struct_bytes;
  int32_t backend; /* automatic: UNUM_REACTOR=uring|epoll, else io_uring where it is allowed */
  uint32_t helper_threads_max; /* 0: 4. For calls that would block; started when first needed */
} unum_loop_options;

/* Makes a loop that belongs to this thread. Fails with UNUM_DENIED or UNUM_NOT_FOUND if the kernel
 * has no such backend, UNUM_EXHAUSTED if descriptors ran out or there are 4,096 loops. */
UNUM_C_API unum_status unum_loop_new(const unum_loop_options* options, unum_loop** loop);
/* Cancels the loop's ops and waits until they have ended, without a call of their `done` (`cancel`
 * of a call may come); then frees everything of the loop. What was not answered is forgotten. */
UNUM_C_API unum_status unum_loop_free(unum_loop* loop);
/* "io_uring (...)" or "epoll: why"; NULL on failure. Valid as long as the loop. */
UNUM_C_API const char* unum_loop_backend(unum_loop* loop);

/* A descriptor that is readable when unum_loop_dispatch has work: always the same one, the loop's.
 * Negative on failure. */
UNUM_C_API int unum_loop_fd(unum_loop* loop);
/* In how many milliseconds unum_loop_dispatch must be called even if the descriptor is not
 * readable. 0: now. Negative: not before it is readable. */
UNUM_C_API int64_t unum_loop_timeout_ms(unum_loop* loop);
/* One turn, which never blocks: submits what was begun, and ends what has come. */
UNUM_C_API unum_status unum_loop_dispatch(unum_loop* loop);
/* One turn, which waits up to so many milliseconds (negative: without limit) for something to
 * happen. Returns UNUM_OK if something did, UNUM_PENDING if not: the time is up, unum_loop_wake was
 * called, or a signal was handled. */
UNUM_C_API unum_status unum_loop_run(unum_loop* loop, int64_t timeout_ms);
/* Makes unum_loop_run and unum_op_wait return, now or the next time that one is called. May be
 * called on any thread, though not while the loop is being freed; not in a signal handler. */
UNUM_C_API unum_status unum_loop_wake(unum_loop* loop);

/* --- Ops -------------------------------------------------------------------------------------- */

/* Called once when the op has ended, on the loop's thread. May free the op. */
typedef void (*unum_done)(unum_op* op, void* user);

/* How an op begins; NULL: without limit and without a callback. */
typedef struct unum_start {
  size_t struct_bytes;
  int64_t timeout_ms; /* 0: none. Then the op ends with UNUM_TIMEOUT, soon */
  unum_done done;     /* may be NULL */
  void* user;
} unum_start;

/* What every function that returns a unum_op* has in common: bad arguments end the op with an
 * error, like all else; NULL is only returned where there is no loop to end it on (a handle that is
 * none, another thread) or no memory for it. */

/* UNUM_PENDING until the op has ended. */
UNUM_C_API unum_status unum_op_status(unum_op* op);
/* The error of an op that ended in one; NULL if it ended well or has not ended. */
UNUM_C_API const unum_error* unum_op_error(unum_op* op);
/* Runs the loop until the op has ended, and returns its status; UNUM_PENDING if so many
 * milliseconds (negative: without limit) have passed, unum_loop_wake was called, or a signal was
 * handled before. All that is ready on the loop runs meanwhile. */
UNUM_C_API unum_status unum_op_wait(unum_op* op, int64_t timeout_ms);
/* Asks the op to end early. It still ends by itself, with UNUM_CANCELLED, or well, if it was done.
 */
UNUM_C_API unum_status unum_op_cancel(unum_op* op);
/* Frees the op with all that it gave. One that has not ended is cancelled, and its `done` is not
 * called. What its other callbacks use must stay until it has ended, which only `done` tells. */
UNUM_C_API unum_status unum_op_free(unum_op* op);

/* What an op gave, once it ended with UNUM_OK; each function below says which of these it is. For
 * an op that gave something else: 0, an absent text, NULL. */
UNUM_C_API int64_t unum_op_number(unum_op* op);
UNUM_C_API size_t unum_op_count(unum_op* op);
UNUM_C_API unum_text unum_op_value(unum_op* op, size_t place);

/* --- Stores ----------------------------------------------------------------------------------- */

typedef void (*unum_line)(unum_text line, void* user);

typedef struct unum_store_options {
  size_t struct_bytes;
  int32_t not_durable;        /* 1: `fs` does not wait for the disk */
  int32_t eventual_reads;     /* 1: reads may miss what was just written, and are repeated then */
  uint32_t in_flight_max;     /* values in flight while many are read; 0: 64 */
  uint32_t reserved;          /* 0 */
  int64_t request_timeout_ms; /* a request that takes longer is lost, and repeated; 0: 30,000 */
  int64_t patience_ms; /* how long a call goes on while the store is unreachable; 0: 60,000 */
  unum_line warn;      /* a line for each setting of the server that puts values at risk */
  unum_line waiting;   /* a line every few seconds while a call waits for the store */
  void* user;
} unum_store_options;

/* Opens a store: "fs" with a directory, "s3" with a bucket, "dynamodb" with a table, "redis" with
 * HOST:PORT or a redis:// or rediss:// URL, "memory" with any name. Ends with UNUM_NOT_FOUND if
 * there is none: nothing is created. Gives unum_op_store. */
UNUM_C_API unum_op* unum_store_open(unum_loop* loop, unum_text type, unum_text name,
                                    const unum_store_options* options, const unum_start* start);
/* Creates a store unless it exists. Gives a number: 1 if it was created, else 0. */
UNUM_C_API unum_op* unum_store_create(unum_loop* loop, unum_text type, unum_text name,
                                      const unum_start* start);
/* The opened store. The same at each call; NULL after it was closed. It outlives the op. */
UNUM_C_API unum_store* unum_op_store(unum_op* op);
/* Cancels what the store does and closes its connections. The handle is none from this call on. */
UNUM_C_API unum_op* unum_store_close(unum_store* store, const unum_start* start);
/* "fs", "redis", ...; the name without secrets. Absent on failure. Valid as long as the store. */
UNUM_C_API unum_text unum_store_type(unum_store* store);
UNUM_C_API unum_text unum_store_name(unum_store* store);

/* Whose values: a session (1 to 16,384 bytes), and, where something is written, the instance in it
 * that writes (1 to 16,384 bytes). */
typedef struct unum_context {
  unum_text session;
  unum_text instance;
} unum_context;

/* The five calls of the data-store document. Instances are named by their name in the session. */

/* The length of the id that the first writes, a UUID. No zero byte follows it. */
#define UNUM_SESSION_BYTES 36
/* A new session's id. Does no I/O: a session exists once its first value is written. */
UNUM_C_API unum_status unum_create_session_context(unum_store* store,
                                                   char session[UNUM_SESSION_BYTES]);
/* Creates the result of the context's instance, unless there is one. Durable when the op ends.
 * Gives a number: 1 if it was written, else 0, and value 0 is the one that is there. A value has
 * 1 GiB at most (512 MiB on Redis). */
UNUM_C_API unum_op* unum_write_return_value(unum_store* store, unum_context context,
                                            unum_text value, const unum_start* start);
/* Gives the values, in the order of the names. Ends with UNUM_NOT_FOUND, naming them all, if some
 * are missing. */
UNUM_C_API unum_op* unum_read_input(unum_store* store, unum_text session,
                                    const unum_text* instances, size_t count,
                                    const unum_start* start);
/* Gives a number: 1 if the value exists, else 0. */
UNUM_C_API unum_op* unum_check_value_exist(unum_store* store, unum_text session, unum_text instance,
                                           const unum_start* start);
/* Gives a number: 1 if all values exist, else 0. */
UNUM_C_API unum_op* unum_check_values_exist(unum_store* store, unum_text session,
                                            const unum_text* instances, size_t count,
                                            const unum_start* start);

/* Called for each value, in order. The text is valid until the call returns. Anything but UNUM_OK
 * (UNUM_CANCELLED, usually) ends the op with that status. */
typedef unum_status (*unum_consume)(size_t place, unum_text value, void* user);
/* As unum_read_input for inputs that are large together: holds 64 values at most, and gives none.
 */
UNUM_C_API unum_op* unum_read_input_stream(unum_store* store, unum_text session,
                                           const unum_text* instances, size_t count,
                                           unum_consume consume, void* user,
                                           const unum_start* start);

/* Kinds of items; session, name and kind are an item's key. */
enum {
  UNUM_ITEM_OUTCOME = 0,     /* an instance's result or caught failure */
  UNUM_ITEM_REPORT = 1,      /* a failure that was not caught */
  UNUM_ITEM_INPUT = 2,       /* what the session was begun with */
  UNUM_ITEM_CLAIM = 3,       /* who invokes an aggregator */
  UNUM_ITEM_WANTED = 4,      /* a fan-in that was requested, and its list */
  UNUM_ITEM_GARBAGE = 5,     /* what delivering an instance again needs */
  UNUM_ITEM_APPLICATION = 6, /* the application that the session belongs to */
  UNUM_ITEM_DELAYED = 7,     /* the next attempt of a failed step */
  UNUM_ITEM_INVOKED = 8      /* who invoked an aggregator, once that is accepted */
};

typedef struct unum_item {
  size_t struct_bytes;
  unum_text name;
  int32_t kind;
  int32_t reserved;
  uint64_t bytes;
  int64_t modified_ns; /* nanoseconds since 1970, by the store's clock */
} unum_item;

/* Gives value 0, absent if there is no such item. */
UNUM_C_API unum_op* unum_store_get(unum_store* store, unum_text session, unum_text name,
                                   int32_t kind, const unum_start* start);
/* The same of the bytes from `offset` on, `bytes` of them at most. */
UNUM_C_API unum_op* unum_store_get_range(unum_store* store, unum_text session, unum_text name,
                                         int32_t kind, uint64_t offset, size_t bytes,
                                         const unum_start* start);
/* Creates the item unless it exists; gives what unum_write_return_value gives. */
UNUM_C_API unum_op* unum_store_create_item(unum_store* store, unum_text session, unum_text name,
                                           int32_t kind, unum_text value, const unum_start* start);
/* Writes the item, whether or not it exists. Gives nothing. */
UNUM_C_API unum_op* unum_store_put(unum_store* store, unum_text session, unum_text name,
                                   int32_t kind, unum_text value, const unum_start* start);
/* Removes the item. It is no error if there is none. Gives nothing. */
UNUM_C_API unum_op* unum_store_remove(unum_store* store, unum_text session, unum_text name,
                                      int32_t kind, const unum_start* start);
/* Gives the session's items (unum_op_count, unum_op_item), in no order. */
UNUM_C_API unum_op* unum_store_list(unum_store* store, unum_text session, const unum_start* start);
/* NULL if there is no such place. Overwritten by the next call for this op. */
UNUM_C_API const unum_item* unum_op_item(unum_op* op, size_t place);
/* Gives the ids of the store's sessions as values, in no order. */
UNUM_C_API unum_op* unum_store_list_sessions(unum_store* store, const unum_start* start);

/* A fan-in that the context's instance takes part in: when all of `instances` have results, one of
 * them gets UNUM_FAN_IN_CLAIMED, and must invoke the aggregator. All contributors give the same
 * list in the same order. */
typedef struct unum_fan_in {
  size_t struct_bytes;
  unum_text aggregator;
  const unum_text* instances;
  size_t count;
} unum_fan_in;

enum {
  UNUM_FAN_IN_INCOMPLETE = 0, /* a result is missing; its instance will find the set complete */
  UNUM_FAN_IN_CLAIMED = 1,    /* complete, and the caller's to go on from */
  UNUM_FAN_IN_TAKEN = 2,      /* complete, and another instance's: `detail` */
  UNUM_FAN_IN_MISMATCH = 3    /* another instance has another list: `detail` */
};

typedef struct unum_fan_in_state {
  size_t struct_bytes;
  int32_t status;
  int32_t reserved;
  unum_text detail;
} unum_fan_in_state;

/* Writes the result of the context's instance and joins its fan-ins, in as few round trips as the
 * store can. Gives what unum_write_return_value gives, and the state of each fan-in (unum_op_count,
 * unum_op_fan_in), in their order; none if another value is there already, which then decides which
 * fan-ins to join. */
UNUM_C_API unum_op* unum_store_commit(unum_store* store, unum_context context, unum_text value,
                                      const unum_fan_in* fan_ins, size_t count,
                                      const unum_start* start);
/* Joins fan-ins for a result that is stored already. Gives their states. */
UNUM_C_API unum_op* unum_store_join(unum_store* store, unum_context context,
                                    const unum_fan_in* fan_ins, size_t count,
                                    const unum_start* start);
/* NULL if there is no such place. Overwritten by the next call for this op. */
UNUM_C_API const unum_fan_in_state* unum_op_fan_in(unum_op* op, size_t place);

/* --- Functions and steps ---------------------------------------------------------------------- */

/* Reads a function's configuration, the text of `unum_config.json`; `source` names it in errors.
 * Ends with UNUM_INVALID, naming the field, if it is wrong. */
UNUM_C_API unum_status unum_function_parse(unum_loop* loop, unum_text configuration,
                                           unum_text source, unum_function** function);
UNUM_C_API unum_status unum_function_free(unum_function* function);
/* Its name; absent on failure. Valid as long as the function. */
UNUM_C_API unum_text unum_function_name(unum_function* function);
/* Its configuration as JSON text, linked if it is: what a deployment of this one function needs.
 * unum_function_parse makes an equal function of it. Absent on failure; valid as long as the
 * function. */
UNUM_C_API unum_text unum_function_configuration(unum_function* function);

/* What a runtime asks its platform to deliver. */
typedef struct unum_invocation_details {
  size_t struct_bytes;
  unum_text function;
  unum_text instance;
  unum_text origin;  /* duplicates of one invocation have the same */
  unum_text payload; /* what unum_runtime_step takes */
  int32_t attempt;   /* of the function's `Retry`, from 1; it stands in the payload, too */
  int32_t reserved;
  int64_t not_before; /* the delivery must not begin before this point of time; 0: at once */
} unum_invocation_details;

/* Called for each invocation; answer it now or later, once, on the loop's thread. */
typedef void (*unum_invoke)(unum_invocation* invocation, void* user);
UNUM_C_API const unum_invocation_details* unum_invocation_info(unum_invocation* invocation);
/* The platform has it, and will deliver it at least once. The handle is none from this call on.
 * UNUM_CANCELLED: nobody waits for the answer any more; that does no harm. */
UNUM_C_API unum_status unum_invocation_accepted(unum_invocation* invocation);
/* The platform does not have it: the step ends in `status` (UNUM_DISCONNECTED: delivered again). */
UNUM_C_API unum_status unum_invocation_refused(unum_invocation* invocation, unum_status status,
                                               unum_text message);

typedef struct unum_runtime_options {
  size_t struct_bytes;
  unum_invoke invoke; /* needed */
  void* user;
  uint64_t payload_bytes_max;     /* larger results go by reference; 0: no limit */
  int64_t delay_max_ms;           /* the longest `not_before` that the platform keeps; 0: none */
  uint32_t invocations_in_flight; /* of one step, at once; 0: 64 */
  int32_t collects_garbage;       /* 1: sessions that begin here are collected */
  unum_application* application;  /* sessions of another application are refused; NULL: none are */
  int32_t keeps_every_delivery; /* 1: as Invoker::keeps_every_delivery of unum/runtime.hpp has it */
} unum_runtime_options;

/* A runtime on the store's loop. Fails with UNUM_INVALID without `invoke`. */
UNUM_C_API unum_status unum_runtime_new(unum_store* store, const unum_runtime_options* options,
                                        unum_runtime** runtime);
/* Its steps go on to their end. */
UNUM_C_API unum_status unum_runtime_free(unum_runtime* runtime);

/* A call of user code. */
typedef struct unum_call_details {
  size_t struct_bytes;
  unum_text function;
  unum_text instance;
  unum_text session;
  unum_text input;       /* JSON */
  unum_text traceparent; /* W3C trace context; may be empty */
  int32_t attempt;       /* from 1; above 1 if the code may have run for this step before */
  int32_t reserved;
  int64_t timeout_ms; /* `TimeoutSeconds` of the function: counted by the library; 0: none */
} unum_call_details;

/* A function's user code. `call` answers now or later, once, on the loop's thread. `cancel` (or
 * NULL) is called when nobody waits for the answer any more: the step was cancelled, or the time of
 * the call is up. The call is to be answered even then; the answer goes nowhere. */
typedef struct unum_code {
  size_t struct_bytes;
  void (*call)(unum_call* call, void* user);
  void (*cancel)(unum_call* call, void* user);
  void* user;
} unum_code;

UNUM_C_API const unum_call_details* unum_call_info(unum_call* call);
/* The result, JSON; what is none becomes the failure "Runtime.MarshalError". The handle is none
 * from this call on. UNUM_CANCELLED: nobody waits for the answer any more. */
UNUM_C_API unum_status unum_call_succeed(unum_call* call, unum_text value);
/* A failure: its name, as `Retry` and `Catch` see it, and a text for people. */
UNUM_C_API unum_status unum_call_fail(unum_call* call, unum_text error, unum_text cause);
/* The code did not end by itself (its process died, say): the step ends in UNUM_DISCONNECTED, to be
 * delivered again a few times. */
UNUM_C_API unum_status unum_call_lost(unum_call* call, unum_text message);

enum {
  UNUM_STEP_SUCCEEDED = 1, /* it has a result, and its edges were followed */
  UNUM_STEP_CAUGHT = 2,    /* it failed, and its edge for errors was followed */
  UNUM_STEP_FAILED = 3,    /* it failed; a report was written to the session */
  UNUM_STEP_WILL_RETRY = 4 /* it failed, and the platform accepted another attempt */
};

typedef struct unum_report {
  size_t struct_bytes;
  int32_t status;
  int32_t attempt; /* of the function's `Retry`, from 1 */
  unum_text session;
  unum_text instance;
  unum_text error; /* of a step that failed: its name, message and traceback */
  unum_text cause;
  unum_text result; /* if it invoked nothing, and no fan-in is known to need it; else absent */
  uint64_t result_bytes;
  uint64_t invocations; /* instances that this step invoked */
  int64_t not_before;   /* if it will be retried: when */
  int32_t adopted;      /* 1: the outcome is another delivery's */
  int32_t user_code_ran;
  unum_text disagreements; /* one a line: contributors of a fan-in with different lists; the run as
                              a whole has failed then. Absent: none */
} unum_report;

/* Processes delivery number `attempt` (from 1) of a payload to a function. Gives unum_op_report:
 * acknowledge the delivery. Otherwise unum_op_error's `delivery` says what becomes of it. */
UNUM_C_API unum_op* unum_runtime_step(unum_runtime* runtime, unum_function* function,
                                      unum_text payload, int32_t attempt, const unum_code* code,
                                      const unum_start* start);
/* Ends a step whose deliveries all ended in UNUM_DELIVERY_BOUNDED errors: the failure goes to the
 * edge for errors, or is reported in the session. Gives unum_op_report. */
UNUM_C_API unum_op* unum_runtime_give_up(unum_runtime* runtime, unum_function* function,
                                         unum_text payload, int32_t attempt, unum_text error,
                                         unum_text cause, const unum_start* start);
UNUM_C_API const unum_report* unum_op_report(unum_op* op);

/* The payload that begins a session: `input`, any JSON, or a payload already. Fails with
 * UNUM_INVALID if it is not JSON. `payload` is valid until the loop's next call of this or of
 * unum_redelivery_payload. */
UNUM_C_API unum_status unum_entry_payload(unum_loop* loop, unum_text input, unum_text session,
                                          unum_text* payload);
/* The session and the instance that a payload is for. Valid until the function's next call of this.
 */
UNUM_C_API unum_status unum_identify_payload(unum_function* function, unum_text payload,
                                             unum_context* context);

/* --- Applications ----------------------------------------------------------------------------- */

/* Reads and checks an application's directory, as `unum check` does; blocks while it reads files.
 * UNUM_INVALID: it is refused; the handle is made all the same, to say why
 * (unum_application_findings), and cannot be run. */
UNUM_C_API unum_status unum_application_load(unum_loop* loop, unum_text directory,
                                             unum_application** application);
/* A file in memory: the configuration of the function of this name. */
typedef struct unum_configuration {
  size_t struct_bytes;
  unum_text function;
  unum_text text;
} unum_configuration;
/* The same for an application that is text in memory: what is in its unum-template.yaml, and each
 * function's configuration. Reads no file. `directory` is where a relative CodeUri or data store
 * begins in a run; absent: nowhere. */
UNUM_C_API unum_status unum_application_parse(unum_loop* loop, unum_text template_yaml,
                                              const unum_configuration* configurations,
                                              size_t count, unum_text directory,
                                              unum_application** application);
UNUM_C_API unum_status unum_application_free(unum_application* application);
/* A JSON array of {"severity", "rule", "file", "line", "message"}, sorted by file and line. Absent
 * on failure. These texts are valid as long as the application. */
UNUM_C_API unum_text unum_application_findings(unum_application* application);
UNUM_C_API unum_text unum_application_name(unum_application* application);
UNUM_C_API unum_text unum_application_entry(unum_application* application);
/* Its functions, sorted by name; 0 if it was refused. */
UNUM_C_API size_t unum_application_function_count(unum_application* application);
/* The function at a place, linked: with what depends on the other functions' edges. Free it. */
UNUM_C_API unum_status unum_application_function(unum_application* application, size_t place,
                                                 unum_function** function);

/* Code of the caller's for a function of the application. */
typedef struct unum_function_code {
  size_t struct_bytes;
  unum_text function;
  const unum_code* code;
} unum_function_code;

typedef struct unum_run_options {
  size_t struct_bytes;
  unum_text input;   /* any JSON, or a payload; absent: {} */
  unum_text session; /* an existing one is continued; absent: a new id, or the payload's */
  unum_text store;   /* TYPE:NAME; absent: the template's, else .unum/store in the directory */
  const unum_store_options* store_options; /* how that is opened; may be NULL */
  uint32_t workers;                        /* calls of user code at once; 0: one per core */
  int32_t resume;                          /* 1: go on with `session`, with its own input */
  int32_t accept_changes; /* 1: also if functions have changed since it was begun */
  int32_t reserved;
  void (*printed)(unum_text instance, unum_text line, void* user); /* by user code; may be NULL */
  void* user;
  unum_store* opened; /* instead of `store`: one of the same loop, which stays open; or NULL */
  const unum_function_code* codes; /* the functions that are the caller's; the others run in worker
                                      processes */
  size_t code_count;
} unum_run_options;

enum {
  UNUM_RUN_SUCCEEDED = 1,
  UNUM_RUN_FAILED = 2,      /* see the failures; it can be resumed once they are mended */
  UNUM_RUN_INTERRUPTED = 3, /* the op was cancelled */
  UNUM_RUN_TIMED_OUT = 4
};

typedef struct unum_run_result {
  size_t struct_bytes;
  int32_t status;
  int32_t reserved;
  unum_text session;
  unum_text result; /* JSON, if it succeeded; else absent */
  uint64_t instances;
  uint64_t user_code_runs;
} unum_run_result;

typedef struct unum_failure {
  size_t struct_bytes;
  unum_text instance; /* empty: of the run as a whole */
  unum_text error;
  unum_text cause;
} unum_failure;

/* Runs an application in one session to its end, as `unum run` does. A workflow that fails is a
 * result. Gives unum_op_run_result, and its failures (unum_op_count, unum_op_failure), sorted by
 * instance. The process must not ignore SIGCHLD. */
UNUM_C_API unum_op* unum_application_run(unum_application* application,
                                         const unum_run_options* options, const unum_start* start);
UNUM_C_API const unum_run_result* unum_op_run_result(unum_op* op);
/* NULL if there is no such place. Overwritten by the next call for this op. */
UNUM_C_API const unum_failure* unum_op_failure(unum_op* op, size_t place);

/* --- Logging ---------------------------------------------------------------------------------- */

/* One event. The texts are valid until the call returns. */
typedef void (*unum_log)(unum_text level, unum_text area, unum_text session, unum_text instance,
                         unum_text line, void* user);
/* Levels in the form of the environment variable UNUM_LOG: "warn", "info,redis=trace", "off"; an
 * absent text leaves them. Events go to `log` (on the thread where they occur, one at a time; it
 * must not call the library), or to stderr if it is NULL. For the whole process. */
UNUM_C_API unum_status unum_set_log(unum_text levels, unum_log log, void* user);

/* The text of a string that ends in a zero byte; NULL gives an absent one. */
static inline unum_text unum_text_of(const char* string) {
  unum_text text = {string, string == NULL ? 0 : strlen(string)};
  return text;
}

/* NOLINTEND(readability-identifier-naming, modernize-use-using) */

#ifdef __cplusplus
}
#endif

#endif
