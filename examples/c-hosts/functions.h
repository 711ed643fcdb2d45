/* Three functions in C: Numbers maps over the numbers below a width, Square squares one of them,
 * and Sum adds up what all of them have come to.
 */
#ifndef FUNCTIONS_H
#define FUNCTIONS_H

#include <unum.h>

#define FUNCTION_COUNT 3

typedef struct function_source {
  const char* name;
  const char* configuration; /* what is in its unum_config.json */
} function_source;

extern const function_source function_sources[FUNCTION_COUNT];

/* Runs the function that the call is for, and answers. The `call` of a unum_code. */
void run_function(unum_call* call, void* user);

#endif
