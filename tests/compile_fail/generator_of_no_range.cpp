// SPDX-License-Identifier: MIT
// expect: joblot::TaskRange is not satisfied: the argument is no input range
#include <vector>

#include <joblot/joblot.hpp>

int answer() { return 42; }

#ifdef JOBLOT_TEST_CORRECTED
auto generator = joblot::Parallel(2).generator(std::vector{joblot::delayed(answer)()});
#else
auto generator = joblot::Parallel(2).generator(joblot::delayed(answer)());
#endif
