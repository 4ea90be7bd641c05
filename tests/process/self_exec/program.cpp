// SPDX-License-Identifier: MIT
// A program of two units that starts itself as a worker; linked in many ways.
#include <cstdio>
#include <string>
#include <string_view>

#include <unistd.h>

#include "check.hpp"
#include "tables.hpp"

namespace {

struct Named {
  std::string name = "long enough to be on the heap, and constructed at run time";
};
Named const named;

long task(long x) {
  bool const all = named.name.size() > 10 && early.size() > 10;
  return x + table.at("forty") + table.at("two") + (all ? 0 : 1);
}

}  // namespace

// An argument is the name of this very file, to be deleted first.
int main(int argc, char** argv) {
  if (std::string_view(argv[0]) == joblot::detail::worker_name) {
    std::puts("main was run in a worker");
    return 99;
  }
  if (argc > 1 && ::unlink(argv[1]) != 0) return 2;
  return self_exec::check_worker<&task>();
}
