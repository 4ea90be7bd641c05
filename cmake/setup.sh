# SPDX-License-Identifier: MIT
# Sourced by the run scripts: which Debian packages they need, and how to get them.
# shellcheck shell=bash disable=SC2034

build_packages=(build-essential cmake ninja-build pkg-config libfmt-dev libcereal-dev)
test_packages=(libgtest-dev)
example_packages=(libcli11-dev libstb-dev)
bench_packages=(libbenchmark-dev libtbb-dev)
clang_packages=(clang-16 libclang-rt-16-dev libomp-16-dev)
lint_packages=(clang-format-16 clang-tidy-16)

# install_packages NAME...: does nothing, without a network, when all of them are there.
install_packages() {
  local package missing=() as_root=()
  if ! command -v dpkg-query > /dev/null; then
    echo "This is no Debian: make sure to have what these packages contain: $*" >&2
    return 0
  fi
  for package in "$@"; do
    [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2> /dev/null) == installed ]] ||
      missing+=("$package")
  done
  ((${#missing[@]} > 0)) || return 0
  echo "Installing ${missing[*]}"
  ((EUID == 0)) || as_root=(sudo)
  "${as_root[@]}" apt-get update
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install --yes --no-install-recommends "${missing[@]}"
}
