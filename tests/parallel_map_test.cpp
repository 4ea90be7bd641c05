// SPDX-License-Identifier: MIT
// Tests of Parallel::map and for_each: one function for every element.
#include <joblot/parallel.hpp>
// First, because it needs no other.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <numeric>
#include <ostream>
#include <ranges>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <joblot/this_task.hpp>

#include "support/counted.hpp"

namespace {

using joblot::Options;
using joblot::Parallel;
namespace this_task = joblot::this_task;

int square(int x) { return x * x; }

struct Kind {
  char const* name;
  Options options;
};
void PrintTo(Kind const& kind, std::ostream* out) { *out << kind.name; }

class Map : public testing::TestWithParam<Kind> {
 protected:
  Parallel const parallel{GetParam().options};
};
class ForEach : public Map {};

auto const kinds =
    testing::Values(Kind{"one_worker", {.n_jobs = 1}}, Kind{"two_workers", {.n_jobs = 2}},
                    Kind{"batches_of_two", {.n_jobs = 3, .batch_size = 2}},
                    Kind{"sequential", {.n_jobs = 4, .backend = "sequential"}});
auto const name = [](auto const& kind) { return std::string(kind.param.name); };
INSTANTIATE_TEST_SUITE_P(On, Map, kinds, name);
INSTANTIATE_TEST_SUITE_P(On, ForEach, kinds, name);

TEST_P(Map, GivesTheResultsInTheOrderOfTheElements) {
  auto const results = parallel.map(std::views::iota(0, 5000), square);
  static_assert(std::is_same_v<decltype(results), std::vector<int> const>);
  ASSERT_EQ(results.size(), 5000U);
  for (int i = 0; i < 5000; ++i) ASSERT_EQ(results[static_cast<std::size_t>(i)], i * i);
}

TEST_P(Map, OfNothingIsEmpty) {
  EXPECT_TRUE(parallel.map(std::vector<int>(), square).empty());
  EXPECT_TRUE(parallel.map(std::list<int>(), square).empty());
  EXPECT_TRUE(parallel.map(std::views::empty<int>, square).empty());
}

TEST_P(Map, ReturnsNothingForAFunctionThatReturnsNothing) {
  std::atomic<int> sum{0};
  auto const add = [&](int x) { sum += x; };
  static_assert(std::is_void_v<decltype(parallel.map(std::vector{1}, add))>);
  parallel.map(std::vector{1, 2, 3}, add);
  parallel.map(std::list{1, 2, 3}, add);
  EXPECT_EQ(sum, 12);
}

TEST_P(Map, TakesAnythingThatInvokeTakes) {
  struct Point {
    int x;
    [[nodiscard]] int twice() const { return 2 * x; }
  };
  std::vector<Point> const points{{1}, {2}, {3}};
  EXPECT_EQ(parallel.map(points, &Point::x), (std::vector{1, 2, 3}));
  EXPECT_EQ(parallel.map(points, &Point::twice), (std::vector{2, 4, 6}));
  std::vector const pointers{&points[2], &points[0]};
  EXPECT_EQ(parallel.map(pointers, &Point::x), (std::vector{3, 1}));
  std::vector const numbers{1, 2, 3};
  EXPECT_EQ(parallel.map(numbers, &square), (std::vector{1, 4, 9}));
  EXPECT_EQ(parallel.map(numbers, std::negate<>()), (std::vector{-1, -2, -3}));
  EXPECT_EQ(parallel.map(numbers, std::function<int(int)>(square)), (std::vector{1, 4, 9}));
  EXPECT_EQ(parallel.map(numbers, std::identity()), numbers);
  EXPECT_EQ(parallel.map(std::vector{4.0, 9.0}, [](double x) { return std::sqrt(x); }),
            (std::vector{2.0, 3.0}));
}

TEST_P(Map, GivesTheFunctionTheElementsThemselves) {
  std::vector<double> numbers{1, 2, 3};
  auto const old = parallel.map(numbers, [](double& x) { return std::exchange(x, 2 * x); });
  EXPECT_EQ(old, (std::vector<double>{1, 2, 3}));
  EXPECT_EQ(numbers, (std::vector<double>{2, 4, 6}));
  parallel.for_each(std::span(numbers), [](double& x) { x += 1; });
  EXPECT_EQ(numbers, (std::vector<double>{3, 5, 7}));
}

TEST_P(Map, GivesTheFunctionWhatTheRangeGives) {
  auto const is = []<class Expected>(std::type_identity<Expected>) {
    return []<class T>(T&&) { return std::is_same_v<T&&, Expected>; };
  };
  auto const all = [](std::vector<bool> const& answers) {
    return answers == std::vector<bool>(answers.size(), true) && !answers.empty();
  };
  std::vector<int> numbers(5);
  std::vector<int> const const_numbers(5);
  EXPECT_TRUE(all(parallel.map(numbers, is(std::type_identity<int&>()))));
  EXPECT_TRUE(all(parallel.map(const_numbers, is(std::type_identity<int const&>()))));
  EXPECT_TRUE(all(parallel.map(std::vector<int>(5), is(std::type_identity<int&>()))));
  EXPECT_TRUE(all(parallel.map(std::list<int>(5), is(std::type_identity<int&>()))));
  EXPECT_TRUE(all(parallel.map(std::views::iota(0, 5), is(std::type_identity<int&&>()))));
  int offset = 1;
  auto const add = [&offset](int i) { return i + offset; };
  EXPECT_TRUE(all(parallel.map(std::views::iota(0, 5) | std::views::transform(add),
                               is(std::type_identity<int&&>()))));
}

TEST_P(Map, LetsTheFunctionMoveElementsThatAreValues) {
  auto const make = [](int i) { return std::make_unique<int>(i); };
  auto const results = parallel.map(std::views::iota(0, 50) | std::views::transform(make),
                                    [](std::unique_ptr<int> p) { return p; });
  for (int i = 0; i < 50; ++i) EXPECT_EQ(*results[static_cast<std::size_t>(i)], i);
}

TEST_P(Map, CallsTheFunctionAsConst) {
  struct Telling {
    std::string operator()(int) { return "changing"; }
    std::string operator()(int) const { return "const"; }
  };
  EXPECT_EQ(parallel.map({1, 2}, Telling()), (std::vector<std::string>{"const", "const"}));
}

TEST_P(Map, SharesOneFunctionAmongAllWorkers) {
  Account account;
  Counted const state(account, 5);
  auto const results = parallel.map(std::views::iota(0, 1000), [state](int) { return &state; });
  EXPECT_EQ(std::count(results.begin(), results.end(), results[0]), 1000);
  EXPECT_EQ(account.copies, 1);
}

TEST_P(Map, TakesAFunctionThatCanOnlyBeMoved) {
  auto add = [by = std::make_unique<int>(10)](int x) { return x + *by; };
  EXPECT_EQ(parallel.map({1, 2, 3}, std::move(add)), (std::vector{11, 12, 13}));
}

TEST_P(Map, IsTheTaskOfEachElement) {
  auto const indices = parallel.map(std::list{7, 8, 9}, [](int) { return this_task::index(); });
  EXPECT_EQ(indices, (std::vector<std::size_t>{0, 1, 2}));
  EXPECT_THROW(static_cast<void>(parallel.map({7, 8, 9},
                                              [](int x) {
                                                if (x == 8) throw std::out_of_range("eight");
                                                return x;
                                              })),
               std::out_of_range);
  ASSERT_TRUE(parallel.failure());
  EXPECT_EQ(parallel.failure()->index, 1U);
}

TEST_P(Map, CanBeNested) {
  auto const table = parallel.map(std::views::iota(0, 20), [&](int i) {
    return parallel.map(std::views::iota(0, 20), [i](int j) { return i * j; });
  });
  for (int i = 0; i < 20; ++i) {
    for (int j = 0; j < 20; ++j) {
      ASSERT_EQ(table[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)], i * j);
    }
  }
}

