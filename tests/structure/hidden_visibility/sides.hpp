// SPDX-License-Identifier: MIT
// All that the two libraries show.
#ifndef JOBLOT_TESTS_STRUCTURE_SIDES_HPP
#define JOBLOT_TESTS_STRUCTURE_SIDES_HPP

[[gnu::visibility("default")]] int left_sum();
[[gnu::visibility("default")]] int left_sum_of(int (*f)(int), int n);
[[gnu::visibility("default")]] void left_throws();
[[gnu::visibility("default")]] int right_sum();
[[gnu::visibility("default")]] int right_sum_of(int (*f)(int), int n);

#endif
