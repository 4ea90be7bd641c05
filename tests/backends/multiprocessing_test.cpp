// SPDX-License-Identifier: MIT
// Tests of calls whose tasks run in children forked for them.
#include <joblot/backends/multiprocessing.hpp>
// First, because it needs no other.
#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <ranges>
#include <set>
#include <sstream>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <joblot/joblot.hpp>

namespace {

using joblot::delayed;
using joblot::Options;
using joblot::Outcome;
using joblot::Parallel;
namespace this_task = joblot::this_task;
using namespace std::chrono_literals;
using Numbers = std::vector<int>;

constexpr auto square = [](int i) { return i * i; };
auto const ten = std::views::iota(0, 10);

Parallel forking(int n_jobs = 2) {
  return Parallel{{.n_jobs = n_jobs, .backend = "multiprocessing"}};
}

/// The same elements, but read by one thread at a time.
template <class R>
auto one_by_one(R&& range) {
  return std::views::transform(std::forward<R>(range), [zero = 0](int i) { return i + zero; });
}

template <class T>
std::vector<T> rest(joblot::Generator<T>& generator) {
  std::vector<T> results;
  while (auto result = generator.next()) results.push_back(std::move(*result));
  return results;
}

/// After a call there is no child, alive or dead.
void expect_no_child() {
  siginfo_t info{};
  EXPECT_EQ(::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT), -1) << "pid " << info.si_pid;
  EXPECT_EQ(errno, ECHILD);
}

// What is inherited.

int global = 1;

TEST(Multiprocessing, RunsTasksInOtherProcessesAlsoForOneJob) {
  for (int const n_jobs : {1, 3}) {
    for (int const pid :
         forking(n_jobs).map(ten, [](int) { return static_cast<int>(::getpid()); })) {
      EXPECT_NE(pid, ::getpid());
    }
  }
}

TEST(Multiprocessing, HasOneChildForEachWorkerWhereElementsAreReadSideBySide) {
  auto const pids =
      forking().map(std::views::iota(0, 1000), [](int) { return static_cast<int>(::getpid()); });
  EXPECT_LE(std::set<int>(pids.begin(), pids.end()).size(), 2U);
}

TEST(Multiprocessing, HasOneChildForEachBatchElse) {
  Parallel const parallel{{.n_jobs = 2, .backend = "multiprocessing", .batch_size = 10}};
  auto const pids = parallel.map(one_by_one(std::views::iota(0, 100)),
                                 [](int) { return static_cast<int>(::getpid()); });
  for (std::size_t i = 0; i < 100; ++i) EXPECT_EQ(pids[i], pids[i / 10 * 10]);
  EXPECT_EQ(std::set<int>(pids.begin(), pids.end()).size(), 10U);
}

