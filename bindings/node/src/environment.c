/* The variables of the environment, which libunum gives to its workers.
 *
 * The addon is loaded with RTLD_DEEPBIND (lib/native.cjs says why). Its libraries then find libc's
 * own `environ`, and not the program's copy of it, which is the one that setenv changes. So the
 * former is made to follow the latter, before the library runs. */
#include <dlfcn.h>
#include <unistd.h>

#include "addon.h"

static char*** of_program = NULL;

void find_environment(void) {
  void* program = dlopen(NULL, RTLD_LAZY);
  if (program == NULL) return;
  __atomic_store_n(&of_program, (char***)dlsym(program, "environ"), __ATOMIC_RELAXED);
  dlclose(program);
}

void follow_environment(void) {
  char*** theirs = __atomic_load_n(&of_program, __ATOMIC_RELAXED);
  if (theirs == NULL || theirs == &environ) return;
  __atomic_store_n(&environ, __atomic_load_n(theirs, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
}
