// SPDX-License-Identifier: MIT
// Checks of what comes back: each result, once, in order.
#ifndef JOBLOT_TESTING_RESULTS_HPP
#define JOBLOT_TESTING_RESULTS_HPP

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <ranges>
#include <vector>

#include <joblot/options.hpp>
#include <joblot/testing/subject.hpp>

namespace joblot::detail::conformance {

template <class Front>
void check_no_task(Subject<Front> const& subject) {
  auto const front = subject.front();
  expect(front(Tasks()).empty(), "operator() gave results");
  expect(front.outcomes(Tasks()).empty(), "outcomes gave results");
  expect(drain(front.generator(Tasks())).empty(), "generator gave results");
  expect(drain(front.generator_unordered(Tasks())).empty(), "generator_unordered gave results");
  auto const reduced = front.reduce(std::vector<int>(), 7, std::plus<>());
  expect(reduced == 7, "reduce gave {} instead of init", reduced);
}

template <class Front>
void check_one_task(Subject<Front> const& subject) {
  auto const front = subject.front();
  auto const expect_seven = [](char const* form, std::vector<int> const& results) {
    expect(results == std::vector{7}, "{} did not give the result of its task", form);
  };
  auto const one = numbered(1, [](int /*i*/) { return 7; });
  expect_seven("operator()", front(one));
  expect_seven("outcomes", values(front.outcomes(one)));
  expect_seven("generator", drain(front.generator(one)));
  expect_seven("generator_unordered", drain(front.generator_unordered(one)));
}

/// Many more tasks than workers.
template <class Front>
void check_each_task_once(Subject<Front> const& subject) {
  static constexpr int count = 500;
  auto const all = std::views::iota(0, int{count});
  auto const expect_once = [&](char const* form, auto call) {
    auto const runs = std::make_shared<std::vector<std::atomic<int>>>(std::size_t{count});
    auto results = call(Run([runs](int i) {
      ++(*runs)[static_cast<std::size_t>(i)];
      return i;
    }));
    for (auto const i : all) {
      auto const times = (*runs)[static_cast<std::size_t>(i)].load();
      expect(times == 1, "{}: task {} of {} ran {} times", form, i, count, times);
    }
    std::ranges::sort(results);
    expect(std::ranges::equal(results, all), "{}: results are lost, wrong or given twice", form);
  };
  for (auto const& options : {Options{}, Options{.batch_size = 1}, Options{.batch_size = 7}}) {
    auto const front = subject.front(options);
    expect_once("operator()", [&](Run const& run) { return front(numbered(count, run)); });
    expect_once("operator() of a range read one by one",
                [&](Run const& run) { return front(lazy(count, run)); });
    expect_once("map", [&](Run const& run) { return front.map(all, run); });
    expect_once("outcomes",
                [&](Run const& run) { return values(front.outcomes(numbered(count, run))); });
    expect_once("generator",
                [&](Run const& run) { return drain(front.generator(numbered(count, run))); });
    expect_once("generator_unordered", [&](Run const& run) {
      return drain(front.generator_unordered(numbered(count, run)));
    });
  }
}

template <class Front>
void check_order(Subject<Front> const& subject) {
  static constexpr int count = 100;
  auto const front = subject.front();
  auto const expect_order = [](char const* form, std::vector<int> const& results) {
    expect(std::ranges::is_sorted(results), "{}: results are not in order of submission", form);
  };
  Run const uneven = [](int i) {  // so that they do not end in order
    if (i % 5 == 0) work_for(milliseconds(1));
    return i;
  };
  expect_order("operator()", front(numbered(count, uneven)));
  expect_order("map", front.map(std::views::iota(0, int{count}), uneven));
  expect_order("outcomes", values(front.outcomes(numbered(count, uneven))));
  expect_order("generator", drain(front.generator(numbered(count, uneven))));
}

}  // namespace joblot::detail::conformance

#endif
