// SPDX-License-Identifier: MIT
#include "kernels/kernels.hpp"

#include <algorithm>
#include <chrono>

namespace bench {

std::uint64_t burn(std::uint32_t iterations, std::uint64_t seed) {
  std::uint64_t x = seed + 1;
  for (std::uint32_t i = 0; i < iterations; ++i) x = x * 6364136223846793005u + (x >> 60);
  return x;
}

std::uint32_t iterations_for(double seconds) {
  static double const per_iteration = [] {
    constexpr std::uint32_t iterations = 1'000'000;
    double best = 1;
    for (int i = 0; i < 20; ++i) {
      auto const start = std::chrono::steady_clock::now();
      // The result must count for something, or the loop is gone.
      if (burn(iterations, static_cast<std::uint64_t>(i)) == 0) return 1e-9;
      std::chrono::duration<double> const time = std::chrono::steady_clock::now() - start;
      best = (std::min)(best, time.count() / iterations);
    }
    return best;
  }();
  return static_cast<std::uint32_t>(seconds / per_iteration) + 1;
}

void mandelbrot_row(std::size_t row, std::size_t height, std::span<std::uint16_t> pixels) {
  constexpr std::uint16_t most = 160;
  double const y0 = 3.0 * static_cast<double>(row) / static_cast<double>(height) - 1.5;
  for (std::size_t column = 0; column < pixels.size(); ++column) {
    double const x0 = 3.0 * static_cast<double>(column) / static_cast<double>(pixels.size()) - 2.0;
    double x = 0, y = 0;
    std::uint16_t steps = 0;
    while (steps < most && x * x + y * y <= 4) {
      double const next = x * x - y * y + x0;
      y = 2 * x * y + y0;
      x = next;
      ++steps;
    }
    pixels[column] = steps;
  }
}

}  // namespace bench
