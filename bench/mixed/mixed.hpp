// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <thread>
#include <vector>

#include "compare/comparison.hpp"

/// Tasks that wait: 1500 of 1 ms, 256 of 100 ms, 1500 of 1 ms. Batches that grow on the first must
/// not hold up the second. Ideal is what the tasks really took, divided by the number of workers.
namespace bench {

struct Nap {
  std::chrono::milliseconds duration;

  /// Seconds it took.
  double operator()() const {
    auto const start = std::chrono::steady_clock::now();
    std::this_thread::sleep_for(duration);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
};

inline std::vector<Nap> naps() {
  using std::chrono::milliseconds;
  std::size_t const scale = settings().quick ? 32 : 1;
  std::vector<Nap> tasks(1500 / scale, Nap{milliseconds{1}});
  tasks.insert(tasks.end(), 256 / scale, Nap{milliseconds{100}});
  tasks.insert(tasks.end(), 1500 / scale, Nap{milliseconds{1}});
  return tasks;
}

/// `run(tasks)` gives the durations of all tasks.
template <class Run>
Sample distance_to_ideal(Run const& run) {
  std::vector<Nap> const tasks = naps();
  auto const start = std::chrono::steady_clock::now();
  std::vector<double> const durations = run(tasks);
  std::chrono::duration<double> const time = std::chrono::steady_clock::now() - start;
  if (durations.size() != tasks.size()) throw WrongResult{"a nap is missing"};
  double sum = 0;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    if (durations[i] < std::chrono::duration<double>(tasks[i].duration).count())
      throw WrongResult{"a nap was too short, or is not in its place"};
    sum += durations[i];
  }
  return {time.count(), time.count() / (sum / settings().n_jobs)};
}

void add_hand_made(Comparison& comparison);
void add_joblot(Comparison& comparison);

}  // namespace bench
