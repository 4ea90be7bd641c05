// SPDX-License-Identifier: MIT
// How much of a message a value takes at least, and which values are no more than their bytes.
#ifndef JOBLOT_SERIALIZATION_BITS_HPP
#define JOBLOT_SERIALIZATION_BITS_HPP

#include <array>
#include <chrono>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>

#include <joblot/serialization/shippable.hpp>

namespace joblot::detail {

/// Any integer may become such an enum. Without a fixed underlying type there are values that it
/// is undefined to have.
template <class T>
concept FixedEnum = std::is_enum_v<T> && requires { T{std::underlying_type_t<T>{}}; };

template <class T>
struct Bits;

/// Whether any bytes of this size are a `T`, so that it may be copied out of a message unseen: not
/// so for a bool, which has two values out of 256. Asked only for types that can be sent.
template <class T>
inline constexpr bool is_bits = Bits<std::remove_cv_t<T>>::value;

template <class... M>
consteval bool all_are_bits(Types<M...>) {
  return (... && is_bits<M>);
}

template <class T>
consteval bool are_bits() {
  if constexpr (opted_in<T>) {
    return true;
  } else if constexpr (std::is_arithmetic_v<T>) {
    return !std::is_same_v<T, bool>;
  } else if constexpr (std::is_enum_v<T>) {
    return FixedEnum<T> && !std::is_same_v<std::underlying_type_t<T>, bool>;
  } else if constexpr (std::is_member_object_pointer_v<T>) {
    return true;  // an offset
  } else if constexpr (std::is_class_v<T> && !is_known<T> && std::is_aggregate_v<T> &&
                       std::is_trivially_copyable_v<T> && !std::is_empty_v<T>) {
    if constexpr (CerealType<T>) {
      return false;
    } else {
      return all_are_bits(field_types<T>());
    }
  } else {
    return false;
  }
}

template <class T>
struct Bits : std::bool_constant<are_bits<T>()> {};
template <class T, std::size_t length>
struct Bits<std::array<T, length>> : std::bool_constant<(length > 0) && is_bits<T>> {};
template <class T, std::size_t length>
struct Bits<T[length]> : std::bool_constant<is_bits<T>> {};
template <class T>
struct Bits<std::complex<T>> : std::bool_constant<std::is_floating_point_v<T>> {};
template <class Rep, class Period>
struct Bits<std::chrono::duration<Rep, Period>> : std::bool_constant<is_bits<Rep>> {};
template <class Clock, class Duration>
struct Bits<std::chrono::time_point<Clock, Duration>> : std::bool_constant<is_bits<Duration>> {};

/// Bytes of a message that a `T` takes at least; a claimed number of elements is held against it.
template <class T>
consteval std::size_t least_size();

template <class... M>
consteval std::size_t sum_of_least_sizes(Types<M...>) {
  return (std::size_t{0} + ... + least_size<std::remove_cv_t<M>>());
}

template <class T>
consteval std::size_t least_size() {
  if constexpr (is_bits<T>) {
    return sizeof(T);
  } else if constexpr (std::is_same_v<T, bool> || std::is_pointer_v<T> ||
                       std::is_member_function_pointer_v<T>) {
    return 1;
  } else if constexpr (std::is_enum_v<T>) {
    return sizeof(T);
  } else if constexpr (is_known<T>) {
    if constexpr (Known<T>::as == KnownAs::product) {
      constexpr auto sum = sum_of_least_sizes(typename Known<T>::parts{});
      if constexpr (std::is_array_v<T>) {
        return sum * std::extent_v<T>;
      } else if constexpr (requires { typename T::value_type; }) {
        return sum * std::tuple_size_v<T>;
      } else {
        return sum;
      }
    } else if constexpr (Known<T>::as == KnownAs::value || Known<T>::as == KnownAs::smart_pointer) {
      return 1;
    } else {
      return sizeof(std::uint64_t);
    }
  } else if constexpr (std::is_class_v<T> && std::is_aggregate_v<T> && !is_nothing<T>) {
    if constexpr (CerealType<T>) {
      return 0;
    } else {
      return sum_of_least_sizes(field_types<T>());
    }
  } else {
    return 0;
  }
}

}  // namespace joblot::detail

#endif
