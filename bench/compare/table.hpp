// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace bench {

/// Prints a Markdown table, given column by column with the heads first; the first column is text,
/// the others are figures.
inline void print_markdown(std::vector<std::vector<std::string>> const& columns) {
  std::vector<std::size_t> widths;
  for (auto const& column : columns) {
    std::size_t width = 3;
    for (auto const& cell : column) width = (std::max)(width, cell.size());
    widths.push_back(width);
  }
  for (std::size_t line = 0; line < columns.front().size(); ++line) {
    fmt::print("| {:<{}} |", columns[0][line], widths[0]);
    for (std::size_t c = 1; c < columns.size(); ++c)
      fmt::print(" {:>{}} |", columns[c][line], widths[c]);
    fmt::print("\n");
    if (line != 0) continue;
    fmt::print("|:{:-<{}}|", "", widths[0] + 1);
    for (std::size_t c = 1; c < columns.size(); ++c) fmt::print("{:-<{}}:|", "", widths[c] + 1);
    fmt::print("\n");
  }
}

}  // namespace bench
