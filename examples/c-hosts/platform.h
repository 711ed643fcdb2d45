/* A small platform: a queue of payloads, and what becomes of each delivery. It knows nothing of the
 * loop that it runs on, but when that has something to do.
 */
#ifndef PLATFORM_H
#define PLATFORM_H

#include <unum.h>

typedef struct platform platform;

/* Called once: the workflow's result, or NULL if it failed. Its text is the platform's. */
typedef void (*platform_ended)(const char* result, void* user);

/* Opens the store, and runs the workflow of functions.h in a new session with this input. `loop`
 * must be turned from then on. NULL if there is no memory. */
platform* platform_begin(unum_loop* loop, const char* store_type, const char* store_name,
                         const char* input, platform_ended ended, void* user);
/* After the end, before the loop is freed. */
void platform_free(platform* platform);

#endif
