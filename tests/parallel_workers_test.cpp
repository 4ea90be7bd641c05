// SPDX-License-Identifier: MIT
// Tests of who runs what and when: workers, batches, the window, and what a task knows of itself.
#include <joblot/parallel.hpp>
// First, because it needs no other.
#include <algorithm>
#include <array>
#include <atomic>
#include <barrier>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <latch>
#include <limits>
#include <map>
#include <mutex>
#include <optional>
#include <ostream>
#include <ranges>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <joblot/this_task.hpp>

#include "support/coroutine.hpp"

namespace {

using joblot::Options;
using joblot::Parallel;
namespace this_task = joblot::this_task;

Coroutine<int> count_to(int size) {
  for (int i = 0; i < size; ++i) co_yield i;
}

/// A function for each way a call can go through numbers 0 .. size-1, calling task(i).
struct Form {
  char const* name;
  std::function<void(Parallel const&, int, std::function<void(int)>)> run;
};
void PrintTo(Form const& form, std::ostream* out) { *out << form.name; }

auto tasks_of(int size, std::function<void(int)> const& task) {
  return std::views::iota(0, size) |
         std::views::transform([&task](int i) { return [&task, i] { return task(i), i; }; });
}
template <class Generator>
void drain(Generator generator) {
  while (generator.next()) {
  }
}

std::vector<Form> const forms{
    {"tasks", [](auto& p, int size, auto task) { static_cast<void>(p(tasks_of(size, task))); }},
    {"for_each_side_by_side",
     [](auto& p, int size, auto task) { p.for_each(std::views::iota(0, size), task); }},
    {"for_each_in_turn", [](auto& p, int size, auto task) { p.for_each(count_to(size), task); }},
    {"reduce",
     [](auto& p, int size, auto task) {
       auto const run = [&](int i) { return task(i), 1; };
       EXPECT_EQ(p.reduce(std::views::iota(0, size), 0, std::plus<>(), run), size);
     }},
    {"outcomes",
     [](auto& p, int size, auto task) { static_cast<void>(p.outcomes(tasks_of(size, task))); }},
    {"generator", [](auto& p, int size, auto task) { drain(p.generator(tasks_of(size, task))); }},
    {"generator_side_by_side",
     [](auto& p, int size, auto task) {
       std::vector<std::function<void()>> tasks;
       for (int i = 0; i < size; ++i) tasks.emplace_back([&task, i] { task(i); });
       drain(p.generator(tasks));
     }},
    {"generator_unordered",
     [](auto& p, int size, auto task) { drain(p.generator_unordered(tasks_of(size, task))); }},
    {"outcome_generator",
     [](auto& p, int size, auto task) { drain(p.outcome_generator(tasks_of(size, task))); }}};

class Workers : public testing::TestWithParam<Form> {
 protected:
  static void run(Parallel const& parallel, int size, std::function<void(int)> const& task) {
    GetParam().run(parallel, size, task);
  }
};
INSTANTIATE_TEST_SUITE_P(Of, Workers, testing::ValuesIn(forms),
                         [](auto const& form) { return std::string(form.param.name); });

/// Keeps count of the tasks that run at the same time.
class Crowd {
 public:
  void enter() {
    auto const now = ++inside_;
    auto seen = most_.load();
    while (seen < now && !most_.compare_exchange_weak(seen, now)) {
    }
  }
  void leave() { --inside_; }
  [[nodiscard]] int most() const { return most_; }

