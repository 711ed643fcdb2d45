/* As much of Nightcore as its worker interface shows: loads each function's shared object, and runs
 * every invocation by a worker on a thread of its own, one call at a time a worker.
 *
 *   nightcore-engine DIRECTORY ENTRY < PAYLOAD      DIRECTORY has lib<Function>.so
 *
 * Prints what the functions put out, one a line.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int (*invoke_fn)(void* caller_context, const char* func_name, const char* input_data,
                         size_t input_length, const char** output_data, size_t* output_length);
typedef void (*append_fn)(void* caller_context, const char* data, size_t length);

typedef struct call {
  const char* function;
  const char* input;
  size_t input_length;
  int result;
} call;

static const char* directory;

static void* symbol(void* library, const char* name) {
  void* found = dlsym(library, name);
  if (found == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    exit(2);
  }
  return found;
}

static int invoke(void* caller_context, const char* func_name, const char* input_data,
                  size_t input_length, const char** output_data, size_t* output_length);

static void append_output(void* caller_context, const char* data, size_t length) {
  (void)caller_context;
  printf("%.*s\n", (int)length, data);
}

static void* run_call(void* argument) {
  call* own = argument;
  char path[4096];
  snprintf(path, sizeof path, "%s/lib%s.so", directory, own->function);
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    own->result = -1;
    return NULL;
  }
  int (*init)(void);
  int (*create)(void*, invoke_fn, append_fn, void**);
  int (*destroy)(void*);
  int (*run)(void*, const char*, size_t);
  *(void**)&init = symbol(library, "faas_init");
  *(void**)&create = symbol(library, "faas_create_func_worker");
  *(void**)&destroy = symbol(library, "faas_destroy_func_worker");
  *(void**)&run = symbol(library, "faas_func_call");
  void* worker = NULL;
  own->result = init() == 0 ? create(NULL, &invoke, &append_output, &worker) : -1;
  if (own->result == 0) own->result = run(worker, own->input, own->input_length);
  if (worker != NULL) destroy(worker);
  return NULL;
}

static int invoke(void* caller_context, const char* func_name, const char* input_data,
                  size_t input_length, const char** output_data, size_t* output_length) {
  (void)caller_context;
  *output_data = "";
  *output_length = 0;
  call own = {func_name, input_data, input_length, -1};
  pthread_t thread;
  if (pthread_create(&thread, NULL, &run_call, &own) != 0) return -1;
  pthread_join(thread, NULL);
  return own.result;
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  directory = argv[1];
  static char payload[65536];
  const size_t length = fread(payload, 1, sizeof payload, stdin);
  const char* output;
  size_t output_length;
  return invoke(NULL, argv[2], payload, length, &output, &output_length) == 0 ? 0 : 1;
}
