#!/bin/sh
# Builds and tests the module, and leaves nothing in the source tree.
#
# UNUM_LIBRARY: the path of libunum.so.1 (needed). UNUM_BINDINGS_BUILD: where to build; default: a temporary directory.
# UNUM_TEST_REDIS: HOST:PORT, for the tests on Redis. UNUM_TEST_RACE=1: with Go's race detector. GO: another go.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
: "${UNUM_LIBRARY:?must be the path of libunum.so.1}"
go=${GO:-go}
for tool in "$go" pkg-config; do
  if ! command -v "$tool" >/dev/null; then
    echo "skipped: there is no $tool"
    exit 77
  fi
done
if [ -n "${UNUM_BINDINGS_BUILD:-}" ]; then
  build=$UNUM_BINDINGS_BUILD/go
else
  build=$(mktemp -d)
  trap 'rm -rf "$build"' EXIT
fi

# What an installed library has: its names, and a description for pkg-config.
mkdir -p "$build/lib"
for name in libunum.so libunum.so.1; do ln -sfn "$(readlink -f "$UNUM_LIBRARY")" "$build/lib/$name"; done
cat >"$build/lib/unum.pc.new" <<END
Name: unum
Description: the library under test
Version: 0.1.0
Cflags: -I${UNUM_INCLUDE:-$here/../../include}
Libs: -L$build/lib -lunum
END
cmp -s "$build/lib/unum.pc.new" "$build/lib/unum.pc" || cp "$build/lib/unum.pc.new" "$build/lib/unum.pc"
export PKG_CONFIG_PATH="$build/lib${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
export LD_LIBRARY_PATH="$build/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export GOFLAGS="-mod=mod ${GOFLAGS:-}" GOTOOLCHAIN=local GOPROXY=off

cd "$here"
race=""
if [ "${UNUM_TEST_RACE:-}" = 1 ]; then race=-race; fi
badly=$("$(dirname "$(command -v "$go")")/gofmt" -l . 2>/dev/null || true)
if [ -n "$badly" ]; then
  echo "not formatted: $badly"
  exit 1
fi
"$go" test $race -count=1 -timeout 120s .
"$go" build $race -o "$build/fan_in_1000" ./examples/fan_in_1000
"$build/fan_in_1000"
"$build/fan_in_1000" fs "$(mktemp -d "$build/store-XXXXXX")"
if [ -n "${UNUM_TEST_REDIS:-}" ]; then "$build/fan_in_1000" redis "$UNUM_TEST_REDIS"; fi