TEST(Multiprocessing, BatchesOutweighTheirForks) {
  auto const pids = forking().map(one_by_one(std::views::iota(0, 20'000)),
                                  [](int) { return static_cast<int>(::getpid()); });
  EXPECT_LE(std::set<int>(pids.begin(), pids.end()).size(), 100U);
}

TEST(Multiprocessing, TakesFunctionsThatCapture) {
  int offset = 5;
  auto const shift = [&offset](int i) { return i + offset; };
  EXPECT_EQ(forking().map(std::views::iota(0, 3), shift), (Numbers{5, 6, 7}));
  EXPECT_EQ(forking().map(one_by_one(std::views::iota(0, 3)), shift), (Numbers{5, 6, 7}));
}

TEST(Multiprocessing, TakesTasksOfAnyType) {
  int base = 10;
  std::vector<std::function<int()>> tasks;
  for (int i = 0; i < 20; ++i) {
    tasks.emplace_back([shared = std::make_shared<int>(i), &base] { return *shared + base; });
  }
  Numbers expected(20);
  std::iota(expected.begin(), expected.end(), 10);
  EXPECT_EQ(forking()(tasks), expected);
  EXPECT_EQ(forking()(tasks | std::views::filter([&](auto const&) { return base == 10; })),
            expected);
  EXPECT_EQ(forking()(std::vector(tasks)), expected);
  auto results = forking().generator(tasks);
  EXPECT_EQ(rest(results), expected);
}

TEST(Multiprocessing, TakesTasksThatCannotBeCopied) {
  auto const tasks = std::views::iota(0, 20) | std::views::transform([](int i) {
                       return [number = std::make_unique<int>(i)] { return *number; };
                     });
  Numbers expected(20);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(forking()(tasks), expected);
}

TEST(Multiprocessing, TakesReferencesAndPointers) {
  int number = 3;
  int const other = 4;
  auto const [next, same] = forking()(delayed([](int& i) { return ++i; })(std::ref(number)),
                                      delayed([](int const* i) { return *i; })(&other));
  EXPECT_EQ(next, 4);
  EXPECT_EQ(same, 4);
  EXPECT_EQ(number, 3);
}

TEST(Multiprocessing, ShowsTheStateAtTheCallAndKeepsWrites) {
  global = 5;
  std::vector<int> here{1, 2, 3};
  EXPECT_EQ(forking(1).map(std::views::iota(0, 3), [&](int) { return global; }),
            (Numbers{5, 5, 5}));
  here[1] = 7;
  EXPECT_EQ(forking(1).map(std::views::iota(0, 2),
                           [&](int) {
                             here[1] += global++;
                             return here[1];
                           }),
            (Numbers{12, 18}));
  EXPECT_EQ(here[1], 7);
  EXPECT_EQ(global, 5);
  forking().for_each(here, [](int& i) { i = 0; });
  EXPECT_EQ(here, (Numbers{1, 7, 3}));
  global = 1;
}

TEST(Multiprocessing, WritesToSharedMemoryAreSeen) {
  auto* const memory =
      ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  auto* const numbers = static_cast<int*>(memory);
  forking().for_each(ten, [numbers](int i) { numbers[i] = i * i; });
  for (int const i : ten) EXPECT_EQ(numbers[i], i * i);
  ::munmap(memory, 4096);
}

TEST(Multiprocessing, SendsResultsOfAllKinds) {
  auto results = forking().map(ten, [](int i) { return std::make_unique<int>(i); });
  for (int i = 0; i < 10; ++i) EXPECT_EQ(*results[static_cast<std::size_t>(i)], i);
  auto const maps = forking().map(one_by_one(ten), [](int i) {
    return std::map<int, std::string>{{i, std::to_string(i)}};
  });
  for (int i = 0; i < 10; ++i)
    EXPECT_EQ(maps[static_cast<std::size_t>(i)].at(i), std::to_string(i));
}

TEST(Multiprocessing, SendsLargeResults) {
  std::vector<std::vector<double>> in;
  for (int i = 0; i < 6; ++i) in.emplace_back(300'000 + static_cast<std::size_t>(i), i);
  auto const twice = [](std::vector<double> const& values) {
    auto result = values;
    for (auto& value : result) value *= 2;
    return result;
  };
  auto const check = [&](std::vector<std::vector<double>> const& out) {
    ASSERT_EQ(out.size(), in.size());
    for (std::size_t i = 0; i < in.size(); ++i) {
      EXPECT_EQ(out[i], std::vector<double>(in[i].size(), 2.0 * static_cast<double>(i)));
    }
  };
  check(forking().map(in, twice));
  check(forking().map(in | std::views::filter([&](auto const&) { return !in.empty(); }), twice));
}

TEST(Multiprocessing, RefusesResultsThatCannotTravelBeforeAnyTaskRuns) {
  bool begun = false;
  auto const read = std::views::iota(0, 4) | std::views::transform([&begun](int i) {
                      begun = true;
                      return i;
                    });
  EXPECT_THROW(static_cast<void>(forking().map(read, [](int) { return new int; })),
               joblot::NotShippableError);
  EXPECT_THROW(
      static_cast<void>(forking()([] { return 1; }, [] { return std::function<int()>(); })),
      joblot::NotShippableError);
  EXPECT_FALSE(begun);
}

TEST(Multiprocessing, ReportsWhatTheRangeThrows) {
  auto const bad = [](int i) {
    if (i == 5) throw std::out_of_range("five");
    return i;
  };
  auto const parallel = forking();
  EXPECT_THROW(parallel.for_each(ten | std::views::transform(bad), [](int) {}), std::out_of_range);
  EXPECT_FALSE(parallel.failure());
  EXPECT_THROW(parallel.for_each(one_by_one(ten) | std::views::transform(bad), [](int) {}),
               std::out_of_range);
  EXPECT_FALSE(parallel.failure());
}

// Where tasks run.

TEST(Multiprocessing, IsKnownByName) {
  std::string const text = [] {
    try {
      Parallel const parallel{{.backend = "no such thing"}};
    } catch (joblot::InvalidOption const& error) {
      return std::string(error.what());
    }
    return std::string();
  }();
  EXPECT_NE(text.find("\"multiprocessing\""), std::string::npos) << text;
  EXPECT_THROW((Parallel{{.backend = "multiprocessing", .require = joblot::Require::sharedmem}}),
               joblot::InvalidOption);
}

TEST(Multiprocessing, TasksKnowThemselves) {
  auto const check = [](auto const& seen) {
    for (std::size_t i = 0; i < seen.size(); ++i) {
      auto const [index, worker, attempt, stopped] = seen[i];
      EXPECT_EQ(index, i);
      EXPECT_GE(worker, 0);
      EXPECT_LT(worker, 3);
      EXPECT_EQ(attempt, 1);
      EXPECT_FALSE(stopped);
    }
  };
  auto const look = [](int) {
    return std::tuple(this_task::index(), this_task::worker_id(), this_task::attempt(),
                      this_task::stop_requested());
  };
  check(forking(3).map(std::views::iota(0, 100), look));
  check(forking(3).map(one_by_one(std::views::iota(0, 100)), look));
}

TEST(Multiprocessing, GeneratorsTellTheSameWorkerIds) {
  auto results =
      forking(2).generator(std::vector(50, delayed([] { return this_task::worker_id(); })()));
  for (int const id : results) EXPECT_TRUE(id == 0 || id == 1) << id;
}

TEST(Multiprocessing, ScopesOfTheCallerAreNotInForceInATask) {
  auto const scope = joblot::parallel_config({.n_jobs = 7, .backend = "multiprocessing"});
  Parallel const parallel{{.n_jobs = 2, .inner_max_num_threads = 3}};
  EXPECT_EQ(parallel.map(std::views::iota(0, 2), [](int) { return Parallel().n_jobs(); }),
            (Numbers{3, 3}));
}

int prepared = 0;
void prepare() { ++prepared; }

TEST(Multiprocessing, RunsTheInitializerInEachChildAndNotHere) {
  Parallel const parallel{{.n_jobs = 2, .backend = "multiprocessing", .initializer = prepare}};
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(parallel.map(ten, [](int) { return prepared; }), Numbers(10, 1));
    EXPECT_EQ(parallel.map(one_by_one(ten), [](int) { return prepared; }), Numbers(10, 1));
  }
  EXPECT_EQ(prepared, 0);
}

void refuse() { throw std::runtime_error("no licence"); }

TEST(Multiprocessing, ReportsAnInitializerThatFails) {
  Parallel const parallel{{.n_jobs = 2, .backend = "multiprocessing", .initializer = refuse}};
  try {
    parallel.for_each(ten, [](int) {});
    FAIL() << "it was ignored";
  } catch (joblot::WorkerInitError const& error) {
    EXPECT_NE(std::string(error.what()).find("no licence"), std::string::npos) << error.what();
  }
  expect_no_child();
}

void die() { ::_exit(3); }

TEST(Multiprocessing, GivesUpOnAnInitializerThatExits) {
  Parallel const parallel{{.n_jobs = 2, .backend = "multiprocessing", .initializer = die}};
  EXPECT_THROW(parallel.for_each(ten, [](int) {}), joblot::WorkerInitError);
}

// Nested calls.

class Nested : public testing::TestWithParam<std::tuple<char const*, char const*>> {};

TEST_P(Nested, GiveTheRightSums) {
  auto const [outer, inner] = GetParam();
  Parallel const parallel{{.n_jobs = 2, .backend = outer}};
  auto const sums = parallel.map(std::views::iota(0, 4), [inner = inner](int i) {
    auto const squares =
        Parallel{{.n_jobs = 2, .backend = inner}}.map(std::views::iota(0, 4), square);
    return std::accumulate(squares.begin(), squares.end(), i);
  });
  EXPECT_EQ(sums, (Numbers{14, 15, 16, 17}));
}

INSTANTIATE_TEST_SUITE_P(, Nested,
                         testing::Values(std::tuple("multiprocessing", "threading"),
                                         std::tuple("multiprocessing", "multiprocessing"),
                                         std::tuple("multiprocessing", "loky"),
                                         std::tuple("threading", "multiprocessing")),
                         [](auto const& test) {
                           return std::string(std::get<1>(test.param)) + "_in_" +
                                  std::get<0>(test.param);
                         });

TEST(Multiprocessing, WorksInsideTasksOfLoky) {
  // In a process of its own, because loky keeps its workers.
  pid_t const program = ::fork();
  ASSERT_NE(program, -1);
  if (program == 0) {
    auto const sums =
        Parallel{{.n_jobs = 2, .backend = "loky"}}.map(std::views::iota(0, 3), [](int i) {
          auto const squares = forking().map(std::views::iota(0, 4), square);
          return std::accumulate(squares.begin(), squares.end(), i);
        });
    ::_exit(sums == Numbers{14, 15, 16} ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(program, &status, 0), program);
  EXPECT_EQ(status, 0);
}

TEST(Multiprocessing, ChildrenDoNotLeaveIdleWorkers) {
  auto const pid_of_worker = [](int) {
    auto const pids = Parallel{{.n_jobs = 1, .backend = "loky"}}.map(
        std::views::iota(0, 1), [](int) { return static_cast<int>(::getpid()); });
    return pids.front();
  };
  auto const pids = forking(1).map(std::views::iota(0, 1), pid_of_worker);
  EXPECT_EQ(::kill(pids.front(), 0), -1);
  EXPECT_EQ(errno, ESRCH);
}

TEST(Multiprocessing, NestedThreadsWorkSideBySide) {
  // Each waits for the other, in the child.
  auto const met = forking(1).map(std::views::iota(0, 1), [](int) {
    std::atomic<int> here = 0;
    Parallel{{.n_jobs = 2, .backend = "threading", .batch_size = 1}}.for_each(
        std::views::iota(0, 2), [&](int) {
          ++here;
          while (here < 2) std::this_thread::yield();
        });
    return here.load();
  });
  EXPECT_EQ(met, Numbers{2});
}

TEST(Multiprocessing, GeneratorsInsideTasks) {
  auto const sums = forking().map(std::views::iota(0, 2), [](int i) {
    auto results = forking().generator(std::vector(5, delayed(square)(2)));
    int sum = i;
    for (int const result : results) sum += result;
    return sum;
  });
  EXPECT_EQ(sums, (Numbers{20, 21}));
}

TEST(Multiprocessing, ServesCallsFromSeveralThreads) {
  std::vector<std::jthread> threads;
  std::atomic<int> right = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int round = 0; round < 10; ++round) {
        if (forking().map(ten, square) == Parallel(1).map(ten, square)) ++right;
        if (forking().map(one_by_one(ten), square) == Parallel(1).map(ten, square)) ++right;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(right, 80);
}

#if defined(__SANITIZE_ADDRESS__)
constexpr bool sanitizer_allocates = true;
#elif defined(__has_feature)
constexpr bool sanitizer_allocates = __has_feature(address_sanitizer);
#else
constexpr bool sanitizer_allocates = false;
#endif

TEST(Multiprocessing, WorksWhileOtherThreadsAllocateAndThrow) {
  if (sanitizer_allocates) GTEST_SKIP() << "its allocator may be locked for ever in a forked child";
  std::atomic<bool> done = false;
  std::vector<std::jthread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&done] {
      while (!done) {
        std::vector<std::string> const strings(100, std::string(100, 'x'));
        try {
          throw std::runtime_error(strings[3]);
        } catch (std::runtime_error const&) {
        }
      }
    });
  }
  for (int round = 0; round < 50; ++round) {
    auto const sizes = forking().outcomes(std::vector(10, delayed([] {
                                                        if (this_task::index() % 3 == 0)
                                                          throw std::domain_error("third");
                                                        return std::string(100, 'y').size();
                                                      })()));
    EXPECT_EQ(std::ranges::count_if(sizes, [](auto const& outcome) { return outcome.has_value(); }),
              6);
  }
  done = true;
}

