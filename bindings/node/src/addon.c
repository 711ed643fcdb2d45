/* The addon's beginning and end in an environment. */
#include "addon.h"

#include <stdlib.h>

/* (make error, receive): what the environment's JavaScript gives, once. */
static napi_value attach(napi_env env, napi_callback_info info) {
  entry call;
  if (!enter(env, info, &call)) return NULL;
  state* own = call.own;
  if (own->receive != NULL || call.count < 2 ||
      napi_create_reference(env, call.arguments[0], 1, &own->make_error) != napi_ok ||
      napi_create_reference(env, call.arguments[1], 1, &own->receive) != napi_ok) {
    napi_throw_error(env, "ERR_INVALID_STATE", "the addon is attached already");
    return leave(&call, NULL);
  }
  return leave(&call, js_undefined(env));
}

/* (backend, helper threads): before the loop's first use. */
static napi_value configure(napi_env env, napi_callback_info info) {
  entry call;
  if (!enter(env, info, &call)) return NULL;
  if (call.own->loop != NULL) return leave(&call, js_boolean(env, false));
  call.own->options.backend = (int32_t)number_at(&call, 0);
  call.own->options.helper_threads_max = (uint32_t)number_at(&call, 1);
  return leave(&call, js_boolean(env, true));
}

static napi_value backend(napi_env env, napi_callback_info info) {
  entry call;
  if (!enter(env, info, &call) || !need_loop(&call)) return NULL;
  const char* name = unum_loop_backend(call.own->loop);
  if (name == NULL) return throw_last_error(&call);
  return leave(&call, js_text(env, unum_text_of(name), false));
}

static napi_value version(napi_env env, napi_callback_info info) {
  (void)info;
  return js_text(env, unum_text_of(unum_version()), false);
}

/* The handle of the op that the last call began. */
static napi_value last_op(napi_env env, napi_callback_info info) {
  entry call;
  if (!enter(env, info, &call)) return NULL;
  return leave(&call, js_handle(env, call.own->last_op));
}

/* Of an op that has ended it is stale, and nothing happens. */
static napi_value cancel_op(napi_env env, napi_callback_info info) {
  entry call;
  void* op;
  if (!enter(env, info, &call)) return NULL;
  if (!handle_at(&call, 0, &op)) return leave(&call, NULL);
  const unum_status status = unum_op_cancel(op);
  mark_begun(call.own);
  return leave(&call, js_boolean(env, status == UNUM_OK));
}

static const exported own_functions[] = {
    {"attach", &attach},  {"configure", &configure}, {"backend", &backend}, {"version", &version},
    {"lastOp", &last_op}, {"cancelOp", &cancel_op},  {NULL, NULL}};

static bool export_all(napi_env env, napi_value exports, const exported* functions) {
  for (; functions->name != NULL; ++functions) {
    napi_value function = NULL;
    if (napi_create_function(env, functions->name, NAPI_AUTO_LENGTH, functions->function, NULL,
                             &function) != napi_ok ||
        napi_set_named_property(env, exports, functions->name, function) != napi_ok) {
      return false;
    }
  }
  return true;
}

static void at_end(napi_async_cleanup_hook_handle handle, void* data) {
  state* own = data;
  own->cleanup = handle;
  end_log(own);
  close_loop(own);
}

NAPI_MODULE_INIT() {
  state* own = calloc(1, sizeof *own);
  napi_value resource = NULL;
  napi_value name = NULL;
  if (own == NULL) {
    napi_throw_error(env, "ERR_MEMORY_ALLOCATION_FAILED", "no memory for the addon");
    return NULL;
  }
  find_environment();
  own->env = env;
  own->options.struct_bytes = sizeof own->options;
  own->last_event = &own->first_event;
  napi_create_object(env, &resource);
  napi_create_string_utf8(env, "UNUM", NAPI_AUTO_LENGTH, &name);
  if (!export_all(env, exports, own_functions) || !export_all(env, exports, store_functions) ||
      !export_all(env, exports, runtime_functions) ||
      !export_all(env, exports, application_functions) ||
      !export_all(env, exports, log_functions) ||
      napi_create_reference(env, resource, 1, &own->resource) != napi_ok ||
      napi_async_init(env, resource, name, &own->context) != napi_ok ||
      napi_set_instance_data(env, own, NULL, NULL) != napi_ok ||
      napi_add_async_cleanup_hook(env, &at_end, own, &own->cleanup) != napi_ok) {
    free(own);
    return NULL;
  }
  return exports;
}
