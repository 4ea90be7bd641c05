// SPDX-License-Identifier: MIT
#include <algorithm>
#include <atomic>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <functional>
#include <iterator>
#include <latch>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <ranges>
#include <set>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#if defined(__unix__)
#include <sys/wait.h>
#include <unistd.h>
#endif

#include <joblot/generator.hpp>
#include <joblot/joblot.hpp>

#include "support/watched_range.hpp"

namespace {

using joblot::Generator;
using joblot::Options;
using joblot::Outcome;
using joblot::Parallel;
namespace this_task = joblot::this_task;
using namespace std::chrono_literals;
using Numbers = std::vector<int>;
using Task = std::function<int()>;

// The concepts.

using Results = Generator<std::string>;
static_assert(std::ranges::input_range<Results>);
static_assert(!std::ranges::forward_range<Results>);
static_assert(!std::ranges::view<Results>);
static_assert(std::ranges::viewable_range<Results>);
static_assert(std::ranges::viewable_range<Results&>);
static_assert(!std::ranges::input_range<Results const>);
static_assert(std::movable<Results> && !std::copyable<Results>);
static_assert(std::is_nothrow_move_constructible_v<Results>);
static_assert(std::is_nothrow_move_assignable_v<Results>);
static_assert(std::same_as<std::ranges::range_reference_t<Results>, std::string&&>);
static_assert(std::same_as<std::ranges::range_value_t<Results>, std::string>);
static_assert(std::same_as<std::ranges::sentinel_t<Results>, std::default_sentinel_t>);
static_assert(std::same_as<decltype(std::declval<Results&>().next()), std::optional<std::string>>);
static_assert(noexcept(std::declval<Results&>().close()));
static_assert(std::ranges::input_range<Generator<std::unique_ptr<int>>>);
static_assert(std::ranges::input_range<Generator<Outcome<void>>>);
static_assert(std::ranges::input_range<Generator<std::monostate>>);

struct Case {
  char const* name;
  bool ordered;
  bool lazy;  // the consumer runs the tasks
  Parallel (*parallel)();
};

std::ostream& operator<<(std::ostream& out, Case const& c) { return out << c.name; }

class Generators : public testing::TestWithParam<Case> {
 protected:
  [[nodiscard]] static Parallel parallel() { return GetParam().parallel(); }
  // A generator in the order of the case, of whatever is given for `parallel`.
  template <class R>
  static auto start(Parallel const& parallel, R&& tasks) {
    return GetParam().ordered ? parallel.generator(std::forward<R>(tasks))
                              : parallel.generator_unordered(std::forward<R>(tasks));
  }
  template <class R>
  static auto start(R&& tasks) {
    return start(parallel(), std::forward<R>(tasks));
  }
};

INSTANTIATE_TEST_SUITE_P(
    , Generators,
    testing::Values(Case{"ordered", true, false, [] { return Parallel(2); }},
                    Case{"unordered", false, false, [] { return Parallel(2); }},
                    Case{"ordered_in_batches", true, false,
                         [] { return Parallel{{.n_jobs = 3, .batch_size = 3}}; }},
                    Case{"unordered_in_batches", false, false,
                         [] { return Parallel{{.n_jobs = 3, .batch_size = 3}}; }},
                    Case{
                        "ordered_one_by_one", true, false,
                        [] { return Parallel{{.n_jobs = 2, .pre_dispatch = 1, .batch_size = 1}}; }},
                    Case{"ordered_one_job", true, true, [] { return Parallel(1); }},
                    Case{"unordered_one_job", false, true, [] { return Parallel(1); }},
                    Case{"sequential", true, true,
                         [] { return Parallel{{.n_jobs = 4, .backend = "sequential"}}; }}),
    [](testing::TestParamInfo<Case> const& test) { return test.param.name; });

// Tasks as a container and as a range that one at a time reads.
std::vector<Task> identities(int size) {
  std::vector<Task> tasks;
  for (int i = 0; i < size; ++i) tasks.emplace_back([i] { return i; });
  return tasks;
}
auto identities_one_by_one(int size) {
  return WatchedRange(size, [](Step, int) {}) |
         std::views::transform([](int i) { return [i] { return i; }; });
}

Numbers numbers(int size) {
  Numbers result(static_cast<std::size_t>(size));
  std::iota(result.begin(), result.end(), 0);
  return result;
}

Numbers sorted(Numbers results) {
  std::ranges::sort(results);
  return results;
}

// What is left of a generator.
template <class T>
std::vector<T> rest(Generator<T>& generator) {
  std::vector<T> results;
  while (auto result = generator.next()) results.push_back(std::move(*result));
  return results;
}

// Waits for what other threads do, without a limit: the test has one.
template <class Done>
void wait_until(Done done) {
  while (!done()) std::this_thread::sleep_for(1ms);
}

void wait_for_stop() {
  while (!this_task::stop_requested()) std::this_thread::yield();
}

// Results.

TEST_P(Generators, GiveAllResults) {
  for (int const size : {0, 1, 2, 3, 10, 1000}) {
    auto of_container = start(identities(size));
    auto one_by_one = start(identities_one_by_one(size));
    auto const first = rest(of_container);
    auto const second = rest(one_by_one);
    if (GetParam().ordered || GetParam().lazy) {
      EXPECT_EQ(first, numbers(size));
      EXPECT_EQ(second, numbers(size));
    }
    EXPECT_EQ(sorted(first), numbers(size));
    EXPECT_EQ(sorted(second), numbers(size));
  }
}

TEST_P(Generators, CanBeLoopedOver) {
  auto results = start(identities(100));
  Numbers seen;
  for (int&& result : results) seen.push_back(result);
  EXPECT_EQ(sorted(seen), numbers(100));
  EXPECT_FALSE(results.next());
  EXPECT_TRUE(results.begin() == results.end());
}

TEST_P(Generators, GiveMoveOnlyResultsAway) {
  auto results = start(std::views::iota(0, 20) | std::views::transform([](int i) {
                         return [i] { return std::make_unique<int>(i); };
                       }));
  Numbers seen;
  for (auto&& result : results) {
    auto const mine = std::move(result);
    seen.push_back(*mine);
    if (seen.size() == 10) break;
  }
  while (auto result = results.next()) seen.push_back(**result);
  EXPECT_EQ(sorted(seen), numbers(20));
}

TEST_P(Generators, GiveMonostateForTasksWithoutResult) {
  std::atomic<int> sum = 0;
  auto results = start(std::views::iota(0, 10) |
                       std::views::transform([&](int i) { return [&sum, i] { sum += i; }; }));
  static_assert(std::same_as<decltype(results), Generator<std::monostate>>);
  EXPECT_EQ(rest(results).size(), 10U);
  EXPECT_EQ(sum, 45);
}

TEST_P(Generators, KnowTheIndexOfTheResultReturnedLast) {
  auto results = start(identities(50));
  EXPECT_THROW(static_cast<void>(results.index()), std::logic_error);
  while (auto const result = results.next()) {
    EXPECT_EQ(results.index(), static_cast<std::size_t>(*result));
  }
  auto const last = results.index();
  EXPECT_FALSE(results.next());
  EXPECT_EQ(results.index(), last);
}

TEST_P(Generators, KnowTheIndexWhileTheyAreLoopedOver) {
  auto results = start(identities(50));
  for (int const result : results) EXPECT_EQ(results.index(), static_cast<std::size_t>(result));
}

TEST_P(Generators, KnowNoIndexWhileResultsHaveOnlyBeenWaitedFor) {
  auto results = start(identities(3));
  auto const position = results.begin();
  EXPECT_FALSE(position == results.end());
  EXPECT_THROW(static_cast<void>(results.index()), std::logic_error);
  int const first = *position;
  EXPECT_EQ(results.index(), static_cast<std::size_t>(first));
}

// Where a generator stands.

TEST_P(Generators, GoOnAfterABreakWithTheNextResult) {
  auto results = start(identities(10));
  Numbers seen;
  for (int const result : results) {
    seen.push_back(result);
    if (seen.size() == 3) break;
  }
  seen.push_back(*results.next());
  EXPECT_EQ(seen.size(), 4U);
  for (int const result : results) seen.push_back(result);
  EXPECT_EQ(sorted(seen), numbers(10));
}

TEST_P(Generators, BeginWhereTheyStand) {
  auto results = start(identities(4));
  Numbers seen;
  seen.push_back(*results.begin());
  seen.push_back(*results.begin());
  seen.push_back(*results.next());
  seen.push_back(*results.begin());
  EXPECT_EQ(sorted(seen), numbers(4));
  EXPECT_TRUE(results.begin() == results.end());
}

TEST_P(Generators, KeepAResultThatHasOnlyBeenWaitedFor) {
  auto results = start(identities(3));
  EXPECT_FALSE(results.begin() == results.end());
  EXPECT_FALSE(results.begin() == results.end());
  auto const left = rest(results);
  EXPECT_EQ(sorted(left), numbers(3));
}

TEST_P(Generators, GiveTheSameResultToWhoeverLooksTwice) {
  auto results = start(identities(3));
  auto const position = results.begin();
  int const first = *position;
  EXPECT_EQ(*position, first);
  EXPECT_FALSE(position == results.end());
  EXPECT_EQ(*position, first);
}

TEST_P(Generators, PassOverResultsThatNobodyLooksAt) {
  auto results = start(identities(6));
  auto position = results.begin();
  ++position;  // before anything has been waited for
  position++;
  std::set<int> seen{*position};
  ++position;
  ++position;
  ++position;
  seen.insert(*position);
  ++position;
  EXPECT_TRUE(position == results.end());
  if (GetParam().ordered || GetParam().lazy) {
    EXPECT_EQ(seen, (std::set<int>{2, 5}));
  }
  EXPECT_EQ(seen.size(), 2U);
}

TEST_P(Generators, PassOverMoreThanThereIs) {
  auto results = start(identities(3));
  auto position = results.begin();
  for (int i = 0; i < 5; ++i) ++position;
  EXPECT_TRUE(position == results.end());
  EXPECT_FALSE(results.next());
}

TEST_P(Generators, NeverWaitWhenTheyAreStepped) {
  // The second task ends only after the step over the first one has returned.
  std::atomic<bool> stepped = false;
  std::vector<Task> const tasks{[] { return 0; },
                                [&] {
                                  while (!stepped) std::this_thread::yield();
                                  return 1;
                                }};
  auto results = start(Parallel{{.n_jobs = 2, .batch_size = 1}}, tasks);
  auto position = results.begin();
  EXPECT_EQ(*position, 0);
  ++position;
  stepped = true;
  EXPECT_EQ(*position, 1);
}

TEST_P(Generators, CanBeTakenFromAsLvaluesAndGoOn) {
  auto results = start(identities(10));
  Numbers seen;
  for (int const result : results | std::views::take(3)) seen.push_back(result);
  EXPECT_EQ(seen.size(), 3U);
  for (int const result : results | std::views::take(2)) seen.push_back(result);
  while (auto const result = results.next()) seen.push_back(*result);
  EXPECT_EQ(sorted(seen), numbers(10));
}

TEST_P(Generators, CanBeTakenFromAsRvalues) {
  Numbers seen;
  for (int const result : start(identities(10)) | std::views::take(3)) seen.push_back(result);
  EXPECT_EQ(seen.size(), 3U);
  int sum = 0;
  for (int const square :
       start(identities(4)) | std::views::transform([](int i) { return i * i; })) {
    sum += square;
  }
  EXPECT_EQ(sum, 14);
}

// Moving.

TEST_P(Generators, CanBeMovedInTheMiddle) {
  auto results = start(identities(20));
  Numbers seen{*results.next()};
  auto other = std::move(results);
  seen.push_back(*other.next());
  auto third = start(identities(5));
  static_cast<void>(third.next());
  third = std::move(other);
  while (auto const result = third.next()) seen.push_back(*result);
  EXPECT_EQ(sorted(seen), numbers(20));
}

TEST_P(Generators, AreEmptyWhenMovedFrom) {
  auto results = start(identities(20));
  static_cast<void>(results.next());
  auto const other = std::move(results);
  // NOLINTBEGIN(bugprone-use-after-move)
  EXPECT_FALSE(results.next());
  EXPECT_TRUE(results.begin() == results.end());
  EXPECT_THROW(static_cast<void>(results.index()), std::logic_error);
  EXPECT_FALSE(results.failure());
  results.close();
  // NOLINTEND(bugprone-use-after-move)
}

TEST_P(Generators, SurviveBeingMovedOntoThemselves) {
  auto results = start(identities(20));
  Numbers seen{*results.next()};
  auto& same = results;
  results = std::move(same);
  while (auto const result = results.next()) seen.push_back(*result);
  EXPECT_EQ(sorted(seen), numbers(20));
}

TEST_P(Generators, CanBeAssignedToWhenMovedFrom) {
  auto results = start(identities(20));
  { auto const gone = std::move(results); }
  results = start(identities(7));
  EXPECT_EQ(sorted(rest(results)), numbers(7));
}

TEST_P(Generators, EndTheCallTheyHadWhenAnotherIsAssigned) {
  auto const use = std::make_shared<int>(0);
  auto const tasks = [](std::shared_ptr<int> const& kept) {
    return std::views::iota(0, 100) |
           std::views::transform([kept](int i) { return [kept, i] { return i; }; });
  };
  auto results = start(tasks(use));
  static_cast<void>(results.next());
  results = start(tasks(nullptr));
  EXPECT_EQ(use.use_count(), 1);
  EXPECT_EQ(sorted(rest(results)), numbers(100));
}

// Closing.

TEST_P(Generators, CanBeClosedAtAnyTimeAndTwice) {
  for (int const taken : {0, 1, 5, 10}) {
    auto results = start(identities(10));
    for (int i = 0; i < taken; ++i) EXPECT_TRUE(results.next());
    results.close();
    EXPECT_FALSE(results.next());
    EXPECT_TRUE(results.begin() == results.end());
    results.close();
    EXPECT_FALSE(results.failure());
    if (taken > 0) {
      EXPECT_NO_THROW(static_cast<void>(results.index()));
    }
  }
}

TEST_P(Generators, LeaveNothingRunningWhenClosedOrDropped) {
  for (bool const drop : {false, true}) {
    std::atomic<int> running = 0;
    std::atomic<int> begun = 0;
    auto task = [&](int i) {
      ++begun;
      ++running;
      if (i >= 1) wait_for_stop();
      for (int n = 0; n < 20; ++n) std::this_thread::yield();
      --running;
      return i;
    };
    auto tasks = std::views::iota(0, 10000) |
                 std::views::transform([&](int i) { return [&task, i] { return task(i); }; });
    std::optional results(start(tasks));
    if (!GetParam().lazy) wait_until([&] { return begun > 0; });
    if (drop) {
      results.reset();
    } else {
      results->close();
    }
    EXPECT_EQ(running, 0);
    int const then = begun;
    std::this_thread::yield();
    EXPECT_EQ(begun, then);
    EXPECT_LE(begun, 10000 / 2);
  }
}

TEST_P(Generators, DestroyTasksAndResultsWithTheGenerator) {
  auto const use = std::make_shared<int>(0);
  auto make = [use](int i) { return [use, i] { return std::pair(use, i); }; };
  for (int const taken : {0, 1, 7, 50, 51}) {
    {
      auto results = start(std::views::iota(0, 50) | std::views::transform(make));
      for (int i = 0; i < taken; ++i) static_cast<void>(results.next());
    }
    EXPECT_EQ(use.use_count(), 2) << taken;  // here and in `make`
  }
}

TEST_P(Generators, DoNotDisturbOthersWhenTheyAreDropped) {
  auto const shared = parallel();
  auto kept = start(shared, identities(500));
  Numbers seen;
  for (int i = 0; i < 100; ++i) {
    auto dropped = start(shared, identities(100));
    static_cast<void>(dropped.next());
    seen.push_back(*kept.next());
  }
  EXPECT_EQ(shared(identities(100)), numbers(100));
  while (auto const result = kept.next()) seen.push_back(*result);
  EXPECT_EQ(sorted(seen), numbers(500));
}

TEST_P(Generators, OutliveTheirParallel) {
  auto results = [] {
    auto const gone = parallel();
    return start(gone, identities(200));
  }();
  EXPECT_EQ(sorted(rest(results)), numbers(200));
}

TEST_P(Generators, OutliveTheRangeIfItWasMovedIn) {
  auto results = [] {
    auto tasks = identities(200);
    return start(std::move(tasks));
  }();
  EXPECT_EQ(sorted(rest(results)), numbers(200));
}

TEST_P(Generators, MayBeUsedByAnotherThreadThanTheOneThatMadeThem) {
  auto results = start(identities(100));
  Numbers seen{*results.next()};
  std::jthread([&] {
    for (int i = 0; i < 10; ++i) seen.push_back(*results.next());
  }).join();
  std::jthread([&seen, mine = std::move(results)]() mutable {
    while (auto const result = mine.next()) seen.push_back(*result);
  }).join();
  EXPECT_EQ(sorted(seen), numbers(100));
}

TEST_P(Generators, WorkSideBySide) {
  auto const shared = parallel();
  std::vector<Generator<int>> all;
  for (int i = 0; i < 5; ++i) all.push_back(start(shared, identities(100)));
  std::vector<Numbers> seen(5);
  for (int round = 0; round < 100; ++round) {
    for (std::size_t i = 0; i < 5; ++i) seen[i].push_back(*all[i].next());
  }
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_FALSE(all[i].next());
    EXPECT_EQ(sorted(seen[i]), numbers(100));
  }
}

