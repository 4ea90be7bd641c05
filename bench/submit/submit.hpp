// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "compare/comparison.hpp"
#include "kernels/kernels.hpp"

/// Tasks of next to no work, each handed over by itself and each with a result: what is left is the
/// price of a task.
namespace bench {

/// `run(n)` makes and runs n tasks and gives their results mix(0) .. mix(n - 1), in order.
template <class Run>
Sample price_of_task(std::size_t n, Run const& run) {
  if (settings().quick) n /= 20;
  auto const start = std::chrono::steady_clock::now();
  auto const results = run(n);
  std::chrono::duration<double> const time = std::chrono::steady_clock::now() - start;
  if (results.size() != n) throw WrongResult{"results are missing"};
  for (std::size_t i = 0; i < n; ++i)
    if (results[i] != mix(i)) throw WrongResult{"a result is not in its place"};
  return {time.count() / static_cast<double>(n)};
}

void add_std_async(Comparison& comparison);
void add_openmp(Comparison& comparison);
void add_onetbb(Comparison& comparison);
void add_joblot(Comparison& comparison);

}  // namespace bench
