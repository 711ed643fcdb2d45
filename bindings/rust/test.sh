#!/bin/sh
# Builds and tests the crate, and leaves nothing in the source tree.
#
# UNUM_LIBRARY: the path of libunum.so.1 (needed). UNUM_BINDINGS_BUILD: where to build; default: a temporary
# directory. UNUM_TEST_REDIS: HOST:PORT, for the tests on Redis. UNUM_TEST_TOKIO=1: fail if tokio cannot be had, which
# otherwise leaves its tests out. CARGO, RUSTC: other tools. All else that cargo reads counts as always.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
: "${UNUM_LIBRARY:?must be the path of libunum.so.1}"
cargo=${CARGO:-cargo}
if ! command -v "$cargo" >/dev/null; then
  echo "skipped: there is no $cargo"
  exit 77
fi
if [ -n "${UNUM_BINDINGS_BUILD:-}" ]; then
  build=$UNUM_BINDINGS_BUILD/rust
else
  build=$(mktemp -d)
  trap 'rm -rf "$build"' EXIT
fi

# The loader looks for the library's soname.
mkdir -p "$build/lib" "$build/crate"
ln -sfn "$(readlink -f "$UNUM_LIBRARY")" "$build/lib/libunum.so.1"
export UNUM_LIBRARY="$build/lib/libunum.so.1"
export LD_LIBRARY_PATH="$build/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export UNUM_INCLUDE="${UNUM_INCLUDE:-$here/../../include}"
export CARGO_TARGET_DIR="$build/target"

# cargo writes its lock file beside the manifest, so it gets a manifest of its own.
cd "$build/crate"
for name in build.rs src tests examples README.md; do ln -sfn "$here/$name" "$name"; done
cp "$here/Cargo.toml" whole.toml

# Features are resolved before they are chosen: without an index, cargo wants no optional dependency to be named.
use_whole() { cmp -s whole.toml Cargo.toml || cp whole.toml Cargo.toml; }
use_bare() {
  sed '/^# tokio: what/,/^# tokio: end/d; s/^tokio = .*$/tokio = []/' whole.toml >bare.toml
  cmp -s bare.toml Cargo.toml || { cp bare.toml Cargo.toml && rm -f Cargo.lock; }
}
# The tokio that cargo takes is the newest, which wants a newer compiler than this crate does.
minor=$("$cargo" --version | sed 's/^cargo 1\.\([0-9]*\).*/\1/')
features=""
use_whole
if [ "$minor" -lt 80 ] && [ "${UNUM_TEST_TOKIO:-}" != 1 ]; then
  echo "cargo 1.$minor is too old for the newest tokio: its tests are left out"
  use_bare
elif "$cargo" fetch --offline -q 2>/dev/null || CARGO_NET_RETRY=0 timeout 30 "$cargo" fetch -q 2>fetch.txt; then
  features="--features tokio"
elif [ "${UNUM_TEST_TOKIO:-}" = 1 ]; then
  cat fetch.txt
  exit 1
else
  echo "tokio cannot be had: its tests are left out"
  use_bare
fi

run() { "$cargo" "$@"; }
# shellcheck disable=SC2086
run test --offline -q $features
example="run --offline -q $features --example fan_in_1000"
# shellcheck disable=SC2086
{
  run $example
  run $example fs "$(mktemp -d "$build/store-XXXXXX")"
  if [ -n "${UNUM_TEST_REDIS:-}" ]; then run $example redis "$UNUM_TEST_REDIS"; fi
}
