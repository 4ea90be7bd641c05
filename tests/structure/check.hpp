// SPDX-License-Identifier: MIT
// What the programs of this folder share: a check without GoogleTest, which has static storage of
// its own, and one piece of parallel work with a known result.
#ifndef JOBLOT_TESTS_STRUCTURE_CHECK_HPP
#define JOBLOT_TESTS_STRUCTURE_CHECK_HPP

#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <ranges>
#include <source_location>
#include <vector>

#include <joblot/joblot.hpp>

inline void check(bool holds, std::source_location where = std::source_location::current()) {
  if (holds) return;
  std::fprintf(stderr, "%s:%u: does not hold\n", where.file_name(),
               static_cast<unsigned>(where.line()));
  std::_Exit(EXIT_FAILURE);
}

/// 0 + 1 + 4 + ... + 99², computed by tasks on two workers.
inline int sum_of_squares() {
  auto const squares =
      joblot::Parallel(2).map(std::views::iota(0, 100), [](int i) { return i * i; });
  return std::accumulate(squares.begin(), squares.end(), 0);
}

inline constexpr int expected_sum = 328350;

#endif
