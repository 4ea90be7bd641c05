// SPDX-License-Identifier: MIT
// f is shared by all workers, so it may not change between calls.
// expect: std::invocable is not satisfied: f must be callable with an element of the range, as
// const
#include <vector>

#include <joblot/joblot.hpp>

std::vector<int> numbered(std::vector<int> const& numbers) {
#ifdef JOBLOT_TEST_CORRECTED
  auto const f = [offset = 1](int number) { return offset + number; };
#else
  auto const f = [offset = 1](int number) mutable { return offset++ + number; };
#endif
  return joblot::Parallel(2).map(numbers, f);
}
