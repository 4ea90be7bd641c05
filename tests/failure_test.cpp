// SPDX-License-Identifier: MIT
#include <atomic>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <thread>
#include <type_traits>
#include <utility>

#include <gtest/gtest.h>

#include <joblot/failure.hpp>
#include <joblot/joblot.hpp>

namespace {

using joblot::last_failure;
using joblot::Parallel;
using joblot::TaskFailure;
using joblot::detail::ParallelId;
using joblot::detail::remember_failure;

static_assert(noexcept(last_failure()));
static_assert(noexcept(std::declval<Parallel const&>().failure()));
static_assert(std::is_aggregate_v<TaskFailure>);

// A call whose task `index` fails.
void fail_at(Parallel const& parallel, int index) {
  EXPECT_THROW(parallel.for_each(std::views::iota(0, 10),
                                 [index](int i) {
                                   if (i == index) throw std::domain_error("task");
                                 }),
               std::domain_error);
}
void succeed(Parallel const& parallel) {
  parallel.for_each(std::views::iota(0, 10), [](int) {});
}

TEST(ParallelId, IsDifferentForEachObjectAlsoForCopies) {
  ParallelId const first;
  ParallelId const second;
  ParallelId const copy = first;
  ParallelId assigned;
  auto const before = assigned.value();
  assigned = first;
  EXPECT_NE(first.value(), 0U);
  EXPECT_NE(first.value(), second.value());
  EXPECT_NE(first.value(), copy.value());
  EXPECT_EQ(assigned.value(), before);
}

TEST(LastFailure, IsEmptyBeforeTheFirstCallOfAThread) {
  std::jthread([] { EXPECT_FALSE(last_failure()); }).join();
}

TEST(LastFailure, IsWhatWasRememberedLast) {
  remember_failure(1, TaskFailure{.index = 7, .worker_id = 2, .attempt = 1});
  ASSERT_TRUE(last_failure());
  EXPECT_EQ(last_failure()->index, 7U);
  EXPECT_EQ(last_failure()->worker_id, 2);
  EXPECT_EQ(last_failure()->attempt, 1);
  remember_failure(2, std::nullopt);
  EXPECT_FALSE(last_failure());
}

TEST(LastFailure, IsThatOfTheLastCallOnAnyObject) {
  Parallel const first(2);
  Parallel const second(2);
  fail_at(first, 3);
  EXPECT_EQ(last_failure()->index, 3U);
  EXPECT_EQ(first.failure()->index, 3U);
  EXPECT_FALSE(second.failure());
  fail_at(second, 4);
  EXPECT_EQ(last_failure()->index, 4U);
  EXPECT_EQ(second.failure()->index, 4U);
  EXPECT_FALSE(first.failure()) << "the last call was not made on it";
  succeed(first);
  EXPECT_FALSE(last_failure());
  EXPECT_FALSE(second.failure());
}

TEST(LastFailure, BelongsToTheThreadThatMadeTheCall) {
  Parallel const parallel(2);
  fail_at(parallel, 3);
  std::jthread([&] {
    EXPECT_FALSE(last_failure());
    EXPECT_FALSE(parallel.failure());
    fail_at(parallel, 5);
    EXPECT_EQ(parallel.failure()->index, 5U);
  }).join();
  EXPECT_EQ(parallel.failure()->index, 3U);
}

TEST(LastFailure, IsNotInheritedByACopyOfTheObject) {
  Parallel const parallel(2);
  fail_at(parallel, 3);
  Parallel const copy = parallel;
  EXPECT_FALSE(copy.failure());
  EXPECT_TRUE(parallel.failure());
}

TEST(LastFailure, OfANestedCallIsNotThatOfTheOuterOne) {
  for (int const n_jobs : {1, 2}) {
    Parallel const outer(n_jobs);
    outer.for_each(std::views::iota(0, 4), [](int) {
      Parallel const inner(2);
      fail_at(inner, 6);
      EXPECT_EQ(inner.failure()->index, 6U);
    });
    EXPECT_FALSE(outer.failure());
    EXPECT_FALSE(last_failure());
  }
}

TEST(LastFailure, OfAGeneratorIsThatOfTheThreadThatMeetsTheError) {
  Parallel const parallel(2);
  auto results =
      parallel.generator(std::views::iota(0, 10) | std::views::transform([](int i) {
                           return [i] { return i == 3 ? throw std::domain_error("") : i; };
                         }));
  std::jthread([&] {
    for (int i = 0; i < 3; ++i) EXPECT_EQ(results.next(), i);
    EXPECT_FALSE(parallel.failure()) << "it has not been met yet";
    EXPECT_THROW(static_cast<void>(results.next()), std::domain_error);
    EXPECT_EQ(parallel.failure()->index, 3U);
  }).join();
  EXPECT_FALSE(parallel.failure());
  EXPECT_EQ(results.failure()->index, 3U);
}

TEST(LastFailure, OfACallThatWasNeverMadeIsThatOfTheOneBefore) {
  Parallel const parallel(2);
  fail_at(parallel, 3);
  static_cast<void>(Parallel(4));
  EXPECT_THROW(Parallel(0), joblot::InvalidOption);
  EXPECT_EQ(parallel.failure()->index, 3U);
}

}  // namespace