TEST_P(Generators, DoNotClaimToBeFinishedWhenTheyAreDropped) {
  std::optional<joblot::Progress> last;
  Options options;
  options.n_jobs = GetParam().lazy ? 1 : 2;
  options.on_progress = [&](joblot::Progress const& progress) { last = progress; };
  Parallel const reporting(options);
  {
    auto results = start(reporting, identities_one_by_one(WatchedRange::endless));
    static_cast<void>(results.next());
  }
  ASSERT_TRUE(last);
  EXPECT_FALSE(last->total);
  {
    auto results = start(reporting, identities_one_by_one(10));
    for (int i = 0; i < 10; ++i) static_cast<void>(results.next());
  }
  EXPECT_EQ(last->completed, 10U);
  {
    auto results = start(reporting, identities(10));
    for (int i = 0; i < 10; ++i) static_cast<void>(results.next());
  }
  EXPECT_EQ(last->completed, 10U);
  EXPECT_EQ(last->total, 10U);
}

// Errors.

TEST_P(Generators, ThrowTheErrorOnceAndAreThenFinished) {
  auto const shared = parallel();
  auto tasks = identities(20);
  tasks[7] = []() -> int { throw std::domain_error("seven"); };
  auto results = start(shared, tasks);
  Numbers seen;
  EXPECT_THROW(
      {
        while (auto const result = results.next()) seen.push_back(*result);
      },
      std::domain_error);
  EXPECT_FALSE(results.next());
  EXPECT_TRUE(results.begin() == results.end());
  ASSERT_TRUE(results.failure());
  EXPECT_EQ(results.failure()->index, 7U);
  EXPECT_EQ(shared.failure()->index, 7U);
  EXPECT_EQ(joblot::last_failure()->index, 7U);
  if (GetParam().ordered) {
    EXPECT_EQ(seen, numbers(7)) << "the results before it come first";
  }
  EXPECT_EQ(std::ranges::count(seen, 7), 0);
  results.close();
  EXPECT_TRUE(results.failure()) << "it is not forgotten";
}

