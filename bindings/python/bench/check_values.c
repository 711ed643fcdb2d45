/* What check_values_exist of many names costs a C program: the other side of check_values.py.
 *
 * check_values STORE_TYPE STORE_NAME NAMES ROUNDS: the microseconds of each round, one a line. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unum.h>

static double now_us(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return (double)at.tv_sec * 1e6 + (double)at.tv_nsec / 1e3;
}

static unum_status wait_for(unum_op* op) {
  unum_status status = UNUM_PENDING;
  while (status == UNUM_PENDING) status = unum_op_wait(op, -1);
  if (status != UNUM_OK) {
    const unum_error* error = unum_op_error(op);
    fprintf(stderr, "%.*s\n", (int)error->message.bytes, error->message.data);
    exit(1);
  }
  return status;
}

int main(int argc, char** argv) {
  unum_loop* loop;
  if (argc != 5 || unum_loop_new(NULL, &loop) != UNUM_OK) return 2;
  size_t count = (size_t)atol(argv[3]);
  long rounds = atol(argv[4]);
  unum_text type = unum_text_of(argv[1]), name = unum_text_of(argv[2]);
  unum_op* create = unum_store_create(loop, type, name, NULL);
  wait_for(create);
  unum_op* open = unum_store_open(loop, type, name, NULL, NULL);
  wait_for(open);
  unum_store* store = unum_op_store(open);

  char session[UNUM_SESSION_BYTES];
  unum_create_session_context(store, session);
  unum_text in = {session, sizeof session};
  char(*texts)[32] = calloc(count, sizeof *texts);
  unum_text* names = calloc(count, sizeof *names);
  unum_op** writes = calloc(count, sizeof *writes);
  for (size_t i = 0; i < count; ++i) {
    snprintf(texts[i], sizeof texts[i], "Branch-unumIndex-%zu", i);
    names[i] = unum_text_of(texts[i]);
    unum_context context = {in, names[i]};
    writes[i] = unum_write_return_value(store, context, unum_text_of("1"), NULL);
  }
  for (size_t i = 0; i < count; ++i) {
    wait_for(writes[i]);
    unum_op_free(writes[i]);
  }
  for (long round = 0; round < rounds; ++round) {
    double begin = now_us();
    unum_op* check = unum_check_values_exist(store, in, names, count, NULL);
    wait_for(check);
    if (unum_op_number(check) != 1) return 3;
    unum_op_free(check);
    printf("%.1f\n", now_us() - begin);
  }
  unum_loop_free(loop);
  return 0;
}
