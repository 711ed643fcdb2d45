/* Stores: each function takes the object that it is called for, the store's handle, what the C
 * function takes, and the time limit last (and whether values are wanted as buffers, where there
 * are values). */
#include "addon.h"

enum { OPTION_COUNT = 7 };

/* From an array of numbers: [notDurable, eventualReads, inFlightMax, requestTimeoutMs, patienceMs,
 * lines' id, flags of the lines that somebody listens to]. */
bool store_options_at(entry* call, size_t place, unum_store_options* options) {
  int64_t numbers[OPTION_COUNT] = {0};
  for (uint32_t i = 0; is_given(call, place) && i < OPTION_COUNT; ++i) {
    napi_value number = NULL;
    if (napi_get_element(call->env, call->arguments[place], i, &number) != napi_ok) return false;
    napi_get_value_int64(call->env, number, &numbers[i]);
  }
  *options = (unum_store_options){0};
  options->struct_bytes = sizeof *options;
  options->not_durable = (int32_t)numbers[0];
  options->eventual_reads = (int32_t)numbers[1];
  options->in_flight_max = (uint32_t)numbers[2];
  options->request_timeout_ms = numbers[3];
  options->patience_ms = numbers[4];
  options->user = (void*)(uintptr_t)numbers[5];
  if ((numbers[6] & 1) != 0) options->warn = &on_warning;
  if ((numbers[6] & 2) != 0) options->waiting = &on_waiting;
  return true;
}

static napi_value open_store(napi_env env, napi_callback_info info) {
  entry call;
  if (!enter(env, info, &call) || !need_loop(&call)) return NULL;
  unum_text type;
  unum_text name;
  unum_store_options options;
  if (!text_at(&call, 1, "type", &type) || !text_at(&call, 2, "name", &name) ||
      !store_options_at(&call, 3, &options)) {
    return leave(&call, NULL);
  }
  pending* op = new_pending(&call, SHAPE_STORE, 4);
  if (op == NULL) return leave(&call, NULL);
  return promise_of(&call, op, unum_store_open(call.own->loop, type, name, &options, &op->start));
}

static napi_value create_store(napi_env env, napi_callback_info info) {
  entry call;
  if (!enter(env, info, &call) || !need_loop(&call)) return NULL;
  unum_text type;
  unum_text name;
  if (!text_at(&call, 1, "type", &type) || !text_at(&call, 2, "name", &name)) {
    return leave(&call, NULL);
  }
  pending* op = new_pending(&call, SHAPE_BOOLEAN, 3);
  if (op == NULL) return leave(&call, NULL);
  return promise_of(&call, op, unum_store_create(call.own->loop, type, name, &op->start));
}

static bool enter_store(napi_env env, napi_callback_info info, entry* call, unum_store** store) {
  void* handle = NULL;
  if (!enter(env, info, call)) return false;
  if (!handle_at(call, 1, &handle)) {
    leave(call, NULL);
    return false;
  }
  *store = handle;
  return true;
}

static napi_value close_store(napi_env env, napi_callback_info info) {
  entry call;
  unum_store* store;
  if (!enter_store(env, info, &call, &store)) return NULL;
  pending* op = new_pending(&call, SHAPE_NOTHING, 2);
  if (op == NULL) return leave(&call, NULL);
  return promise_of(&call, op, unum_store_close(store, &op->start));
}

/* Of a store that was collected: nobody waits for its end, so it keeps no process alive. */
static napi_value drop_store(napi_env env, napi_callback_info info) {
  entry call;
  unum_store* store;
  if (!enter_store(env, info, &call, &store)) return NULL;
  unum_op_free(unum_store_close(store, NULL));
  mark_begun(call.own);
  return leave(&call, NULL);
}

static napi_value store_type(napi_env env, napi_callback_info info) {
  entry call;
  unum_store* store;
  if (!enter_store(env, info, &call, &store)) return NULL;
  return leave(&call, js_text(env, unum_store_type(store), false));
}