TEST_P(Generators, ThrowTheErrorInALoop) {
  auto tasks = identities(20);
  tasks[7] = []() -> int { throw std::domain_error("seven"); };
  auto results = start(tasks);
  int seen = 0;
  EXPECT_THROW(
      {
        for (int const result : results) seen += result >= 0 ? 1 : 0;
      },
      std::domain_error);
  EXPECT_EQ(results.failure()->index, 7U);
  if (GetParam().ordered) {
    EXPECT_EQ(seen, 7);
  }
}

TEST_P(Generators, ForgetAnErrorThatNobodyWaitsFor) {
  std::atomic<bool> failed = false;
  auto tasks = identities(20);
  tasks[5] = [&]() -> int {
    failed = true;
    throw std::domain_error("five");
  };
  auto results = start(tasks);
  static_cast<void>(results.next());
  if (!GetParam().lazy && std::string(GetParam().name) != "ordered_one_by_one") {
    wait_until([&] { return failed.load(); });
  }
  results.close();
  EXPECT_FALSE(results.next());
  EXPECT_FALSE(results.failure());
}

TEST(AnOrderedGenerator, RunsTheTasksBeforeOneThatHasFailed) {
  std::atomic<bool> failed = false;
  std::vector<Task> const tasks{[&] {
                                  while (!failed) std::this_thread::yield();
                                  // Not stopped: this result is still wanted.
                                  return this_task::stop_requested() ? -1 : 0;
                                },
                                [&]() -> int {
                                  failed = true;
                                  throw std::domain_error("one");
                                }};
  auto results = Parallel{{.n_jobs = 2, .batch_size = 1}}.generator(tasks);
  EXPECT_EQ(results.next(), 0);
  EXPECT_THROW(static_cast<void>(results.next()), std::domain_error);
}

