// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace bench {

/// The cheapest body whose sum still tells a skipped or a repeated element: one mixing step.
inline std::uint64_t mix(std::uint64_t i) {
  i *= 0x9E3779B97F4A7C15u;
  return i ^ (i >> 32);
}

/// A chain of dependent multiplications. Compiled once, in a file of its own, so that every peer
/// runs the same instructions whatever the compiler made of the loop around it.
std::uint64_t burn(std::uint32_t iterations, std::uint64_t seed);

/// How many iterations of `burn` take this long on an undisturbed core. Measured once a process.
std::uint32_t iterations_for(double seconds);

/// One row of the set on [-2, 1] x [-1.5, 1.5]; writes the number of steps of each pixel.
void mandelbrot_row(std::size_t row, std::size_t height, std::span<std::uint16_t> pixels);

}  // namespace bench
