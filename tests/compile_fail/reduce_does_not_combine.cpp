// SPDX-License-Identifier: MIT
// transform makes numbers of words; what combines them gets numbers.
// expect: combine must take two values of the type of init
#include <functional>
#include <string>
#include <vector>

#include <joblot/joblot.hpp>

std::size_t length(std::string const& text) { return text.size(); }

std::size_t total_length(std::vector<std::string> const& words) {
#ifdef JOBLOT_TEST_CORRECTED
  return joblot::Parallel(2).reduce(words, std::size_t{0}, std::plus<>(), length);
#else
  return joblot::Parallel(2).reduce(words, std::size_t{0}, length, length);
#endif
}
