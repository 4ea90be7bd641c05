// SPDX-License-Identifier: MIT
// What a task is, how an element of a range is run, and what it returns.
#ifndef JOBLOT_TASK_HPP
#define JOBLOT_TASK_HPP

#include <concepts>
#include <functional>
#include <ranges>
#include <type_traits>
#include <utility>
#include <variant>

namespace joblot {
inline namespace v1 {

/// A callable without arguments, with the value category it is run with:
/// `Task<T>` is run once as an rvalue, `Task<T const&>` as a const lvalue, as often as wanted.
template <class T>
concept Task = std::invocable<T>;

}  // namespace v1

namespace detail {

template <class R>
inline constexpr bool is_owning_view = false;
template <class R>
inline constexpr bool is_owning_view<std::ranges::owning_view<R>> = true;

/// Whether the elements of the range belong to the call, so that its tasks may be moved from.
template <class R>
inline constexpr bool owns_elements = is_owning_view<std::views::all_t<R>>;

/// How the element `*it` of type `Reference` is run as a task.
template <class Reference, bool owned>
using run_as_t = std::conditional_t<std::is_lvalue_reference_v<Reference> && !owned,
                                    std::remove_reference_t<Reference> const&,
                                    std::remove_reference_t<Reference>>;

template <class R>
using task_of_t = run_as_t<std::ranges::range_reference_t<std::views::all_t<R>>, owns_elements<R>>;

/// What is kept of a call's result: decayed, and `monostate` for void.
template <class T>
using stored_t = std::conditional_t<std::is_void_v<T>, std::monostate, std::decay_t<T>>;

}  // namespace detail

inline namespace v1 {

/// An input range whose elements are tasks.
template <class R>
concept TaskRange =
    std::ranges::input_range<R> && std::ranges::viewable_range<R> && Task<detail::task_of_t<R>>;

}  // namespace v1

namespace detail {

/// Runs an element of a task range; `owned` says that an lvalue may be moved from.
template <bool owned>
struct RunTask {
  template <class T>
  decltype(auto) operator()(T&& task) const {
    if constexpr (std::is_lvalue_reference_v<T> && !owned) {
      return std::invoke(std::as_const(task));
    } else {
      return std::invoke(static_cast<std::remove_reference_t<T>&&>(task));
    }
  }
};

/// f(x) for each element, as const: it is called from several threads at once.
template <class F>
struct Apply {
  F const& function;
  template <class T>
  decltype(auto) operator()(T&& element) const {
    return std::invoke(function, std::forward<T>(element));
  }
};

}  // namespace detail
}  // namespace joblot

#endif
