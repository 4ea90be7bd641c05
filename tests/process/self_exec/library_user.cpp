// SPDX-License-Identifier: MIT
// A program without joblot that is linked with a library that uses it.
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

extern "C" int use_workers();

namespace {

// The library's slot goes before this, and has to come back to it.
std::vector<int> const numbers(100, 1);

}  // namespace

int main(int, char** argv) {
  if (std::string_view(argv[0]) == "joblot-worker") {
    std::puts("main was run in a worker");
    return 99;
  }
  return numbers.size() == 100 ? use_workers() : 2;
}
