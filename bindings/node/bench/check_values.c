/* The same calls as check_values.mjs from C, on unum's own loop. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unum.h>

enum { NAMES = 1000 };

static void finish(unum_op* op) {
  unum_status status = UNUM_PENDING;
  while (status == UNUM_PENDING) status = unum_op_wait(op, -1);
  if (status != UNUM_OK) {
    fprintf(stderr, "%.*s\n", (int)unum_op_error(op)->message.bytes,
            unum_op_error(op)->message.data);
    exit(1);
  }
}

static double microseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int compare(const void* left, const void* right) {
  const double a = *(const double*)left;
  const double b = *(const double*)right;
  return (a > b) - (a < b);
}

int main(int argc, char** argv) {
  static char texts[NAMES][32];
  static unum_text names[NAMES];
  unum_loop* loop;
  if (argc != 4 || unum_loop_new(NULL, &loop) != UNUM_OK) return 2;
  const size_t rounds = strtoul(argv[3], NULL, 10);
  unum_op* created = unum_store_create(loop, unum_text_of(argv[1]), unum_text_of(argv[2]), NULL);
  finish(created);
  const unum_store_options options = {.struct_bytes = sizeof options, .not_durable = 1};
  unum_op* opened =
      unum_store_open(loop, unum_text_of(argv[1]), unum_text_of(argv[2]), &options, NULL);
  finish(opened);
  unum_store* store = unum_op_store(opened);
  const unum_text session = unum_text_of("bench");
  for (int i = 0; i < NAMES; ++i) {
    snprintf(texts[i], sizeof texts[i], "F-unumIndex-%d", i);
    names[i] = unum_text_of(texts[i]);
    const unum_context context = {session, names[i]};
    unum_op* write = unum_write_return_value(store, context, unum_text_of("1"), NULL);
    finish(write);
    unum_op_free(write);
  }
  double* times = malloc(rounds * sizeof *times);
  if (times == NULL || rounds == 0) return 2;
  for (size_t round = 0; round < rounds; ++round) {
    const double begun = microseconds();
    unum_op* check = unum_check_values_exist(store, session, names, NAMES, NULL);
    finish(check);
    if (unum_op_number(check) != 1) return 1;
    unum_op_free(check);
    times[round] = microseconds() - begun;
  }
  qsort(times, rounds, sizeof *times, &compare);
  printf("%.0f\n", times[rounds / 2]);
  unum_loop_free(loop);
  return 0;
}
