// SPDX-License-Identifier: MIT
// expect: Task
#include <joblot/joblot.hpp>

int answer() { return 42; }

#ifdef JOBLOT_TEST_CORRECTED
auto const results = joblot::Parallel(2)(joblot::delayed(answer)(), joblot::delayed(answer)());
#else
auto const results = joblot::Parallel(2)(joblot::delayed(answer)(), answer());
#endif
