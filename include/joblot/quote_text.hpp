// SPDX-License-Identifier: MIT
// Makes text of unknown origin fit for an error message.
#ifndef JOBLOT_QUOTE_TEXT_HPP
#define JOBLOT_QUOTE_TEXT_HPP

#include <cstddef>
#include <string>
#include <string_view>

namespace joblot::detail {

/// `text` in double quotes, on one line: bytes that are not printable ASCII become '?', and what
/// is longer than `max_length` is cut and marked by "...". A message that goes to a terminal or a
/// log must not carry control sequences out of an environment variable or a configuration file.
inline std::string quote_text(std::string_view text, std::size_t max_length = 40) {
  std::string result = "\"";
  for (char const c : text.substr(0, max_length)) result += c >= ' ' && c <= '~' ? c : '?';
  result += '"';
  if (text.size() > max_length) result += "...";
  return result;
}

}  // namespace joblot::detail

#endif
