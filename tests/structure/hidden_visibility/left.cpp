// SPDX-License-Identifier: MIT
#include <stdexcept>

#include "../check.hpp"
#include "sides.hpp"

int left_sum() { return sum_of_squares(); }

int left_sum_of(int (*f)(int), int n) {
  auto const values = joblot::Parallel(2).map(std::views::iota(0, n), f);
  return std::accumulate(values.begin(), values.end(), 0);
}

void left_throws() {
  joblot::Parallel(2).for_each(std::views::iota(0, 10), [](int i) {
    if (i == 7) throw joblot::TimeoutError("left", 7);
  });
}
