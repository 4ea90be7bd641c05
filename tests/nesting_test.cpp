// SPDX-License-Identifier: MIT
// Calls inside tasks, calls beside calls, and who works for them.
#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <latch>
#include <memory>
#include <mutex>
#include <numeric>
#include <ostream>
#include <ranges>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <joblot/joblot.hpp>

#include "support/forms.hpp"

namespace {

using forms::Numbers;
using joblot::Options;
using joblot::Parallel;
namespace this_task = joblot::this_task;

std::vector<int> iota(int size) {
  std::vector<int> values(static_cast<std::size_t>(size));
  std::iota(values.begin(), values.end(), 0);
  return values;
}

// A thread for each worker of each call.
class ThreadPerWorker final : public joblot::Backend {
 public:
  [[nodiscard]] std::string_view name() const override { return "ThreadPerWorkerBackend"; }
  void start(std::shared_ptr<joblot::Call> call) override {
    for (int worker = 1; worker < call->n_jobs(); ++worker) {
      std::thread([call, worker] { call->work(worker); }).detach();
    }
  }
};

// How many threads are inside at the same time, each counted once however deep it is inside.
class ThreadsInside {
 public:
  class Visit {
   public:
    explicit Visit(ThreadsInside& all) : all_(all) {
      std::lock_guard const lock(all_.mutex_);
      all_.inside_.insert(std::this_thread::get_id());
      all_.ever_.insert(std::this_thread::get_id());
      all_.most_ = std::max(all_.most_, std::set(all_.inside_.begin(), all_.inside_.end()).size());
    }
    Visit(Visit const&) = delete;
    Visit& operator=(Visit const&) = delete;
    ~Visit() {
      std::lock_guard const lock(all_.mutex_);
      all_.inside_.extract(std::this_thread::get_id());
    }

   private:
    ThreadsInside& all_;
  };

  [[nodiscard]] int most() {
    std::lock_guard const lock(mutex_);
    return static_cast<int>(most_);
  }
  [[nodiscard]] bool has_seen(std::thread::id thread) {
    std::lock_guard const lock(mutex_);
    return ever_.contains(thread);
  }

 private:
  std::mutex mutex_;
  std::multiset<std::thread::id> inside_;
  std::set<std::thread::id> ever_;
  std::size_t most_ = 0;
};

// Each form of a call.

class CallsOfEachForm : public testing::TestWithParam<forms::Form> {
 protected:
  std::thread::id const caller_ = std::this_thread::get_id();
};
INSTANTIATE_TEST_SUITE_P(, CallsOfEachForm, testing::ValuesIn(forms::all()), forms::name);

TEST_P(CallsOfEachForm, RunAsManyTasksAtOnceAsThereAreJobsWhateverTheNumberOfCpus) {
  constexpr int n_jobs = 8;
  Parallel const parallel{{.n_jobs = n_jobs, .batch_size = 1}};
  std::barrier all_run(n_jobs);
  auto const f = [&](int i) {
    all_run.arrive_and_wait();
    return i;
  };
  EXPECT_EQ(GetParam().run(parallel, Numbers{3 * n_jobs}, f), iota(3 * n_jobs));
}

TEST_P(CallsOfEachForm, RunAsManyFirstTasksAtOnceAlsoWithBatchesOfAnySize) {
  constexpr int n_jobs = 8;
  std::barrier all_run(n_jobs);
  auto const f = [&](int i) {
    all_run.arrive_and_wait();
    return i;
  };
  EXPECT_EQ(GetParam().run(Parallel(n_jobs), Numbers{n_jobs}, f), iota(n_jobs));
}

TEST_P(CallsOfEachForm, NeverRunMoreTasksAtOnceThanThereAreJobs) {
  for (int n_jobs : {1, 2, 3}) {
    std::atomic<int> running = 0;
    std::atomic<int> most = 0;
    auto const f = [&](int i) {
      int const now = ++running;
      for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
      }
      std::this_thread::yield();
      --running;
      return i;
    };
    EXPECT_EQ(GetParam().run(Parallel(n_jobs), Numbers{300}, f), iota(300));
    EXPECT_LE(most, n_jobs);
  }
}

