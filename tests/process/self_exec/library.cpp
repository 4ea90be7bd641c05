// SPDX-License-Identifier: MIT
// A library that starts workers for programs that know nothing of it.
#include <map>
#include <string>

#include "check.hpp"

namespace {

std::map<std::string, long> const library_table = {{"forty", 40}, {"two", 2}};

long task(long x) { return x + library_table.at("forty") + library_table.at("two"); }

}  // namespace

extern "C" [[gnu::visibility("default")]] int use_workers() {
  return self_exec::check_worker<&task>();
}
