/* The loop in the environment's libuv loop.
 *
 * Three handles of libuv's: the descriptor says when a turn has work, the timer when one is due,
 * and the prepare handle submits what was begun since the last turn, before libuv waits. Only the
 * first ever keeps the process alive, and only while an op runs. */
#include <stdlib.h>

#include "addon.h"

static napi_value throw_uv(entry* call, const char* code, const char* message) {
  napi_throw_error(call->env, code, message);
  return NULL;
}

static void on_due(uv_timer_t* handle);

static void arm(state* own) {
  const int64_t timeout_ms = own->begun ? 0 : unum_loop_timeout_ms(own->loop);
  if (timeout_ms < 0) {
    uv_timer_stop(own->due);
  } else {
    uv_timer_start(own->due, &on_due, (uint64_t)timeout_ms, 0);
  }
}

/* Delivers in one callback scope: promises' reactions run when it closes, after all events. */
static void deliver(state* own) {
  napi_env env = own->env;
  napi_handle_scope handles;
  napi_callback_scope scope;
  napi_value resource = NULL;
  if (napi_open_handle_scope(env, &handles) != napi_ok) return;
  napi_get_reference_value(env, own->resource, &resource);
  if (napi_open_callback_scope(env, resource, own->context, &scope) == napi_ok) {
    deliver_events(own);
    napi_close_callback_scope(env, scope);
  }
  napi_close_handle_scope(env, handles);
}

static void turn(state* own) {
  if (turning != NULL) return;  // A callback of libuv's inside a callback of ours.
  own->begun = false;
  follow_environment();
  turning = own;
  unum_loop_dispatch(own->loop);
  turning = NULL;
  if (own->first_event != NULL) deliver(own);
  if (own->loop != NULL) arm(own);
}

static void on_readable(uv_poll_t* handle, int status, int events) {
  (void)status;
  (void)events;
  turn(uv_handle_get_data((uv_handle_t*)handle));
}

static void on_due(uv_timer_t* handle) { turn(uv_handle_get_data((uv_handle_t*)handle)); }

static void on_prepare(uv_prepare_t* handle) {
  state* own = uv_handle_get_data((uv_handle_t*)handle);
  if (own->begun) turn(own);
}

static void free_state(state* own) {
  free(own->readable);
  free(own->due);
  free(own->prepare);
  free(own->spare);
  napi_async_cleanup_hook_handle cleanup = own->cleanup;
  free(own);
  if (cleanup != NULL) napi_remove_async_cleanup_hook(cleanup);
}

static void on_closed(uv_handle_t* handle) {
  state* own = uv_handle_get_data(handle);
  if (--own->open_handles == 0) free_state(own);
}

void close_loop(state* own) {
  void* handles[3] = {own->readable, own->due, own->prepare};
  const bool has_handles = own->open_handles > 0;
  for (size_t i = 0; has_handles && i < 3; ++i) uv_close(handles[i], &on_closed);
  // Ends the ops without a callback; what they were to tell has no listener any more.
  unum_loop_free(own->loop);
  own->loop = NULL;
  while (own->running != NULL) free_pending(own->running);
  drop_events(own);
  if (!has_handles) free_state(own);
}

static bool add_handle(state* own, void* handle, int error) {
  if (error != 0) return false;
  uv_handle_set_data(handle, own);
  uv_unref(handle);
  ++own->open_handles;
  return true;
}

bool need_loop(entry* call) {
  state* own = call->own;
  if (own->loop != NULL) return true;
  uv_loop_t* uv = NULL;
  if (napi_get_uv_event_loop(call->env, &uv) != napi_ok) {
    throw_uv(call, "ERR_INVALID_STATE", "this environment has no libuv loop");
    return false;
  }
  own->readable = calloc(1, uv_handle_size(UV_POLL));
  own->due = calloc(1, uv_handle_size(UV_TIMER));
  own->prepare = calloc(1, uv_handle_size(UV_PREPARE));
  const bool has_memory = own->readable != NULL && own->due != NULL && own->prepare != NULL;
  if (!has_memory || unum_loop_new(&own->options, &own->loop) != UNUM_OK) {
    if (has_memory) {
      throw_last_error(call);
    } else {
      throw_uv(call, "ERR_MEMORY_ALLOCATION_FAILED", "no memory for the loop's handles");
    }
    free(own->readable);
    free(own->due);
    free(own->prepare);
    own->readable = NULL;
    own->due = NULL;
    own->prepare = NULL;
    return false;
  }
  // Handles that libuv knows are closed one by one when the environment ends. A timer and a prepare
  // handle cannot fail; the descriptor is one that epoll takes.
  add_handle(own, own->due, uv_timer_init(uv, own->due));
  add_handle(own, own->prepare, uv_prepare_init(uv, own->prepare));
  const int error = uv_poll_init(uv, own->readable, unum_loop_fd(own->loop));
  if (!add_handle(own, own->readable, error)) {
    napi_fatal_error("unum", NAPI_AUTO_LENGTH, uv_strerror(error), NAPI_AUTO_LENGTH);
  }
  uv_poll_start(own->readable, UV_READABLE, &on_readable);
  uv_prepare_start(own->prepare, &on_prepare);
  // Starting made them count; a loop where nothing runs keeps no process alive.
  uv_unref((uv_handle_t*)own->readable);
  uv_unref((uv_handle_t*)own->prepare);
  return true;
}

void mark_begun(state* own) { own->begun = true; }

void count_running(state* own, int change) {
  const bool was_running = own->running_count > 0;
  own->running_count += (size_t)(ptrdiff_t)change;
  const bool is_running = own->running_count > 0;
  if (was_running == is_running || own->loop == NULL) return;
  if (is_running) {
    uv_ref((uv_handle_t*)own->readable);
  } else {
    uv_unref((uv_handle_t*)own->readable);
  }
}
