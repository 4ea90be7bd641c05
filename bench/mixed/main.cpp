// SPDX-License-Identifier: MIT
#include "mixed/mixed.hpp"

int main(int argc, char** argv) {
  bench::parse(argc, argv, {.n_jobs = 8});
  bench::Comparison comparison{"mixed"};
  comparison.add({.name = "mixed",
                  .unit = "ms",
                  .per_second = 1e3,
                  .absolute = true,
                  .extra = {.name = "time / ideal", .at_most = 1.05}});
  bench::add_joblot(comparison);
  bench::add_hand_made(comparison);
  return comparison.run();
}
