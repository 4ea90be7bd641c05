// SPDX-License-Identifier: MIT
// The first example of joblib's manual, and the three forms in which a call returns its results.
#include <cmath>
#include <ranges>
#include <vector>

#include <fmt/format.h>

#include <joblot/joblot.hpp>

#include "common.hpp"

int main(int argc, char** argv) {
  CLI::App app(
      "Square roots of ten squares: as a list, as a generator, and in order of completion");
  joblot::Options options;
  examples::add_options(app, options);

  return examples::run(app, argc, argv, [&] {
    using joblot::delayed;
    joblot::Parallel const parallel(options);
    auto const tasks = std::views::iota(0, 10) | std::views::transform([](int i) {
                         return delayed<double(double)>(std::sqrt)(i * i);
                       });

    // All of them, in order, when the last one is ready.
    std::vector<double> const roots = parallel(tasks);
    fmt::print("list:                {}\n", fmt::join(roots, " "));

    // In order, each as soon as it is ready: memory holds a few, not all of them.
    fmt::print("generator:          ");
    for (double const root : parallel.generator(tasks)) fmt::print(" {}", root);

    // Whichever is ready: nothing waits for a slow task before it.
    fmt::print("\ngenerator_unordered:");
    auto unordered = parallel.generator_unordered(tasks);
    while (auto const root = unordered.next()) fmt::print(" {}", *root);
    fmt::print("\n");
  });
}