TEST(Multiprocessing, WorksOnBothSidesOfAFork) {
  EXPECT_EQ(forking().map(ten, square)[3], 9);
  pid_t const child = ::fork();
  ASSERT_NE(child, -1);
  if (child == 0) ::_exit(forking().map(ten, square)[3] == 9 ? 0 : 1);
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(forking().map(ten, square)[3], 9);
}

// Death.

constexpr auto crash_on_three = [](int i) {
  if (i % 5 == 3) {
    ::signal(SIGSEGV, SIG_DFL);  // a sanitizer reports it and exits otherwise
    ::raise(SIGSEGV);
  }
  return i;
};

template <class Tasks>
void expect_only_the_crashing_ones_lost(std::optional<int> batch_size, Tasks const& tasks) {
  Options options{.n_jobs = 2, .backend = "multiprocessing"};
  if (batch_size) options.batch_size = *batch_size;
  auto outcomes = Parallel(options).outcomes(tasks);
  ASSERT_EQ(outcomes.size(), 40U);
  for (int i = 0; i < 40; ++i) {
    auto& outcome = outcomes[static_cast<std::size_t>(i)];
    if (i % 5 != 3) {
      EXPECT_EQ(outcome.value(), i);
      continue;
    }
    try {
      static_cast<void>(outcome.value());
      ADD_FAILURE() << i;
    } catch (joblot::TerminatedWorkerError const& error) {
      EXPECT_EQ(error.signal(), SIGSEGV);
      EXPECT_EQ(error.index(), static_cast<std::size_t>(i));
      EXPECT_GT(error.pid(), 0);
    }
  }
  expect_no_child();
}

