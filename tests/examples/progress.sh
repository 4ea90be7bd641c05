#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/check.sh"

for n_jobs in 1 8; do
  run --count 20 --n-jobs "$n_jobs"
  expect_status 0
  expect '^20 of 20 done after [0-9.]+ s'
  expect_equal "$(grep -vcE '^[0-9]+ of 20 done after [0-9.]+ s(, [0-9.]+ s to go)?$' <<< "$output")" 0
done

run --count 20 --progress-bar
expect_status 0
expect '^100% +20/20 .* elapsed 0:0'

# A closed stderr spoils the bar and nothing else.
status=0
output=$("$program" --count 3 --progress-bar 2>&-) || status=$?
expect_status 0