 private:
  std::atomic<int> inside_{0};
  std::atomic<int> most_{0};
};

// --- how many -----------------------------------------------------------------------------------

// Whatever the number of CPUs: tasks may only be waiting.
TEST_P(Workers, AreAsManyAsAskedForAtTheSameTime) {
  for (int const n_jobs : {2, 4, 9}) {
    Parallel const parallel(n_jobs);
    std::barrier<> all_there(n_jobs);
    run(parallel, n_jobs, [&](int) { all_there.arrive_and_wait(); });
  }
}

TEST_P(Workers, MeetAgainAndAgainWithBatchesOfOneTask) {
  for (int const n_jobs : {2, 4}) {
    Parallel const parallel{{.n_jobs = n_jobs, .batch_size = 1}};
    std::barrier<> all_there(n_jobs);
    run(parallel, 25 * n_jobs, [&](int) { all_there.arrive_and_wait(); });
  }
}

TEST_P(Workers, AreNeverMoreThanAskedFor) {
  for (int const n_jobs : {1, 2, 3}) {
    Parallel const parallel{{.n_jobs = n_jobs, .batch_size = 1}};
    Crowd crowd;
    run(parallel, 200, [&](int) {
      crowd.enter();
      std::this_thread::yield();
      crowd.leave();
    });
    EXPECT_LE(crowd.most(), n_jobs);
  }
}

TEST_P(Workers, AreNeverMoreThanTheWindowHasBatches) {
  Parallel const parallel{{.n_jobs = 4, .pre_dispatch = 2, .batch_size = 1}};
  Crowd crowd;
  run(parallel, 200, [&](int) {
    crowd.enter();
    std::this_thread::yield();
    crowd.leave();
  });
  EXPECT_LE(crowd.most(), 2);
}

TEST_P(Workers, AreNotMadeForTasksThatAreNotThere) {
  std::set<std::thread::id> threads;
  std::mutex mutex;
  Parallel const parallel(std::numeric_limits<int>::max());
  run(parallel, 3, [&](int) {
    std::lock_guard const lock(mutex);
    threads.insert(std::this_thread::get_id());
  });
  EXPECT_LE(threads.size(), 3U);
}

TEST_P(Workers, RunEachTaskOnce) {
  for (auto const& [tasks, n_jobs, pre_dispatch, batch_size] :
       {std::tuple(2, 2, "all", 0), std::tuple(2, 2, "n_jobs", 0), std::tuple(10, 2, "n_jobs", 0),
        std::tuple(517, 2, "n_jobs", 0), std::tuple(10, 4, "n_jobs", 0),
        std::tuple(200, 12, "n_jobs", 0), std::tuple(25, 12, "2 * n_jobs", 1),
        std::tuple(250, 12, "all", 1), std::tuple(250, 12, "2 * n_jobs", 7),
        std::tuple(200, 12, "2 * n_jobs", 0)}) {
    Options options{.n_jobs = n_jobs, .pre_dispatch = pre_dispatch};
    if (batch_size > 0) options.batch_size = batch_size;
    std::vector<std::atomic<int>> runs(static_cast<std::size_t>(tasks));
    run(Parallel(options), tasks, [&](int i) { ++runs[static_cast<std::size_t>(i)]; });
    for (auto const& times : runs) ASSERT_EQ(times, 1);
  }
}

// --- worker_id ----------------------------------------------------------------------------------

TEST_P(Workers, HaveNumbersBelowNJobs) {
  for (int const n_jobs : {1, 2, 5}) {
    Parallel const parallel{{.n_jobs = n_jobs, .batch_size = 1}};
    std::vector<std::atomic<int>> tasks(static_cast<std::size_t>(n_jobs));
    run(parallel, 300, [&](int) { ++tasks.at(static_cast<std::size_t>(this_task::worker_id())); });
    int total = 0;
    for (auto const& number : tasks) total += number;
    EXPECT_EQ(total, 300);
  }
}

TEST_P(Workers, HaveAllNumbersWhenAllAreThere) {
  constexpr int n_jobs = 4;
  Parallel const parallel{{.n_jobs = n_jobs, .batch_size = 1}};
  std::barrier<> all_there(n_jobs);
  std::mutex mutex;
  std::multiset<int> numbers;
  run(parallel, n_jobs, [&](int) {
    all_there.arrive_and_wait();
    std::lock_guard const lock(mutex);
    numbers.insert(this_task::worker_id());
  });
  EXPECT_EQ(numbers, (std::multiset{0, 1, 2, 3}));
}

// Scratch space per worker needs no lock: no atomics here on purpose.
TEST_P(Workers, NeverShareANumberAtTheSameTime) {
  constexpr int n_jobs = 3;
  struct Scratch {
    bool in_use = false;
    int tasks = 0;
    std::string text;
  };
  for (auto const& options :
       {Options{.n_jobs = n_jobs}, Options{.n_jobs = n_jobs, .batch_size = 1}}) {
    std::array<Scratch, n_jobs> scratches;
    std::atomic<int> shared{0};
    run(Parallel(options), 2000, [&](int i) {
      auto& scratch = scratches.at(static_cast<std::size_t>(this_task::worker_id()));
      if (std::exchange(scratch.in_use, true)) ++shared;
      ++scratch.tasks;
      scratch.text = std::to_string(i);
      scratch.in_use = false;
    });
    EXPECT_EQ(shared, 0);
    EXPECT_EQ(scratches[0].tasks + scratches[1].tasks + scratches[2].tasks, 2000);
  }
}

TEST_P(Workers, StayOnTheirThreadDuringACall) {
  Parallel const parallel{{.n_jobs = 3, .batch_size = 1}};
  std::mutex mutex;
  std::map<int, std::set<std::thread::id>> threads;
  run(parallel, 100, [&](int) {
    std::lock_guard const lock(mutex);
    threads[this_task::worker_id()].insert(std::this_thread::get_id());
  });
  for (auto const& [worker, ids] : threads) EXPECT_EQ(ids.size(), 1U) << worker;
}

// --- this_task ----------------------------------------------------------------------------------

TEST_P(Workers, KnowTheIndexOfTheirTask) {
  for (auto const& options :
       {Options{.n_jobs = 1}, Options{.n_jobs = 3}, Options{.n_jobs = 2, .batch_size = 5},
        Options{.n_jobs = 4, .backend = "sequential"}}) {
    std::atomic<int> wrong{0};
    run(Parallel(options), 1000, [&](int i) {
      if (this_task::index() != static_cast<std::size_t>(i)) ++wrong;
      if (this_task::attempt() != 1) ++wrong;
      if (this_task::stop_requested()) ++wrong;
    });
    EXPECT_EQ(wrong, 0);
  }
}

TEST_P(Workers, ComeBackToTheirTaskAfterANestedCall) {
  Parallel const parallel(3);
  std::atomic<int> wrong{0};
  run(parallel, 30, [&](int i) {
    auto const worker = this_task::worker_id();
    for (int const n_jobs : {1, 3}) {
      run(Parallel(n_jobs), 20, [&](int j) {
        if (this_task::index() != static_cast<std::size_t>(j)) ++wrong;
        if (this_task::worker_id() >= n_jobs) ++wrong;
      });
    }
    try {
      run(Parallel(2), 5, [](int) { throw std::runtime_error("inner"); });
    } catch (std::runtime_error const&) {
    }
    if (this_task::index() != static_cast<std::size_t>(i)) ++wrong;
    if (this_task::worker_id() != worker) ++wrong;
  });
  EXPECT_EQ(wrong, 0);
}

TEST_P(Workers, AreGoneAfterTheCall) {
  run(Parallel(2), 10, [](int) {});
  EXPECT_EQ(this_task::index(), 0U);
  EXPECT_EQ(this_task::worker_id(), 0);
  EXPECT_FALSE(this_task::stop_token().stop_possible());
}

TEST(ThisTask, OutsideOfATaskIsTheFirstOfNothing) {
  EXPECT_EQ(this_task::index(), 0U);
  EXPECT_EQ(this_task::attempt(), 1);
  EXPECT_EQ(this_task::worker_id(), 0);
  EXPECT_FALSE(this_task::stop_requested());
  EXPECT_FALSE(this_task::stop_token().stop_possible());
}

TEST(ThisTask, IsNotKnownToThreadsThatATaskStarts) {
  Parallel(2).for_each(std::views::iota(0, 5), [](int) {
    std::thread([] {
      EXPECT_EQ(this_task::index(), 0U);
      EXPECT_FALSE(this_task::stop_token().stop_possible());
    }).join();
  });
}

TEST(ThisTask, HasATokenThatCanBeStopped) {
  std::atomic<int> possible{0};
  Parallel(2).for_each(std::views::iota(0, 5), [&](int) {
    auto const token = this_task::stop_token();
    if (token.stop_possible() && !token.stop_requested()) ++possible;
  });
  EXPECT_EQ(possible, 5);
}

// --- batches ------------------------------------------------------------------------------------

/// Which worker ran each task.
std::vector<int> workers_of(Parallel const& parallel, Form const& form, int size) {
  std::vector<int> workers(static_cast<std::size_t>(size), -1);
  form.run(parallel, size, [&](int i) {
    workers[static_cast<std::size_t>(i)] = this_task::worker_id();
    std::this_thread::yield();
  });
  return workers;
}

TEST_P(Workers, RunTheTasksOfABatchTogether) {
  for (int const batch_size : {1, 3, 10, 1000}) {
    Parallel const parallel{{.n_jobs = 3, .batch_size = batch_size}};
    auto const workers = workers_of(parallel, GetParam(), 100);
    for (std::size_t i = 0; i < workers.size(); ++i) {
      auto const first =
          i / static_cast<std::size_t>(batch_size) * static_cast<std::size_t>(batch_size);
      ASSERT_EQ(workers[i], workers[first]) << "task " << i;
    }
  }
}

// Tasks run by this thread since it last began to read a batch.
thread_local int ran_by_reader = 0;

TEST(Batches, HaveExactlyTheSizeAskedForButTheLast) {
  for (int const n_jobs : {1, 2, 3}) {
    for (int const batch_size : {1, 4, 7}) {
      Parallel const parallel{{.n_jobs = n_jobs, .batch_size = batch_size}};
      std::vector<int> batches;  // no lock: one reader at a time
      std::thread::id reader;
      std::atomic<int> ran{0};
      auto const read = [&](int i) {
        if (i % batch_size == 0) {
          batches.push_back(0);
          reader = std::this_thread::get_id();
          ran_by_reader = 0;
        }
        // Within a batch the same thread reads on, and runs nothing in between.
        EXPECT_EQ(reader, std::this_thread::get_id()) << i;
        EXPECT_EQ(ran_by_reader, 0) << i;
        ++batches.back();
        return i;
      };
      parallel.for_each(std::views::iota(0, 30) | std::views::transform(read), [&](int) {
        ++ran;
        ++ran_by_reader;
      });
      EXPECT_EQ(ran, 30);
      EXPECT_EQ(batches.size(), static_cast<std::size_t>((30 + batch_size - 1) / batch_size));
    }
  }
}

TEST(Batches, DeliverTheResultsBeforeATaskThatFails) {
  for (int const n_jobs : {1, 2}) {
    Parallel const parallel{{.n_jobs = n_jobs, .batch_size = 4}};
    auto const task = [](int i) {
      return [i] {
        if (i == 6) throw std::out_of_range("six");
        return i;
      };
    };
    auto generator = parallel.generator(std::views::iota(0, 20) | std::views::transform(task));
    for (int i = 0; i < 6; ++i) ASSERT_EQ(generator.next(), i);
    EXPECT_THROW(static_cast<void>(generator.next()), std::out_of_range);
  }
}

TEST(Batches, OfOneAreTheFirstOnesWhileNothingIsMeasured) {
  constexpr int n_jobs = 4;
  // Were the first batch of a worker larger, it would wait for tasks behind the one it runs.
  for (int round = 0; round < 20; ++round) {
    std::latch first_ones(n_jobs);
    Parallel(n_jobs).for_each(std::views::iota(0, 1000), [&](int) {
      if (!first_ones.try_wait()) first_ones.arrive_and_wait();
    });
  }
}

// --- the window ---------------------------------------------------------------------------------

TEST(Window, BoundsHowFarTheRangeIsReadAheadOfFinishedTasks) {
  for (int const window : {1, 2, 5}) {
    for (int const batch_size : {1, 3}) {
      Parallel const parallel{{.n_jobs = 4, .pre_dispatch = window, .batch_size = batch_size}};
      std::atomic<int> finished{0};
      std::atomic<int> too_far{0};
      auto const read = [&](int i) {
        if (i + 1 - finished > window * batch_size) ++too_far;
        return [&finished, i] { return ++finished, i; };
      };
      auto const results = parallel(std::views::iota(0, 300) | std::views::transform(read));
      EXPECT_EQ(results.back(), 299);
      EXPECT_EQ(too_far, 0);
    }
  }
}

// joblib's own test of a lazy producer: it and its consumers take turns.
TEST(Window, LetsProducerAndConsumersTakeTurns) {
  for (auto const* pre_dispatch : {"3", "n_jobs", "2 * n_jobs"}) {
    Parallel const parallel{{.n_jobs = 2, .pre_dispatch = pre_dispatch, .batch_size = 1}};
    std::mutex mutex;
    std::vector<std::string> events;
    auto const note = [&](char const* what) {
      std::lock_guard const lock(mutex);
      events.emplace_back(what);
    };
    auto const produce = [&](int i) {
      note("produced");
      return i;
    };
    parallel.for_each(std::views::iota(0, 6) | std::views::transform(produce),
                      [&](int) { note("consumed"); });
    ASSERT_EQ(events.size(), 12U);
    // Two workers hold one task each, so the third is produced after one has been consumed.
    auto const first_consumed = std::ranges::find(events, "consumed") - events.begin();
    EXPECT_LE(first_consumed, 2);
    EXPECT_EQ(std::ranges::count(events, "produced"), 6);
  }
}

TEST(Window, OfAllReadsAsTheTasksAreTaken) {
  Parallel const parallel{{.n_jobs = 2, .pre_dispatch = "all"}};
  EXPECT_EQ(parallel.map(count_to(1000), [](int i) { return i; }).back(), 999);
}

}  // namespace
