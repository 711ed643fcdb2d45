#!/bin/sh
# checkValuesExist of 1,000 names from Node beside C: the median of each run's calls, in turn.
#
# UNUM_LIBRARY: libunum.so.1. Arguments: store type and name (default: fs in a directory that is removed).
set -eu
cd "$(dirname "$0")"
: "${UNUM_LIBRARY:?must name libunum.so.1}"
UNUM_LIBRARY=$(realpath "$UNUM_LIBRARY")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
ln -s "$UNUM_LIBRARY" "$scratch/libunum.so.1"
export LD_LIBRARY_PATH="$scratch${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
UNUM_NODE_ADDON=$(node ../build.mjs --library "$UNUM_LIBRARY" --out "$scratch")
export UNUM_NODE_ADDON
cc -O2 -I../../../include check_values.c "$UNUM_LIBRARY" -o "$scratch/check_values"
type=${1:-fs}
name=${2:-$scratch/store}
for round in 1 2 3 4 5; do
  from_c=$("$scratch/check_values" "$type" "$name" 200)
  from_node=$(node check_values.mjs "$type" "$name" 200)
  echo "$round: C $from_c us, Node $from_node us, $(awk "BEGIN { printf \"%.2f\", $from_node / $from_c }")x"
done
