// SPDX-License-Identifier: MIT
// Sizes in bytes written as text, such as "1.4M", for the option `max_nbytes`.
#ifndef JOBLOT_BYTE_SIZE_HPP
#define JOBLOT_BYTE_SIZE_HPP

#include <charconv>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <string_view>
#include <system_error>

#include <joblot/error.hpp>
#include <joblot/quote_text.hpp>

namespace joblot::detail {

/// Number of bytes that `text` stands for: decimal digits, at most one point among them, then
/// nothing, K, M or G (1024, 1024^2, 1024^3 bytes); truncated to whole bytes. No sign, no exponent,
/// no blanks. Whole numbers are exact. Throws `InvalidOption` for anything else and for what no
/// `std::size_t` holds; its text names the option `max_nbytes`, the value and what is allowed.
inline std::size_t parse_byte_size(std::string_view text) {
  auto const fail = [text](char const* problem) {
    throw InvalidOption("max_nbytes = " + quote_text(text) + " " + problem +
                        ". Allowed: a number of bytes, or a text of digits with an optional point "
                        "and one of the units K, M and G (upper case, powers of 1024), such as "
                        "\"1.4M\" or \"512\".");
  };

  std::string_view number = text;
  int shift = 0;
  if (!number.empty()) {
    switch (number.back()) {
      case 'K':
        shift = 10;
        break;
      case 'M':
        shift = 20;
        break;
      case 'G':
        shift = 30;
        break;
      default:
        break;
    }
    if (shift != 0) number.remove_suffix(1);
  }
  // std::from_chars alone would take a sign, "inf" and "nan".
  if (number.find_first_of("0123456789") == std::string_view::npos ||
      number.find_first_not_of("0123456789.") != std::string_view::npos) {
    fail("is not a size");
  }

  char const* const end = number.data() + number.size();
  if (number.find('.') == std::string_view::npos) {
    std::size_t whole = 0;
    auto const result = std::from_chars(number.data(), end, whole);
    if (result.ec != std::errc{} || whole > (std::numeric_limits<std::size_t>::max() >> shift)) {
      fail("is too large");
    }
    return whole << shift;
  }

  double value = 0;
  auto const result = std::from_chars(number.data(), end, value, std::chars_format::fixed);
  if (result.ptr != end) fail("is not a size");  // a second point
  if (result.ec != std::errc{}) {
    // Without an exponent in the text only a leading zero tells "too small" from "too large".
    if (number.find_first_of("123456789") < number.find('.')) fail("is too large");
    return 0;
  }
  value = std::ldexp(value, shift);
  if (value >= std::ldexp(1.0, std::numeric_limits<std::size_t>::digits)) fail("is too large");
  return static_cast<std::size_t>(value);
}

}  // namespace joblot::detail

#endif
