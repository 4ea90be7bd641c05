// SPDX-License-Identifier: MIT
#include <atomic>
#include <barrier>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
#include <ranges>
#include <semaphore>
#include <set>
#include <stdexcept>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <joblot/joblot.hpp>
#include <joblot/this_task.hpp>

namespace {

using joblot::CancelledError;
using joblot::Parallel;
using joblot::TimeoutError;
namespace this_task = joblot::this_task;
using namespace std::chrono_literals;

static_assert(noexcept(this_task::index()));
static_assert(noexcept(this_task::attempt()));
static_assert(noexcept(this_task::worker_id()));
static_assert(noexcept(this_task::stop_requested()));

auto numbers(int size) { return std::views::iota(0, size); }

// Sleeps until the token of the running task is stopped, without looking again and again.
void sleep_until_stopped() {
  std::mutex mutex;
  std::condition_variable_any never_notified;
  std::unique_lock lock(mutex);
  never_notified.wait(lock, this_task::stop_token(), [] { return false; });
}

void expect_no_task() {
  EXPECT_EQ(this_task::index(), 0U);
  EXPECT_EQ(this_task::attempt(), 1);
  EXPECT_EQ(this_task::worker_id(), 0);
  EXPECT_FALSE(this_task::stop_requested());
  EXPECT_FALSE(this_task::stop_token().stop_possible());
}

TEST(ThisTask, IsNoTaskOutsideOfOne) {
  expect_no_task();
  Parallel(2).for_each(numbers(10), [](int) {});
  expect_no_task();
  EXPECT_THROW(Parallel(2).for_each(numbers(10), [](int) { throw std::domain_error(""); }),
               std::domain_error);
  expect_no_task();
  std::jthread(expect_no_task).join();
}

TEST(ThisTask, IsNoTaskInAThreadThatATaskHasMade) {
  Parallel(2).for_each(numbers(4), [](int) { std::jthread(expect_no_task).join(); });
}

TEST(ThisTask, KnowsItsIndexInEveryForm) {
  for (int const n_jobs : {1, 3}) {
    Parallel const parallel(n_jobs);
    auto const check = [](int i) {
      EXPECT_EQ(this_task::index(), static_cast<std::size_t>(i));
      EXPECT_EQ(this_task::attempt(), 1);
      return this_task::index();
    };
    auto const tasks = numbers(100) | std::views::transform(
                                          [&](int i) { return [&check, i] { return check(i); }; });
    auto const mapped = parallel.map(numbers(100), check);
    auto const results = parallel(tasks);
    parallel.for_each(numbers(100), check);
    static_cast<void>(parallel.reduce(numbers(100), std::size_t{0}, std::plus<>(), check));
    auto const outcomes = parallel.outcomes(tasks);
    std::set<std::size_t> seen;
    for (auto const index : parallel.generator_unordered(tasks)) seen.insert(index);
    for (std::size_t i = 0; i < 100; ++i) {
      EXPECT_EQ(mapped[i], i);
      EXPECT_EQ(results[i], i);
      EXPECT_EQ(outcomes[i].value(), i);
    }
    EXPECT_EQ(seen.size(), 100U);
    auto const [a, b, c] = parallel(this_task::index, this_task::index, this_task::index);
    EXPECT_EQ(a, 0U);
    EXPECT_EQ(b, 1U);
    EXPECT_EQ(c, 2U);
  }
}

TEST(ThisTask, CanUseScratchSpaceOfItsWorkerWithoutALock) {
  // Plain objects, written without a lock: a race would be seen by a sanitizer, a lost count here.
  for (int const n_jobs : {1, 2, 4}) {
    Parallel const parallel(n_jobs);
    std::vector<long> counts(static_cast<std::size_t>(n_jobs));
    auto const count = [&](int) { ++counts[static_cast<std::size_t>(this_task::worker_id())]; };
    parallel.for_each(numbers(10000), count);
    auto results = parallel.generator_unordered(
        numbers(10000) | std::views::transform([&](int i) { return [&count, i] { count(i); }; }));
    while (results.next()) {
    }
    long sum = 0;
    for (auto const of_worker : counts) sum += of_worker;
    EXPECT_EQ(sum, 20000);
  }
}

TEST(ThisTask, IsNotAskedToStopWithoutReason) {
  for (int const n_jobs : {1, 2}) {
    Parallel const parallel{{.n_jobs = n_jobs, .timeout = 1h}};
    parallel.for_each(numbers(50), [](int) {
      EXPECT_FALSE(this_task::stop_requested());
      auto const token = this_task::stop_token();
      EXPECT_TRUE(token.stop_possible());
      EXPECT_FALSE(token.stop_requested());
    });
  }
}

TEST(ThisTask, IsAskedToStopWhenAnotherFails) {
  std::barrier both_in(2);
  bool stopped = false;
  Parallel const parallel{{.n_jobs = 2, .batch_size = 1}};
  EXPECT_THROW(parallel.for_each(numbers(2),
                                 [&](int i) {
                                   auto const token = this_task::stop_token();
                                   both_in.arrive_and_wait();
                                   if (i == 0) throw std::domain_error("first");
                                   sleep_until_stopped();
                                   stopped = token.stop_requested() && this_task::stop_requested();
                                 }),
               std::domain_error);
  EXPECT_TRUE(stopped);
}

TEST(ThisTask, FindsItsTokenStoppedIfItAsksTooLate) {
  std::atomic<bool> failed = false;
  Parallel const parallel{{.n_jobs = 2, .batch_size = 1}};
  std::barrier both_in(2);
  EXPECT_THROW(parallel.for_each(numbers(2),
                                 [&](int i) {
                                   both_in.arrive_and_wait();
                                   if (i == 0) throw std::domain_error("first");
                                   while (!this_task::stop_requested()) std::this_thread::yield();
                                   EXPECT_TRUE(this_task::stop_token().stop_requested());
                                   failed = true;
                                 }),
               std::domain_error);
  EXPECT_TRUE(failed);
}

TEST(ThisTask, IsAskedToStopWhenItIsOverdue) {
  for (int const n_jobs : {1, 2}) {
    for (bool const by_token : {false, true}) {
      Parallel const parallel{{.n_jobs = n_jobs, .timeout = 5ms}};
      EXPECT_THROW(parallel.for_each(numbers(1),
                                     [&](int) {
                                       if (by_token) sleep_until_stopped();
                                       while (!this_task::stop_requested()) {
                                         std::this_thread::yield();
                                       }
                                     }),
                   TimeoutError);
    }
  }
}

TEST(ThisTask, IsAskedToStopAloneIfOnlyItIsOverdueAmongOutcomes) {
  Parallel const parallel{{.n_jobs = 2, .timeout = 200ms, .batch_size = 1}};
  std::atomic<int> others_asked = 0;
  auto const outcomes = parallel.outcomes(numbers(20) | std::views::transform([&](int i) {
                                            return [&others_asked, i] {
                                              auto const token = this_task::stop_token();
                                              if (i == 3) sleep_until_stopped();
                                              if (i != 3 && token.stop_requested()) ++others_asked;
                                            };
                                          }));
  EXPECT_FALSE(outcomes[3]);
  EXPECT_EQ(others_asked, 0);
}

TEST(ThisTask, IsAskedToStopWhenTheCallIsStopped) {
  for (int const n_jobs : {1, 2}) {
    std::stop_source source;
    std::binary_semaphore inside(0);
    std::jthread const stopper([&] {
      inside.acquire();
      source.request_stop();
    });
    Parallel const parallel{{.n_jobs = n_jobs, .stop = source.get_token()}};
    EXPECT_THROW(parallel.for_each(numbers(1),
                                   [&](int) {
                                     inside.release();
                                     sleep_until_stopped();
                                   }),
                 CancelledError);
  }
}

TEST(ThisTask, IsAskedToStopWhenItsGeneratorIsDropped) {
  for (bool const ordered : {true, false}) {
    std::binary_semaphore inside(0);
    std::atomic<bool> stopped = false;
    Parallel const parallel(2);
    auto const tasks = numbers(1) | std::views::transform([&](int) {
                         return [&] {
                           inside.release();
                           sleep_until_stopped();
                           stopped = true;
                         };
                       });
    {
      auto const results =
          ordered ? parallel.generator(tasks) : parallel.generator_unordered(tasks);
      inside.acquire();
    }
    EXPECT_TRUE(stopped);
  }
}

TEST(ThisTask, IsAskedToStopWhenOnProgressThrows) {
  Parallel const parallel{{.n_jobs = 2, .batch_size = 1, .on_progress = [](auto const&) {
                             throw std::domain_error("progress");
                           }}};
  EXPECT_THROW(parallel.for_each(numbers(2),
                                 [](int i) {
                                   if (i == 1) sleep_until_stopped();
                                 }),
               std::domain_error);
}

TEST(ATokenOfATask, RunsItsCallbacksOnce) {
  std::atomic<int> called = 0;
  Parallel const parallel{{.n_jobs = 2, .timeout = 5ms}};
  EXPECT_THROW(parallel.for_each(
                   numbers(1),
                   [&](int) {
                     std::stop_callback const first(this_task::stop_token(), [&] { ++called; });
                     std::stop_callback const second(this_task::stop_token(), [&] { ++called; });
                     sleep_until_stopped();
                     while (called < 2) std::this_thread::yield();
                   }),
               TimeoutError);
  EXPECT_EQ(called, 2);
}

TEST(ATokenOfATask, IsTheSameForTheWholeTaskAndAnotherForTheNext) {
  std::vector<std::stop_token> tokens;
  Parallel(1).for_each(numbers(3), [&](int) {
    tokens.push_back(this_task::stop_token());
    EXPECT_EQ(this_task::stop_token(), tokens.back());
  });
  EXPECT_NE(tokens[0], tokens[1]);
  EXPECT_NE(tokens[1], tokens[2]);
}

TEST(ATokenOfATask, MayBeKeptLongerThanTheCall) {
  std::optional<std::stop_token> kept;
  Parallel(2).for_each(numbers(1), [&](int) { kept = this_task::stop_token(); });
  EXPECT_FALSE(kept->stop_requested());
  bool called = false;
  std::stop_callback const callback(*kept, [&] { called = true; });
  EXPECT_FALSE(called);
}

TEST(ATokenOfATask, MayBePassedToAnotherThread) {
  std::stop_source source;
  Parallel const parallel{{.n_jobs = 2, .stop = source.get_token()}};
  EXPECT_THROW(parallel.for_each(numbers(1),
                                 [&](int) {
                                   std::jthread const waiter([token = this_task::stop_token()] {
                                     while (!token.stop_requested()) std::this_thread::yield();
                                   });
                                   source.request_stop();
                                 }),
               CancelledError);
}

TEST(ATokenOfATask, IsThatOfTheInnermostOne) {
  std::stop_source source;
  bool inner_stopped = false;
  bool outer_stopped = false;
  Parallel(1).for_each(numbers(1), [&](int) {
    auto const outer_token = this_task::stop_token();
    Parallel const inner{{.n_jobs = 1, .stop = source.get_token()}};
    EXPECT_THROW(inner.for_each(numbers(1),
                                [&](int) {
                                  source.request_stop();
                                  inner_stopped = this_task::stop_token().stop_requested();
                                }),
                 CancelledError);
    outer_stopped = outer_token.stop_requested() || this_task::stop_requested();
  });
  EXPECT_TRUE(inner_stopped);
  EXPECT_FALSE(outer_stopped);
}

}  // namespace