TEST(Multiprocessing, LosesOnlyTheTaskThatCrashes) {
  auto const task = [](int i) { return delayed(crash_on_three)(i); };
  for (std::optional<int> const batch_size : {std::optional<int>(), {1}, {7}, {100}}) {
    expect_only_the_crashing_ones_lost(batch_size,
                                       std::views::iota(0, 40) | std::views::transform(task));
    expect_only_the_crashing_ones_lost(
        batch_size, one_by_one(std::views::iota(0, 40)) | std::views::transform(task));
  }
}

TEST(Multiprocessing, EndsACallWithTheTaskThatCrashes) {
  auto const parallel = forking();
  EXPECT_THROW(static_cast<void>(parallel.map(ten, crash_on_three)), joblot::TerminatedWorkerError);
  ASSERT_TRUE(parallel.failure());
  EXPECT_EQ(parallel.failure()->index % 5, 3U);
  EXPECT_EQ(parallel.map(std::views::iota(0, 3), crash_on_three), (Numbers{0, 1, 2}));
}

TEST(Multiprocessing, ReportsTheStatusOfATaskThatExits) {
  try {
    forking().for_each(std::views::iota(0, 1), [](int) { ::_exit(42); });
    FAIL();
  } catch (joblot::TerminatedWorkerError const& error) {
    EXPECT_EQ(error.exit_status(), 42);
    EXPECT_EQ(error.signal(), std::nullopt);
  }
}

