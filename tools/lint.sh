#!/bin/bash
# Holds the C++ to .clang-format and .clang-tidy. In CI it is part of the tests.
#
# Usage: tools/lint.sh format              which files have another form (fix: clang-format-16 -i)
#        tools/lint.sh tidy BUILD [FILE]   clang-tidy with the compile commands in BUILD, over all
#                                          of src/ or over one file
# The build may be one of GCC, whose warning options clang does not all know.
# Both want version 16: others form and find other things.
set -euo pipefail
cd "$(dirname "$0")/.."

cpp_files() { find "$@" \( -name '*.cpp' -o -name '*.hpp' \) -print0 | sort -z; }

case "${1:-}" in
  format)
    cpp_files include src tests bench examples | xargs -0 clang-format-16 --dry-run --Werror
    ;;
  tidy)
    build=${2:?BUILD is missing}
    if [ -n "${3:-}" ]; then
      exec clang-tidy-16 --quiet --extra-arg=-Wno-unknown-warning-option -p "$build" "$3"
    fi
    find src -name '*.cpp' -print0 | sort -z |
      xargs -0 -n 4 -P "$(nproc)" clang-tidy-16 --quiet \
        --extra-arg=-Wno-unknown-warning-option -p "$build"
    ;;
  *)
    sed -n '2,8s/^# \?//p' "$0" && exit 2
    ;;
esac
