// SPDX-License-Identifier: MIT
#include "stream/stream.hpp"

int main(int argc, char** argv) {
  bench::parse(argc, argv);
  bench::Comparison comparison{"stream"};
  comparison.add({.name = "stream",
                  .unit = "ns",
                  .per_second = 1e9,
                  .absolute = true,
                  .extra = {.name = "growth MB", .at_most = 50, .worst = true}});
  bench::add_joblot(comparison);
  bench::add_hand_made(comparison);
  bench::add_onetbb(comparison);
  return comparison.run();
}
