#!/bin/sh
# The same result from coreutils alone: reference.sh TOP FILE... prints the JSON that the
# application must give. `echo` ends each file with a line end, so that no word spans two files;
# `sed` drops the empty line that `tr -s` leaves where a text begins with something else.
set -eu
export LC_ALL=C
top=$1
shift
for file; do
  cat "$file"
  echo
done | tr -cs 'A-Za-z' '\n' | tr A-Z a-z | sed '/^$/d' | sort | uniq -c | sort -k1,1nr -k2 |
  awk -v top="$top" '
    { words += $1 }
    NR <= top { list = list (NR > 1 ? ", " : "") "[\"" $2 "\", " $1 "]" }
    END { printf "{\"words\": %d, \"distinct\": %d, \"top\": [%s]}\n", words, NR, list }'