TEST(AnUnorderedGenerator, ThrowsAnErrorThoughAnEarlierTaskStillRuns) {
  std::vector<Task> const tasks{[] {
                                  wait_for_stop();
                                  return 0;
                                },
                                []() -> int { throw std::domain_error("one"); }};
  auto results = Parallel{{.n_jobs = 2, .batch_size = 1}}.generator_unordered(tasks);
  EXPECT_THROW(
      {
        while (results.next()) {
        }
      },
      std::domain_error);
  EXPECT_EQ(results.failure()->index, 1U);
}

TEST(AnUnorderedGenerator, DoesNotWaitForASlowFirstTask) {
  std::atomic<bool> release = false;
  auto tasks = identities(100);
  tasks[0] = [&] {
    while (!release) std::this_thread::sleep_for(1ms);
    return 0;
  };
  Parallel const parallel{{.n_jobs = 2, .pre_dispatch = 4, .batch_size = 1}};
  auto results = parallel.generator_unordered(tasks);
  Numbers seen;
  for (int i = 0; i < 99; ++i) seen.push_back(*results.next());
  EXPECT_EQ(std::ranges::count(seen, 0), 0);
  release = true;
  EXPECT_EQ(results.next(), 0);
  EXPECT_FALSE(results.next());
}

TEST(AnUnorderedGenerator, CanBeDroppedWhileASlowTaskRuns) {
  auto tasks = identities(10);
  tasks[1] = [] {
    wait_for_stop();
    return 1;
  };
  auto results = Parallel{{.n_jobs = 2, .batch_size = 1}}.generator_unordered(tasks);
  Numbers seen;
  for (int i = 0; i < 9; ++i) seen.push_back(*results.next());
  EXPECT_EQ(std::ranges::count(seen, 1), 0);
}

