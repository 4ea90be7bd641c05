#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/check.sh"

run --n-jobs 4 --verbose 1
expect_status 0
expect 'Using backend AsyncBackend with 4 concurrent workers' \
  '^40 tasks, threads: [2-4], the caller among them: true$'

run --n-jobs 4 --backend threading --verbose 1
expect_status 0
expect 'Using backend ThreadingBackend' '^40 tasks, threads: [2-4], '

run --backend sequential
expect_status 0
expect '^40 tasks, threads: 1, the caller among them: true$'

run --backend nobody
expect_status 2
expect 'Allowed: .*"async".*"threading"'

run --check
expect_status 0
expect '^([0-9]+) of \1 checks passed$'
