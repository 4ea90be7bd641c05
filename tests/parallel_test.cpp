// SPDX-License-Identifier: MIT
// Tests of Parallel: every kind of task in every form of a call.
#include <joblot/parallel.hpp>
// First, because it needs no other.
#include <array>
#include <atomic>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <ostream>
#include <ranges>
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
#include <joblot/outcome.hpp>
#include <joblot/this_task.hpp>

#include "support/coroutine.hpp"
#include "support/counted.hpp"

namespace {

using joblot::delayed;
using joblot::Generator;
using joblot::last_failure;
using joblot::Options;
using joblot::Outcome;
using joblot::Parallel;
namespace this_task = joblot::this_task;

int answer() { return 42; }
int square(int x) { return x * x; }

struct Point {
  int x = 0;
  [[nodiscard]] int times(int factor) const { return x * factor; }
};

/// Counts its calls, so it cannot be called as const.
struct Counter {
  int calls = 0;
  int operator()() { return ++calls; }
};

/// All results of a generator, in their order.
template <class T>
std::vector<T> all(Generator<T> generator) {
  std::vector<T> results;
  for (auto&& result : generator) results.push_back(std::move(result));
  return results;
}

template <class T>
std::vector<T> values(std::vector<Outcome<T>> outcomes) {
  std::vector<T> results;
  for (auto& outcome : outcomes) results.push_back(std::move(outcome).value());
  return results;
}

/// The results of the tasks that `make` makes, in every form that gives them in order.
template <class Make>
auto in_every_form(Parallel const& parallel, Make make) {
  return std::array{parallel(make()), all(parallel.generator(make())),
                    values(parallel.outcomes(make())),
                    values(all(parallel.outcome_generator(make())))};
}

struct Kind {
  char const* name;
  Options options;
};
void PrintTo(Kind const& kind, std::ostream* out) { *out << kind.name; }

class ParallelCalls : public testing::TestWithParam<Kind> {
 protected:
  Parallel const parallel{GetParam().options};
};

INSTANTIATE_TEST_SUITE_P(
    On, ParallelCalls,
    testing::Values(Kind{"one_worker", {.n_jobs = 1}}, Kind{"two_workers", {.n_jobs = 2}},
                    Kind{"batches_of_two", {.n_jobs = 3, .batch_size = 2}},
                    Kind{"all_cpus_and_no_window", {.n_jobs = -1, .pre_dispatch = "all"}},
                    Kind{"sequential", {.n_jobs = 4, .backend = "sequential"}}),
    [](auto const& kind) { return std::string(kind.param.name); });

// --- kinds of tasks -----------------------------------------------------------------------------

TEST_P(ParallelCalls, RunDelayedFunctions) {
  auto const make = [] {
    return std::views::iota(0, 5) | std::views::transform([](int i) { return delayed(square)(i); });
  };
  for (auto const& results : in_every_form(parallel, make)) {
    EXPECT_EQ(results, (std::vector{0, 1, 4, 9, 16}));
  }
}

TEST_P(ParallelCalls, RunOneOverloadOfAFunction) {
  std::vector tasks{delayed<double(double)>(std::sqrt)(4), delayed<double(double)>(std::sqrt)(9)};
  EXPECT_EQ(parallel(tasks), (std::vector{2.0, 3.0}));
}

TEST_P(ParallelCalls, RunFunctionPointers) {
  std::vector const tasks(3, &answer);
  EXPECT_EQ(parallel(tasks), (std::vector{42, 42, 42}));
  EXPECT_EQ(parallel({answer, answer}), (std::vector{42, 42}));
}

TEST_P(ParallelCalls, RunMembersOfObjects) {
  std::vector<Point> points{{1}, {2}, {3}};
  std::vector tasks{delayed(&Point::times)(std::cref(points[1]), 5)};
  tasks.push_back(delayed(&Point::times)(std::cref(points[2]), 5));
  EXPECT_EQ(parallel(tasks), (std::vector{10, 15}));
  std::vector const data{delayed(&Point::x)(points[0]), delayed(&Point::x)(points[2])};
  EXPECT_EQ(parallel(data), (std::vector{1, 3}));
}

TEST_P(ParallelCalls, RunLambdas) {
  std::string const text = "text";
  auto const make = [&] {
    return std::views::iota(0, 3) | std::views::transform([&text](int i) {
             return [&text, i] { return text + std::to_string(i); };
           });
  };
  for (auto const& results : in_every_form(parallel, make)) {
    EXPECT_EQ(results, (std::vector<std::string>{"text0", "text1", "text2"}));
  }
}

TEST_P(ParallelCalls, RunStdFunctions) {
  std::vector<std::function<int()>> tasks{answer, [] { return 1; }, std::bind(square, 5)};
  for (auto const& results : in_every_form(parallel, [&]() -> auto& { return tasks; })) {
    EXPECT_EQ(results, (std::vector{42, 1, 25}));
  }
}

TEST_P(ParallelCalls, RunTasksThatChangeThemselvesOnceAsRvalues) {
  auto const make = [] { return std::vector<Counter>(3); };
  for (auto const& results : in_every_form(parallel, make)) {
    EXPECT_EQ(results, (std::vector{1, 1, 1}));
  }
  auto const count = [calls = 0]() mutable { return ++calls; };
  EXPECT_EQ(parallel(std::vector(2, count)), (std::vector{1, 1}));
}

TEST_P(ParallelCalls, RunTasksThatCanOnlyBeMoved) {
  auto const make = [] {
    auto const task = [](int i) {
      return delayed([kept = std::make_unique<int>(i)](std::unique_ptr<int> given) {
        return std::make_unique<int>(*kept + *given);
      })(std::make_unique<int>(10 * i));
    };
    std::vector<decltype(task(0))> tasks;
    for (int i = 0; i < 4; ++i) tasks.push_back(task(i));
    return tasks;
  };
  for (auto const& results : in_every_form(parallel, make)) {
    ASSERT_EQ(results.size(), 4U);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(*results[static_cast<std::size_t>(i)], 11 * i);
  }
}

TEST_P(ParallelCalls, PassReferencesThrough) {
  std::vector<int> numbers(50);
  auto const increase = [](int& number, int const& by) { number += by; };
  int const by = 3;
  std::vector<decltype(delayed(increase)(std::ref(numbers[0]), std::cref(by)))> tasks;
  for (auto& number : numbers) tasks.push_back(delayed(increase)(std::ref(number), std::cref(by)));
  parallel(tasks);
  parallel(tasks);
  EXPECT_EQ(numbers, std::vector(50, 6));
}

TEST_P(ParallelCalls, ChangeSharedDataUnderALock) {
  std::mutex mutex;
  std::vector<int> queue;
  parallel.for_each(std::views::iota(0, 5), [&](int i) {
    std::lock_guard const lock(mutex);
    queue.push_back(i);
  });
  EXPECT_EQ(queue.size(), 5U);
}

// --- copies, moves and deaths -------------------------------------------------------------------

TEST_P(ParallelCalls, MoveTheArgumentsOfRvaluesAndCopyNothing) {
  Account account;
  auto const value = [](Counted counted) { return counted.value(); };
  auto const lazy = [&] {
    return std::views::iota(0, 40) |
           std::views::transform([&](int i) { return delayed(value)(Counted(account, i)); });
  };
  std::vector<int> expected;
  for (int i = 0; i < 40; ++i) expected.push_back(i);
  for (auto const& results : in_every_form(parallel, lazy)) EXPECT_EQ(results, expected);
  EXPECT_EQ(account.copies, 0);
  EXPECT_EQ(account.alive, 0);
}

TEST_P(ParallelCalls, MoveTheElementsOfAContainerThatIsMovedIn) {
  Account account;
  auto const value = [](Counted counted) { return counted.value(); };
  auto const make = [&] {
    std::vector<decltype(delayed(value)(Counted(account)))> tasks;
    tasks.reserve(40);
    for (int i = 0; i < 40; ++i) tasks.push_back(delayed(value)(Counted(account, i)));
    return tasks;
  };
  for (auto const& results : in_every_form(parallel, make)) {
    ASSERT_EQ(results.size(), 40U);
    for (int i = 0; i < 40; ++i) EXPECT_EQ(results[static_cast<std::size_t>(i)], i);
  }
  EXPECT_EQ(account.copies, 0);
  EXPECT_EQ(account.alive, 0);
}

TEST_P(ParallelCalls, LeaveTheElementsOfAnLvalueAsTheyAre) {
  Account account;
  auto const value = [](Counted const& counted) { return counted.value(); };
  std::deque<decltype(delayed(value)(Counted(account)))> tasks;
  for (int i = 0; i < 40; ++i) tasks.push_back(delayed(value)(Counted(account, i)));
  account.moves = 0;
  for (auto const& results : in_every_form(parallel, [&]() -> auto& { return tasks; })) {
    EXPECT_EQ(results.back(), 39);
  }
  EXPECT_EQ(account.copies, 0);
  EXPECT_EQ(account.moves, 0);
  EXPECT_EQ(account.alive, 40);
}

TEST_P(ParallelCalls, MoveAnArgumentOnlyIntoTheTaskAndIntoTheFunction) {
  Account account;
  auto const value = [](Counted counted) { return counted.value(); };
  auto const numbers = std::views::iota(0, 10);
  auto const make = [&](int i) { return delayed(value)(Counted(account, i)); };
  static_cast<void>(parallel(numbers | std::views::transform(make)));
  EXPECT_EQ(account.moves, 2 * 10);
}

TEST_P(ParallelCalls, HaveDestroyedTheArgumentsWhenTheyEnd) {
  Account account;
  // By reference: nothing moves the argument out of its task.
  auto const value = [](Counted const& counted) { return counted.value(); };
  auto const make = [&] {
    return std::views::iota(0, 40) |
           std::views::transform([&](int i) { return delayed(value)(Counted(account, i)); });
  };
  static_cast<void>(parallel(make()));
  EXPECT_EQ(account.alive, 0);
  std::vector<decltype(delayed(value)(Counted(account)))> tasks;
  for (int i = 0; i < 40; ++i) tasks.push_back(delayed(value)(Counted(account, i)));
  static_cast<void>(parallel(std::move(tasks)));
  EXPECT_EQ(account.alive, 0);
  static_cast<void>(all(parallel.generator(make())));
  EXPECT_EQ(account.alive, 0);
}

TEST_P(ParallelCalls, HaveDestroyedTheArgumentsWhenTheyThrow) {
  Account account;
  auto const value = [](Counted const& counted) {
    if (counted.value() == 25) throw std::out_of_range("25");
    return counted.value();
  };
  auto const make = [&](int i) { return delayed(value)(Counted(account, i)); };
  auto tasks = std::views::iota(0, 40) | std::views::transform(make);
  EXPECT_THROW(static_cast<void>(parallel(tasks)), std::out_of_range);
  EXPECT_EQ(account.alive, 0);
  EXPECT_THROW(static_cast<void>(all(parallel.generator(tasks))), std::out_of_range);
  EXPECT_EQ(account.alive, 0);
}

// --- results ------------------------------------------------------------------------------------

TEST_P(ParallelCalls, ReturnNothingForTasksThatReturnNothing) {
  std::atomic<int> runs{0};
  std::vector<std::function<void()>> const tasks(20, [&] { ++runs; });
  static_assert(std::is_void_v<decltype(parallel(tasks))>);
  parallel(tasks);
  EXPECT_EQ(runs, 20);
  static_assert(std::is_same_v<decltype(parallel.generator(tasks)), Generator<std::monostate>>);
  EXPECT_EQ(all(parallel.generator(tasks)).size(), 20U);
  EXPECT_EQ(all(parallel.generator_unordered(tasks)).size(), 20U);
  EXPECT_EQ(runs, 60);
  static_assert(std::is_same_v<decltype(parallel.outcomes(tasks)), std::vector<Outcome<void>>>);
  for (auto const& outcome : parallel.outcomes(tasks)) EXPECT_NO_THROW(outcome.value());
  static_assert(
      std::is_same_v<decltype(parallel.outcome_generator(tasks)), Generator<Outcome<void>>>);
  EXPECT_EQ(all(parallel.outcome_generator(tasks)).size(), 20U);
  EXPECT_EQ(all(parallel.outcome_generator_unordered(tasks)).size(), 20U);
  EXPECT_EQ(runs, 120);
}

TEST_P(ParallelCalls, DecayTheirResults) {
  static int const shared = 5;
  std::vector const tasks(3, []() -> int const& { return shared; });
  static_assert(std::is_same_v<decltype(parallel(tasks)), std::vector<int>>);
  static_assert(std::is_same_v<decltype(parallel.generator(tasks)), Generator<int>>);
  static_assert(std::is_same_v<decltype(parallel.outcomes(tasks)), std::vector<Outcome<int>>>);
  for (auto const& results : in_every_form(parallel, [&]() -> auto& { return tasks; })) {
    EXPECT_EQ(results, (std::vector{5, 5, 5}));
  }
}

TEST_P(ParallelCalls, ReturnBooleans) {
  auto const tasks = std::views::iota(0, 999) |
                     std::views::transform([](int i) { return [i] { return i % 3 == 0; }; });
  std::vector<bool> const results = parallel(tasks);
  ASSERT_EQ(results.size(), 999U);
  for (std::size_t i = 0; i < 999; ++i) ASSERT_EQ(results[i], i % 3 == 0);
}

TEST_P(ParallelCalls, TellWhatBecameOfEachTask) {
  auto const tasks = std::views::iota(0, 30) | std::views::transform([](int i) {
                       return [i] {
                         if (i % 7 == 3) throw i;
                         return std::to_string(i);
                       };
                     });
  auto const outcomes = parallel.outcomes(tasks);
  ASSERT_EQ(outcomes.size(), 30U);
  for (std::size_t i = 0; i < 30; ++i) {
    EXPECT_EQ(outcomes[i].index(), i);
    EXPECT_EQ(outcomes[i].attempts(), 1);
    ASSERT_EQ(outcomes[i].has_value(), i % 7 != 3);
    if (outcomes[i]) {
      EXPECT_EQ(outcomes[i].value(), std::to_string(i));
    } else {
      EXPECT_THROW(static_cast<void>(outcomes[i].value()), int);
    }
  }
  EXPECT_FALSE(parallel.failure());
}

// --- the object ---------------------------------------------------------------------------------

TEST_P(ParallelCalls, OfNothingEndAtOnce) {
  std::vector<std::function<int()>> const none;
  for (auto const& results : in_every_form(parallel, [&]() -> auto& { return none; })) {
    EXPECT_TRUE(results.empty());
  }
  auto const ended = [] { return std::views::empty<std::function<int()>>; };
  for (auto const& results : in_every_form(parallel, ended)) EXPECT_TRUE(results.empty());
  auto const exhausted = []() -> Coroutine<std::function<int()>> { co_return; };
  for (auto const& results : in_every_form(parallel, exhausted)) EXPECT_TRUE(results.empty());
}

TEST_P(ParallelCalls, TakeBracedLists) {
  auto const one = delayed(square)(1);
  auto const two = delayed(square)(2);
  std::vector const expected{1, 4};
  EXPECT_EQ(parallel({one, two}), expected);
  EXPECT_EQ(parallel({delayed(square)(1), delayed(square)(2)}), expected);
  EXPECT_EQ(all(parallel.generator({one, two})), expected);
  EXPECT_EQ(all(parallel.generator_unordered({one})), std::vector{1});
  EXPECT_EQ(values(parallel.outcomes({one, two})), expected);
  EXPECT_EQ(values(all(parallel.outcome_generator({one, two}))), expected);
  EXPECT_EQ(values(all(parallel.outcome_generator_unordered({one}))), std::vector{1});
  EXPECT_EQ(parallel.map({3, 4}, square), (std::vector{9, 16}));
  std::atomic<int> sum{0};
  parallel.for_each({3, 4}, [&](int i) { sum += i; });
  EXPECT_EQ(sum, 7);
  EXPECT_EQ(parallel.reduce({3, 4}, 0, std::plus<>(), square), 25);
}

TEST_P(ParallelCalls, OnOneObjectFromSeveralThreadsDoNotDisturbEachOther) {
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int round = 0; round < 20; ++round) {
        auto const results =
            parallel.map(std::views::iota(0, 100), [t](int i) { return 100 * t + i; });
        for (int i = 0; i < 100; ++i) {
          if (results[static_cast<std::size_t>(i)] != 100 * t + i) ++wrong;
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_P(ParallelCalls, GiveTheSameResultsHoweverMuchTheyTell) {
  for (int const verbose : {2, 11, 100}) {
    auto options = GetParam().options;
    options.verbose = verbose;
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    auto const results = Parallel(options).map(std::views::iota(0, 5), square);
    auto const out = testing::internal::GetCapturedStdout();
    auto const err = testing::internal::GetCapturedStderr();
    EXPECT_EQ(results, (std::vector{0, 1, 4, 9, 16}));
    EXPECT_TRUE((verbose < 50 ? err : out).ends_with("finished\n"));
    EXPECT_EQ(verbose < 50 ? out : err, "");
  }
}

TEST_P(ParallelCalls, ThrowTheTasksErrorAlsoWhenTheyTellMuch) {
  auto options = GetParam().options;
  options.verbose = 11;
  testing::internal::CaptureStderr();
  auto const fail = [](int i) {
    if (i == 3) throw std::out_of_range("three");
  };
  EXPECT_THROW(Parallel(options).for_each(std::views::iota(0, 5), fail), std::out_of_range);
  EXPECT_FALSE(testing::internal::GetCapturedStderr().ends_with("finished\n"));
}

TEST_P(ParallelCalls, CanBeMadeAgainAfterAnError) {
  for (int round = 0; round < 3; ++round) {
    EXPECT_THROW(parallel.for_each(std::views::iota(0, 20),
                                   [](int i) {
                                     if (i == 7) throw i;
                                   }),
                 int);
    ASSERT_TRUE(parallel.failure());
    EXPECT_EQ(parallel.failure()->index, 7U);
    EXPECT_EQ(parallel.map({1, 2}, square), (std::vector{1, 4}));
    EXPECT_FALSE(parallel.failure());
  }
}

TEST(Parallel, IsMadeFromANumberOrFromOptions) {
  static_assert(!std::convertible_to<int, Parallel>);
  static_assert(std::constructible_from<Parallel, int>);
  static_assert(!std::constructible_from<Parallel, double>);
  static_assert(!std::constructible_from<Parallel, bool>);
  EXPECT_EQ(Parallel(3).n_jobs(), 3);
  EXPECT_EQ(Parallel{3}.n_jobs(), 3);
  EXPECT_EQ((Parallel{{.n_jobs = 3}}.n_jobs()), 3);
  EXPECT_EQ((Parallel({.n_jobs = 3}).n_jobs()), 3);
  Options options;
  options.n_jobs = 3;
  EXPECT_EQ(Parallel(options).n_jobs(), 3);
  Parallel const parallel{{.n_jobs = 3, .backend = "threading"}};
  EXPECT_EQ(parallel.n_jobs(), 3);
}

TEST(Parallel, IsCalledInOneLine) {
  auto const tasks = {delayed(square)(1), delayed(square)(2)};
  EXPECT_EQ((Parallel{{.n_jobs = 2}}(tasks)), (std::vector{1, 4}));
  EXPECT_EQ(Parallel(2)(tasks), (std::vector{1, 4}));
  std::atomic<int> runs{0};
  Parallel{{.n_jobs = 2}}([&] { ++runs; }, [&] { ++runs; });
  EXPECT_EQ(runs, 2);
}

TEST(Parallel, CopiedHasAFailureOfItsOwn) {
  Parallel const original(2);
  EXPECT_THROW(original.for_each({1}, [](int i) { throw i; }), int);
  Parallel copy = original;  // NOLINT(performance-unnecessary-copy-initialization): that is tested
  EXPECT_TRUE(original.failure());
  EXPECT_FALSE(copy.failure());
  EXPECT_EQ(copy.n_jobs(), 2);
  EXPECT_THROW(copy.for_each({1, 2},
                             [](int i) {
                               if (i == 2) throw i;
                             }),
               int);
  EXPECT_FALSE(original.failure());
  ASSERT_TRUE(copy.failure());
  EXPECT_EQ(copy.failure()->index, 1U);
  EXPECT_EQ(last_failure()->index, 1U);
  copy = original;
  EXPECT_TRUE(copy.failure());
  Parallel const moved = std::move(copy);
  EXPECT_FALSE(moved.failure());
}

TEST(Parallel, KnowsAFailureInTheThreadThatMadeTheCallOnly) {
  Parallel const parallel(2);
  EXPECT_THROW(parallel.for_each({1}, [](int i) { throw i; }), int);
  std::thread([&] {
    EXPECT_FALSE(parallel.failure());
    EXPECT_FALSE(last_failure());
    parallel.for_each({1}, [](int) {});
  }).join();
  EXPECT_TRUE(parallel.failure());
}

TEST(Parallel, ForgetsAFailureWhenTheNextCallCannotEvenStart) {
  class Refusing final : public joblot::Backend {
   public:
    [[nodiscard]] std::string_view name() const override { return "Refusing"; }
    void start(std::shared_ptr<joblot::Call> /*call*/) override { throw std::bad_alloc(); }
  };
  Parallel const failing(2);
  Parallel const refused{{.n_jobs = 2, .backend = std::make_shared<Refusing>()}};
  auto const fail = [&] {
    EXPECT_THROW(failing.for_each({1}, [](int i) { throw i; }), int);
    EXPECT_TRUE(last_failure());
  };
  fail();
  EXPECT_THROW(refused.for_each({1, 2}, [](int) {}), std::bad_alloc);
  EXPECT_FALSE(last_failure());
  fail();
  EXPECT_THROW(static_cast<void>(refused.generator({answer, answer})), std::bad_alloc);
  EXPECT_FALSE(last_failure());
  fail();
  auto const generator = failing.generator({answer, answer});
  EXPECT_TRUE(last_failure()) << "a generator that has been made has not yet finished";
}

TEST(Parallel, WithOneWorkerRunsInTheCallerInOrder) {
  auto const me = std::this_thread::get_id();
  for (auto const& options :
       {Options{.n_jobs = 1}, Options{.n_jobs = 8, .backend = "sequential"}}) {
    Parallel const parallel(options);
    std::vector<std::size_t> order;
    parallel.for_each(std::views::iota(0, 1000), [&](int) {
      EXPECT_EQ(std::this_thread::get_id(), me);
      order.push_back(this_task::index());
    });
    ASSERT_EQ(order.size(), 1000U);
    for (std::size_t i = 0; i < 1000; ++i) ASSERT_EQ(order[i], i);
  }
}

}  // namespace
