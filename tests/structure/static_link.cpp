// SPDX-License-Identifier: MIT
// A program without shared libraries, where weak symbols of the thread library used to be missing.
#include <stdexcept>

#include "check.hpp"

int main() {
  check(sum_of_squares() == expected_sum);

  bool caught = false;
  try {
    joblot::Parallel(2).for_each(std::views::iota(0, 10), [](int i) {
      if (i == 7) throw std::runtime_error("seven");
    });
  } catch (std::runtime_error const&) {
    caught = true;
  }
  check(caught);
}
