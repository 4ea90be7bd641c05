// SPDX-License-Identifier: MIT
#include "for_each/workloads.hpp"

int main(int argc, char** argv) {
  bench::parse(argc, argv);
  bench::Comparison comparison{"for_each"};
  bench::add_workloads(comparison);
  bench::add_joblot(comparison);
  bench::add_hand_made(comparison);
  bench::add_openmp(comparison);
  bench::add_onetbb(comparison);
  bench::add_std_async(comparison);
  bench::add_serial(comparison);
  return bench::settings().start_up.empty() ? comparison.run() : 0;
}
