#!/bin/bash
# From a fresh Debian to a result: installs what is missing, builds, counts the words of real text
# in 1,000 parallel branches, and proves the counts against coreutils.
#
# Usage: ./demo.sh [--bytes N] [--chunks N]   (default: 20,000,000 bytes of text in 1,000 chunks)
set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source=tools/packages.sh
. tools/packages.sh

bytes=20000000
chunks=1000
top=20
while [ $# -gt 0 ]; do
  case "$1" in
    --bytes) bytes=$2 && shift 2 ;;
    --chunks) chunks=$2 && shift 2 ;;
    *) sed -n '2,5s/^# \?//p' "$0" && exit 2 ;;
  esac
done

app=examples/word-count
scratch=build/demo

phase_names=()
phase_seconds=()
started=$EPOCHREALTIME
# phase NAME: ends the phase that has run since the last call, under that name.
phase() {
  local now=$EPOCHREALTIME
  phase_names+=("$1")
  phase_seconds+=("$(awk -v from="$started" -v to="$now" 'BEGIN { printf "%.2f", to - from }')")
  started=$EPOCHREALTIME
}

need_to_build
install_missing
phase "install what is missing"

mkdir -p "$scratch"
if [ ! -f build/build.ninja ]; then
  # Only what the demo needs; ./test.sh builds the tests in directories of its own.
  meson setup build -Dtests=false >"$scratch/setup.log" 2>&1 ||
    { cat "$scratch/setup.log" >&2 && exit 1; }
fi
echo "Building in build/ ..."
ninja -C build unum >"$scratch/build.log" || { tail -n 60 "$scratch/build.log" >&2 && exit 1; }
phase "build"

python3 "$app/make_input.py" --bytes "$bytes" --chunks "$chunks" --top "$top" \
  >"$scratch/input.json"
python3 - "$scratch" <<'PYTHON'
import json, os, sys
given = json.load(open(sys.argv[1] + "/input.json"))
with open(sys.argv[1] + "/files", "w") as names:
    names.write("\0".join(given["files"]))
size = sum(os.path.getsize(name) for name in given["files"])
print(f"\nText: {len(given['files'])} files of this machine, {size / 1e6:.1f} MB, "
      f"in {given['chunks']} chunks.")
PYTHON
phase "choose the text"

# Earlier demonstrations are of no use to anyone.
rm -rf "$app"/.unum/store/demo-*
session=demo-$(date +%s)
echo "unum run $app --input @$scratch/input.json --session $session"
build/unum run "$app" --input "@$scratch/input.json" --session "$session" >"$scratch/result.json"
phase "run the word count"

mapfile -d '' files <"$scratch/files"
"$app/reference.sh" "$top" "${files[@]}" >"$scratch/reference.json"
phase "count again with tr | sort | uniq -c"

python3 - "$scratch" <<'PYTHON'
import json, sys
scratch = sys.argv[1]
result = json.load(open(scratch + "/result.json"))
reference = json.load(open(scratch + "/reference.json"))
print(f"\n{result['words']:,} words, {result['distinct']:,} of them distinct. The most frequent:")
for word, count in result["top"][:10]:
    print(f"  {count:>10,}  {word}")
if result != reference:
    sys.exit("\nWRONG: coreutils count otherwise, see " + scratch + "/reference.json")
print("\nProved: tr | sort | uniq -c give the same numbers.")
PYTHON

printf '\nHow long it took:\n'
for i in "${!phase_names[@]}"; do
  printf '  %-38s %8s s\n' "${phase_names[$i]}" "${phase_seconds[$i]}"
done
