#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/check.sh"

# hex FILE FIRST COUNT: so many bytes from the offset FIRST on
hex() { od -An -v -tx1 -j "$2" -N "$3" "$1" | tr -d ' \n'; }

run --size 65 --n-jobs 2 --output two.png
expect_status 0
expect '^65 x 65 pixels in two.png$'
expect_equal "$(hex two.png 0 8)" 89504e470d0a1a0a     # the signature of a PNG
expect_equal "$(hex two.png 12 12)" 494844520000004100000041  # IHDR, width, height
expect_equal "$(hex two.png 24 2)" 0802                # eight bits, RGB
expect_equal "$(tail -c 12 two.png | od -An -v -tx1 | tr -d ' \n')" 0000000049454e44ae426082  # IEND
(($(wc -c < two.png) > 2000)) || fail "the picture is empty"

run --size 65 --n-jobs 1 --output one.png
expect_status 0
cmp one.png two.png || fail "the picture depends on the number of workers"

run --size 8 --progress-bar --output bar.png
expect_status 0
expect '100%.* 8/8 '

run --size 8 --output no/such/folder.png
expect_status 1
expect 'cannot write no/such/folder.png: No such file'

run --size 0
expect_status 2
expect '--size: .*0'

if [[ -c /dev/full ]]; then
  run --size 65 --output /dev/full
  expect_status 1
  expect 'cannot write /dev/full: No space left'
fi
