// SPDX-License-Identifier: MIT
#include <every_header_backwards.hpp>

#include "../check.hpp"

int sum_in_other() { return sum_of_squares(); }
