#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/check.sh"

mkdir -p texts/deep/down texts/build texts/.git empty
printf 'One fish two fish,\nred FISH' > texts/first
printf 'blue-fish\n' > texts/deep/down/second
: > texts/deep/nothing
printf 'fish\0fish' > texts/binary
printf 'fish' | tee texts/build/skipped > texts/.git/skipped
ln -s first texts/link
ln -s .. texts/deep/circle

for arguments in "--n-jobs 1" "--n-jobs 4" "--backend sequential"; do
  # shellcheck disable=SC2086 # several words
  run $arguments --top 2 texts
  expect_status 0
  expect_equal "$output" "       4  fish
       1  two
5 different words in 3 texts; skipped: 1 binary, 0 unreadable"
done

run empty texts/first --top 0
expect_status 0
expect_equal "$output" "4 different words in 1 texts; skipped: 0 binary, 0 unreadable"

# Opens, but cannot be read from its beginning, not even by root.
if [[ -f /proc/self/mem ]]; then
  run texts/first /proc/self/mem
  expect_status 0
  expect ' in 1 texts; skipped: 0 binary, 1 unreadable$'
fi

run no/such/folder
expect_status 2
expect 'no/such/folder'

# The default: the licences and the sources.
run --progress-bar
expect_status 0
expect '^ +[0-9]+  the$' '^[0-9]{4,} different words in [0-9]{2,} texts; ' '100%'
