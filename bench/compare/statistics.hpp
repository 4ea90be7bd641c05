// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace bench {

/// The value below which the share `q` of `values` lies, interpolated. `values` is not empty.
inline double quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  double const at = q * static_cast<double>(values.size() - 1);
  auto const low = static_cast<std::size_t>(at);
  std::size_t const high = (std::min)(low + 1, values.size() - 1);
  return values[low] + (values[high] - values[low]) * (at - static_cast<double>(low));
}

inline double median(std::vector<double> const& values) { return quantile(values, 0.5); }

/// Round by round: `above[r] / below[r]`.
inline std::vector<double> ratios(std::vector<double> const& above,
                                  std::vector<double> const& below) {
  std::vector<double> result;
  for (std::size_t r = 0; r < (std::min)(above.size(), below.size()); ++r)
    result.push_back(above[r] / below[r]);
  return result;
}

}  // namespace bench
