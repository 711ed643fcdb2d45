/* Applications: loading, from a directory or from texts, what the check says, and runs. */
#include "addon.h"

static napi_value leave_with_application(entry* call, unum_status status,
                                         unum_application* application) {
  napi_env env = call->env;
  napi_value object = NULL;
  napi_create_object(env, &object);
  if (status != UNUM_OK) set_field(env, object, "error", js_error(call->own, unum_last_error()));
  if (application != NULL) set_field(env, object, "handle", js_handle(env, application));
  return leave(call, object);
}

/* (directory) => {handle or undefined, error or undefined}: one that is refused has both. */
static napi_value load_application(napi_env env, napi_callback_info info) {
  entry call;
  unum_text directory;
  unum_application* application = NULL;
  if (!enter(env, info, &call) || !need_loop(&call)) return NULL;
  if (!text_at(&call, 0, "directory", &directory)) return leave(&call, NULL);
  const unum_status status = unum_application_load(call.own->loop, directory, &application);
  return leave_with_application(&call, status, application);
}

/* (template, names of functions, their configurations, directory or undefined): the same */
static napi_value parse_application(napi_env env, napi_callback_info info) {
  entry call;
  unum_text template_yaml;
  unum_text directory;
  unum_text* names = NULL;
  unum_text* texts = NULL;
  size_t count = 0;
  size_t text_count = 0;
  unum_application* application = NULL;
  if (!enter(env, info, &call) || !need_loop(&call)) return NULL;
  if (!text_at(&call, 0, "template", &template_yaml) ||
      !texts_at(&call, 1, "names of functions", &names, &count) ||
      !texts_at(&call, 2, "configurations", &texts, &text_count) ||
      !optional_text_at(&call, 3, "directory", &directory)) {
    return leave(&call, NULL);
  }
  if (text_count < count) count = text_count;
  unum_configuration* given = memory_of(&call, (count + 1) * sizeof *given);
  if (given == NULL) return leave(&call, NULL);
  for (size_t i = 0; i < count; ++i) {
    given[i] = (unum_configuration){sizeof *given, names[i], texts[i]};
  }
  const unum_status status =
      unum_application_parse(call.own->loop, template_yaml, given, count, directory, &application);
  return leave_with_application(&call, status, application);
}

static bool enter_application(napi_env env, napi_callback_info info, entry* call, size_t place,
                              unum_application** application) {
  void* handle = NULL;
  if (!enter(env, info, call)) return false;
  if (!handle_at(call, place, &handle)) {
    leave(call, NULL);
    return false;
  }
  *application = handle;
  return true;
}

static napi_value free_application(napi_env env, napi_callback_info info) {
  entry call;
  unum_application* application;
  if (!enter_application(env, info, &call, 0, &application)) return NULL;
  return leave_with_status(&call, unum_application_free(application));
}

static napi_value application_text(napi_env env, napi_callback_info info,
                                   unum_text (*text_of_it)(unum_application* application)) {
  entry call;
  unum_application* application;
  if (!enter_application(env, info, &call, 0, &application)) return NULL;
  const unum_text text = text_of_it(application);
  if (text.data == NULL) return throw_last_error(&call);
  return leave(&call, js_text(env, text, false));
}

static napi_value application_findings(napi_env env, napi_callback_info info) {
  return application_text(env, info, &unum_application_findings);
}
static napi_value application_name(napi_env env, napi_callback_info info) {
  return application_text(env, info, &unum_application_name);
}
static napi_value application_entry(napi_env env, napi_callback_info info) {
  return application_text(env, info, &unum_application_entry);
}

/* The handles of its functions, in their order. */
static napi_value application_functions_of(napi_env env, napi_callback_info info) {
  entry call;
  unum_application* application;
  napi_value list = NULL;
  if (!enter_application(env, info, &call, 0, &application)) return NULL;
  const size_t count = unum_application_function_count(application);
  napi_create_array_with_length(env, count, &list);
  for (size_t i = 0; i < count; ++i) {
    unum_function* function = NULL;
    if (unum_application_function(application, i, &function) != UNUM_OK) {
      return throw_last_error(&call);
    }
    napi_set_element(env, list, (uint32_t)i, js_handle(env, function));
  }
  return leave(&call, list);
}

static void on_printed(unum_text instance, unum_text line, void* user) {
  const uint32_t id = (uint32_t)(uintptr_t)user;
  if (turning != NULL) queue_event(turning, EVENT_LINE, id, 2, NULL, NULL, line, instance);
}

/* From two arguments: names of functions, and the ids of their code. */
static bool codes_at(entry* call, size_t place, unum_run_options* options) {
  unum_text* names = NULL;
  size_t count = 0;
  if (!texts_at(call, place, "names of functions", &names, &count)) return false;
  unum_code* codes = memory_of(call, (count + 1) * sizeof *codes);
  unum_function_code* given = memory_of(call, (count + 1) * sizeof *given);
  if (codes == NULL || given == NULL) return false;
  for (size_t i = 0; i < count; ++i) {
    napi_value element = NULL;
    uint32_t id = 0;
    napi_get_element(call->env, call->arguments[place + 1], (uint32_t)i, &element);
    napi_get_value_uint32(call->env, element, &id);
    codes[i] = code_of(id);
    given[i] = (unum_function_code){sizeof *given, names[i], &codes[i]};
  }
  options->codes = given;
  options->code_count = count;
  return true;
}

/* (self, application, input, session, store, store options, workers, resume, acceptChanges,
 * printed lines' id, timeout, open store, names of functions, ids of their code) */
static napi_value run_application(napi_env env, napi_callback_info info) {
  entry call;
  unum_application* application;
  unum_store_options store_options;
  unum_run_options options = {0};
  void* opened = NULL;
  if (!enter_application(env, info, &call, 1, &application)) return NULL;
  options.struct_bytes = sizeof options;
  if (!optional_text_at(&call, 2, "input", &options.input) ||
      !optional_text_at(&call, 3, "session", &options.session) ||
      !optional_text_at(&call, 4, "store", &options.store) ||
      !store_options_at(&call, 5, &store_options) ||
      (is_given(&call, 11) && !handle_at(&call, 11, &opened)) || !codes_at(&call, 12, &options)) {
    return leave(&call, NULL);
  }
  options.store_options = &store_options;
  options.opened = opened;
  options.workers = (uint32_t)number_at(&call, 6);
  options.resume = number_at(&call, 7) != 0;
  options.accept_changes = number_at(&call, 8) != 0;
  options.printed = is_given(&call, 9) ? &on_printed : NULL;
  options.user = (void*)(uintptr_t)(uint32_t)number_at(&call, 9);
  pending* op = new_pending(&call, SHAPE_RUN, 10);
  if (op == NULL) return leave(&call, NULL);
  return promise_of(&call, op, unum_application_run(application, &options, &op->start));
}

const exported application_functions[] = {{"loadApplication", &load_application},
                                          {"parseApplication", &parse_application},
                                          {"freeApplication", &free_application},
                                          {"applicationFindings", &application_findings},
                                          {"applicationName", &application_name},
                                          {"applicationEntry", &application_entry},
                                          {"applicationFunctions", &application_functions_of},
                                          {"runApplication", &run_application},
                                          {NULL, NULL}};
