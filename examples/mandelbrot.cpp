// SPDX-License-Identifier: MIT
// A picture whose rows cost very different times, each computed in its place.
#include <array>
#include <cerrno>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <ranges>
#include <string>
#include <system_error>
#include <vector>

#include <fmt/format.h>
#define STB_IMAGE_WRITE_IMPLEMENTATION  // NOLINT(readability-identifier-naming): stb's name
#include <stb/stb_image_write.h>

#include <joblot/joblot.hpp>

#include "common.hpp"

using Pixel = std::array<std::uint8_t, 3>;

/// Black where z = z * z + c stays near 0, else a colour that tells how soon it leaves.
Pixel color_of(double c_real, double c_imag) {
  constexpr int most_steps = 2000;
  double real = 0;
  double imag = 0;
  for (int step = 0; step < most_steps; ++step) {
    double const norm = real * real + imag * imag;
    if (norm > 100) {
      double const smooth = step - std::log2(std::log2(norm));
      auto const channel = [&](double phase) {
        return static_cast<std::uint8_t>(127.5 - 127.5 * std::cos(0.2 * smooth + phase));
      };
      return {channel(0.3), channel(0), channel(-0.8)};
    }
    imag = 2 * real * imag + c_imag;
    real = 2 * real * real - norm + c_real;
  }
  return {0, 0, 0};
}

void check(std::ofstream const& file, std::string const& path) {
  if (!file) throw std::system_error(errno, std::generic_category(), "cannot write " + path);
}

void append_to_file(void* file, void* bytes, int count) {
  static_cast<std::ofstream*>(file)->write(static_cast<char const*>(bytes), count);
}

int main(int argc, char** argv) {
  CLI::App app("Draws the Mandelbrot set, row by row, and writes it as a PNG");
  joblot::Options options;
  std::string output = "mandelbrot.png";
  int size = 1200;
  examples::add_options(app, options);
  examples::add_progress_bar(app, options);
  app.add_option("--output", output, "where the picture goes")->capture_default_str();
  app.add_option("--size", size, "width and height in pixels")
      ->capture_default_str()
      ->check(CLI::Range(1, 20000));

  return examples::run(app, argc, argv, [&] {
    joblot::Parallel const parallel(options);
    std::ofstream file(output, std::ios::binary);
    check(file, output);  // before the work, not after it

    auto const width = static_cast<std::size_t>(size);
    std::vector<Pixel> image(width * width);
    // Rows through the middle take a hundred times as long as those at the edge; nothing has to be
    // said about that, because workers take what is left. Nobody else writes to a task's row.
    parallel.for_each(std::views::iota(0, size), [&](int y) {
      auto* const row = &image[static_cast<std::size_t>(y) * width];
      for (int x = 0; x < size; ++x) {
        row[x] = color_of(-2.05 + 2.6 * (x + 0.5) / size, 1.3 - 2.6 * (y + 0.5) / size);
      }
    });

    stbi_write_png_to_func(append_to_file, &file, size, size, 3, image.data(), 3 * size);
    file.close();
    check(file, output);
    fmt::print("{} x {} pixels in {}\n", size, size, output);
  });
}
