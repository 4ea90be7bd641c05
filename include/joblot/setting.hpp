// SPDX-License-Identifier: MIT
// One option as the user gave it: left out, none, or a value.
#ifndef JOBLOT_SETTING_HPP
#define JOBLOT_SETTING_HPP

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace joblot {
namespace detail {

/// Any integer a user may write, kept as it is until its range is checked.
class AnyInteger {
 public:
  template <std::integral I>
  requires(!std::same_as<I, bool>)
  constexpr AnyInteger(I value)  // NOLINT(google-explicit-constructor): options are written as is
      : negative_(value < 0),
        magnitude_(negative_ ? 0 - static_cast<std::uint64_t>(value)
                             : static_cast<std::uint64_t>(value)) {}

  [[nodiscard]] constexpr bool negative() const noexcept { return negative_; }
  [[nodiscard]] constexpr std::uint64_t magnitude() const noexcept { return magnitude_; }

  [[nodiscard]] std::string text() const {
    return (negative_ ? "-" : "") + std::to_string(magnitude_);
  }

 private:
  bool negative_;
  std::uint64_t magnitude_;
};

/// A number or a text, for options such as `batch_size` that take both.
class NumberOrText {
 public:
  template <class I>
  requires std::convertible_to<I, AnyInteger> && std::integral<I>
  constexpr NumberOrText(I number) : value_(AnyInteger(number)) {}  // NOLINT
  template <class S>
  requires(std::convertible_to<S, std::string_view> && !std::same_as<S, std::nullptr_t>)
  NumberOrText(S const& text) : value_(std::string(std::string_view(text))) {}  // NOLINT

  [[nodiscard]] AnyInteger const* number() const noexcept {
    return std::get_if<AnyInteger>(&value_);
  }
  [[nodiscard]] std::string const* text() const noexcept {
    return std::get_if<std::string>(&value_);
  }

 private:
  std::variant<AnyInteger, std::string> value_;
};

/// `bool`, and nothing that merely converts to it: a pointer or a number is a mistake here.
class Flag {
 public:
  template <std::same_as<bool> B>
  constexpr Flag(B value) : value_(value) {}  // NOLINT(google-explicit-constructor)
  [[nodiscard]] constexpr bool value() const noexcept { return value_; }

 private:
  bool value_;
};

template <class T>
struct KeptSetting {
  using type = T;
};
template <>
struct KeptSetting<int> {
  using type = AnyInteger;
};
template <>
struct KeptSetting<bool> {
  using type = Flag;
};

}  // namespace detail

inline namespace v1 {

/// An option: left out (the innermost scope that sets it decides, else the default),
/// `std::nullopt` (none, whatever the scopes say), or a value. `Setting<int>` takes any integer
/// type and keeps the value as it is: it is checked, never narrowed. A floating value, or a number
/// where a `bool` is meant, does not compile.
template <class T>
class Setting {
 public:
  using value_type = typename detail::KeptSetting<T>::type;

  Setting() = default;
  Setting(std::nullopt_t /*none*/) : none_(true) {}  // NOLINT(google-explicit-constructor)
  template <class U>
  requires(std::convertible_to<U &&, value_type> && !std::same_as<std::remove_cvref_t<U>, Setting>)
  Setting(U&& value)  // NOLINT(google-explicit-constructor): options are written as plain values
      : value_(std::in_place, std::forward<U>(value)) {}

  /// Whether it was not left out.
  [[nodiscard]] bool is_set() const noexcept { return none_ || value_.has_value(); }
  /// Whether it is a value.
  [[nodiscard]] bool has_value() const noexcept { return value_.has_value(); }
  /// The value; there must be one.
  [[nodiscard]] value_type const& value() const { return *value_; }

 private:
  std::optional<value_type> value_;
  bool none_ = false;
};

}  // namespace v1
}  // namespace joblot

#endif
