// SPDX-License-Identifier: MIT
#include <joblot/joblot.hpp>

#include "mixed/mixed.hpp"

void bench::add_joblot(Comparison& comparison) {
  comparison.add("mixed", "joblot", Kind::joblot, [] {
    return distance_to_ideal([](std::vector<Nap> const& tasks) {
      return joblot::Parallel{{.n_jobs = settings().n_jobs}}(tasks);
    });
  });
}