TEST(AnOrderedGenerator, GivesAResultAsSoonAsItIsThere) {
  // Each task but the first waits until the result before it has been taken.
  std::atomic<int> taken = 0;
  auto const tasks = std::views::iota(0, 20) | std::views::transform([&](int i) {
                       return [&taken, i] {
                         while (taken < i) std::this_thread::yield();
                         return i;
                       };
                     });
  auto results = Parallel{{.n_jobs = 2, .batch_size = 1}}.generator(tasks);
  while (auto const result = results.next()) {
    EXPECT_EQ(*result, taken);
    ++taken;
  }
  EXPECT_EQ(taken, 20);
}

TEST_P(Generators, GiveTheResultsOfABatchOneByOne) {
  // The last task of the batch waits until the first result of the batch has been taken.
  if (GetParam().lazy) return;
  std::atomic<bool> taken = false;
  auto tasks = identities(4);
  tasks[3] = [&] {
    while (!taken) std::this_thread::yield();
    return 3;
  };
  auto results = start(Parallel{{.n_jobs = 2, .batch_size = 4}}, tasks);
  Numbers seen{*results.next()};
  taken = true;
  while (auto const result = results.next()) seen.push_back(*result);
  EXPECT_EQ(sorted(seen), numbers(4));
}

// Laziness and bounded memory.

