// SPDX-License-Identifier: MIT
// The name of a type as its author would write it, and whether it is that of a lambda.
#ifndef JOBLOT_SERIALIZATION_TYPE_NAME_HPP
#define JOBLOT_SERIALIZATION_TYPE_NAME_HPP

#include <string>
#include <string_view>

namespace joblot::detail {

template <class T>
consteval std::string_view raw_type_name() {
  std::string_view text = __PRETTY_FUNCTION__;
#ifdef __clang__
  text.remove_prefix(text.find("[T = ") + 5);
  text.remove_suffix(1);
#else
  text.remove_prefix(text.find("[with T = ") + 10);
  text = text.substr(0, text.rfind("; std::string_view"));
#endif
  return text;
}

/// Whether `T` is the type of a lambda. No trait of the standard tells; its name does.
template <class T>
consteval bool is_lambda() {
  constexpr auto name = raw_type_name<T>();
#ifdef __clang__
  auto const begin = name.rfind("(lambda at ");
  return begin != name.npos && name.find(')', begin) == name.size() - 1;
#else
  // "f()::<lambda(int)>", but not "f()::<lambda(int)>::Local".
  auto const begin = name.rfind("<lambda(");
  return begin != name.npos && name.ends_with(")>") && name.find(")>", begin) == name.size() - 2;
#endif
}

/// A name made by `raw_type_name`, with std::string spelt in full made short again.
inline std::string pretty_type_name(std::string_view raw) {
  std::string name(raw);
  for (std::string_view const longer :
       {"std::__cxx11::basic_string<char>", "std::basic_string<char>"}) {
    for (auto at = name.find(longer); at != name.npos; at = name.find(longer, at)) {
      name.replace(at, longer.size(), "std::string");
    }
  }
  // Where a standard library keeps its types, apart from its users' names for them.
  for (std::string_view const inner : {"__cxx11::", "__debug::", "__1::"}) {
    for (auto at = name.find(inner); at != name.npos; at = name.find(inner, at)) {
      name.erase(at, inner.size());
    }
  }
  return name;
}

template <class T>
std::string type_name() {
  return pretty_type_name(raw_type_name<T>());
}

}  // namespace joblot::detail

#endif
