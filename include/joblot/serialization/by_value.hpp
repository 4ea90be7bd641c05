// SPDX-License-Identifier: MIT
// A promise about what a lambda captures.
#ifndef JOBLOT_SERIALIZATION_BY_VALUE_HPP
#define JOBLOT_SERIALIZATION_BY_VALUE_HPP

#include <concepts>
#include <functional>
#include <type_traits>
#include <utility>

#include <joblot/serialization/shippable.hpp>

namespace joblot {
namespace detail {

template <class F>
class ByValue {
 public:
  template <class G>
  constexpr explicit ByValue(std::in_place_t, G&& function)
      : function_(std::forward<G>(function)) {}

  template <class... A>
  requires std::invocable<F&, A...>
  constexpr decltype(auto) operator()(A&&... arguments) & {
    return std::invoke(function_, std::forward<A>(arguments)...);
  }
  template <class... A>
  requires std::invocable<F const&, A...>
  constexpr decltype(auto) operator()(A&&... arguments) const& {
    return std::invoke(function_, std::forward<A>(arguments)...);
  }
  template <class... A>
  requires std::invocable<F, A...>
  constexpr decltype(auto) operator()(A&&... arguments) && {
    return std::invoke(std::move(function_), std::forward<A>(arguments)...);
  }

 private:
  F function_;
};

}  // namespace detail

inline namespace v1 {

/// Wraps a lambda that captures so that it can go to another process, by its bytes: the promise,
/// which no compiler can check, is that it captures values only, with no address in them (no
/// reference, pointer, view, `this`). It is called as the lambda is. A callable that is not
/// trivially copyable (one that captures a std::string, say) does not compile: give the value as
/// an argument of the task.
template <class F>
[[nodiscard]] constexpr auto by_value(F&& function) {
  static_assert(std::is_trivially_copyable_v<std::decay_t<F>>,
                "joblot::by_value: this callable captures something that is not trivially copyable "
                "(a std::string, a container, a smart pointer), so its bytes alone cannot be sent. "
                "Pass that as an argument instead: joblot::delayed(f)(argument).");
  return detail::ByValue<std::decay_t<F>>(std::in_place, std::forward<F>(function));
}

template <class F>
inline constexpr bool enable_shippable<detail::ByValue<F>> = true;

}  // namespace v1
}  // namespace joblot

#endif