TEST_P(Generators, StartAtOnceUnlessTheConsumerRunsTheTasks) {
  std::atomic<int> ran = 0;
  auto results = start(std::views::iota(0, 4) | std::views::transform([&](int i) {
                         return [&ran, i] {
                           ++ran;
                           return i;
                         };
                       }));
  if (GetParam().lazy) {
    EXPECT_EQ(ran, 0);
    static_cast<void>(results.next());
    EXPECT_EQ(ran, 1);
  } else {
    wait_until([&] { return ran > 0; });
  }
}

TEST_P(Generators, RunTheTasksInTheConsumerOnlyIfTheyAreLazy) {
  std::mutex mutex;
  std::set<std::thread::id> threads;
  auto results = start(std::views::iota(0, 100) | std::views::transform([&](int i) {
                         return [&, i] {
                           std::lock_guard const lock(mutex);
                           threads.insert(std::this_thread::get_id());
                           return i;
                         };
                       }));
  EXPECT_EQ(sorted(rest(results)), numbers(100));
  EXPECT_EQ(threads.contains(std::this_thread::get_id()), GetParam().lazy);
  if (GetParam().lazy) {
    EXPECT_EQ(threads.size(), 1U);
  }
}

struct Reading {
  char const* name;
  bool ordered;
  int size;
};

std::ostream& operator<<(std::ostream& out, Reading const& reading) { return out << reading.name; }

class APausedConsumer : public testing::TestWithParam<Reading> {};

INSTANTIATE_TEST_SUITE_P(
    , APausedConsumer,
    testing::Values(Reading{"of_an_ordered_generator", true, 10000},
                    Reading{"of_an_unordered_generator", false, 10000},
                    Reading{"of_an_endless_ordered_generator", true, WatchedRange::endless},
                    Reading{"of_an_endless_unordered_generator", false, WatchedRange::endless}),
    [](testing::TestParamInfo<Reading> const& test) { return test.param.name; });

// A generator whose reads are counted.
class CountedReads {
 public:
  CountedReads(Options const& options, Reading const& reading) {
    auto const range = WatchedRange(reading.size, [this](Step step, int) {
      if (step == Step::look) ++read;
    });
    auto tasks = range | std::views::transform([](int i) { return [i] { return i; }; });
    Parallel const parallel(options);
    results.emplace(reading.ordered ? parallel.generator(tasks)
                                    : parallel.generator_unordered(tasks));
  }

  /// Waits until so many are read, gives the readers time to read on, and returns how many are.
  int read_after(int count) {
    wait_until([&] { return read >= count; });
    std::this_thread::sleep_for(20ms);
    return read;
  }

  std::atomic<int> read = 0;
  std::optional<Generator<int>> results;
};

TEST_P(APausedConsumer, PausesTheReadersAtTheWindow) {
  for (int const n_jobs : {2, 4}) {
    for (int const window : {1, 3, 8}) {
      CountedReads counted({.n_jobs = n_jobs, .pre_dispatch = window, .batch_size = 1}, GetParam());
      EXPECT_EQ(counted.read_after(window), window);
      for (int consumed = 1; consumed <= 200; ++consumed) {
        EXPECT_TRUE(counted.results->next());
        EXPECT_LE(counted.read, consumed + window);
      }
      EXPECT_EQ(counted.read_after(200 + window), 200 + window);
    }
  }
}

TEST_P(APausedConsumer, PausesTheReadersAtTheDefaultWindowOfTwoBatchesAWorker) {
  CountedReads counted({.n_jobs = 3, .batch_size = 1}, GetParam());
  EXPECT_EQ(counted.read_after(6), 6);
}

