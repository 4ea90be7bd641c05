// SPDX-License-Identifier: MIT
#include <cstddef>
#include <vector>

#include <joblot/joblot.hpp>

std::size_t tasks_run_elsewhere(std::size_t n);

int main() {
  std::vector<int> const numbers{1, 2, 3};
  auto const doubled = joblot::Parallel(2).map(numbers, [](int i) { return 2 * i; });
  return doubled == std::vector{2, 4, 6} && tasks_run_elsewhere(5) == 5 ? 0 : 1;
}
