#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/check.sh"

for arguments in "--n-jobs 1" "--n-jobs 2" "--n-jobs 4" "--n-jobs -1" "--backend sequential"; do
  # shellcheck disable=SC2086 # several words
  run $arguments
  expect_status 0
  expect '^list: +0 1 2 3 4 5 6 7 8 9$' '^generator: +0 1 2 3 4 5 6 7 8 9$'
  unordered=$(sed -n 's/^generator_unordered: *//p' <<< "$output")
  expect_equal "$(tr ' ' '\n' <<< "$unordered" | sort | tr '\n' ' ')" "0 1 2 3 4 5 6 7 8 9 "
done

run --n-jobs 2 --verbose 10
expect_status 0
expect '^\[Parallel\(n_jobs=2\)\]: Using backend ThreadingBackend with 2 concurrent workers\.$' \
  '^\[Parallel\(n_jobs=2\)\]: Done 10 out of 10 \| elapsed: .* finished$'

if [[ -c /dev/full ]]; then
  status=0
  output=$("$program" 2>&1 > /dev/full) || status=$?
  expect_status 1
  expect 'cannot write to stdout: '
fi
