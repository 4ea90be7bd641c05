// SPDX-License-Identifier: MIT
#include "../check.hpp"
#include "sides.hpp"

int right_sum() { return sum_of_squares(); }

int right_sum_of(int (*f)(int), int n) {
  auto const values = joblot::Parallel(2).map(std::views::iota(0, n), f);
  return std::accumulate(values.begin(), values.end(), 0);
}
