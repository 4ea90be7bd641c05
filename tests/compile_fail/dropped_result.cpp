// SPDX-License-Identifier: MIT
// A generator that nobody keeps would be closed at once, and the work thrown away.
// expect: nodiscard
#include <vector>

#include <joblot/joblot.hpp>

void start(std::vector<joblot::DelayedCall<int (*)()>> const& tasks) {
  joblot::Parallel const parallel(2);
#ifdef JOBLOT_TEST_CORRECTED
  auto generator =
#endif
      parallel.generator(tasks);
}
