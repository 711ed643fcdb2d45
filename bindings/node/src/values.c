/* Between JavaScript's values and C's. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "addon.h"

enum { BLOCK_BYTES = 64 * 1024, TRIED_BYTES = 256 };

bool enter(napi_env env, napi_callback_info info, entry* call) {
  call->env = env;
  call->own = NULL;
  call->count = ARGUMENTS_MAX;
  call->blocks = NULL;
  call->free_at = call->first;
  call->free_bytes = sizeof call->first;
  void* own = NULL;
  if (napi_get_cb_info(env, info, &call->count, call->arguments, NULL, NULL) != napi_ok ||
      napi_get_instance_data(env, &own) != napi_ok || own == NULL) {
    napi_throw_error(env, NULL, "the addon is not there any more");
    return false;
  }
  call->own = own;
  follow_environment();
  return true;
}

napi_value leave(entry* call, napi_value value) {
  while (call->blocks != NULL) {
    block* next = call->blocks->next;
    // One is kept: a call with many names would grow the heap each time, and shrink it again.
    if (call->own->spare == NULL && call->blocks->bytes == BLOCK_BYTES) {
      call->own->spare = call->blocks;
    } else {
      free(call->blocks);
    }
    call->blocks = next;
  }
  return value;
}

void* memory_of(entry* call, size_t bytes) {
  const size_t alignment = sizeof(void*);
  bytes = (bytes + alignment - 1) / alignment * alignment;
  if (bytes > call->free_bytes) {
    const size_t wanted = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
    block* more = call->own->spare;
    if (more != NULL && wanted == BLOCK_BYTES) {
      call->own->spare = NULL;
    } else {
      more = wanted > SIZE_MAX - sizeof(block) ? NULL : malloc(sizeof(block) + wanted);
    }
    if (more == NULL) {
      napi_throw_error(call->env, "ERR_MEMORY_ALLOCATION_FAILED", "no memory for the arguments");
      return NULL;
    }
    more->next = call->blocks;
    more->bytes = wanted;
    call->blocks = more;
    call->free_at = (char*)(more + 1);
    call->free_bytes = wanted;
  }
  void* memory = call->free_at;
  call->free_at += bytes;
  call->free_bytes -= bytes;
  return memory;
}

static bool refuse_type(entry* call, const char* name, const char* wanted) {
  char message[160] = "";
  strncat(message, name, 60);
  strncat(message, " must be ", 20);
  strncat(message, wanted, 60);
  napi_throw_type_error(call->env, "ERR_INVALID_ARG_TYPE", message);
  return false;
}

static bool bytes_of(entry* call, napi_value value, const char* name, unum_text* text) {
  bool is_array = false;
  napi_typedarray_type type = napi_int8_array;
  void* data = NULL;
  size_t bytes = 0;
  napi_is_typedarray(call->env, value, &is_array);
  if (is_array) {
    napi_get_typedarray_info(call->env, value, &type, &bytes, &data, NULL, NULL);
  }
  if (!is_array || type != napi_uint8_array) {
    return refuse_type(call, name, "a string or a Uint8Array");
  }
  text->data = data != NULL ? data : "";
  text->bytes = bytes;
  return true;
}

/* A short string is read in one go; of a longer one the length is asked before. */
bool text_of(entry* call, napi_value value, const char* name, unum_text* text) {
  size_t bytes = 0;
  char* memory = memory_of(call, TRIED_BYTES);
  if (memory == NULL) return false;
  napi_status status = napi_get_value_string_utf8(call->env, value, memory, TRIED_BYTES, &bytes);
  if (status != napi_ok) return bytes_of(call, value, name, text);
  if (bytes < TRIED_BYTES - 4) {  // What is cut is cut within the last character.
    const size_t used = bytes / sizeof(void*) * sizeof(void*) + sizeof(void*);
    call->free_at = memory + used;
    call->free_bytes += TRIED_BYTES - used;
  } else {
    napi_get_value_string_utf8(call->env, value, NULL, 0, &bytes);
    memory = memory_of(call, bytes + 1);
    if (memory == NULL) return false;
    napi_get_value_string_utf8(call->env, value, memory, bytes + 1, &bytes);
  }
  text->data = memory;
  text->bytes = bytes;
  return true;
}

bool is_given(entry* call, size_t place) {
  napi_valuetype type = napi_undefined;
  if (place >= call->count) return false;
  napi_typeof(call->env, call->arguments[place], &type);
  return type != napi_undefined && type != napi_null;
}

bool text_at(entry* call, size_t place, const char* name, unum_text* text) {
  if (place >= call->count) return refuse_type(call, name, "a string or a Uint8Array");
  return text_of(call, call->arguments[place], name, text);
}

bool optional_text_at(entry* call, size_t place, const char* name, unum_text* text) {
  text->data = NULL;
  text->bytes = 0;
  return !is_given(call, place) || text_at(call, place, name, text);
}

