#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# options.sh PROGRAM [ARGUMENT...]: what all examples share: help, and clear words about mistakes.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/check.sh"
shift

run --help
expect_status 0
expect '^Usage: ' '--n-jobs' '--backend' '--verbose' '--help'

run "$@" --n-jobs 0
expect_status 2
expect 'n_jobs = 0 is not allowed. Allowed: '

run "$@" --n-jobs many
expect_status 2
expect '--n-jobs = many' '--help'

run "$@" --backend nobody
expect_status 2
expect 'backend = "nobody" is unknown. Allowed: .*"sequential", "threading"'

run "$@" --verbose -1
expect_status 2
expect 'verbose = -1'

run "$@" --no-such-option
expect_status 2
expect '--no-such-option'
