// SPDX-License-Identifier: MIT
// expect: TaskRange
#include <vector>

#include <joblot/joblot.hpp>

int answer() { return 42; }

#ifdef JOBLOT_TEST_CORRECTED
std::vector const tasks(3, joblot::delayed(answer)());
#else
std::vector const tasks(3, answer());
#endif

auto const results = joblot::Parallel(2)(tasks);
