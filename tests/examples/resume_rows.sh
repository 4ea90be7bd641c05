#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Killed in the middle, started again: every row is done once, none is half done.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/check.sh"

results() { find results -name '*.txt' | wc -l; }

# Four quick rows, and many that take a tenth of a second, more or less.
rows=(2 9 97 1147)
for _ in {1..24}; do rows+=(1000000000000037); done
printf 'number\n' > rows.csv
printf '%s,with a comment\r\n' "${rows[@]}" >> rows.csv
total=${#rows[@]}

"$program" rows.csv --n-jobs 2 > /dev/null 2>&1 &
running=$!
deadline=$((SECONDS + 40))
until [[ -d results ]] && (($(results) >= 5)); do
  kill -0 "$running" 2> /dev/null || fail "ended before it could be killed"
  ((SECONDS < deadline)) || { kill -KILL "$running"; fail "five rows take too long"; }
  sleep 0.01
done
kill -KILL "$running"
{ wait "$running" || status=$?; } 2> /dev/null
expect_status 137
done_before=$(results)
((done_before < total)) || fail "nothing is left to be done"
for file in results/*.txt; do
  grep -qE '^[0-9]+: [0-9]+$' "$file" || fail "$file is not whole"
done
echo garbage > "results/$total.txt.unfinished" # what a kill may leave

touch killed
run rows.csv --n-jobs 2
expect_status 0
expect "^$done_before rows were done before, $((total - done_before)) are left$" \
  "^$((total - done_before)) done, 0 failed$"
expect_equal "$(find results -name '*.txt' -newer killed | wc -l)" $((total - done_before))
expect_equal "$(results)" "$total"
expect_equal "$(find results -type f | wc -l)" "$total"
expect_equal "$(cat results/1.txt results/2.txt results/3.txt results/4.txt)" "2: 2
9: 3
97: 97
1147: 31"
for ((row = 5; row <= total; ++row)); do
  expect_equal "$(< "results/$row.txt")" "1000000000000037: 1000000000000037"
done

# Rows may be added. Bad ones do not stop the others, and are tried again.
printf '%s\n' 12x4 18446744073709551616 1 -6 "" 35 >> rows.csv
for _ in 1 2; do
  run rows.csv
  expect_status 1
  expect 'no results/29.txt: "12x4" is no whole number' 'no results/30.txt: "18446744073709551616"' \
    'no results/33.txt: ""' ' 5 failed$' 'correct the rows that failed'
done
expect "^$((total + 1)) rows were done before, 5 are left$"
expect_equal "$(< results/34.txt)" "35: 5"

run no_such.csv
expect_status 2
expect 'no_such.csv'
: > empty.csv
run empty.csv
expect_status 1
expect 'no header line in empty.csv'
