/* A function as a shared object: the entry point that its author writes.
 *
 * A function with `Runtime: native` and `Handler: libcount.so` (or `libcount.so:symbol`) is loaded
 * with dlopen by a worker process of its own and called there: a crash ends the worker, never the
 * host. Nothing has to be linked; this header alone is enough. C99 and C++.
 *
 *   #include <unum/native.h>
 *
 *   UNUM_NATIVE_EXPORT int unum_handler(const unum_native_call* call, unum_native_result* result) {
 *     result->value = "42";
 *     result->value_bytes = 2;
 *     return 0;
 *   }
 *
 * Threads: the entry point is always called on the process's first thread, one call at a time.
 * Threads that it starts may go on between calls, but must not touch `call` or `result` after it
 * returned. A call that is given up (time-out, Ctrl-C) ends with the process: SIGTERM or SIGKILL.
 * stdout and stderr are the function's log; file descriptors 3 and 4 are the worker's own and must
 * stay open. Exceptions of C++ may leave the entry point: they are failures named "std::exception".
 */
#ifndef UNUM_NATIVE_H
#define UNUM_NATIVE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define UNUM_NATIVE_EXPORT __attribute__((visibility("default")))

/* NOLINTBEGIN(readability-identifier-naming, modernize-use-using): this header is C. */

/* What a call is about. Belongs to the worker and is valid until the entry point returns. Later
 * versions may add fields at the end: `struct_bytes` says how many there are. */
typedef struct unum_native_call {
  size_t struct_bytes;
  const char* event;    /* JSON text (UTF-8), valid; a zero byte follows it */
  size_t event_bytes;   /* without that zero byte */
  const char* function; /* this and the following texts end in a zero byte */
  const char* instance; /* "F-unumIndex-3"; a redelivered call has the same */
  const char* session;
  const char* traceparent;    /* W3C trace context, or "" */
  uint32_t attempt;           /* delivery of this step, from 1 */
  uint32_t milliseconds_left; /* when the call began; 0: there is no limit */
} unum_native_call;

/* What the call ended in. All zero (and `struct_bytes` set) when the entry point is called. The
 * texts stay the function's: the worker reads them after the entry point has returned, then calls
 * `release`, if that is set, and does not touch them any more. */
typedef struct unum_native_result {
  size_t struct_bytes;
  const char* value; /* on success: the result's JSON text (UTF-8); NULL: null */
  size_t value_bytes;
  const char* error; /* on failure: the error's name, ended by a zero byte, as `Retry` and `Catch`
                        see it; NULL: "Native.Error" */
  const char* cause; /* on failure: text for people, ended by a zero byte, or NULL */
  void (*release)(struct unum_native_result* result);
  void* user; /* the function's own, for `release` */
} unum_native_result;

/* The entry point. Returns 0 for success; anything else is a failure. Its default name is
 * `unum_handler`. */
typedef int (*unum_native_handler)(const unum_native_call* call, unum_native_result* result);
#define UNUM_NATIVE_SYMBOL "unum_handler"

/* NOLINTEND(readability-identifier-naming, modernize-use-using) */

#ifdef __cplusplus
}
#endif

#endif
