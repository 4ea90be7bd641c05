#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/check.sh"

# The tools behind sanitizers keep memory that the program has given back.
count=300
[[ -z ${JOBLOT_SANITIZER:-} ]] || count=30

for arguments in "--n-jobs 1" "--n-jobs 2" "--n-jobs 2 --unordered"; do
  # shellcheck disable=SC2086 # several words
  run --count "$count" $arguments
  expect_status 0
  expect '^mean (9.99|10.00).*, deviation (2.99|3.00)' "^$count MiB went by, peak memory [0-9]+ MiB$"
  peak=$(sed -n 's/.*peak memory \([0-9]*\) MiB/\1/p' <<< "$output")
  [[ -n ${JOBLOT_SANITIZER:-} ]] || ((peak < 60)) || fail "$peak MiB are too many"
done

run --count 0
expect_status 2
expect '--count: .*0'