TEST(Multiprocessing, RunsALostTaskAgainIfAsked) {
  Parallel const parallel{{.n_jobs = 2, .backend = "multiprocessing", .retries = 2}};
  auto const third_time = [](int i) {
    if (i == 4 && this_task::attempt() < 3) ::_exit(1);
    return this_task::attempt();
  };
  Numbers const expected{1, 1, 1, 1, 3, 1, 1, 1, 1, 1};
  EXPECT_EQ(parallel.map(ten, third_time), expected);
  EXPECT_EQ(parallel.map(one_by_one(ten), third_time), expected);
}

TEST(Multiprocessing, SaysHowOftenALostTaskWasTried) {
  Parallel const parallel{{.n_jobs = 2, .backend = "multiprocessing", .retries = 2}};
  auto const outcomes = parallel.outcomes(std::vector(1, delayed([] { ::_exit(1); })()));
  EXPECT_FALSE(outcomes[0]);
  EXPECT_EQ(outcomes[0].attempts(), 3);
}

TEST(Multiprocessing, KillsATaskThatTakesTooLong) {
  Parallel const parallel{{.n_jobs = 2, .backend = "multiprocessing", .timeout = 200ms}};
  auto const begun = std::chrono::steady_clock::now();
  auto const check = [](auto outcomes) {
    for (int i = 0; i < 20; ++i) {
      auto& outcome = outcomes[static_cast<std::size_t>(i)];
      if (i == 5) {
        EXPECT_THROW(static_cast<void>(outcome.value()), joblot::TimeoutError);
      } else {
        EXPECT_EQ(outcome.value(), i);
      }
    }
  };
  auto const task = [](int i) {
    return delayed([](int index) {
      while (index == 5) std::this_thread::sleep_for(1s);
      return index;
    })(i);
  };
  check(parallel.outcomes(std::views::iota(0, 20) | std::views::transform(task)));
  check(parallel.outcomes(one_by_one(std::views::iota(0, 20)) | std::views::transform(task)));
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 20s);
}

