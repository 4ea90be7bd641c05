// SPDX-License-Identifier: MIT
// expect: the first argument must be an input range
#include <ranges>

#include <joblot/joblot.hpp>

int square(int i) { return i * i; }

#ifdef JOBLOT_TEST_CORRECTED
auto const squares = joblot::Parallel(2).map(std::views::iota(0, 10), square);
#else
auto const squares = joblot::Parallel(2).map(10, square);
#endif
