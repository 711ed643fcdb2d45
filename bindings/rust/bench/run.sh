#!/bin/sh
# What check_values_exist of 1,000 names costs from C, Rust and Go: the least of many rounds, in microseconds, taken in
# turns. UNUM_LIBRARY: the path of libunum.so.1. UNUM_BINDINGS_BUILD: where the tests of both bindings have built.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
rust="$UNUM_BINDINGS_BUILD/rust"
go="$UNUM_BINDINGS_BUILD/go"
export LD_LIBRARY_PATH="$go/lib" PKG_CONFIG_PATH="$go/lib" UNUM_LIBRARY="$go/lib/libunum.so.1"
cc -O2 -I "$here/../../../include" -o "$rust/check_values_c" "$here/check_values.c" -L "$go/lib" -lunum
(cd "$rust/crate" && CARGO_TARGET_DIR="$rust/target" cargo build -q --offline --release --example check_values)
(cd "$here/../../go" && go build -o "$go/check_values" ./examples/check_values)
for kind in ${*:-memory fs}; do
  name=$kind-$$
  if [ "$kind" = fs ]; then name=$(mktemp -d "$rust/bench-XXXXXX"); fi
  if [ "$kind" = redis ]; then name=$UNUM_TEST_REDIS; fi
  for turn in 1 2 3; do
    for program in "$rust/check_values_c" "$rust/target/release/examples/check_values" "$go/check_values"; do
      echo "$kind $turn $(basename "$(dirname "$program")")/$(basename "$program") $("$program" "$kind" "$name" 300)"
    done
  done
done