TEST_P(APausedConsumer, CountsTheWindowInBatches) {
  CountedReads counted({.n_jobs = 2, .pre_dispatch = 3, .batch_size = 5}, GetParam());
  EXPECT_EQ(counted.read_after(15), 15);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(counted.results->next());
  if (GetParam().ordered) {
    EXPECT_EQ(counted.read_after(15), 15) << "a batch is consumed as a whole";
  }
  for (int i = 0; i < 11; ++i) EXPECT_TRUE(counted.results->next());
  EXPECT_EQ(counted.read_after(30), 30);
}

TEST_P(APausedConsumer, PausesTheReadersAlsoWithBatchesOfAnySize) {
  CountedReads counted({.n_jobs = 2}, GetParam());
  EXPECT_LE(counted.read_after(1), 4 * 1024);
  EXPECT_TRUE(counted.results->next());
  for (int i = 0; i < 5000; ++i) EXPECT_TRUE(counted.results->next());
  EXPECT_LE(counted.read_after(5001), 5001 + 4 * 1024);
}

TEST_P(APausedConsumer, OfALazyGeneratorHasNothingReadAhead) {
  CountedReads counted({.n_jobs = 1}, GetParam());
  EXPECT_EQ(counted.read, 0);
  for (int consumed = 1; consumed <= 20; ++consumed) {
    EXPECT_TRUE(counted.results->next());
    EXPECT_EQ(counted.read, consumed);
  }
}

TEST_P(APausedConsumer, OfALazyGeneratorHasOneBatchReadIfItIsAsked) {
  CountedReads counted({.n_jobs = 1, .batch_size = 4}, GetParam());
  for (int consumed = 1; consumed <= 20; ++consumed) {
    EXPECT_TRUE(counted.results->next());
    EXPECT_EQ(counted.read, (consumed + 3) / 4 * 4);
  }
}

// Inside tasks, and of generators.

TEST_P(Generators, MadeInATaskRunInTheThreadThatConsumesThem) {
  auto const sums = Parallel(4).map(std::views::iota(0, 20), [](int) {
    std::mutex mutex;
    std::set<std::thread::id> threads;
    auto results = start(std::views::iota(0, 10) | std::views::transform([&](int i) {
                           return [&, i] {
                             std::lock_guard const lock(mutex);
                             threads.insert(std::this_thread::get_id());
                             return i;
                           };
                         }));
    int sum = 0;
    while (auto const result = results.next()) sum += *result;
    EXPECT_EQ(threads, std::set<std::thread::id>{std::this_thread::get_id()});
    return sum;
  });
  EXPECT_EQ(sums, Numbers(20, 45));
}

TEST_P(Generators, MadeInATaskMayBeConsumedAfterIt) {
  auto results = Parallel(2).map(std::views::iota(0, 4), [](int) { return start(identities(10)); });
  for (auto& generator : results) EXPECT_EQ(sorted(rest(generator)), numbers(10));
}

TEST_P(Generators, MayBeConsumedByTasks) {
  auto results = start(identities(100));
  std::mutex mutex;
  Numbers seen;
  Parallel(4).for_each(std::views::iota(0, 100), [&](int) {
    std::lock_guard const lock(mutex);
    seen.push_back(*results.next());
  });
  EXPECT_FALSE(results.next());
  EXPECT_EQ(sorted(seen), numbers(100));
}

// A generator of tasks: each yields a task that yields its number.
template <class Start>
auto tasks_by_tasks(int size, Start start) {
  return start(std::views::iota(0, size) |
               std::views::transform([](int i) { return [i] { return [i] { return i; }; }; }));
}

TEST_P(Generators, GiveTasksToAnotherCall) {
  auto const start_it = [](auto&& tasks) { return start(std::forward<decltype(tasks)>(tasks)); };
  EXPECT_EQ(sorted(Parallel(2)(tasks_by_tasks(200, start_it))), numbers(200));
  EXPECT_EQ(sorted(Parallel(1)(tasks_by_tasks(200, start_it))), numbers(200));
  auto results = start(tasks_by_tasks(200, start_it));
  EXPECT_EQ(sorted(rest(results)), numbers(200));
  auto dropped = start(tasks_by_tasks(200, start_it));
  static_cast<void>(dropped.next());
}

TEST_P(Generators, PassTheErrorOfTheGeneratorTheyReadFrom) {
  auto inner = start(std::views::iota(0, 100) | std::views::transform([](int i) {
                       return [i] {
                         if (i == 50) throw std::domain_error("fifty");
                         return [i] { return i; };
                       };
                     }));
  auto const shared = parallel();
  auto results = start(shared, std::move(inner));
  EXPECT_THROW(
      {
        while (results.next()) {
        }
      },
      std::domain_error);
  EXPECT_FALSE(results.failure()) << "it is the range that threw";
}

