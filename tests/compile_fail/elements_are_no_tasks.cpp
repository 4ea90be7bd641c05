// SPDX-License-Identifier: MIT
// expect: joblot::Task is not satisfied: an element of the range is not callable without arguments
#include <vector>

#include <joblot/joblot.hpp>

int answer() { return 42; }

#ifdef JOBLOT_TEST_CORRECTED
std::vector const tasks(3, joblot::delayed(answer)());
#else
std::vector const tasks(3, answer());
#endif

auto const results = joblot::Parallel(2)(tasks);
