/* A program of its own: it has no other loop.
 *
 *   cc plain.c platform.c functions.c $(pkg-config --cflags --libs unum) -o plain
 *   ./plain fs /tmp/store 1000
 */
#include <stdio.h>

#include "platform.h"

static int ended;
static int succeeded;

static void on_end(const char* result, void* user) {
  (void)user;
  ended = 1;
  succeeded = result != NULL;
  if (result != NULL) puts(result);
}

int main(int argc, char** argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: %s STORE-TYPE STORE-NAME WIDTH\n", argv[0]);
    return 2;
  }
  unum_loop* loop;
  if (unum_loop_new(NULL, &loop) != UNUM_OK) {
    const unum_error* error = unum_last_error();
    fprintf(stderr, "%.*s\n", (int)error->message.bytes, error->message.data);
    return 1;
  }
  platform* running = platform_begin(loop, argv[1], argv[2], argv[3], &on_end, NULL);
  if (running == NULL) return 1;
  while (!ended) unum_loop_run(loop, -1);
  platform_free(running);
  unum_loop_free(loop);
  return succeeded ? 0 : 1;
}
