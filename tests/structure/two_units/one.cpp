// SPDX-License-Identifier: MIT
#include <every_header.hpp>

#include "../check.hpp"

int sum_in_one() { return sum_of_squares(); }
