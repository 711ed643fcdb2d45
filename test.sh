#!/bin/bash
# Installs what the tests need, builds, runs every test, and ends with the line
# `N passed, N failed, N skipped`.
#
# Usage: ./test.sh [--thorough]
#   --thorough   besides: clang-tidy, and the sanitizers over all that needs servers (an hour on two cores)
#
# Counted are test cases. In CI (CI=true) a skipped one is a failure. Two builds, in build-test/ and in
# build-clang/ (clang, with the address and undefined-behaviour sanitizers), are kept for the next run.
# In each of them the test programs run once (they cover both reactor ports themselves); in the first the
# application tests run twice, on the port that the machine offers and on epoll. Real servers
# (tests/with-servers.py) are started once around all of it. What mostly waits runs beside the rest, and
# the second build is made in the time that the tests of the first one leave. How long each test took is
# in build-test/times.md.
set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source=tools/packages.sh
. tools/packages.sh

thorough=no
for argument in "$@"; do
  case "$argument" in
    --thorough) thorough=yes ;;
    *) sed -n '2,6s/^# \?//p' "$0" && exit 2 ;;
  esac
done

need_to_test
# Debian 13 has no clang-format-16; that the form is right on 12 is enough.
form=no
if [ "${CI:-}" = true ] && ! (. /etc/os-release && [ "${VERSION_ID:-}" = 13 ]); then
  form=yes
  need clang-format-16 command -v clang-format-16
fi
[ "$thorough" = no ] || need clang-tidy-16 command -v clang-tidy-16
install_missing
# From here on between the start and the end of the servers, which leave this variable.
[ -n "${UNUM_TEST_CA:-}" ] || exec python3 tests/with-servers.py ./test.sh "$@"

# ccache may use precompiled headers only when it is told that their time stamps do not matter.
export CCACHE_SLOPPINESS=pch_defines,time_macros
# One more than there are processors: what waits for a server leaves its own to others.
export MESON_TESTTHREADS=$(($(nproc) + 1))
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

# start_spare NAME COMMAND...: runs it in the background, on what the tests leave of the processors. In a
# session of its own, since the scheduler first shares the processors among sessions.
start_spare() {
  spare_log=$PWD/build-test/$1.log
  shift
  export -f build
  setsid bash -ec 'renice -n 19 $$ || true; echo 19 >/proc/self/autogroup || true; "$@"' -- "$@" \
    >"$spare_log" 2>&1 &
  spare=$!
}
# Waits for its end.
end_spare() {
  local status=0
  wait "$spare" || status=$?
  spare=
  [ "$status" -eq 0 ] || cat "$spare_log"
  rm "$spare_log"
  return "$status"
}
spare=
trap '[ -z "$spare" ] || kill -- "-$spare" 2>/dev/null || true' EXIT

# run_tests DIRECTORY RESULTS MESON-TEST-ARGUMENT...
run_tests() {
  local directory=$1 name=$2
  shift 2
  mkdir -p "$results/$name"
  # The sum at the end says what failed; one failure does not keep the other tests from running.
  UNUM_TEST_RESULTS="$results/$name" meson test -C "$directory" --no-rebuild --print-errorlogs \
    "$@" || failed_runs+=("$name")
}

# run_with_waits DIRECTORY RESULTS ARGUMENTS-OF-WAITS ARGUMENTS-OF-THE-OTHERS: the same; what is of the suite
# `waits` one by one beside the others.
run_with_waits() {
  local directory=$1 name=$2 of_waits of_others waits
  read -ra of_waits <<<"$3"
  read -ra of_others <<<"$4"
  (
    failed_runs=()
    run_tests "$directory" "$name" --num-processes 1 --logbase testlog-waits --suite waits \
      "${of_waits[@]}"
    [ ${#failed_runs[@]} -eq 0 ]
  ) >"$directory/waits.log" 2>&1 &
  waits=$!
  run_tests "$directory" "$name" --no-suite waits "${of_others[@]}"
  wait "$waits" || failed_runs+=("$name, what waits")
  cat "$directory/waits.log"
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
ccache=$(command -v ccache || true)
# Not optimised, apart from what only computes: that takes a third of the time to build.
CC="$ccache clang$clang" CXX="$ccache clang++$clang" start_spare build-clang build build-clang \
  test-programs -Dwerror=true -Db_sanitize=address,undefined -Db_lundef=false -Doptimization=0 \
  -Ddebug=true
step "Testing the release build"
run_with_waits build-test release "" ""
step "Testing the applications on epoll"
UNUM_REACTOR=epoll run_tests build-test release-epoll --suite app

step "Building with clang and its address and undefined-behaviour sanitizers, what is left of it"
end_spare
step "Testing with the sanitizers"
run_with_waits build-clang asan "--no-suite chaos --no-suite network --timeout-multiplier 3" \
  "--suite programs --timeout-multiplier 3"

if [ "${CI:-}" = true ]; then
  step "Form"
  run_plain lint form tools/lint.sh format
fi

if [ "$thorough" = yes ]; then
  step "Testing the applications with the sanitizers"
  ninja -C build-clang
  run_tests build-clang asan-apps --suite app --suite logic --suite chaos --no-suite programs \
    --timeout-multiplier 3
  step "Testing the applications with the sanitizers on epoll"
  UNUM_REACTOR=epoll run_tests build-clang asan-epoll --suite app --suite network \
    --timeout-multiplier 3
  step "clang-tidy"
  run_plain lint clang-tidy tools/lint.sh tidy build-test
fi

step "Sum"
code=0
python3 tests/run-test.py times "$results" >build-test/times.md
python3 tests/run-test.py sum "$results" >"$results.txt" || code=1
# A test that ended without leaving a count (killed at its time limit, say) is a failure too.
if [ ${#failed_runs[@]} -gt 0 ] && [ "$code" -eq 0 ]; then
  code=1
fi
cat "$results.txt"
exit "$code"
