# SPDX-License-Identifier: MIT
# Sourced by the tests of the examples. Their first argument is the program; they run in an empty
# folder of their own.
# shellcheck shell=bash

program=$(realpath "$1")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
output=""
status=0

fail() {
  printf 'FAILED: %s\n--- the last run ended with %s after writing:\n%s\n' "$1" "$status" "$output" >&2
  exit 1
}

# run ARGUMENT...: sets $status, and $output to what goes to stdout and stderr.
run() {
  status=0
  output=$("$program" "$@" 2>&1) || status=$?
}

expect_status() {
  ((status == $1)) || fail "expected the exit status $1"
}

# expect REGEX...: each is found in a line of the output.
expect() {
  local regex
  for regex in "$@"; do
    grep -qE -e "$regex" <<< "$output" || fail "nothing matches: $regex"
  done
}

# expect_equal ACTUAL EXPECTED
expect_equal() {
  [[ $1 == "$2" ]] || fail "got: $1
expected: $2"
}
