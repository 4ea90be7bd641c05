// SPDX-License-Identifier: MIT
#include <thread>

#include "../check.hpp"
#include "sides.hpp"

namespace {

int square(int i) { return i * i; }
int right_sum_for(int) { return right_sum_of(square, 10); }

}  // namespace

int main() {
  check(left_sum() == expected_sum);
  check(right_sum() == expected_sum);
  check(sum_of_squares() == expected_sum);

  // A call of one library inside a task of the other.
  check(left_sum_of(right_sum_for, 4) == 4 * 285);

  // Both at once.
  std::jthread beside([] { check(left_sum() == expected_sum); });
  check(right_sum() == expected_sum);
  beside.join();

  // The exception's type is the same on both sides of the border.
  bool caught = false;
  try {
    left_throws();
  } catch (joblot::TimeoutError const& error) {
    caught = error.index() == 7;
  }
  check(caught);
}
