#!/bin/bash
# Installs what the tests need, builds, runs every test, and ends with the line
# `N passed, N failed, N skipped`.
#
# Usage: ./test.sh [--thorough]
#   --thorough   besides: clang-tidy, and the sanitizers over all that needs servers (an hour on two cores)
#
# Counted are test cases. In CI (CI=true) a skipped one is a failure. Two builds, in build-test/ and in
# build-clang/ (clang, with the address and undefined-behaviour sanitizers), are kept for the next run.
# In each of them the unit tests run once (they cover both reactor ports themselves); in the first the
# application tests run twice, on the port that the machine offers and on epoll. Real servers
# (tests/with-servers.py) are started once around all of it.
set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source=tools/packages.sh
. tools/packages.sh

thorough=no
for argument in "$@"; do
  case "$argument" in
    --thorough) thorough=yes ;;
    *) sed -n '2,7s/^# \?//p' "$0" && exit 2 ;;
  esac
done

need_to_test
if [ "${CI:-}" = true ]; then
  need clang-format-16 command -v clang-format-16
fi
[ "$thorough" = no ] || need clang-tidy-16 command -v clang-tidy-16
install_missing
# From here on between the start and the end of the servers, which leave this variable.
[ -n "${UNUM_TEST_CA:-}" ] || exec python3 tests/with-servers.py ./test.sh "$@"

# ccache may use precompiled headers only when it is told that their time stamps do not matter.
export CCACHE_SLOPPINESS=pch_defines,time_macros
results=$PWD/build-test/results
step() { printf '\n== %s (%d:%02d)\n' "$1" $((SECONDS / 60)) $((SECONDS % 60)); }

# build DIRECTORY TARGET MESON-OPTION...
build() {
  local directory=$1 target=$2
  shift 2
  if [ -f "$directory/build.ninja" ]; then
    meson configure "$directory" "$@" >/dev/null
  else
    meson setup "$directory" "$@" >"$directory.log" 2>&1 || { cat "$directory.log" && return 1; }
    rm "$directory.log"
  fi
  ninja -C "$directory" "$target"
}

# run_tests DIRECTORY RESULTS MESON-TEST-ARGUMENT...
run_tests() {
  local directory=$1 name=$2
  shift 2
  mkdir -p "$results/$name"
  # The sum at the end says what failed; one failure does not keep the other tests from running.
  UNUM_TEST_RESULTS="$results/$name" meson test -C "$directory" --no-rebuild --print-errorlogs \
    "$@" || failed_runs+=("$name")
}

# run_plain RESULTS NAME COMMAND...: a command that is a test by itself
run_plain() {
  mkdir -p "$results/$1"
  UNUM_TEST_RESULTS="$results/$1" python3 tests/run-test.py plain "${@:2}" || failed_runs+=("$2")
}

failed_runs=()
step "Building the release build, warnings as errors"
build build-test all -Dwerror=true -Dbenchmarks=true
rm -rf "$results"
step "Testing the release build"
run_tests build-test release
step "Testing the applications on epoll"
UNUM_REACTOR=epoll run_tests build-test release-epoll --suite app

step "Building with clang and its address and undefined-behaviour sanitizers"
ccache=$(command -v ccache || true)
export CC="$ccache clang$clang" CXX="$ccache clang++$clang"
# Not optimised: that takes a third of the time to build.
build build-clang unit-tests -Dwerror=true -Db_sanitize=address,undefined -Db_lundef=false \
  -Doptimization=0 -Ddebug=true
step "Testing with the sanitizers"
run_tests build-clang asan --suite unit --timeout-multiplier 3

if [ "${CI:-}" = true ]; then
  step "Form"
  run_plain lint form tools/lint.sh format
fi

if [ "$thorough" = yes ]; then
  step "Testing the applications with the sanitizers"
  ninja -C build-clang
  run_tests build-clang asan-apps --suite app --suite chaos --timeout-multiplier 3
  step "Testing the applications with the sanitizers on epoll"
  UNUM_REACTOR=epoll run_tests build-clang asan-epoll --suite app --suite network \
    --timeout-multiplier 3
  step "clang-tidy"
  run_plain lint clang-tidy tools/lint.sh tidy build-test
fi

step "Sum"
code=0
python3 tests/run-test.py sum "$results" >"$results.txt" || code=1
# A test that ended without leaving a count (killed at its time limit, say) is a failure too.
if [ ${#failed_runs[@]} -gt 0 ] && [ "$code" -eq 0 ]; then
  code=1
fi
cat "$results.txt"
exit "$code"
