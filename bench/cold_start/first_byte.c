/* Starts a program once and says how long it took until the first byte of its stdout, until its
 * end, its CPU time (all in microseconds) and its peak memory in KB.
 *
 * Usage: first-byte PROGRAM [ARGUMENT...]
 *
 * In C and of its own, since the kernel counts the memory of whoever starts a program as that
 * program's until it executes: started from an interpreter, everything would be as large as it. */
#include <errno.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char** environ;

static double now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static double us(struct timeval time) { return (double)time.tv_sec * 1e6 + (double)time.tv_usec; }

static int fail(const char* what, int error) {
  fprintf(stderr, "first-byte: %s: %s\n", what, strerror(error));
  return 1;
}

int main(int argc, char** argv) {
  int ends[2];
  pid_t child;
  char bytes[65536];
  posix_spawn_file_actions_t actions;
  if (argc < 2) return fail("usage: first-byte PROGRAM [ARGUMENT...]", EINVAL);
  if (pipe(ends) != 0) return fail("pipe", errno);
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addclose(&actions, ends[0]);
  posix_spawn_file_actions_addclose(&actions, ends[1]);

  const double start_us = now_us();
  const int error = posix_spawn(&child, argv[1], &actions, NULL, argv + 1, environ);
  if (error != 0) return fail(argv[1], error);
  close(ends[1]);
  ssize_t got = read(ends[0], bytes, sizeof bytes);
  const double first_us = now_us() - start_us;
  const int has_output = got > 0;
  while (got > 0) got = read(ends[0], bytes, sizeof bytes);

  int status;
  struct rusage used;
  if (wait4(child, &status, 0, &used) < 0) return fail("wait4", errno);
  const double end_us = now_us() - start_us;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || !has_output) {
    return fail("the program failed or wrote nothing", ECHILD);
  }
  printf("%.0f %.0f %.0f %ld\n", first_us, end_us, us(used.ru_utime) + us(used.ru_stime),
         used.ru_maxrss);
  return 0;
}
