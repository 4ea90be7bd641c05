// SPDX-License-Identifier: MIT
// More data than memory would hold: a generator keeps only a few blocks ahead of who uses them up.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <ranges>
#include <vector>

#include <fmt/format.h>
#include <sys/resource.h>

#include <joblot/joblot.hpp>

#include "common.hpp"

constexpr std::size_t block_size = 131'072;  // numbers: 1 MiB

/// A block of normally distributed numbers that depends on nothing but its index.
std::vector<double> make_block(std::uint64_t index) {
  std::mt19937_64 engine(index);
  std::normal_distribution<double> distribution(10, 3);
  std::vector<double> block(block_size);
  for (auto& number : block) number = distribution(engine);
  return block;
}

/// The most memory this process has had, in MiB.
double peak_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;  // Linux counts in KiB
}

int main(int argc, char** argv) {
  CLI::App app("Mean and deviation of a stream of random numbers that is never held in memory");
  joblot::Options options;
  std::uint64_t count = 2048;
  bool unordered = false;
  examples::add_options(app, options);
  examples::add_progress_bar(app, options);
  app.add_option("--count", count, "blocks of 1 MiB")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_flag("--unordered", unordered,
               "take blocks as they get ready; sums are rounded in another order each time");

  return examples::run(app, argc, argv, [&] {
    joblot::Parallel const parallel(options);
    auto const tasks =
        std::views::iota(std::uint64_t{0}, count) | std::views::transform([](std::uint64_t index) {
          return joblot::delayed(make_block)(index);
        });

    double sum = 0;
    double squares = 0;
    // A block that has been looked at is gone when the next one comes. If this loop is slower than
    // the workers, they wait for it.
    auto blocks = unordered ? parallel.generator_unordered(tasks) : parallel.generator(tasks);
    for (auto const& block : blocks) {
      for (double const number : block) {
        sum += number;
        squares += number * number;
      }
    }

    auto const numbers = static_cast<double>(count * block_size);
    double const mean = sum / numbers;
    fmt::print("mean {:.3f}, deviation {:.3f}\n", mean, std::sqrt(squares / numbers - mean * mean));
    fmt::print("{} MiB went by, peak memory {:.0f} MiB\n", count, peak_memory());
  });
}
