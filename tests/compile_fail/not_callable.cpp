// SPDX-License-Identifier: MIT
// expect: joblot::Task is not satisfied: an argument is neither a range nor callable
#include <joblot/joblot.hpp>

int answer() { return 42; }

#ifdef JOBLOT_TEST_CORRECTED
auto const results = joblot::Parallel(2)(joblot::delayed(answer)(), joblot::delayed(answer)());
#else
auto const results = joblot::Parallel(2)(joblot::delayed(answer)(), answer());
#endif
