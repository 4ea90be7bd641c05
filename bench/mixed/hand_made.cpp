// SPDX-License-Identifier: MIT
#include <atomic>

#include "hand_made/epoch_pool.hpp"
#include "mixed/mixed.hpp"

void bench::add_hand_made(Comparison& comparison) {
  comparison.add("mixed", "pool-dyn1", Kind::hand_made, [] {
    static EpochPool pool{settings().n_jobs};
    return distance_to_ideal([](std::vector<Nap> const& tasks) {
      std::vector<double> durations(tasks.size());
      std::atomic<std::size_t> next{0};
      pool.run([&](int) {
        for (std::size_t i; (i = next.fetch_add(1)) < tasks.size();) durations[i] = tasks[i]();
      });
      return durations;
    });
  });
}
