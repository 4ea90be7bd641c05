// SPDX-License-Identifier: MIT
// Tasks of different types side by side, and the tuple of their results.
#ifndef JOBLOT_TUPLE_CALL_HPP
#define JOBLOT_TUPLE_CALL_HPP

#include <array>
#include <cstddef>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include <joblot/task.hpp>

namespace joblot::detail {

/// Holds references to the tasks for the time of the call, and their results. Its call operator
/// runs one task by index; different indices may run at the same time.
template <class... Tasks>
class TupleCall {
  template <class T>
  using Result = stored_t<std::invoke_result_t<run_as_t<T&&, false>>>;

 public:
  explicit TupleCall(Tasks&&... tasks) : tasks_(std::forward<Tasks>(tasks)...) {}

  void operator()(std::size_t index) const {
    table(std::index_sequence_for<Tasks...>())[index](*this);
  }

  template <std::size_t index>
  [[nodiscard]] auto& task() const {
    return std::get<index>(tasks_);
  }
  /// Where the result of a task that runs elsewhere is put.
  template <std::size_t index>
  [[nodiscard]] auto& result() const {
    return std::get<index>(results_);
  }

  /// The task to blame if a result cannot be moved: the first one for which that can happen.
  static constexpr std::size_t first_fragile() {
    std::size_t index = 0;
    static_cast<void>(
        ((std::is_nothrow_move_constructible_v<Result<Tasks>> && ++index != 0) && ...));
    return index;
  }

  /// All results, after all tasks have run.
  std::tuple<Result<Tasks>...> take() {
    return std::apply(
        [](auto&... results) { return std::tuple<Result<Tasks>...>(std::move(*results)...); },
        results_);
  }

 private:
  using RunOne = void (*)(TupleCall const&);

  template <std::size_t... index>
  static std::array<RunOne, sizeof...(Tasks)> const& table(std::index_sequence<index...> /*all*/) {
    static constexpr std::array<RunOne, sizeof...(Tasks)> runs{&run<index>...};
    return runs;
  }

  template <std::size_t index>
  static void run(TupleCall const& self) {
    using T = std::tuple_element_t<index, std::tuple<Tasks&&...>>;
    auto& result = std::get<index>(self.results_);
    RunTask<false> const run_task;
    if constexpr (std::is_void_v<std::invoke_result_t<run_as_t<T, false>>>) {
      run_task(static_cast<T>(std::get<index>(self.tasks_)));
      result.emplace();
    } else {
      result.emplace(run_task(static_cast<T>(std::get<index>(self.tasks_))));
    }
  }

  std::tuple<Tasks&&...> tasks_;
  mutable std::tuple<std::optional<Result<Tasks>>...> results_;  // each written by one task
};

}  // namespace joblot::detail

#endif
