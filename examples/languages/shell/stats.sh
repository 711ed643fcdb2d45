#!/bin/sh
# Count, sum, smallest and largest, by awk: the input is JSON on stdin, the result JSON on stdout.
set -eu
tr -d '[] \n' | tr ',' '\n' | awk '
  NR == 1 { min = max = $1 }
  { sum += $1; if ($1 < min) min = $1; if ($1 > max) max = $1 }
  END { printf "{\"count\": %d, \"sum\": %d, \"min\": %d, \"max\": %d}\n", NR, sum, min, max }'
