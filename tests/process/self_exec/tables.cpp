// SPDX-License-Identifier: MIT
// Static objects of another unit, constructed at run time, without joblot.
#include "tables.hpp"

#include <map>
#include <string>

std::map<std::string, long> const table = {{"forty", 40}, {"two", 2}};

// GCC and clang construct it before all objects without a priority.
[[gnu::init_priority(65000)]] std::string const early = "long enough to be on the heap, and early";