static napi_value store_name(napi_env env, napi_callback_info info) {
  entry call;
  unum_store* store;
  if (!enter_store(env, info, &call, &store)) return NULL;
  return leave(&call, js_text(env, unum_store_name(store), false));
}

static napi_value create_session(napi_env env, napi_callback_info info) {
  entry call;
  unum_store* store;
  char session[UNUM_SESSION_BYTES];
  if (!enter_store(env, info, &call, &store)) return NULL;
  if (unum_create_session_context(store, session) != UNUM_OK) return throw_last_error(&call);
  return leave(&call, js_text(env, (unum_text){session, sizeof session}, false));
}

/* (self, store, session, instance, value, timeout, as buffer) */
static napi_value write_value(napi_env env, napi_callback_info info) {
  entry call;
  unum_store* store;
  unum_context context;
  unum_text value;
  if (!enter_store(env, info, &call, &store)) return NULL;
  if (!text_at(&call, 2, "session", &context.session) ||
      !text_at(&call, 3, "instance", &context.instance) || !text_at(&call, 4, "value", &value)) {
    return leave(&call, NULL);
  }
  pending* op = new_pending(&call, SHAPE_WRITE, 5);
  if (op == NULL) return leave(&call, NULL);
  op->as_buffers = number_at(&call, 6) != 0;
  return promise_of(&call, op, unum_write_return_value(store, context, value, &op->start));
}

/* (self, store, session, instances, timeout, as buffers) */
static napi_value read_values(napi_env env, napi_callback_info info) {
  entry call;
  unum_store* store;
  unum_text session;
  unum_text* instances;
  size_t count;
  if (!enter_store(env, info, &call, &store)) return NULL;
  if (!text_at(&call, 2, "session", &session) ||
      !texts_at(&call, 3, "instances", &instances, &count)) {
    return leave(&call, NULL);
  }
  pending* op = new_pending(&call, SHAPE_VALUES, 4);
  if (op == NULL) return leave(&call, NULL);
  op->as_buffers = number_at(&call, 5) != 0;
  return promise_of(&call, op, unum_read_input(store, session, instances, count, &op->start));
}

static unum_status on_value(size_t place, unum_text value, void* user) {
  pending* op = user;
  const unum_text absent = {NULL, 0};
  if (turning == NULL) return UNUM_CANCELLED;
  const bool queued =
      queue_event(turning, EVENT_VALUE, 0, (uint32_t)place, NULL, op, value, absent);
  return queued ? UNUM_OK : UNUM_EXHAUSTED;
}

/* (self, store, session, instances, timeout, as buffers, stream's id) */
static napi_value stream_values(napi_env env, napi_callback_info info) {
  entry call;
  unum_store* store;
  unum_text session;
  unum_text* instances;
  size_t count;
  if (!enter_store(env, info, &call, &store)) return NULL;
  if (!text_at(&call, 2, "session", &session) ||
      !texts_at(&call, 3, "instances", &instances, &count)) {
    return leave(&call, NULL);
  }
  pending* op = new_pending(&call, SHAPE_NOTHING, 4);
  if (op == NULL) return leave(&call, NULL);
  op->as_buffers = number_at(&call, 5) != 0;
  op->stream = (uint32_t)number_at(&call, 6);
  return promise_of(
      &call, op,
      unum_read_input_stream(store, session, instances, count, &on_value, op, &op->start));
}

static napi_value check_value(napi_env env, napi_callback_info info) {
  entry call;
  unum_store* store;
  unum_text session;
  unum_text instance;
  if (!enter_store(env, info, &call, &store)) return NULL;
  if (!text_at(&call, 2, "session", &session) || !text_at(&call, 3, "instance", &instance)) {
    return leave(&call, NULL);
  }
  pending* op = new_pending(&call, SHAPE_BOOLEAN, 4);
  if (op == NULL) return leave(&call, NULL);
  return promise_of(&call, op, unum_check_value_exist(store, session, instance, &op->start));
}

