/* Count, sum, smallest and largest, in C: a shared object that a worker process loads. */
#include <stdio.h>
#include <stdlib.h>

#include "unum/native.h"

UNUM_NATIVE_EXPORT int unum_handler(const unum_native_call* call, unum_native_result* result) {
  static char answer[160]; /* one call at a time, and it is read before the next one */
  long long count = 0, sum = 0, min = 0, max = 0;
  const char* place = call->event; /* "[31, -4, 159]": a zero byte follows the text */
  while (*place != '\0') {
    char* after;
    const long long number = strtoll(place, &after, 10);
    if (after == place) { /* a bracket, a comma or white space */
      ++place;
      continue;
    }
    place = after;
    if (count == 0 || number < min) min = number;
    if (count == 0 || number > max) max = number;
    sum += number;
    ++count;
  }
  if (count == 0) {
    result->error = "NoNumbers";
    result->cause = "the list is empty: it has no smallest number";
    return 1;
  }
  const int bytes = snprintf(answer, sizeof answer,
                             "{\"count\": %lld, \"sum\": %lld, \"min\": %lld, \"max\": %lld}",
                             count, sum, min, max);
  result->value = answer;
  result->value_bytes = (size_t)bytes;
  return 0;
}