/* Texts between zero bytes, as lib/native.cjs packs many. */
static bool packed_texts_of(entry* call, napi_value value, unum_text** texts, size_t* count) {
  unum_text all;
  if (!text_of(call, value, "the names", &all)) return false;
  const char* const end = all.data + all.bytes;
  *count = 1;
  for (const char* at = all.data; at < end; ++at) *count += *at == '\0';
  *texts = memory_of(call, *count * sizeof(unum_text));
  if (*texts == NULL) return false;
  const char* begin = all.data;
  for (size_t i = 0; i < *count; ++i) {
    const char* zero = memchr(begin, '\0', (size_t)(end - begin));
    (*texts)[i].data = begin;
    (*texts)[i].bytes = (size_t)((zero != NULL ? zero : end) - begin);
    begin += (*texts)[i].bytes + 1;
  }
  return true;
}

bool texts_of(entry* call, napi_value value, const char* name, unum_text** texts, size_t* count) {
  uint32_t length = 0;
  napi_valuetype type = napi_undefined;
  if (napi_typeof(call->env, value, &type) == napi_ok && type == napi_string) {
    return packed_texts_of(call, value, texts, count);
  }
  if (napi_get_array_length(call->env, value, &length) != napi_ok) {
    return refuse_type(call, name, "an array of strings");
  }
  *texts = memory_of(call, ((size_t)length + 1) * sizeof(unum_text));
  *count = length;
  if (*texts == NULL) return false;
  // Scopes keep the handles of a long list from piling up.
  for (uint32_t begin = 0; begin < length; begin += 256) {
    napi_handle_scope scope;
    if (napi_open_handle_scope(call->env, &scope) != napi_ok) return false;
    bool good = true;
    const uint32_t end = length - begin > 256 ? begin + 256 : length;
    for (uint32_t i = begin; good && i < end; ++i) {
      napi_value element = NULL;
      good = napi_get_element(call->env, value, i, &element) == napi_ok &&
             text_of(call, element, name, &(*texts)[i]);
    }
    napi_close_handle_scope(call->env, scope);
    if (!good) return false;
  }
  return true;
}

bool texts_at(entry* call, size_t place, const char* name, unum_text** texts, size_t* count) {
  if (place >= call->count) return refuse_type(call, name, "an array of strings");
  return texts_of(call, call->arguments[place], name, texts, count);
}

int64_t number_at(entry* call, size_t place) {
  int64_t number = 0;
  if (place < call->count) napi_get_value_int64(call->env, call->arguments[place], &number);
  return number;
}

bool handle_at(entry* call, size_t place, void** handle) {
  uint64_t number = 0;
  bool lossless = false;
  if (place >= call->count || napi_get_value_bigint_uint64(call->env, call->arguments[place],
                                                           &number, &lossless) != napi_ok) {
    return refuse_type(call, "a handle", "a BigInt");
  }
  *handle = (void*)(uintptr_t)number;
  return true;
}

// --- To JavaScript ------------------------------------------------------------------------------

napi_value js_undefined(napi_env env) {
  napi_value value = NULL;
  napi_get_undefined(env, &value);
  return value;
}

napi_value js_boolean(napi_env env, bool given) {
  napi_value value = NULL;
  napi_get_boolean(env, given, &value);
  return value;
}

napi_value js_number(napi_env env, double given) {
  napi_value value = NULL;
  napi_create_double(env, given, &value);
  return value;
}

napi_value js_handle(napi_env env, const void* handle) {
  napi_value value = NULL;
  napi_create_bigint_uint64(env, (uint64_t)(uintptr_t)handle, &value);
  return value;
}

napi_value js_text(napi_env env, unum_text text, bool as_buffer) {
  if (text.data == NULL) return js_undefined(env);
  napi_value value = NULL;
  void* copy = NULL;
  const napi_status status =
      as_buffer ? napi_create_buffer_copy(env, text.bytes, text.data, &copy, &value)
                : napi_create_string_utf8(env, text.data, text.bytes, &value);
  if (status == napi_ok) return value;
  bool thrown = false;
  napi_is_exception_pending(env, &thrown);
  if (thrown) napi_get_and_clear_last_exception(env, &value);
  return NULL;
}

void set_field(napi_env env, napi_value object, const char* name, napi_value value) {
  napi_set_named_property(env, object, name, value != NULL ? value : js_undefined(env));
}

void set_text(napi_env env, napi_value object, const char* name, unum_text text) {
  set_field(env, object, name, js_text(env, text, false));
}

void set_number(napi_env env, napi_value object, const char* name, double value) {
  set_field(env, object, name, js_number(env, value));
}

napi_value js_error(state* own, const unum_error* error) {
  napi_env env = own->env;
  napi_value make = NULL;
  napi_value made = NULL;
  napi_get_reference_value(env, own->make_error, &make);
  napi_value arguments[5] = {js_number(env, error->status), js_text(env, error->origin, false),
                             js_text(env, error->code, false), js_text(env, error->message, false),
                             js_number(env, error->delivery)};
  for (size_t i = 0; i < 5; ++i) {
    if (arguments[i] == NULL) arguments[i] = js_undefined(env);
  }
  if (napi_call_function(env, js_undefined(env), make, 5, arguments, &made) != napi_ok) return NULL;
  return made;
}

napi_value throw_last_error(entry* call) {
  napi_value error = js_error(call->own, unum_last_error());
  if (error != NULL) napi_throw(call->env, error);
  return leave(call, NULL);
}

napi_value leave_with_status(entry* call, unum_status status) {
  if (status != UNUM_OK) return throw_last_error(call);
  return leave(call, js_undefined(call->env));
}