static napi_value check_values(napi_env env, napi_callback_info info) {
  entry call;
  unum_store* store;
  unum_text session;
  unum_text* instances;
  size_t count;
  if (!enter_store(env, info, &call, &store)) return NULL;
  if (!text_at(&call, 2, "session", &session) ||
      !texts_at(&call, 3, "instances", &instances, &count)) {
    return leave(&call, NULL);
  }
  pending* op = new_pending(&call, SHAPE_BOOLEAN, 4);
  if (op == NULL) return leave(&call, NULL);
  return promise_of(&call, op,
                    unum_check_values_exist(store, session, instances, count, &op->start));
}

// --- Items --------------------------------------------------------------------------------------

typedef struct item_key {
  unum_store* store;
  unum_text session;
  unum_text name;
  int32_t kind;
} item_key;

/* (self, store, session, name, kind, ...) */
static bool enter_item(napi_env env, napi_callback_info info, entry* call, item_key* key) {
  if (!enter_store(env, info, call, &key->store)) return false;
  if (!text_at(call, 2, "session", &key->session) || !text_at(call, 3, "name", &key->name)) {
    leave(call, NULL);
    return false;
  }
  key->kind = (int32_t)number_at(call, 4);
  return true;
}

/* (..., offset or nothing, bytes, timeout, as buffer) */
static napi_value get_item(napi_env env, napi_callback_info info) {
  entry call;
  item_key key;
  if (!enter_item(env, info, &call, &key)) return NULL;
  pending* op = new_pending(&call, SHAPE_VALUE, 7);
  if (op == NULL) return leave(&call, NULL);
  op->as_buffers = number_at(&call, 8) != 0;
  unum_op* begun = is_given(&call, 5)
                       ? unum_store_get_range(key.store, key.session, key.name, key.kind,
                                              (uint64_t)number_at(&call, 5),
                                              (size_t)number_at(&call, 6), &op->start)
                       : unum_store_get(key.store, key.session, key.name, key.kind, &op->start);
  return promise_of(&call, op, begun);
}

/* (..., value, timeout, as buffer) */
static napi_value create_item(napi_env env, napi_callback_info info) {
  entry call;
  item_key key;
  unum_text value;
  if (!enter_item(env, info, &call, &key)) return NULL;
  if (!text_at(&call, 5, "value", &value)) return leave(&call, NULL);
  pending* op = new_pending(&call, SHAPE_WRITE, 6);
  if (op == NULL) return leave(&call, NULL);
  op->as_buffers = number_at(&call, 7) != 0;
  return promise_of(
      &call, op,
      unum_store_create_item(key.store, key.session, key.name, key.kind, value, &op->start));
}

static napi_value put_item(napi_env env, napi_callback_info info) {
  entry call;
  item_key key;
  unum_text value;
  if (!enter_item(env, info, &call, &key)) return NULL;
  if (!text_at(&call, 5, "value", &value)) return leave(&call, NULL);
  pending* op = new_pending(&call, SHAPE_NOTHING, 6);
  if (op == NULL) return leave(&call, NULL);
  return promise_of(&call, op,
                    unum_store_put(key.store, key.session, key.name, key.kind, value, &op->start));
}

static napi_value remove_item(napi_env env, napi_callback_info info) {
  entry call;
  item_key key;
  if (!enter_item(env, info, &call, &key)) return NULL;
  pending* op = new_pending(&call, SHAPE_NOTHING, 5);
  if (op == NULL) return leave(&call, NULL);
  return promise_of(&call, op,
                    unum_store_remove(key.store, key.session, key.name, key.kind, &op->start));
}

static napi_value list_items(napi_env env, napi_callback_info info) {
  entry call;
  unum_store* store;
  unum_text session;
  if (!enter_store(env, info, &call, &store)) return NULL;
  if (!text_at(&call, 2, "session", &session)) return leave(&call, NULL);
  pending* op = new_pending(&call, SHAPE_ITEMS, 3);
  if (op == NULL) return leave(&call, NULL);
  return promise_of(&call, op, unum_store_list(store, session, &op->start));
}

