/* The library's log, for the whole process: lines come from any thread, and go to the environment
 * that asked for them last. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "addon.h"

enum { LINES_MAX = 4096, PARTS = 5 };

typedef struct line {
  unum_text parts[PARTS]; /* level, area, session, instance, line */
} line;

static pthread_mutex_t target_mutex = PTHREAD_MUTEX_INITIALIZER;
static napi_threadsafe_function target = NULL;
static state* target_owner = NULL;

/* Lines beyond those that wait already are dropped: logging must not hold up a store. */
static void on_log(unum_text level, unum_text area, unum_text session, unum_text instance,
                   unum_text text, void* user) {
  (void)user;
  const unum_text parts[PARTS] = {level, area, session, instance, text};
  size_t bytes = sizeof(line);
  for (size_t i = 0; i < PARTS; ++i) bytes += parts[i].bytes;
  line* copied = malloc(bytes);
  if (copied == NULL) return;
  char* at = (char*)(copied + 1);
  for (size_t i = 0; i < PARTS; ++i) {
    if (parts[i].bytes > 0) memcpy(at, parts[i].data, parts[i].bytes);
    copied->parts[i] = (unum_text){at, parts[i].bytes};
    at += parts[i].bytes;
  }
  pthread_mutex_lock(&target_mutex);
  napi_status status = napi_closing;
  if (target != NULL) {
    status = napi_call_threadsafe_function(target, copied, napi_tsfn_nonblocking);
    if (status == napi_closing) target = NULL;  // It counts us out by itself.
  }
  pthread_mutex_unlock(&target_mutex);
  if (status != napi_ok) free(copied);
}

static void deliver_line(napi_env env, napi_value receive, void* context, void* data) {
  (void)context;
  line* told = data;
  if (env != NULL) {
    napi_value arguments[PARTS];
    napi_value result = NULL;
    for (size_t i = 0; i < PARTS; ++i) {
      arguments[i] = js_text(env, told->parts[i], false);
      if (arguments[i] == NULL) arguments[i] = js_undefined(env);
    }
    if (napi_call_function(env, js_undefined(env), receive, PARTS, arguments, &result) != napi_ok) {
      report_thrown(env);
    }
  }
  free(told);
}

static void replace_target(napi_threadsafe_function added, state* owner) {
  pthread_mutex_lock(&target_mutex);
  napi_threadsafe_function old = target;
  target = added;
  target_owner = owner;
  pthread_mutex_unlock(&target_mutex);
  if (old != NULL) napi_release_threadsafe_function(old, napi_tsfn_release);
}

/* (levels or nothing, function or nothing) */
static napi_value set_log(napi_env env, napi_callback_info info) {
  entry call;
  unum_text levels;
  napi_value name = NULL;
  napi_threadsafe_function added = NULL;
  if (!enter(env, info, &call)) return NULL;
  if (!optional_text_at(&call, 0, "levels", &levels)) return leave(&call, NULL);
  if (is_given(&call, 1)) {
    napi_create_string_utf8(env, "unum.log", NAPI_AUTO_LENGTH, &name);
    if (napi_create_threadsafe_function(env, call.arguments[1], NULL, name, LINES_MAX, 1, NULL,
                                        NULL, NULL, &deliver_line, &added) != napi_ok) {
      napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "the log must be a function");
      return leave(&call, NULL);
    }
    napi_unref_threadsafe_function(env, added);
  }
  if (unum_set_log(levels, added != NULL ? &on_log : NULL, NULL) != UNUM_OK) {
    if (added != NULL) napi_release_threadsafe_function(added, napi_tsfn_release);
    return throw_last_error(&call);
  }
  replace_target(added, added != NULL ? call.own : NULL);
  return leave(&call, js_undefined(env));
}

void end_log(state* own) {
  pthread_mutex_lock(&target_mutex);
  const bool is_ours = target_owner == own;
  pthread_mutex_unlock(&target_mutex);
  if (!is_ours) return;
  unum_set_log((unum_text){NULL, 0}, NULL, NULL);
  replace_target(NULL, NULL);
}

const exported log_functions[] = {{"setLog", &set_log}, {NULL, NULL}};