TEST_P(ForEach, DropsWhatTheFunctionReturns) {
  std::atomic<int> sum{0};
  static_assert(std::is_void_v<decltype(parallel.for_each(std::vector{1}, square))>);
  parallel.for_each(std::vector{1, 2, 3}, [&](int x) { return sum += x; });
  EXPECT_EQ(sum, 6);
  parallel.for_each(std::vector{1, 2, 3}, [&](int x) {
    sum += x;
    return std::make_unique<int>(x);
  });
  EXPECT_EQ(sum, 12);
}

TEST_P(ForEach, WritesToElementsOfAnyContainer) {
  std::deque<int> deque(1000);
  std::iota(deque.begin(), deque.end(), 0);
  std::list<int> list(deque.begin(), deque.end());
  int array[100] = {};
  parallel.for_each(deque, [](int& x) { x = -x; });
  parallel.for_each(list, [](int& x) { x = -x; });
  parallel.for_each(array, [](int& x) { x = 7; });
  int i = 0;
  for (int const x : deque) ASSERT_EQ(x, -i++);
  i = 0;
  for (int const x : list) ASSERT_EQ(x, -i++);
  for (int const x : array) ASSERT_EQ(x, 7);
}

TEST_P(ForEach, SeesWhatTheCallerWroteAndShowsItWhatTheTasksWrote) {
  // No atomics and no locks: the call itself has to order the accesses.
  std::vector<int> numbers(1000);
  for (int round = 1; round <= 20; ++round) {
    for (auto& number : numbers) ++number;
    parallel.for_each(numbers, [](int& number) { ++number; });
    for (int const number : numbers) ASSERT_EQ(number, 2 * round);
  }
}

}  // namespace
