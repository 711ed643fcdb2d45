#!/bin/bash
# Proves the wraps and the static command: builds it without a network, every library from the
# tarball that fill-packagecache.sh finds among the distribution's source packages, and runs it.
#
# Usage: subprojects/prove-wraps.sh [RELEASE...]   (default: bookworm trixie: together they have most)
# Takes some minutes and is no part of test.sh. What it builds in build-wraps/ must run one of the
# examples to its documented result and need no shared library.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() { echo "prove-wraps: $*" >&2 && exit 1; }
[ $# -gt 0 ] || set -- bookworm trixie
subprojects/fill-packagecache.sh "$@"

# The wraps whose tarball is there now; all else stays the system's.
wraps=
for wrap in subprojects/*.wrap; do
  file=subprojects/packagecache/$(sed -n 's/^source_filename = //p' "$wrap")
  [ ! -f "$file" ] || wraps+=,$(basename "$wrap" .wrap)
done
for name in curl hiredis libdeflate pugixml simdjson; do
  [[ $wraps, == *,$name,* ]] || fail "none of these releases has the tarball of $name: $*"
done

rm -rf build-wraps
log=$(mktemp)
trap 'rm -f "$log"' EXIT
{ meson setup build-wraps -Dprefer_static=true -Dtests=false --wrap-mode=nodownload \
  "--force-fallback-for=${wraps#,}" && ninja -C build-wraps unum; } >"$log" 2>&1 ||
  { tail -n 40 "$log" >&2 && fail "build-wraps does not build"; }
echo "build-wraps/unum is built, with these from their wraps: ${wraps#,}"

! ldd build-wraps/unum 2>/dev/null | grep '=>' || fail "build-wraps/unum is not static"
result=$(UNUM_WORKERS=src/workers/shims build-wraps/unum run examples/fold --quiet --store memory \
  --input @examples/fold/input.json)
cmp <(python3 -m json.tool <<<"$result") <(python3 -m json.tool examples/fold/expected.json) ||
  fail "examples/fold gave $result"
echo "It needs no shared library and runs examples/fold."
