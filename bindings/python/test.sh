#!/bin/sh
# Tests the Python binding against the library that UNUM_LIBRARY names, offline, on both ports of the reactor.
#
# UNUM_REACTOR chooses one port; UNUM_TEST_REDIS (HOST:PORT) adds Redis; UNUM_TEST_AIOHTTP=1 a test beside aiohttp;
# UNUM_BINARY is the command to be packed; PYTHON the interpreter. What is made goes to UNUM_BINDINGS_BUILD or a
# temporary directory.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
: "${UNUM_LIBRARY:?is to be the path of libunum.so.1}"
python=${PYTHON:-python3}
if [ -n "${UNUM_BINDINGS_BUILD:-}" ]; then
  mkdir -p "$UNUM_BINDINGS_BUILD"
  TMPDIR=$(cd "$UNUM_BINDINGS_BUILD" && pwd)
else
  TMPDIR=$(mktemp -d)
  trap 'rm -rf "$TMPDIR"' EXIT
fi
UNUM_LIBRARY=$(realpath "$UNUM_LIBRARY")
export TMPDIR UNUM_LIBRARY PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$here"
cd "$here/tests"
result=0
for port in ${UNUM_REACTOR:-uring epoll}; do
  echo "python on $port:"
  UNUM_REACTOR=$port "$python" -W error::ResourceWarning -m unittest test_store test_ops test_runtime test_aio \
    test_application || result=1
done
echo "the package:"
"$python" -m unittest test_package || result=1
exit $result
