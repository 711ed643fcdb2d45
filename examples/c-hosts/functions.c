#include "functions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const function_source function_sources[FUNCTION_COUNT] = {
    {"Numbers",
     "{\"Name\": \"Numbers\", \"Start\": true,"
     " \"Next\": {\"Name\": \"Square\", \"InputType\": \"Map\"}}"},
    {"Square",
     "{\"Name\": \"Square\", \"Next\": {\"Name\": \"Sum\","
     " \"InputType\": {\"Fan-in\": {\"Values\": [\"Square-unumIndex-*\"]}},"
     " \"Payload Modifiers\": [\"Pop\"]}}"},
    {"Sum", "{\"Name\": \"Sum\"}"},
};

static int is(unum_text text, const char* name) {
  return text.bytes == strlen(name) && memcmp(text.data, name, text.bytes) == 0;
}

/* The input is a text without a zero byte at its end; numbers are read from a copy. */
static char* copy_of(unum_text text) {
  char* copy = malloc(text.bytes + 1);
  if (copy == NULL) abort();
  memcpy(copy, text.data, text.bytes);
  copy[text.bytes] = '\0';
  return copy;
}

static void succeed_with_number(unum_call* call, long long number) {
  char text[24];
  snprintf(text, sizeof text, "%lld", number);
  unum_call_succeed(call, unum_text_of(text));
}

static void numbers(unum_call* call, const char* input) {
  const long width = strtol(input, NULL, 10);
  if (width < 1 || width > 100000) {
    unum_call_fail(call, unum_text_of("ValueError"),
                   unum_text_of("the input must be a width from 1 to 100000"));
    return;
  }
  char* text = malloc((size_t)width * 8 + 2);
  if (text == NULL) abort();
  char* at = text;
  for (long i = 0; i < width; ++i) at += sprintf(at, "%c%ld", i == 0 ? '[' : ',', i);
  strcpy(at, "]");
  unum_call_succeed(call, unum_text_of(text));
  free(text);
}

static void sum(unum_call* call, char* input) {
  long long total = 0;
  for (char* at = input + 1; *at != '\0' && *at != ']';) {
    total += strtoll(at, &at, 10);
    if (*at == ',') ++at;
  }
  succeed_with_number(call, total);
}

void run_function(unum_call* call, void* user) {
  (void)user;
  const unum_call_details* details = unum_call_info(call);
  char* input = copy_of(details->input);
  if (is(details->function, "Numbers")) {
    numbers(call, input);
  } else if (is(details->function, "Square")) {
    const long long number = strtoll(input, NULL, 10);
    succeed_with_number(call, number * number);
  } else {
    sum(call, input);
  }
  free(input);
}
