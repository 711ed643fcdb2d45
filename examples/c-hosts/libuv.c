/* The same in a program that runs on libuv, with a timer of the program's own beside it.
 *
 *   cc libuv.c platform.c functions.c $(pkg-config --cflags --libs unum libuv) -o libuv
 *   ./libuv fs /tmp/store 1000
 */
#include <stdio.h>
#include <uv.h>

#include "platform.h"

typedef struct host {
  unum_loop* loop;
  uv_poll_t readable;   /* the loop has work */
  uv_timer_t due;       /* something on it is due */
  uv_prepare_t prepare; /* something may have been begun since the last turn */
  uv_timer_t own;       /* the program's: unum's work does not hold it up */
  int own_ticks;
  int succeeded;
} host;

static void turn(host* self) { unum_loop_dispatch(self->loop); }

static void on_readable(uv_poll_t* handle, int status, int events) {
  (void)status;
  (void)events;
  turn(handle->data);
}

static void on_due(uv_timer_t* handle) { turn(handle->data); }

/* Before libuv waits: submit what was begun, and say how long it may wait. */
static void on_prepare(uv_prepare_t* handle) {
  host* self = handle->data;
  if (unum_loop_timeout_ms(self->loop) == 0) turn(self);
  const int64_t timeout_ms = unum_loop_timeout_ms(self->loop);
  uv_timer_stop(&self->due);
  if (timeout_ms >= 0) uv_timer_start(&self->due, &on_due, (uint64_t)timeout_ms, 0);
}

static void on_own_tick(uv_timer_t* handle) {
  host* self = handle->data;
  ++self->own_ticks;
}

static void on_end(const char* result, void* user) {
  host* self = user;
  self->succeeded = result != NULL;
  if (result != NULL) puts(result);
  uv_close((uv_handle_t*)&self->readable, NULL);
  uv_close((uv_handle_t*)&self->due, NULL);
  uv_close((uv_handle_t*)&self->prepare, NULL);
  uv_close((uv_handle_t*)&self->own, NULL);
}

int main(int argc, char** argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: %s STORE-TYPE STORE-NAME WIDTH\n", argv[0]);
    return 2;
  }
  host self = {0};
  if (unum_loop_new(NULL, &self.loop) != UNUM_OK) return 1;
  uv_loop_t* uv = uv_default_loop();
  uv_poll_init(uv, &self.readable, unum_loop_fd(self.loop));
  uv_timer_init(uv, &self.due);
  uv_prepare_init(uv, &self.prepare);
  uv_timer_init(uv, &self.own);
  self.readable.data = self.due.data = self.prepare.data = self.own.data = &self;
  uv_poll_start(&self.readable, UV_READABLE, &on_readable);
  uv_prepare_start(&self.prepare, &on_prepare);
  uv_timer_start(&self.own, &on_own_tick, 1, 1);

  platform* running = platform_begin(self.loop, argv[1], argv[2], argv[3], &on_end, &self);
  if (running == NULL) return 1;
  uv_run(uv, UV_RUN_DEFAULT);
  fprintf(stderr, "the program's own timer ticked %s\n",
          self.own_ticks > 0 ? "meanwhile" : "never");
  platform_free(running);
  unum_loop_free(self.loop);
  uv_loop_close(uv);
  return self.succeeded ? 0 : 1;
}
