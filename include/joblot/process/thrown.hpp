// SPDX-License-Identifier: MIT
// What can be said about any exception, whatever its type.
#ifndef JOBLOT_PROCESS_THROWN_HPP
#define JOBLOT_PROCESS_THROWN_HPP

#include <cstdlib>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>

#include <cxxabi.h>

namespace joblot::detail {

struct Thrown {
  std::type_info const* type = nullptr;  // exact
  std::string text;                      // what() or, of a number or a string, its value
  std::exception_ptr nested;             // null if there is none
};

/// What `what()` says, which is foreign code: it may throw or return null.
inline std::string text_of(std::exception const& exception) {
  char const* text = nullptr;
  try {
    text = exception.what();
  } catch (...) {
    return "(its what() throws)";
  }
  return text != nullptr ? text : "(its what() returns a null pointer)";
}

/// The value of what was thrown, if it is one of these types.
template <class T, class... Others>
std::string text_of_value(std::exception_ptr const& error) {
  try {
    std::rethrow_exception(error);
  } catch (std::conditional_t<std::is_pointer_v<T>, T, T const&> value) {
    // A pointer by value: for a reference to it clang 16 looks in the wrong place if the exception
    // was thrown by rethrow_exception.
    if constexpr (std::is_same_v<T, bool>) {
      return value ? "true" : "false";
    } else if constexpr (std::is_arithmetic_v<T>) {
      return std::to_string(value);
    } else if constexpr (std::is_pointer_v<T>) {
      return value != nullptr ? value : "(a null pointer)";
    } else {
      return std::string(value);
    }
  } catch (...) {
  }
  if constexpr (sizeof...(Others) > 0) return text_of_value<Others...>(error);
  return {};
}

/// `error` must not be null. Throws nothing but `std::bad_alloc`.
inline Thrown examine(std::exception_ptr const& error) {
  Thrown thrown;
  bool has_what = true;
  try {
    std::rethrow_exception(error);
  } catch (std::exception const& exception) {
    thrown.type = abi::__cxa_current_exception_type();
    thrown.text = text_of(exception);
  } catch (...) {
    thrown.type = abi::__cxa_current_exception_type();
    has_what = false;
  }
  if (!has_what) {
    thrown.text =
        text_of_value<char const*, std::string, std::string_view, int, unsigned, long,
                      unsigned long, long long, unsigned long long, double, float, bool>(error);
  }
  try {
    std::rethrow_exception(error);
  } catch (std::nested_exception const& nesting) {
    thrown.nested = nesting.nested_ptr();
  } catch (...) {  // nothing is nested
  }
  return thrown;
}

/// A type as a person would write it, without the wrapper of `std::throw_with_nested`.
inline std::string printed_name(std::type_info const& type) {
  if (type == typeid(std::string)) return "std::string";
  int status = 0;
  std::unique_ptr<char, decltype(&std::free)> const demangled(
      abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), &std::free);
  std::string_view name = demangled ? demangled.get() : type.name();
  for (std::string_view const wrapper : {"std::_Nested_exception<", "std::__nested<"}) {
    if (!name.starts_with(wrapper) || !name.ends_with('>')) continue;
    name.remove_prefix(wrapper.size());
    name.remove_suffix(1);
    if (name.ends_with(' ')) name.remove_suffix(1);
    if (name.ends_with(" const")) name.remove_suffix(6);
  }
  return std::string(name);
}

}  // namespace joblot::detail

#endif
