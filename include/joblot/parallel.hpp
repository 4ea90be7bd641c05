// SPDX-License-Identifier: MIT
// The front door: options and tasks in, results out.
#ifndef JOBLOT_PARALLEL_HPP
#define JOBLOT_PARALLEL_HPP

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <ranges>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <joblot/call.hpp>
#include <joblot/claims.hpp>
#include <joblot/failure.hpp>
#include <joblot/generator.hpp>
#include <joblot/initializer.hpp>
#include <joblot/job.hpp>
#include <joblot/loop.hpp>
#include <joblot/outcome.hpp>
#include <joblot/plan.hpp>
#include <joblot/reduce.hpp>
#include <joblot/results.hpp>
#include <joblot/source.hpp>
#include <joblot/stream.hpp>
#include <joblot/task.hpp>
#include <joblot/thread_pool.hpp>
#include <joblot/tuple_call.hpp>

namespace joblot {
namespace detail {

template <class R>
using reference_t = std::ranges::range_reference_t<std::views::all_t<R>>;
template <class R>
using task_result_t = std::invoke_result_t<task_of_t<R>>;
template <class R, class F>
using map_result_t = std::invoke_result_t<F const&, reference_t<R>>;

template <class R>
constexpr void check_task_range() {
  static_assert(std::ranges::input_range<R>,
                "joblot::TaskRange is not satisfied: the argument is no input range");
  static_assert(
      std::ranges::viewable_range<R>,
      "joblot::TaskRange is not satisfied: a range that cannot be copied must be moved in");
  static_assert(Task<task_of_t<R>>,
                "joblot::Task is not satisfied: an element of the range is not callable without "
                "arguments (an lvalue is called as const, so that it can be run again; elements "
                "that can be run only once must come as rvalues: move the container in)");
}

template <class R, class F>
constexpr void check_map() {
  static_assert(std::ranges::input_range<R> && std::ranges::viewable_range<R>,
                "joblot: std::ranges::viewable_range is not satisfied: the first argument must be "
                "an input range; one that cannot be copied must be moved in");
  static_assert(std::invocable<F const&, reference_t<R>>,
                "joblot: std::invocable is not satisfied: f must be callable with an element of "
                "the range, as const, because workers call it at the same time (a mutable lambda "
                "is not)");
}

}  // namespace detail

inline namespace v1 {

/// Runs tasks in parallel: one changed line turns a serial loop into a parallel one.
///
///     auto roots = joblot::Parallel{{.n_jobs = 2}}(tasks);      // std::vector of the results
///     auto [a, b] = joblot::Parallel(2)([] { return 1; }, [] { return "two"; });
///
/// Ranges are held as `std::views::all` does: an lvalue container by reference, for the time of
/// the call or as long as the generator lives. All members may be called from several threads at
/// once; calls do not disturb each other. A call returns or throws when none of its tasks runs any
/// more. Throws `InvalidOption` from the constructor; a call throws what its tasks, its range or
/// `on_progress` throw, `TimeoutError`, and `CancelledError`.
class Parallel {
 public:
  explicit Parallel(Options const& options = {}) : plan_(detail::resolve(options)) {
    detail::report_passed_over(plan_);
  }

  /// joblib's first positional argument.
  template <std::same_as<int> I>
  explicit Parallel(I n_jobs) : Parallel(Options{.n_jobs = n_jobs}) {}

  /// Runs a range of tasks; returns their results in order of submission (nothing for void).
  /// With several tasks as arguments: the tuple of their results, `std::monostate` for void.
  template <class First, class... Rest>
  auto operator()(First&& first, Rest&&... rest) const {
    if constexpr (sizeof...(Rest) == 0 && std::ranges::input_range<First>) {
      return run_tasks(std::forward<First>(first));
    } else {
      return run_tuple(std::forward<First>(first), std::forward<Rest>(rest)...);
    }
  }
  template <class T>
  auto operator()(std::initializer_list<T> tasks) const {
    return run_tasks(tasks);
  }

  /// The results as they get ready, in order of submission. Work starts at once, and keeps at most
  /// the window `pre_dispatch` of batches ahead of the consumer.
  template <class R>
  [[nodiscard]] auto generator(R&& tasks) const {
    return stream<detail::Failing::ends_call>(detail::Order::submission, std::forward<R>(tasks));
  }
  template <class T>
  [[nodiscard]] auto generator(std::initializer_list<T> tasks) const {
    return generator(std::vector<T>(tasks));
  }

  /// The results as they get ready, in order of completion.
  template <class R>
  [[nodiscard]] auto generator_unordered(R&& tasks) const {
    return stream<detail::Failing::ends_call>(detail::Order::completion, std::forward<R>(tasks));
  }
  template <class T>
  [[nodiscard]] auto generator_unordered(std::initializer_list<T> tasks) const {
    return generator_unordered(std::vector<T>(tasks));
  }

  /// What became of each task, in order of submission; a failing task does not stop the others.
  template <class R>
  [[nodiscard]] auto outcomes(R&& tasks) const {
    detail::check_task_range<R>();
    return collect<detail::task_result_t<R>, detail::Failing::is_outcome>(
        std::forward<R>(tasks), detail::RunTask<detail::owns_elements<R>>());
  }
  template <class T>
  [[nodiscard]] auto outcomes(std::initializer_list<T> tasks) const {
    return outcomes(std::views::all(tasks));
  }

  /// What became of each task, as they get ready, in order of submission.
  template <class R>
  [[nodiscard]] auto outcome_generator(R&& tasks) const {
    return stream<detail::Failing::is_outcome>(detail::Order::submission, std::forward<R>(tasks));
  }
  template <class T>
  [[nodiscard]] auto outcome_generator(std::initializer_list<T> tasks) const {
    return outcome_generator(std::vector<T>(tasks));
  }

  /// What became of each task, as they get ready, in order of completion.
  template <class R>
  [[nodiscard]] auto outcome_generator_unordered(R&& tasks) const {
    return stream<detail::Failing::is_outcome>(detail::Order::completion, std::forward<R>(tasks));
  }
  template <class T>
  [[nodiscard]] auto outcome_generator_unordered(std::initializer_list<T> tasks) const {
    return outcome_generator_unordered(std::vector<T>(tasks));
  }

  /// f(x) for each x of the range, in order; nothing if f returns nothing. f is called as const
  /// and from several threads at once.
  template <class R, class F>
  [[nodiscard]] auto map(R&& range, F f) const {
    detail::check_map<R, F>();
    return run_range<detail::map_result_t<R, F>>(std::forward<R>(range), detail::Apply<F>{f});
  }
  template <class T, class F>
  [[nodiscard]] auto map(std::initializer_list<T> range, F f) const {
    return map(std::views::all(range), std::move(f));
  }

  /// f(x) for each x of the range; what it returns is dropped.
  template <class R, class F>
  void for_each(R&& range, F f) const {
    detail::check_map<R, F>();
    discard(std::forward<R>(range), detail::Apply<F>{f});
  }
  template <class T, class F>
  void for_each(std::initializer_list<T> range, F f) const {
    for_each(std::views::all(range), std::move(f));
  }

  /// combine(... combine(init, transform(x0)) ..., transform(xn)), in a grouping that for sized
  /// ranges depends only on their size; combine must be associative. init itself for an empty
  /// range. Argument order of `std::transform_reduce`.
  template <class R, class Init, class Combine, class Transform = std::identity>
  [[nodiscard]] auto reduce(R&& range, Init init, Combine combine, Transform transform = {}) const
      -> std::decay_t<Init> {
    detail::check_map<R, Transform>();
    static_assert(std::convertible_to<detail::map_result_t<R, Transform>, Init>,
                  "joblot: std::convertible_to is not satisfied: what transform returns must "
                  "convert to the type of init");
    static_assert(std::is_invocable_r_v<Init, Combine const&, Init, Init>,
                  "joblot: std::invocable is not satisfied: combine must take two values of the "
                  "type of init, as const, and return one");
    forget_failure();
    detail::source_for<R> source(std::views::all(std::forward<R>(range)));
    detail::Apply<Transform> const body{transform};
    if (auto const total = source.total()) {
      detail::TreeReduction<Init, Combine> sink(*total, combine);
      run<detail::Failing::ends_call>(source, body, sink);
      return sink.take(std::move(init));
    }
    detail::RunReduction<Init, Combine> sink(combine);
    run<detail::Failing::ends_call>(source, body, sink);
    return sink.take(std::move(init));
  }
  template <class T, class Init, class Combine, class Transform = std::identity>
  [[nodiscard]] auto reduce(std::initializer_list<T> range, Init init, Combine combine,
                            Transform transform = {}) const {
    return reduce(std::views::all(range), std::move(init), std::move(combine),
                  std::move(transform));
  }

  /// Number of workers of an outermost call; `this_task::worker_id()` is below it.
  [[nodiscard]] int n_jobs() const noexcept { return plan_.n_jobs; }

  /// `last_failure()`, if that call was made on this object.
  [[nodiscard]] std::optional<TaskFailure> failure() const noexcept {
    auto const& last = detail::this_thread_last_failure;
    return last.owner == id_.value() ? last_failure() : std::nullopt;
  }

 private:
  template <class R>
  auto run_tasks(R&& tasks) const {
    detail::check_task_range<R>();
    return run_range<detail::task_result_t<R>>(std::forward<R>(tasks),
                                               detail::RunTask<detail::owns_elements<R>>());
  }

  /// The results of all elements, if there are any.
  template <class Result, class R, class Body>
  auto run_range(R&& range, Body const& body) const {
    if constexpr (std::is_void_v<Result>) {
      discard(std::forward<R>(range), body);
    } else {
      return collect<Result, detail::Failing::ends_call>(std::forward<R>(range), body);
    }
  }

  template <class... Tasks>
  auto run_tuple(Tasks&&... tasks) const {
    static_assert((Task<detail::run_as_t<Tasks&&, false>> && ...),
                  "joblot::Task is not satisfied: an argument is neither a range nor callable "
                  "without arguments (an lvalue is called as const; move in what can be run once)");
    forget_failure();
    detail::TupleCall<Tasks...> call(std::forward<Tasks>(tasks)...);
    detail::IndexedSource source(std::views::iota(std::size_t{0}, sizeof...(Tasks)));
    detail::NoResults sink;
    auto plan = plan_;
    if (!plan.batch_size) plan.batch_size = 1;
    run<detail::Failing::ends_call>(plan, source, call, sink);
    try {
      return call.take();
    } catch (...) {
      detail::remember_failure(id_.value(), TaskFailure{call.first_fragile(), 0, 1});
      throw;
    }
  }

  template <class R, class Body>
  void discard(R&& range, Body const& body) const {
    forget_failure();
    detail::source_for<R> source(std::views::all(std::forward<R>(range)));
    detail::NoResults sink;
    run<detail::Failing::ends_call>(source, body, sink);
  }

  /// The results of all elements; `Result` is what one returns.
  template <class Result, detail::Failing failing, class R, class Body>
  auto collect(R&& range, Body const& body) const {
    constexpr bool outcomes = failing == detail::Failing::is_outcome;
    using Value = std::conditional_t<std::is_void_v<Result>, void, std::decay_t<Result>>;
    using Kept = std::conditional_t<outcomes, Outcome<Value>, detail::stored_t<Result>>;
    forget_failure();
    detail::source_for<R> source(std::views::all(std::forward<R>(range)));
    if constexpr (detail::PlainResult<Kept>) {
      if (auto const total = source.total()) {
        detail::PlacedResults<Kept> sink(*total);
        run<failing>(source, body, sink);
        return sink.take();
      }
    }
    detail::GatheredResults<Kept> sink;
    run<failing>(source, body, sink);
    std::size_t index = 0;
    try {
      return sink.take(index);
    } catch (...) {
      detail::remember_failure(id_.value(), TaskFailure{index, 0, 1});
      throw;
    }
  }

  template <detail::Failing failing, class R>
  auto stream(detail::Order order, R&& tasks) const {
    detail::check_task_range<R>();
    using Result = detail::task_result_t<R>;
    using Value = std::conditional_t<std::is_void_v<Result>, void, std::decay_t<Result>>;
    constexpr bool outcomes = failing == detail::Failing::is_outcome;
    using Kept = std::conditional_t<outcomes, Outcome<Value>, detail::stored_t<Result>>;
    using Body = detail::RunTask<detail::owns_elements<R>>;
    using Stream = detail::StreamOf<Kept, detail::source_for<R>, Body, failing>;
    // Inside a task it is lazy, else all threads could wait for each other.
    bool const lazy = (plan_.n_jobs == 1 && !plan_.workers) || detail::current_task != nullptr;
    try {
      Stream::check_can_travel(plan_);
      if (!plan_.workers) detail::initialize_process(plan_.initializer);
      return Generator<Kept>(
          std::make_unique<Stream>(plan_, id_.value(), order, lazy ? 0 : plan_.n_jobs,
                                   std::views::all(std::forward<R>(tasks)), Body()));
    } catch (...) {
      forget_failure();
      throw;
    }
  }

  /// At the start of a call, which may end without a task's failure before any worker has come: the
  /// range, the initializer or the backend may throw, or there may be no memory.
  void forget_failure() const noexcept { detail::remember_failure(id_.value(), std::nullopt); }

  template <detail::Failing failing, class Source, class Body, class Sink>
  void run(Source& source, Body const& body, Sink& sink) const {
    run<failing>(plan_, source, body, sink);
  }

  /// Runs all tasks of the source; throws what makes the call fail.
  template <detail::Failing failing, class Source, class Body, class Sink>
  void run(detail::Plan const& plan, Source& source, Body const& body, Sink& sink) const {
    using Loop = detail::Loop<Source, Body, Sink, failing>;
    Loop::check_can_travel(plan);
    if (!plan.workers) detail::initialize_process(plan.initializer);
    auto const workers = detail::workers_for(plan, source.total());
    using Ends = detail::IndexClaims::Ends;
    auto const ends = workers > 1 && !plan.batch_size && !plan.window_given ? Ends::two : Ends::one;
    Loop loop(plan, workers, detail::Job::OnFailure::stop_all, ends, source, body, sink);
    loop.nest_in(detail::current_task);
    loop.open(plan, source.total());
    if (workers == 1) {
      loop.run(0);
    } else {
      share(plan, loop, workers);
    }
    loop.conclude(id_.value());
  }

  /// The caller works, together with those whom the backend brings.
  static void share(detail::Plan const& plan, detail::Job& job, int workers) {
    auto const* const outer = detail::current_call;
    auto const call = std::make_shared<Call>(
        job, workers, outer != nullptr ? detail::current_call->shared_from_this() : nullptr,
        Call::Caller::works);
    try {
      plan.backend->start(call);
    } catch (...) {
      job.halt(0);
      detail::close_and_wait(*call);
      job.abandon();
      throw;
    }
    call->work_as_member(0);
    detail::close_and_wait(*call);
  }

  detail::Plan plan_;
  detail::ParallelId id_;
};

}  // namespace v1
}  // namespace joblot

#endif
