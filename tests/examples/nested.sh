#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/check.sh"

# most N_JOBS OUTER INNER: the number of tasks that ran at the same time
most() {
  run --n-jobs "$1" --outer "$2" --inner "$3"
  expect_status 0
  expect "^$2 x $3 tasks, sum $(($2 * ($2 - 1) * $3 * ($3 - 1) / 4))$" "^n_jobs $1, "
  at_most=$(sed -n 's/.*at most \([0-9]*\) tasks.*/\1/p' <<< "$output")
  ((at_most >= 1 && at_most <= $1)) || fail "more than n_jobs tasks at the same time"
}

most 1 3 10
most 2 8 30
most 4 8 30
((at_most > 1)) || fail "nothing was parallel"
most 4 1 60 # one outer task: all the help goes to the inner loop
((at_most > 1)) || fail "the inner loop was not parallel"
most 8 2 100
