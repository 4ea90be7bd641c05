// SPDX-License-Identifier: MIT
// delayed(f)(args...): a call written down now and made later, by whichever worker takes it.
#ifndef JOBLOT_DELAYED_HPP
#define JOBLOT_DELAYED_HPP

#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace joblot {
namespace detail {

/// How a kept argument is passed by a call that may be repeated.
template <class T>
struct RepeatableArgument {
  using type = T const&;
};
template <class T>
struct RepeatableArgument<std::reference_wrapper<T>> {
  using type = T&;
};
/// How a task travels to a worker process.
template <class T>
struct Parcel;

template <class T>
using repeatable_argument_t = typename RepeatableArgument<T>::type;

}  // namespace detail

inline namespace v1 {

/// A function and its arguments, kept by value: a task. Made by `delayed(f)(args...)`.
///
/// Called as an rvalue it moves f and the arguments into the call, once; called as a const lvalue
/// it passes them as `const&` and can be called again. A `std::reference_wrapper` argument arrives
/// as the `T&` it stands for, so its referent must outlive the call. Called by `std::invoke`.
template <class F, class... Args>
class DelayedCall {
 public:
  template <class G, class... As>
  explicit DelayedCall(std::in_place_t, G&& function, As&&... arguments)
      : function_(std::forward<G>(function)), arguments_(std::forward<As>(arguments)...) {}

  decltype(auto) operator()() &&
      requires std::is_invocable_v<F, std::unwrap_reference_t<Args>...>
  {
    return std::apply(
        [this](auto&... arguments) -> decltype(auto) {
          return std::invoke(std::move(function_),
                             static_cast<std::unwrap_reference_t<Args>&&>(arguments)...);
        },
        arguments_);
  }

  decltype(auto) operator()() const&
  requires std::is_invocable_v<F const&, detail::repeatable_argument_t<Args>...>
  {
    return std::apply(
        [this](auto&... arguments) -> decltype(auto) {
          return std::invoke(function_,
                             static_cast<detail::repeatable_argument_t<Args>>(arguments)...);
        },
        arguments_);
  }

 private:
  friend struct detail::Parcel<DelayedCall>;

  F function_;
  std::tuple<Args...> arguments_;
};

}  // namespace v1

namespace detail {

/// `delayed(f)`, waiting for its arguments.
template <class F>
class Delayed {
 public:
  template <class G>
  explicit Delayed(std::in_place_t, G&& function) : function_(std::forward<G>(function)) {}

  template <class... Args>
  [[nodiscard]] auto operator()(Args&&... arguments) && {
    return make(std::move(function_), std::forward<Args>(arguments)...);
  }

  template <class... Args>
  [[nodiscard]] auto operator()(Args&&... arguments) const& {
    return make(function_, std::forward<Args>(arguments)...);
  }

 private:
  template <class G, class... Args>
  static auto make(G&& function, Args&&... arguments) {
    static_assert(
        std::is_invocable_v<F, std::unwrap_reference_t<std::decay_t<Args>>...> ||
            std::is_invocable_v<F const&, repeatable_argument_t<std::decay_t<Args>>...>,
        "joblot::Task is not satisfied: the arguments given to delayed(f)(arguments...) do not "
        "fit f; note that default arguments of a function are not seen (use a lambda)");
    return DelayedCall<F, std::decay_t<Args>...>(std::in_place, std::forward<G>(function),
                                                 std::forward<Args>(arguments)...);
  }

  F function_;
};

}  // namespace detail

inline namespace v1 {

/// `delayed(f)(args...)` writes down the call f(args...) as a task; nothing runs yet.
/// f and the arguments are decay-copied or moved; `std::ref(x)` passes x itself.
template <class F>
requires(!std::is_function_v<F>)
[[nodiscard]] auto delayed(F&& function) {
  return detail::Delayed<std::decay_t<F>>(std::in_place, std::forward<F>(function));
}

/// `delayed<double(double)>(std::sqrt)(2.0)` picks one overload of a function.
template <class Signature>
requires std::is_function_v<Signature>
[[nodiscard]] auto delayed(Signature* function) {
  return detail::Delayed<Signature*>(std::in_place, function);
}

}  // namespace v1
}  // namespace joblot

#endif
