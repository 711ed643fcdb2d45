// What check_values_exist of 1,000 names costs from C: the measure for the bindings.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unum.h>

enum { NAMES = 1000, NAME_BYTES = 32 };

static unum_op* ended(unum_op* op) {
  while (unum_op_wait(op, -1) == UNUM_PENDING) {
  }
  if (unum_op_status(op) != UNUM_OK) {
    const unum_error* error = unum_op_error(op);
    fprintf(stderr, "%.*s\n", (int)error->message.bytes, error->message.data);
    exit(1);
  }
  return op;
}

static double now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

int main(int argc, char** argv) {
  unum_loop* loop;
  if (argc != 4 || unum_loop_new(NULL, &loop) != UNUM_OK) return 2;
  unum_text type = unum_text_of(argv[1]);
  unum_text name = unum_text_of(argv[2]);
  int rounds = atoi(argv[3]);
  unum_op_free(ended(unum_store_create(loop, type, name, NULL)));
  unum_store_options options = {.struct_bytes = sizeof options, .not_durable = 1};
  unum_op* open = ended(unum_store_open(loop, type, name, &options, NULL));
  unum_store* store = unum_op_store(open);
  static char letters[NAMES][NAME_BYTES];
  static unum_text names[NAMES];
  static unum_op* writes[NAMES];
  unum_text session = unum_text_of("bench");
  for (int i = 0; i < NAMES; ++i) {
    snprintf(letters[i], NAME_BYTES, "Square-unumIndex-%d", i);
    names[i] = unum_text_of(letters[i]);
    unum_context context = {session, names[i]};
    writes[i] = unum_write_return_value(store, context, unum_text_of("1"), NULL);
  }
  for (int i = 0; i < NAMES; ++i) unum_op_free(ended(writes[i]));
  double best = 1e18;
  for (int round = 0; round < rounds; ++round) {
    double begun = now_us();
    unum_op* check = ended(unum_check_values_exist(store, session, names, NAMES, NULL));
    if (unum_op_number(check) != 1) return 1;
    unum_op_free(check);
    double took = now_us() - begun;
    if (took < best) best = took;
  }
  printf("%.1f\n", best);
  unum_loop_free(loop);
  return 0;
}
