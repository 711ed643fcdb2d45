#!/bin/sh
# Builds the shared object that the function C is, with the header `unum/native.h` of this source
# tree, or of another place: build.sh [DIRECTORY-OF-INCLUDES].
set -eu
here=$(cd "$(dirname "$0")" && pwd)
include=${1:-$here/../../include}
exec "${CC:-cc}" -std=c11 -O2 -Wall -Wextra -fPIC -shared -fvisibility=hidden -I"$include" \
  -o "$here/c/libstats.so" "$here/c/stats.c"