TEST_P(CallsOfEachForm, AreRunByTheCallerTooUnlessItConsumesThem) {
  Parallel const parallel{{.n_jobs = 4, .batch_size = 1}};
  std::barrier all_run(4);
  ThreadsInside threads;
  auto const f = [&](int i) {
    ThreadsInside::Visit const visit(threads);
    all_run.arrive_and_wait();
    return i;
  };
  EXPECT_EQ(GetParam().run(parallel, Numbers{4}, f), iota(4));
  bool const streams = GetParam().start_function != nullptr;
  EXPECT_EQ(threads.has_seen(std::this_thread::get_id()), !streams);
  EXPECT_EQ(threads.most(), 4);
}

TEST_P(CallsOfEachForm, RunInTheCallerAndInOrderWithOneJob) {
  for (auto const* backend : {"threading", "sequential"}) {
    int const n_jobs = backend == std::string("threading") ? 1 : 4;
    Parallel const parallel{{.n_jobs = n_jobs, .backend = backend}};
    std::vector<int> order;
    auto const f = [&](int i) {
      EXPECT_EQ(std::this_thread::get_id(), caller_);
      EXPECT_EQ(this_task::worker_id(), 0);
      order.push_back(i);
      return i;
    };
    EXPECT_EQ(GetParam().run(parallel, Numbers{100}, f), iota(100));
    EXPECT_EQ(order, iota(100));
  }
}

TEST_P(CallsOfEachForm, CanBeUsedBySeveralThreadsAtOnceOnOneObject) {
  Parallel const parallel(4);
  std::latch all_here(6);
  std::vector<std::jthread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      all_here.arrive_and_wait();
      for (int round = 0; round < 20; ++round) {
        int const size = 10 * t + round;
        EXPECT_EQ(GetParam().run(parallel, Numbers{size}, [](int i) { return i; }), iota(size));
      }
    });
  }
}

// Nesting: outer and inner call in each combination of forms.

struct Pair {
  forms::Form outer;
  forms::Form inner;
};

std::ostream& operator<<(std::ostream& out, Pair const& pair) {
  return out << pair.outer.name << "_of_" << pair.inner.name;
}

std::vector<Pair> pairs() {
  std::vector<Pair> all;
  for (auto const& outer : forms::all()) {
    for (auto const& inner : forms::all()) all.push_back({outer, inner});
  }
  return all;
}

class Nested : public testing::TestWithParam<Pair> {};
INSTANTIATE_TEST_SUITE_P(, Nested, testing::ValuesIn(pairs()),
                         [](testing::TestParamInfo<Pair> const& test) {
                           return std::string(test.param.outer.name) + "_of_" +
                                  test.param.inner.name;
                         });

int sum(std::vector<int> const& values) { return std::accumulate(values.begin(), values.end(), 0); }

TEST_P(Nested, CallsGiveTheSameResultsAsLoops) {
  std::vector<int> expected;
  for (int i = 0; i < 8; ++i) expected.push_back(4 * i + 6);
  for (int const outer_jobs : {1, 2, 4}) {
    for (int const inner_jobs : {1, 2, 4}) {
      auto const f = [&](int i) {
        Parallel const inner(inner_jobs);
        return sum(GetParam().inner.run(inner, Numbers{4}, [i](int j) { return i + j; }));
      };
      EXPECT_EQ(GetParam().outer.run(Parallel(outer_jobs), Numbers{8}, f), expected);
    }
  }
}

TEST_P(Nested, CallsCanShareTheObject) {
  Parallel const parallel(3);
  auto const f = [&](int i) {
    return sum(GetParam().inner.run(parallel, Numbers{i}, [](int) { return 1; }));
  };
  EXPECT_EQ(GetParam().outer.run(parallel, Numbers{20}, f), iota(20));
}

TEST_P(Nested, CallsNeverUseMoreThreadsThanTheOutermostAskedFor) {
  ThreadsInside threads;
  auto const f = [&](int) {
    ThreadsInside::Visit const visit(threads);
    return sum(GetParam().inner.run(Parallel(8), Numbers{16}, [&](int) {
      ThreadsInside::Visit const inner_visit(threads);
      std::this_thread::yield();
      return 1;
    }));
  };
  EXPECT_EQ(sum(GetParam().outer.run(Parallel(3), Numbers{8}, f)), 8 * 16);
  EXPECT_LE(threads.most(), 3);
}

