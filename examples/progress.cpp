// SPDX-License-Identifier: MIT
// How far is it? A callback of one's own, or the bar that comes with the library.
#include <chrono>
#include <random>
#include <ranges>
#include <thread>

#include <fmt/format.h>

#include <joblot/joblot.hpp>

#include "common.hpp"

/// Stands for a download: mostly waiting, for 10 to 50 ms. More workers than CPUs help here.
void download(int item) {
  std::minstd_rand engine(static_cast<unsigned>(item) + 1);
  std::uniform_int_distribution<int> distribution(10, 50);
  std::this_thread::sleep_for(std::chrono::milliseconds(distribution(engine)));
}

/// Calls come one at a time, some 20 a second at most, and once more at the end.
void show(joblot::Progress const& progress) {
  fmt::print("{} of {} done after {:.1f} s", progress.completed, progress.total.value_or(0),
             progress.elapsed.count());
  if (progress.remaining) fmt::print(", {:.1f} s to go", progress.remaining->count());
  fmt::print("\n");
}

int main(int argc, char** argv) {
  CLI::App app("Shows how far a call is: by a callback, or with --progress-bar by a bar");
  joblot::Options options;
  int count = 200;
  examples::add_options(app, options);
  examples::add_progress_bar(app, options);
  app.add_option("--count", count, "number of tasks")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);

  return examples::run(app, argc, argv, [&] {
    if (!options.progress_bar.has_value()) options.on_progress = show;
    joblot::Parallel(options).for_each(std::views::iota(0, count), download);
  });
}
