// SPDX-License-Identifier: MIT
// What can stand in the way of a type, and the questions that are asked about it.
#ifndef JOBLOT_SERIALIZATION_FLAW_HPP
#define JOBLOT_SERIALIZATION_FLAW_HPP

#include <any>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>

#include <joblot/serialization/known_type.hpp>

namespace joblot {
namespace detail {
struct DecideByRules {};
}  // namespace detail

inline namespace v1 {

/// A user's word on whether `T` may travel, given by a specialisation:
/// `template <> inline constexpr bool joblot::enable_shippable<Mine> = true;`
/// true: `T` is trivially copyable and may travel by its bytes. false: `T` is never sent, and no
/// template is tried on it to find out. Not specialised: the rules of `Shippable` decide.
template <class T>
inline constexpr auto enable_shippable = detail::DecideByRules{};

}  // namespace v1

namespace detail {

template <class T>
inline constexpr bool opted_in = [] {
  if constexpr (std::is_same_v<decltype(enable_shippable<T>), DecideByRules const>) {
    return false;
  } else {
    return static_cast<bool>(enable_shippable<T>);
  }
}();
template <class T>
inline constexpr bool opted_out =
    !std::is_same_v<decltype(enable_shippable<T>), DecideByRules const> && !opted_in<T>;

/// Why a type cannot travel; `reasons.hpp` has the words.
enum class Problem {
  none,
  opted_out,
  not_trivially_copyable,
  raw_pointer,
  reference,
  view,
  writable_view,
  writable_reference,
  read_reference,
  type_erased,
  capturing_lambda,
  incomplete,
  pointer_to_array,
  pointer_to_void,
  deleter,
  weak_pointer,
  helper_with_state,
  not_default_constructible,
  half_cereal,
  inherited_cereal,
  union_type,
  base_class,
  too_many_members,
  not_brace_constructible,
  not_an_aggregate,
  no_result,
};

/// The first thing that stands in the way, found depth first.
struct Flaw {
  Problem problem = Problem::none;
  std::string_view type = {};   // that has the problem
  std::string_view owner = {};  // the aggregate it is a member of, if it is one
  std::size_t member = 0;       // counted from 1

  [[nodiscard]] constexpr explicit operator bool() const { return problem != Problem::none; }
};

template <class T>
concept Complete = requires { sizeof(T); };

template <class T>
inline constexpr bool is_reference_wrapper = false;
template <class T>
inline constexpr bool is_reference_wrapper<std::reference_wrapper<T>> = true;
template <class T>
inline constexpr bool is_read_reference = false;
template <class T>
inline constexpr bool is_read_reference<std::reference_wrapper<T const>> = true;

template <class T>
inline constexpr bool is_span = false;
template <class T, std::size_t extent>
inline constexpr bool is_span<std::span<T, extent>> = true;
template <class T>
inline constexpr bool is_writable_span = false;
template <class T, std::size_t extent>
inline constexpr bool is_writable_span<std::span<T, extent>> = !std::is_const_v<T>;
template <class T>
inline constexpr bool is_string_view = false;
template <class C, class Traits>
inline constexpr bool is_string_view<std::basic_string_view<C, Traits>> = true;

template <class T>
inline constexpr bool is_std_function = std::is_same_v<T, std::any>;
template <class Signature>
inline constexpr bool is_std_function<std::function<Signature>> = true;

template <class T>
inline constexpr bool is_weak_pointer = false;
template <class T>
inline constexpr bool is_weak_pointer<std::weak_ptr<T>> = true;
template <class T>
inline constexpr bool has_own_deleter = false;
template <class T, class D>
inline constexpr bool has_own_deleter<std::unique_ptr<T, D>> =
    !std::is_same_v<D, std::default_delete<T>>;

template <class T>
inline constexpr bool is_known = Known<T>::as != KnownAs::nothing;

/// An object that is nothing but its type: a captureless lambda, std::less<>, std::monostate.
template <class T>
inline constexpr bool is_nothing = std::is_empty_v<T> && std::is_trivially_copyable_v<T>;

}  // namespace detail
}  // namespace joblot

#endif
