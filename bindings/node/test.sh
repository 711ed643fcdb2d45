#!/bin/sh
# Builds the addon and runs the tests, offline.
#
# UNUM_LIBRARY: libunum.so.1 (needed). UNUM_BINDINGS_BUILD: where to build (default: a directory that is removed).
# UNUM_TEST_REDIS: HOST:PORT of a Redis that the tests may write to. UNUM_REACTOR: uring or epoll.
set -eu
cd "$(dirname "$0")"
: "${UNUM_LIBRARY:?must name libunum.so.1}"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM
build=${UNUM_BINDINGS_BUILD:-$scratch}/node
# Under the names that it is linked and loaded by.
mkdir -p "$build/lib"
UNUM_LIBRARY=$(realpath "$UNUM_LIBRARY")
ln -sf "$UNUM_LIBRARY" "$build/lib/libunum.so.1"
export UNUM_LIBRARY
export LD_LIBRARY_PATH="$build/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
UNUM_NODE_ADDON=$(CFLAGS="-Werror ${CFLAGS:-}" node build.mjs --out "$build")
export UNUM_NODE_ADDON
# Not every node reads directories alike.
exec_tests() { node --test --test-reporter=spec test/*.test.mjs; }
if ! exec_tests > "$scratch/output" 2>&1; then
  cat "$scratch/output"
  exit 1
fi
grep -E '^ℹ (tests|pass|fail|skipped)' "$scratch/output"