TEST(Multiprocessing, EndsRunningTasksWhenOneFails) {
  Parallel const parallel{{.n_jobs = 2, .backend = "multiprocessing", .batch_size = 1}};
  EXPECT_THROW(parallel.for_each(std::views::iota(0, 2),
                                 [](int i) {
                                   if (i == 1) throw std::domain_error("one");
                                   std::this_thread::sleep_for(1h);
                                 }),
               std::domain_error);
  expect_no_child();
}

TEST(Multiprocessing, EndsRunningTasksOfADroppedGenerator) {
  auto results =
      forking().generator(std::vector(4, delayed([] { std::this_thread::sleep_for(1h); })()));
  results.close();
  EXPECT_FALSE(results.next());
  expect_no_child();
}

TEST(Multiprocessing, IsStoppedFromOutside) {
  std::stop_source stop;
  std::jthread const stopper([&] {
    std::this_thread::sleep_for(20ms);
    stop.request_stop();
  });
  Parallel const parallel{{.n_jobs = 2, .backend = "multiprocessing", .stop = stop.get_token()}};
  EXPECT_THROW(parallel.for_each(ten, [](int) { std::this_thread::sleep_for(1h); }),
               joblot::CancelledError);
  expect_no_child();
}

TEST(Multiprocessing, LeavesNoChild) {
  forking().for_each(ten, [](int) {});
  expect_no_child();
  forking().for_each(one_by_one(ten), [](int) {});
  expect_no_child();
  auto results = forking().generator(std::vector(10, delayed(square)(3)));
  EXPECT_EQ(rest(results), Numbers(10, 9));
  expect_no_child();
}

TEST(Multiprocessing, LeavesNoDescriptorOpen) {
  auto const open_files = [] {
    namespace fs = std::filesystem;
    return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator());
  };
  forking().for_each(ten, [](int) {});
  auto const before = open_files();
  for (int round = 0; round < 5; ++round) {
    forking().for_each(ten, [](int) {});
    forking().for_each(one_by_one(ten), [](int) {});
  }
  EXPECT_EQ(open_files(), before);
}