TEST_P(Generators, FeedResultsBackIntoTheirOwnInput) {
  // A range that gives as many tasks as there are results already, and one more.
  if (std::string(GetParam().name).find("batches") != std::string::npos) return;
  std::atomic<int> taken = 0;
  auto const range = WatchedRange(50, [&](Step step, int position) {
    while (step == Step::next && taken < position) std::this_thread::yield();
  });
  auto results = start(Parallel{{.n_jobs = GetParam().lazy ? 1 : 2, .batch_size = 1}},
                       range | std::views::transform([](int i) { return [i] { return i; }; }));
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(results.next(), i);
    ++taken;
  }
}

// Closed from within.

/// A generator that its own tasks can reach.
template <class T>
struct Shared {
  std::latch made{1};
  std::optional<Generator<T>> generator;
};

TEST_P(Generators, MayBeClosedByTheirOwnTasks) {
  Shared<int> shared;
  shared.generator.emplace(start(std::views::iota(0, 1000) | std::views::transform([&](int i) {
                                   return [&, i] {
                                     shared.made.wait();
                                     if (i == 3) shared.generator->close();
                                     return i;
                                   };
                                 })));
  shared.made.count_down();
  auto const seen = rest(*shared.generator);
  EXPECT_LT(seen.size(), 1000U);
  EXPECT_FALSE(shared.generator->next());
  EXPECT_FALSE(shared.generator->failure());
}

TEST_P(Generators, MayBeClosedByACallNestedInTheirTasks) {
  Shared<int> shared;
  shared.generator.emplace(start(std::views::iota(0, 1000) | std::views::transform([&](int i) {
                                   return [&, i] {
                                     shared.made.wait();
                                     Parallel(2).for_each(std::views::iota(0, 4), [&](int j) {
                                       if (i == 1 && j == 2) shared.generator->close();
                                     });
                                     return i;
                                   };
                                 })));
  shared.made.count_down();
  EXPECT_LT(rest(*shared.generator).size(), 1000U);
  EXPECT_FALSE(shared.generator->next());
}

TEST_P(Generators, MayBeClosedByOnProgress) {
  Shared<int> shared;
  auto const on_progress = [&](joblot::Progress const&) {
    shared.made.wait();
    shared.generator->close();
  };
  Options options{.n_jobs = GetParam().lazy ? 1 : 2, .batch_size = 1, .on_progress = on_progress};
  shared.generator.emplace(start(Parallel(options), identities(1000)));
  shared.made.count_down();
  EXPECT_LT(rest(*shared.generator).size(), 1000U);
  EXPECT_FALSE(shared.generator->next());
}

// Stopped with the task that made them.

TEST_P(Generators, MadeInATaskAreAskedToStopWithIt) {
  std::latch running(1);
  auto const call = [&] {
    Parallel{{.n_jobs = 2, .batch_size = 1}}.for_each(std::views::iota(0, 2), [&](int outer) {
      if (outer == 1) {
        running.wait();
        throw std::domain_error("the other task");
      }
      auto results = start(std::vector<Task>{[&] {
        running.count_down();
        wait_for_stop();
        return 1;
      }});
      EXPECT_EQ(results.next(), 1);
    });
  };
  EXPECT_THROW(call(), std::domain_error);
}

TEST_P(Generators, MadeInATaskPassItsStopOnToTheirTokens) {
  std::latch running(1);
  auto const call = [&] {
    Parallel{{.n_jobs = 2, .batch_size = 1}}.for_each(std::views::iota(0, 2), [&](int outer) {
      if (outer == 1) {
        running.wait();
        throw std::domain_error("the other task");
      }
      std::atomic<int> stops = 0;
      auto const waits = [&] {
        std::stop_callback const callback(this_task::stop_token(), [&] { ++stops; });
        running.count_down();
        while (stops == 0) std::this_thread::yield();
        return 1;
      };
      auto results = start(std::vector<Task>{[] { return 0; }, waits});
      EXPECT_EQ(results.next(), 0);
      EXPECT_EQ(results.next(), 1);
    });
  };
  EXPECT_THROW(call(), std::domain_error);
}

#if defined(__unix__)
// A forked child has its parent's generators without the threads that work for them.
TEST_P(Generators, AreDroppedByAForkedChildAsTheyAre) {
  auto const parent = ::getpid();
  auto results = start(identities(1000));
  EXPECT_TRUE(results.next());
  pid_t const child = ::fork();
  ASSERT_NE(child, -1);
  if (child == 0) {
    bool refused = GetParam().lazy;  // there a child could go on by itself
    try {
      while (!refused && results.next()) {
      }
    } catch (joblot::Error const&) {
      refused = true;
    }
    { auto const dropped = std::move(results); }
    ::_exit(refused && ::getpid() != parent ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(rest(results).size(), 999U);
}
#endif

}  // namespace
