// SPDX-License-Identifier: MIT
// Tests of tasks of different types side by side.
#include <joblot/tuple_call.hpp>
// First, because it needs no other.
#include <any>
#include <atomic>
#include <barrier>
#include <cstddef>
#include <functional>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include <joblot/delayed.hpp>
#include <joblot/parallel.hpp>
#include <joblot/this_task.hpp>

#include "support/counted.hpp"

namespace {

using joblot::delayed;
using joblot::Parallel;

int answer() { return 42; }
std::string name() { return "joblot"; }

struct Counter {
  int calls = 0;
  int operator()() { return ++calls; }
};

/// Both a range and a callable.
struct Both : std::vector<int (*)()> {
  using std::vector<int (*)()>::vector;
  int operator()() const { return -1; }
};

class TupleCall : public testing::TestWithParam<int> {
 protected:
  Parallel const parallel{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(NJobs, TupleCall, testing::Values(1, 2, 5));

TEST_P(TupleCall, ReturnsTheResultsInTheOrderOfTheTasks) {
  auto const results = parallel([] { return 1; }, delayed(name)(), [] { return 2.5; });
  static_assert(std::is_same_v<decltype(results), std::tuple<int, std::string, double> const>);
  EXPECT_EQ(results, std::tuple(1, "joblot", 2.5));
}

TEST_P(TupleCall, CanBeTakenApart) {
  auto [number, text] = parallel(answer, name);
  EXPECT_EQ(number, 42);
  EXPECT_EQ(text, "joblot");
}

TEST_P(TupleCall, TakesEveryKindOfTask) {
  int x = 1;
  std::string const text = "four";
  auto const lvalue = [&x] { return &x; };
  std::function<int()> const function = answer;
  auto const results = parallel(answer, &answer, function, lvalue, Counter(),
                                delayed(&std::string::size)(std::cref(text)), std::bind(answer));
  EXPECT_EQ(results, std::tuple(42, 42, 42, &x, 1, 4U, 42));
}

TEST_P(TupleCall, OfOneTaskIsATupleOfOne) {
  EXPECT_EQ(parallel(answer), std::tuple(42));
  EXPECT_EQ(parallel([] { return std::tuple(1, 2); }), std::make_tuple(std::tuple(1, 2)));
}

TEST_P(TupleCall, TakesARangeForATaskBesideOthersOnly) {
  Both const both{answer, answer};
  EXPECT_EQ(parallel(both), (std::vector{42, 42}));
  EXPECT_EQ(parallel(both, both), std::tuple(-1, -1));
}

TEST_P(TupleCall, PutsMonostateWhereATaskReturnsNothing) {
  std::atomic<int> runs{0};
  auto const results = parallel([&] { ++runs; }, answer, [&] { ++runs; });
  static_assert(
      std::is_same_v<decltype(results), std::tuple<std::monostate, int, std::monostate> const>);
  EXPECT_EQ(std::get<1>(results), 42);
  EXPECT_EQ(runs, 2);
}

TEST_P(TupleCall, DecaysItsResults) {
  int x = 5;
  auto results = parallel([&x]() -> int& { return x; }, []() -> char const(&)[3] { return "ab"; });
  static_assert(std::is_same_v<decltype(results), std::tuple<int, char const*>>);
  std::get<0>(results) = 6;
  EXPECT_EQ(x, 5);
}

TEST_P(TupleCall, KeepsResultsThatCanOnlyBeMoved) {
  struct Point {
    explicit Point(int value) : x(value) {}
    Point(Point&&) = default;
    int x;
  };
  auto const results = parallel([] { return std::make_unique<int>(7); }, [] { return Point(8); },
                                [] { return true; });
  EXPECT_EQ(*std::get<0>(results), 7);
  EXPECT_EQ(std::get<1>(results).x, 8);
  EXPECT_TRUE(std::get<2>(results));
}

TEST_P(TupleCall, KeepsAResultOfAnyTypeAsItIs) {
  auto const results = parallel([] { return std::any(std::string("text")); });
  EXPECT_EQ(std::any_cast<std::string>(std::get<0>(results)), "text");
}

TEST_P(TupleCall, MovesTheArgumentsOfRvaluesAndCopiesNothing) {
  Account account;
  auto const value = [](Counted counted) { return counted.value(); };
  auto const results =
      parallel(delayed(value)(Counted(account, 1)), delayed(value)(Counted(account, 2)));
  EXPECT_EQ(results, std::tuple(1, 2));
  EXPECT_EQ(account.copies, 0);
  EXPECT_EQ(account.alive, 0);
}

TEST_P(TupleCall, LeavesLvaluesAsTheyAre) {
  Account account;
  auto const value = [](Counted counted) { return counted.value(); };
  auto task = delayed(value)(Counted(account, 1));
  EXPECT_EQ(parallel(task, task), std::tuple(1, 1));
  EXPECT_EQ(parallel(task, task), std::tuple(1, 1));
  EXPECT_EQ(account.copies, 4);
}

TEST_P(TupleCall, TellsEachTaskItsIndex) {
  auto const index = [] { return joblot::this_task::index(); };
  EXPECT_EQ(parallel(index, index, index), std::tuple(0U, 1U, 2U));
}

TEST_P(TupleCall, ThrowsTheErrorOfTheFirstTaskThatFails) {
  auto const fail = []() -> int { throw std::out_of_range("second"); };
  EXPECT_THROW(parallel(answer, fail, answer), std::out_of_range);
  ASSERT_TRUE(parallel.failure());
  EXPECT_EQ(parallel.failure()->index, 1U);
  EXPECT_EQ(parallel(answer, answer), std::tuple(42, 42));
  EXPECT_FALSE(parallel.failure());
}

TEST_P(TupleCall, DestroysTheResultsOfAFailingCall) {
  Account account;
  auto const fail = []() -> int { throw std::out_of_range("last"); };
  auto const make = [&] { return Counted(account); };
  EXPECT_THROW(parallel(make, make, fail), std::out_of_range);
  EXPECT_EQ(account.alive, 0);
}

TEST(TupleCallOnSeveralWorkers, RunsItsTasksAtTheSameTime) {
  std::barrier<> all_there(4);
  auto const meet = [&] {
    all_there.arrive_and_wait();
    return std::this_thread::get_id();
  };
  auto const [a, b, c, d] = Parallel(4)(meet, meet, meet, meet);
  EXPECT_EQ((std::set{a, b, c, d}.size()), 4U);
}

TEST(TupleCallOfOneWorker, RunsInTheCallerInOrder) {
  std::vector<int> order;
  auto const note = [&](int i) {
    return [&order, i] {
      order.push_back(i);
      return std::this_thread::get_id();
    };
  };
  auto const me = std::this_thread::get_id();
  EXPECT_EQ(Parallel(1)(note(0), note(1), note(2)), std::tuple(me, me, me));
  EXPECT_EQ(order, (std::vector{0, 1, 2}));
}

}  // namespace
