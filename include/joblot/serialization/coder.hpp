// SPDX-License-Identifier: MIT
// How a value of each kind is written and read again.
#ifndef JOBLOT_SERIALIZATION_CODER_HPP
#define JOBLOT_SERIALIZATION_CODER_HPP

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include <joblot/serialization/archive.hpp>
#include <joblot/serialization/bits.hpp>

namespace joblot::detail {

/// `write(Encoder&, T const&)` and `read(Decoder&) -> T`. Values are returned, never assigned, so
/// that a type needs neither a default constructor nor an assignment.
template <class T>
struct Coder;

template <class T>
void write(Encoder& out, T const& value) {
  if constexpr (is_bits<T>) {
    out.bits(value);
  } else if constexpr (std::is_array_v<T>) {
    for (auto const& element : value) write(out, element);
  } else {
    Coder<T>::write(out, value);
  }
}

template <class T>
T read(Decoder& in) {
  if constexpr (is_bits<T>) {
    return in.bits<std::remove_cv_t<T>>();
  } else {
    return Coder<std::remove_cv_t<T>>::read(in);
  }
}

// Everything that no specialisation below or in containers.hpp and pointers.hpp takes.
template <class T>
struct Coder {
  static void write(Encoder& out, T const& value) {
    if constexpr (std::is_enum_v<T>) {
      detail::write(out, static_cast<std::underlying_type_t<T>>(value));
    } else if constexpr (is_nothing<T> && !CerealType<T>) {
    } else if constexpr (std::is_null_pointer_v<T>) {
    } else if constexpr (CerealType<T>) {
      Writer::Deeper const deeper(out);
      Writer::Inline const inlined(out);
      out.archive()(value);
    } else {
      with_fields(value, [&](auto const&... member) { (..., detail::write(out, member)); });
    }
  }

  static T read(Decoder& in) {
    if constexpr (std::is_enum_v<T>) {
      return static_cast<T>(detail::read<std::underlying_type_t<T>>(in));
    } else if constexpr (is_nothing<T> && !CerealType<T>) {
      return Reader::nothing<T>();
    } else if constexpr (std::is_null_pointer_v<T>) {
      return nullptr;
    } else if constexpr (CerealType<T>) {
      Reader::Deeper const deeper(in);
      Reader::Inline const inlined(in);
      T value{};
      in.archive()(value);
      return value;
    } else {
      return read_members(in, field_types<T>());
    }
  }

 private:
  template <class... M>
  static T read_members(Decoder& in, Types<M...>) {
    if constexpr ((... || std::is_array_v<M>)) {
      T value{};
      with_fields(value, [&](auto&... member) { (..., read_into(in, member)); });
      return value;
    } else {
      return T{detail::read<std::remove_cv_t<M>>(in)...};  // in braces: from left to right
    }
  }
};

template <>
struct Coder<bool> {
  static void write(Encoder& out, bool value) { out.bits(static_cast<unsigned char>(value)); }
  static bool read(Decoder& in) {
    auto const byte = in.bits<unsigned char>();
    if (byte > 1) throw BadMessage("A message has a bool that is neither true nor false.");
    return byte == 1;
  }
};

template <class Rep, class Period>
struct Coder<std::chrono::duration<Rep, Period>> {
  using Duration = std::chrono::duration<Rep, Period>;
  static void write(Encoder& out, Duration const& value) { detail::write(out, value.count()); }
  static Duration read(Decoder& in) { return Duration(detail::read<Rep>(in)); }
};

template <class Clock, class Duration>
struct Coder<std::chrono::time_point<Clock, Duration>> {
  using Point = std::chrono::time_point<Clock, Duration>;
  static void write(Encoder& out, Point const& value) {
    detail::write(out, value.time_since_epoch());
  }
  static Point read(Decoder& in) { return Point(detail::read<Duration>(in)); }
};

template <class T>
struct Coder<std::complex<T>> {
  static void write(Encoder& out, std::complex<T> const& value) {
    detail::write(out, value.real());
    detail::write(out, value.imag());
  }
  static std::complex<T> read(Decoder& in) {
    auto const real = detail::read<T>(in);
    return {real, detail::read<T>(in)};
  }
};

template <std::size_t length>
struct Coder<std::bitset<length>> {
  static void write(Encoder& out, std::bitset<length> const& value) { out.bits(value); }
  static std::bitset<length> read(Decoder& in) {
    // Bits beyond N must be zero in the object, whatever the message says.
    return in.bits<std::bitset<length>>() & std::bitset<length>().set();
  }
};

template <class A, class B>
struct Coder<std::pair<A, B>> {
  static void write(Encoder& out, std::pair<A, B> const& value) {
    detail::write(out, value.first);
    detail::write(out, value.second);
  }
  static std::pair<A, B> read(Decoder& in) {
    return std::pair<A, B>{detail::read<A>(in), detail::read<B>(in)};
  }
};

template <class... T>
struct Coder<std::tuple<T...>> {
  static void write(Encoder& out, std::tuple<T...> const& value) {
    std::apply([&](auto const&... element) { (..., detail::write(out, element)); }, value);
  }
  static std::tuple<T...> read([[maybe_unused]] Decoder& in) {
    return std::tuple<T...>{detail::read<T>(in)...};
  }
};

template <class T>
struct Coder<std::optional<T>> {
  static void write(Encoder& out, std::optional<T> const& value) {
    detail::write(out, value.has_value());
    if (value) detail::write(out, *value);
  }
  static std::optional<T> read(Decoder& in) {
    if (!detail::read<bool>(in)) return std::nullopt;
    return std::optional<T>(detail::read<T>(in));
  }
};

template <class... T>
struct Coder<std::variant<T...>> {
  using Variant = std::variant<T...>;
  static void write(Encoder& out, Variant const& value) {
    if (value.valueless_by_exception()) {
      throw NotShippableError("A std::variant that lost its value to an exception cannot be sent.");
    }
    out.bits(static_cast<std::uint32_t>(value.index()));
    std::visit([&](auto const& alternative) { detail::write(out, alternative); }, value);
  }
  static Variant read(Decoder& in) { return read_from<0>(in, in.bits<std::uint32_t>()); }

 private:
  template <std::size_t at>
  static Variant read_from(Decoder& in, std::uint32_t index) {
    if constexpr (at == sizeof...(T)) {
      throw BadMessage("A message has a std::variant with an alternative that does not exist.");
    } else {
      if (index != at) return read_from<at + 1>(in, index);
      return Variant(std::in_place_index<at>,
                     detail::read<std::variant_alternative_t<at, Variant>>(in));
    }
  }
};

}  // namespace joblot::detail

#endif