TEST_P(Nested, CallsPassErrorsOutwards) {
  Parallel const outer(2);
  auto const f = [&](int i) {
    Parallel const inner(2);
    auto const g = [&](int j) { return i == 5 && j == 3 ? throw std::domain_error("5, 3") : j; };
    try {
      return sum(GetParam().inner.run(inner, Numbers{6}, g));
    } catch (std::domain_error const&) {
      if (!GetParam().inner.keeps_going) {
        EXPECT_EQ(inner.failure()->index, 3U);
      }
      EXPECT_FALSE(outer.failure());
      throw;
    }
  };
  EXPECT_THROW(GetParam().outer.run(outer, Numbers{8}, f), std::domain_error);
  if (!GetParam().outer.keeps_going) {
    ASSERT_TRUE(outer.failure());
    EXPECT_EQ(outer.failure()->index, 5U);
  }
}

TEST_P(Nested, CallsThatFailCanBeCaughtInside) {
  auto const f = [&](int i) {
    auto const g = [&](int) -> int { throw std::domain_error("always"); };
    EXPECT_THROW(GetParam().inner.run(Parallel(2), Numbers{6}, g), std::domain_error);
    return i;
  };
  Parallel const outer(2);
  EXPECT_EQ(GetParam().outer.run(outer, Numbers{8}, f), iota(8));
  EXPECT_FALSE(outer.failure());
}

// Nesting on every backend.

Options with_backend(int n_jobs, std::string const& name) {
  Options options;
  options.n_jobs = n_jobs;
  if (name == "own") {
    options.backend = std::make_shared<ThreadPerWorker>();
  } else {
    options.backend = name;
  }
  return options;
}

TEST(NestedBackends, WorkInEveryCombinationThreeDeep) {
  std::vector<std::string> const names{"threading", "sequential", "own"};
  for (auto const& first : names) {
    for (auto const& second : names) {
      for (auto const& third : names) {
        std::atomic<int> ran = 0;
        Parallel{with_backend(3, first)}.for_each(std::views::iota(0, 4), [&](int) {
          Parallel{with_backend(2, second)}.for_each(std::views::iota(0, 4), [&](int) {
            Parallel{with_backend(3, third)}.for_each(std::views::iota(0, 4), [&](int) { ++ran; });
          });
        });
        EXPECT_EQ(ran, 64) << first << ", " << second << ", " << third;
      }
    }
  }
}

int nested_sum(int depth, int n_jobs) {
  if (depth == 0) return 1;
  return Parallel(n_jobs).reduce(std::views::iota(0, 3), 0, std::plus<>(),
                                 [&](int) { return nested_sum(depth - 1, n_jobs); });
}

TEST(NestedCalls, GoAsDeepAsTheStackDoes) {
  EXPECT_EQ(nested_sum(7, 4), 2187);
  EXPECT_EQ(nested_sum(7, 1), 2187);
}

TEST(NestedCalls, FinishThoughAllThreadsAreBusy) {
  // Both workers are inside a task before either makes its nested call.
  std::barrier both_in(2);
  Parallel const outer{{.n_jobs = 2, .batch_size = 1}};
  auto const sums = outer.map(std::views::iota(0, 2), [&](int) {
    both_in.arrive_and_wait();
    auto const results = Parallel(4).map(std::views::iota(0, 100), [](int i) { return i; });
    both_in.arrive_and_wait();
    return sum(results);
  });
  EXPECT_EQ(sums, (std::vector<int>{4950, 4950}));
}

TEST(NestedCalls, GetTheWaitingCallersHelp) {
  // Two outer tasks, two workers. One task does nothing; the nested call of the other one needs
  // both workers, so whoever did nothing comes to help: the pool's thread, or the waiting caller.
  for (int const busy : {0, 1}) {
    Parallel const outer{{.n_jobs = 2, .batch_size = 1}};
    std::barrier both_in(2);
    std::barrier both_inside(2);
    outer.for_each(std::views::iota(0, 2), [&](int i) {
      both_in.arrive_and_wait();
      if (i != busy) return;
      Parallel const inner{{.n_jobs = 2, .batch_size = 1}};
      inner.for_each(std::views::iota(0, 2), [&](int) { both_inside.arrive_and_wait(); });
    });
  }
}