static napi_value list_sessions(napi_env env, napi_callback_info info) {
  entry call;
  unum_store* store;
  if (!enter_store(env, info, &call, &store)) return NULL;
  pending* op = new_pending(&call, SHAPE_VALUES, 2);
  if (op == NULL) return leave(&call, NULL);
  return promise_of(&call, op, unum_store_list_sessions(store, &op->start));
}

// --- Fan-ins ------------------------------------------------------------------------------------

/* An array of [aggregator, instances]. */
static bool fan_ins_at(entry* call, size_t place, unum_fan_in** fan_ins, size_t* count) {
  uint32_t length = 0;
  if (place >= call->count ||
      napi_get_array_length(call->env, call->arguments[place], &length) != napi_ok) {
    napi_throw_type_error(call->env, "ERR_INVALID_ARG_TYPE", "fanIns must be an array");
    return false;
  }
  *fan_ins = memory_of(call, ((size_t)length + 1) * sizeof(unum_fan_in));
  *count = length;
  if (*fan_ins == NULL) return false;
  for (uint32_t i = 0; i < length; ++i) {
    napi_value pair = NULL;
    napi_value aggregator = NULL;
    napi_value instances = NULL;
    unum_fan_in* one = *fan_ins + i;
    unum_text* names = NULL;
    if (napi_get_element(call->env, call->arguments[place], i, &pair) != napi_ok ||
        napi_get_element(call->env, pair, 0, &aggregator) != napi_ok ||
        napi_get_element(call->env, pair, 1, &instances) != napi_ok ||
        !text_of(call, aggregator, "aggregator", &one->aggregator) ||
        !texts_of(call, instances, "instances", &names, &one->count)) {
      return false;
    }
    one->struct_bytes = sizeof *one;
    one->instances = names;
  }
  return true;
}

/* (self, store, session, instance, fan-ins, timeout, value or nothing, as buffer) */
static napi_value commit(napi_env env, napi_callback_info info) {
  entry call;
  unum_store* store;
  unum_context context;
  unum_fan_in* fan_ins;
  size_t count;
  unum_text value;
  if (!enter_store(env, info, &call, &store)) return NULL;
  if (!text_at(&call, 2, "session", &context.session) ||
      !text_at(&call, 3, "instance", &context.instance) ||
      !fan_ins_at(&call, 4, &fan_ins, &count) || !optional_text_at(&call, 6, "value", &value)) {
    return leave(&call, NULL);
  }
  const bool writes = value.data != NULL;
  pending* op = new_pending(&call, writes ? SHAPE_COMMIT : SHAPE_STATES, 5);
  if (op == NULL) return leave(&call, NULL);
  op->as_buffers = number_at(&call, 7) != 0;
  return promise_of(&call, op,
                    writes ? unum_store_commit(store, context, value, fan_ins, count, &op->start)
                           : unum_store_join(store, context, fan_ins, count, &op->start));
}

const exported store_functions[] = {{"openStore", &open_store},
                                    {"createStore", &create_store},
                                    {"closeStore", &close_store},
                                    {"dropStore", &drop_store},
                                    {"storeType", &store_type},
                                    {"storeName", &store_name},
                                    {"createSession", &create_session},
                                    {"writeValue", &write_value},
                                    {"readValues", &read_values},
                                    {"streamValues", &stream_values},
                                    {"checkValue", &check_value},
                                    {"checkValues", &check_values},
                                    {"getItem", &get_item},
                                    {"createItem", &create_item},
                                    {"putItem", &put_item},
                                    {"removeItem", &remove_item},
                                    {"listItems", &list_items},
                                    {"listSessions", &list_sessions},
                                    {"commit", &commit},
                                    {NULL, NULL}};
