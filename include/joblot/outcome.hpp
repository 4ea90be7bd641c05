// SPDX-License-Identifier: MIT
// What became of one task, where a failing task does not stop the others.
#ifndef JOBLOT_OUTCOME_HPP
#define JOBLOT_OUTCOME_HPP

#include <concepts>
#include <cstddef>
#include <exception>
#include <type_traits>
#include <utility>
#include <variant>

namespace joblot {
inline namespace v1 {

/// The result of a task or the exception it threw, with the task's submission index and the number
/// of attempts made. Owns both. `T` may be void.
template <class T>
class Outcome {
  using Stored = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

 public:
  using value_type = T;

  /// A success; `value` as the task returned it (nothing for void).
  template <class... Value>
  Outcome(std::size_t index, int attempts, std::in_place_t /*success*/, Value&&... value)
      : result_(std::in_place_index<0>, std::forward<Value>(value)...),
        index_(index),
        attempts_(attempts) {}

  /// A failure.
  Outcome(std::size_t index, int attempts, std::exception_ptr error)
      : result_(std::in_place_index<1>, std::move(error)), index_(index), attempts_(attempts) {}

  [[nodiscard]] bool has_value() const noexcept { return result_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }

  /// The result. Throws the task's exception, the same object, if it failed.
  decltype(auto) value() & { return get(*this); }
  decltype(auto) value() const& { return get(*this); }
  decltype(auto) value() && { return get(std::move(*this)); }

  /// The exception; null after a success.
  [[nodiscard]] std::exception_ptr error() const noexcept {
    auto const* error = std::get_if<1>(&result_);
    return error != nullptr ? *error : nullptr;
  }

  /// Submission index of the task.
  [[nodiscard]] std::size_t index() const noexcept { return index_; }
  /// How often the task was run: 1, more only if it was lost with its worker and run again.
  [[nodiscard]] int attempts() const noexcept { return attempts_; }

 private:
  template <class Self>
  static decltype(auto) get(Self&& self) {
    if (auto const* error = std::get_if<1>(&self.result_)) std::rethrow_exception(*error);
    if constexpr (!std::is_void_v<T>) {
      return std::get<0>(std::forward<Self>(self).result_);
    }
  }

  std::variant<Stored, std::exception_ptr> result_;
  std::size_t index_;
  int attempts_;
};

}  // namespace v1

namespace detail {

/// Calls `put` with a result that is to be moved. What a move throws is its task's exception: of an
/// outcome it becomes the error, of any other result it reaches the caller.
template <class R, class Put>
void move_result(R&& result, Put put) {
  put(std::forward<R>(result));
}
template <class T, class Put>
void move_result(Outcome<T>&& outcome, Put put) {
  std::exception_ptr error;
  try {
    put(std::move(outcome));
    return;
  } catch (...) {
    error = std::current_exception();
  }
  put(Outcome<T>(outcome.index(), outcome.attempts(), std::move(error)));
}

}  // namespace detail
}  // namespace joblot

#endif