TEST(Multiprocessing, ChildrenEndWithTheirParent) {
  // The pipe ends when the last process that holds it has ended.
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  pid_t const parent = ::fork();
  ASSERT_NE(parent, -1);
  if (parent == 0) {
    ::close(ends[0]);
    auto results = forking().generator(std::vector(2, delayed([end = ends[1]] {
                                                     static_cast<void>(!::write(end, "x", 1));
                                                     std::this_thread::sleep_for(1h);
                                                   })()));
    std::this_thread::sleep_for(1h);
    ::_exit(1);
  }
  ::close(ends[1]);
  char byte = 0;
  EXPECT_EQ(::read(ends[0], &byte, 1), 1);
  ::kill(parent, SIGKILL);
  ASSERT_EQ(::waitpid(parent, nullptr, 0), parent);
  while (::read(ends[0], &byte, 1) == 1) {
  }
  ::close(ends[0]);
}

// What a task says.

TEST(Multiprocessing, PassesAnUnknownExceptionOnAsText) {
  struct Odd {};
  try {
    forking().for_each(std::views::iota(0, 1), [](int) { throw Odd(); });
    FAIL();
  } catch (joblot::RemoteError const& error) {
    EXPECT_NE(error.type_name().find("Odd"), std::string::npos);
    EXPECT_EQ(error.index(), 0U);
    EXPECT_GT(error.pid(), 0);
  }
}

TEST(Multiprocessing, SaysEverythingOnce) {
  // In a process of its own, which begins with an empty buffer.
  std::fflush(stdout);
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  pid_t const program = ::fork();
  ASSERT_NE(program, -1);
  if (program == 0) {
    ::dup2(ends[1], STDOUT_FILENO);
    ::close(ends[0]);
    ::close(ends[1]);
    std::atexit([] { std::printf("exit\n"); });
    std::setvbuf(stdout, nullptr, _IOFBF, 1 << 16);
    std::printf("begin\n");
    forking().for_each(ten, [](int i) { std::printf("task %d\n", i); });
    forking().for_each(one_by_one(std::views::iota(10, 20)),
                       [](int i) { std::printf("task %d\n", i); });
    static_cast<void>(forking().outcomes(std::vector(1, delayed([] {
                                                       std::printf("last words\n");
                                                       throw std::runtime_error("fails");
                                                     })())));
    std::printf("end\n");
    std::exit(0);
  }
  ::close(ends[1]);
  std::string text;
  for (char byte = 0; ::read(ends[0], &byte, 1) == 1;) text += byte;
  ::close(ends[0]);
  ASSERT_EQ(::waitpid(program, nullptr, 0), program);
  std::multiset<std::string> said;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) said.insert(line);
  std::multiset<std::string> expected{"begin", "last words", "end", "exit"};
  for (int i = 0; i < 20; ++i) expected.insert("task " + std::to_string(i));
  EXPECT_EQ(said, expected);
  EXPECT_TRUE(text.starts_with("begin\n")) << text;
}

// Streams.

TEST(Multiprocessing, StreamsWithBoundedReadingAhead) {
  std::atomic<int> read = 0;
  auto results =
      Parallel{{.n_jobs = 2, .backend = "multiprocessing", .pre_dispatch = 4, .batch_size = 1}}
          .generator(std::views::iota(0) | std::views::transform([&](int i) {
                       ++read;
                       return delayed(square)(i);
                     }));
  EXPECT_EQ(results.next(), 0);
  std::this_thread::sleep_for(100ms);
  EXPECT_LE(read, 1 + 4 + 1);
  for (int i = 1; i < 100; ++i) EXPECT_EQ(results.next(), i * i);
}

TEST(Multiprocessing, ReadsASinglePassRange) {
  std::istringstream words("1 2 3 4 5 6 7 8 9 10");
  EXPECT_EQ(forking().reduce(std::views::istream<int>(words), 0, std::plus<>()), 55);
}

TEST(Multiprocessing, StreamsUnorderedFromAnEndlessRange) {
  int one = 1;
  auto results =
      forking().generator_unordered(std::views::iota(0) | std::views::transform([&one](int i) {
                                      return [i, &one] { return i + one; };
                                    }));
  std::set<int> seen;
  for (int const result : results) {
    EXPECT_TRUE(seen.insert(result).second) << result;
    if (seen.size() == 500) break;
  }
  results.close();
  expect_no_child();
}

}  // namespace
