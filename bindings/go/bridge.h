// Callbacks of the library as calls of Go: `user` is a cgo.Handle, a number.
#pragma once

#include <stdint.h>
#include <unum.h>

// Sets what is called back: cgo cannot name C functions as values of Go.
void unum_go_set_done(unum_start* start, uintptr_t user);
void unum_go_set_lines(unum_store_options* options, int warn, int waiting, uintptr_t user);
void unum_go_set_invoke(unum_runtime_options* options, uintptr_t user);
void unum_go_set_code(unum_code* code, uintptr_t user);
void unum_go_set_printed(unum_run_options* options, uintptr_t user);
unum_status unum_go_set_log(unum_text levels, int to_go);
unum_op* unum_go_read_input_stream(unum_store* store, unum_text session, unum_text* instances,
                                   size_t count, uintptr_t user, const unum_start* start);
