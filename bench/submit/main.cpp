// SPDX-License-Identifier: MIT
#include "submit/submit.hpp"

int main(int argc, char** argv) {
  bench::parse(argc, argv);
  bench::Comparison comparison{"submit"};
  comparison.add({.name = "submit", .unit = "ns", .per_second = 1e9, .absolute = true});
  bench::add_joblot(comparison);
  bench::add_openmp(comparison);
  bench::add_onetbb(comparison);
  bench::add_std_async(comparison);
  return comparison.run();
}