TEST(NestedCalls, GetTheHelpOfACallerThatHasWaitedForLong) {
  // The caller's own task ends first, so that it sleeps when the nested call is made.
  auto const caller = std::this_thread::get_id();
  Parallel const outer{{.n_jobs = 2, .batch_size = 1}};
  std::barrier both_in(2);
  std::barrier both_inside(2);
  std::atomic<bool> caller_helped = false;
  outer.for_each(std::views::iota(0, 2), [&](int) {
    both_in.arrive_and_wait();
    if (std::this_thread::get_id() == caller) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // longer than it spins
    for (int round = 0; round < 3; ++round) {
      Parallel const inner{{.n_jobs = 2, .batch_size = 1}};
      inner.for_each(std::views::iota(0, 2), [&](int) {
        both_inside.arrive_and_wait();
        if (std::this_thread::get_id() == caller) caller_helped = true;
      });
    }
  });
  EXPECT_TRUE(caller_helped);
}

TEST(NestedCalls, AreHelpedFromOneGrandchildToTheNext) {
  // One outer task; everything happens below it, and the second worker comes again and again.
  Parallel const outer{{.n_jobs = 2, .batch_size = 1}};
  std::barrier both_in(2);
  std::atomic<int> ran = 0;
  outer.for_each(std::views::iota(0, 1), [&](int) { ++ran; });
  outer.for_each(std::views::iota(0, 2), [&](int i) {
    if (i == 1) return;
    Parallel(2).for_each(std::views::iota(0, 1), [&](int) {
      for (int round = 0; round < 20; ++round) {
        Parallel const inner{{.n_jobs = 2, .batch_size = 1}};
        inner.for_each(std::views::iota(0, 2), [&](int) {
          both_in.arrive_and_wait();
          ++ran;
        });
      }
    });
  });
  EXPECT_EQ(ran, 41);
}

TEST(NestedCalls, InTheTasksOfAGeneratorUseItsWorkersOnly) {
  ThreadsInside threads;
  Parallel const outer(3);
  auto results = outer.generator(std::views::iota(0, 20) | std::views::transform([&](int) {
                                   return [&] {
                                     ThreadsInside::Visit const visit(threads);
                                     Parallel(8).for_each(std::views::iota(0, 8), [&](int) {
                                       ThreadsInside::Visit const inner(threads);
                                       std::this_thread::yield();
                                     });
                                     return 1;
                                   };
                                 }));
  int count = 0;
  while (auto const result = results.next()) count += *result;
  EXPECT_EQ(count, 20);
  EXPECT_LE(threads.most(), 3);
  EXPECT_FALSE(threads.has_seen(std::this_thread::get_id()));
}

TEST(NestedCalls, OfACallerWithOneJobAreOutermost) {
  // "Never more threads than the outermost call with n_jobs > 1 was given".
  std::barrier all_in(4);
  Parallel(1).for_each(std::views::iota(0, 2), [&](int) {
    Parallel const inner{{.n_jobs = 4, .batch_size = 1}};
    inner.for_each(std::views::iota(0, 4), [&](int) { all_in.arrive_and_wait(); });
  });
}

TEST(NestedCalls, LeaveThisTaskAsItWas) {
  Parallel(3).for_each(std::views::iota(0, 30), [](int i) {
    auto const worker = this_task::worker_id();
    Parallel(2).for_each(std::views::iota(0, 5), [](int j) {
      EXPECT_EQ(this_task::index(), static_cast<std::size_t>(j));
      EXPECT_LT(this_task::worker_id(), 2);
    });
    EXPECT_EQ(this_task::index(), static_cast<std::size_t>(i));
    EXPECT_EQ(this_task::worker_id(), worker);
    auto results = Parallel(2).generator(
        std::views::iota(0, 3) | std::views::transform([](int j) { return [j] { return j; }; }));
    static_cast<void>(results.next());
    EXPECT_EQ(this_task::index(), static_cast<std::size_t>(i));
  });
  EXPECT_EQ(this_task::index(), 0U);
}

