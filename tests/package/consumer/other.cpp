// SPDX-License-Identifier: MIT
#include <cmath>
#include <cstddef>
#include <vector>

#include <joblot/joblot.hpp>

std::size_t tasks_run_elsewhere(std::size_t n) {
  std::vector tasks(n, joblot::delayed<double(double)>(std::sqrt)(2.0));
  return joblot::Parallel(2)(tasks).size();
}
