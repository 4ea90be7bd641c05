// SPDX-License-Identifier: MIT
#include "../check.hpp"

int sum_in_one();
int sum_in_other();

int main() {
  check(sum_in_one() == expected_sum);
  check(sum_in_other() == expected_sum);
}