TEST(NestedCalls, KeepWorkerIdsBelowTheirOwnNumberOfJobsAndApart) {
  Parallel(4).for_each(std::views::iota(0, 40), [](int) {
    std::vector<std::atomic<int>> users(3);
    Parallel(3).for_each(std::views::iota(0, 40), [&](int) {
      auto& mine = users.at(static_cast<std::size_t>(this_task::worker_id()));
      EXPECT_EQ(++mine, 1);
      std::this_thread::yield();
      --mine;
    });
  });
}

TEST(NestedCalls, DoNotSeeTheScopesOfTheCaller) {
  auto const scope = joblot::parallel_config({.n_jobs = 7});
  for (int const n_jobs : {1, 2}) {
    Parallel(n_jobs).for_each(std::views::iota(0, 4), [](int) {
      EXPECT_EQ(Parallel().n_jobs(), joblot::cpu_count());
      auto const inner = joblot::parallel_config({.n_jobs = 3});
      EXPECT_EQ(Parallel().n_jobs(), 3);
    });
  }
  EXPECT_EQ(Parallel().n_jobs(), 7);
}

TEST(NestedCalls, AreCancelledWithTheirOwnCallOnly) {
  std::atomic<int> inner_done = 0;
  Parallel const outer(2);
  EXPECT_THROW(outer.for_each(std::views::iota(0, 2),
                              [&](int i) {
                                if (i == 0) throw std::domain_error("outer");
                                Parallel(2).for_each(std::views::iota(0, 50),
                                                     [&](int) { ++inner_done; });
                              }),
               std::domain_error);
  // The nested call either came to its end before the error did, or was never made.
  EXPECT_TRUE(inner_done == 50 || inner_done == 0);
}

TEST(CallsSideBySide, EachGetTheirOwnWorkers) {
  // Two calls of four workers each need eight threads at once.
  std::barrier all_in(8);
  auto const call = [&] {
    Parallel const parallel{{.n_jobs = 4, .batch_size = 1}};
    parallel.for_each(std::views::iota(0, 4), [&](int) { all_in.arrive_and_wait(); });
  };
  std::jthread const other(call);
  call();
}

TEST(CallsSideBySide, OfManyThreadsWithNestedCallsComeToTheirEnd) {
  std::atomic<int> ran = 0;
  std::vector<std::jthread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&] {
      for (int round = 0; round < 10; ++round) {
        Parallel(3).for_each(std::views::iota(0, 5), [&](int) {
          Parallel(3).for_each(std::views::iota(0, 5), [&](int) {
            Parallel(3).for_each(std::views::iota(0, 3), [&](int) { ++ran; });
          });
        });
      }
    });
  }
  threads.clear();
  EXPECT_EQ(ran, 6 * 10 * 75);
}

TEST(NestedCalls, LearnThatTheOuterCallIsStopped) {
  for (bool const by_token : {false, true}) {
    std::latch inner_runs(1);
    auto const until_stopped = [&](int i) {
      if (i == 0) inner_runs.count_down();
      if (by_token) {
        std::mutex mutex;
        std::condition_variable_any never;
        std::unique_lock lock(mutex);
        never.wait(lock, joblot::this_task::stop_token(), [] { return false; });
      } else {
        while (!joblot::this_task::stop_requested()) std::this_thread::yield();
      }
    };
    auto const outer = [&](int i) {
      if (i == 0) {
        Parallel(2).for_each(std::views::iota(0, 3), until_stopped);
      } else {
        inner_runs.wait();
        throw std::domain_error("the other task");
      }
    };
    Parallel const parallel{{.n_jobs = 2, .batch_size = 1}};
    EXPECT_THROW(parallel.for_each(std::views::iota(0, 2), outer), std::domain_error);
  }
}

TEST(CallsSideBySide, DoNotWaitForOneAnother) {
  // A generator whose consumer has paused holds its workers; other calls get others.
  Parallel const parallel{{.n_jobs = 2, .pre_dispatch = 2, .batch_size = 1}};
  auto paused = parallel.generator(std::views::iota(0, 1000) |
                                   std::views::transform([](int i) { return [i] { return i; }; }));
  EXPECT_EQ(paused.next(), 0);
  std::barrier both_in(2);
  for (int round = 0; round < 10; ++round) {
    parallel.for_each(std::views::iota(0, 2), [&](int) { both_in.arrive_and_wait(); });
  }
  EXPECT_EQ(paused.next(), 1);
}

}  // namespace
