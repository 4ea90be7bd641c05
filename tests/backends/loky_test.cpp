// SPDX-License-Identifier: MIT
// Tests of calls whose tasks run in worker processes.
#include <joblot/backends/loky.hpp>
// First, because it needs no other.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <new>
#include <numeric>
#include <optional>
#include <ranges>
#include <set>
#include <span>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <joblot/joblot.hpp>
#include <joblot/serialization/by_value.hpp>

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

Parallel loky(int n_jobs = 2) { return Parallel{{.n_jobs = n_jobs, .backend = "loky"}}; }

template <class T>
std::vector<T> rest(joblot::Generator<T>& generator) {
  std::vector<T> results;
  while (auto result = generator.next()) results.push_back(std::move(*result));
  return results;
}

// Where tasks run.

TEST(Loky, RunsTasksInOtherProcessesAlsoForOneJob) {
  for (int const n_jobs : {1, 3}) {
    for (int const pid : loky(n_jobs).map(ten, [](int) { return static_cast<int>(::getpid()); })) {
      EXPECT_NE(pid, ::getpid());
    }
  }
}

TEST(Loky, KeepsItsWorkersForTheNextCall) {
  auto const pids = [] {
    auto const all = loky().map(ten, [](int) { return static_cast<int>(::getpid()); });
    return std::set<int>(all.begin(), all.end());
  };
  std::set<int> seen;
  for (int i = 0; i < 20; ++i) seen.merge(pids());
  EXPECT_LE(seen.size(), 2U + 5U) << "a test before may have left some";
}

std::map<std::string, int> const table{{"one", 1}, {"two", 2}};

TEST(Loky, WorkersHaveTheGlobalsOfTheProgram) {
  EXPECT_EQ(loky().map(std::vector<std::string>{"two", "one"},
                       [](std::string const& word) { return table.at(word); }),
            (Numbers{2, 1}));
}

int global = 1;

TEST(Loky, WorkersHaveTheirOwnGlobals) {
  global = 5;
  EXPECT_EQ(loky(1).map(std::views::iota(0, 3), [](int) { return global; }), (Numbers{1, 1, 1}));
  loky().for_each(ten, [](int) { ++global; });
  EXPECT_EQ(global, 5);
  global = 1;
}

TEST(Loky, TasksKnowThemselves) {
  auto const seen = loky(3).map(std::views::iota(0, 100), [](int) {
    return std::tuple(this_task::index(), this_task::worker_id(), this_task::attempt(),
                      this_task::stop_requested());
  });
  for (std::size_t i = 0; i < seen.size(); ++i) {
    auto const [index, worker, attempt, stopped] = seen[i];
    EXPECT_EQ(index, i);
    EXPECT_GE(worker, 0);
    EXPECT_LT(worker, 3);
    EXPECT_EQ(attempt, 1);
    EXPECT_FALSE(stopped);
  }
}

TEST(Loky, GeneratorsTellTheSameWorkerIds) {
  auto results =
      loky(2).generator(std::vector(50, delayed([] { return this_task::worker_id(); })()));
  for (int const id : results) EXPECT_TRUE(id == 0 || id == 1) << id;
}

TEST(Loky, FollowsTheWorkingDirectory) {
  auto const here = std::filesystem::current_path();
  auto const where = [] {
    return loky().map(std::views::iota(0, 1),
                      [](int) { return std::filesystem::current_path().string(); });
  };
  EXPECT_EQ(where().front(), here.string());
  std::filesystem::current_path("/");
  EXPECT_EQ(where().front(), "/");
  std::filesystem::current_path(here);
}

int prepared = 0;
void prepare() { ++prepared; }

TEST(Loky, RunsTheInitializerInEachWorkerAndNotHere) {
  Parallel const parallel{{.n_jobs = 2, .backend = "loky", .initializer = prepare}};
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(parallel.map(ten, [](int) { return prepared; }), Numbers(10, 1));
  }
  EXPECT_EQ(prepared, 0);
  EXPECT_EQ(loky().map(ten, [](int) { return prepared; }), Numbers(10, 0))
      << "a call without it gets other workers";
}

void refuse() { throw std::runtime_error("no licence"); }

TEST(Loky, ReportsAnInitializerThatFails) {
  Parallel const parallel{{.n_jobs = 2, .backend = "loky", .initializer = refuse}};
  try {
    parallel.for_each(ten, [](int) {});
    FAIL() << "it was ignored";
  } catch (joblot::WorkerInitError const& error) {
    EXPECT_NE(std::string(error.what()).find("no licence"), std::string::npos) << error.what();
  }
}

TEST(Loky, NestsCalls) {
  auto const sums = loky().map(std::views::iota(0, 4), [](int i) {
    return Parallel{{.n_jobs = 2}}.reduce(std::views::iota(0, 100), i, std::plus<>());
  });
  EXPECT_EQ(sums, (Numbers{4950, 4951, 4952, 4953}));
}

TEST(Loky, NestsCallsOnWorkersOfWorkers) {
  auto const sums = loky().map(std::views::iota(0, 2), [](int i) {
    auto const squares =
        Parallel{{.n_jobs = 2, .backend = "loky"}}.map(std::views::iota(0, 4), square);
    return std::accumulate(squares.begin(), squares.end(), i);
  });
  EXPECT_EQ(sums, (Numbers{14, 15}));
}

TEST(Loky, WorksInsideTasksOfThreads) {
  auto const sums = Parallel(2).map(std::views::iota(0, 4), [](int i) {
    auto const squares = loky().map(std::views::iota(0, 4), square);
    return std::accumulate(squares.begin(), squares.end(), i);
  });
  EXPECT_EQ(sums, (Numbers{14, 15, 16, 17}));
}

TEST(Loky, ServesCallsFromSeveralThreads) {
  std::vector<std::jthread> threads;
  std::atomic<int> right = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int round = 0; round < 10; ++round) {
        if (loky().map(ten, square) == Parallel(1).map(ten, square)) ++right;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(right, 40);
}

TEST(Loky, WorksOnBothSidesOfAFork) {
  EXPECT_EQ(loky().map(ten, square)[3], 9);
  pid_t const child = ::fork();
  ASSERT_NE(child, -1);
  if (child == 0) ::_exit(loky().map(ten, square)[3] == 9 ? 0 : 1);
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(loky().map(ten, square)[3], 9);
}

// Values.

struct Person {
  std::string name;
  std::vector<double> marks;
  std::optional<int> age;
};

TEST(Loky, SendsAggregatesFieldByField) {
  auto const older = loky().map(std::vector<Person>{{"Ann", {1, 2}, 30}, {"Bob", {}, {}}},
                                [](Person const& person) {
                                  auto result = person;
                                  result.marks.push_back(3);
                                  if (result.age) ++*result.age;
                                  return result;
                                });
  EXPECT_EQ(older[0].name, "Ann");
  EXPECT_EQ(older[0].marks, (std::vector<double>{1, 2, 3}));
  EXPECT_EQ(older[0].age, 31);
  EXPECT_EQ(older[1].age, std::nullopt);
}

TEST(Loky, SendsMoveOnlyResults) {
  auto results = loky().map(ten, [](int i) { return std::make_unique<int>(i); });
  for (int i = 0; i < 10; ++i) EXPECT_EQ(*results[static_cast<std::size_t>(i)], i);
}

TEST(Loky, SendsViewsByContent) {
  std::string const text = "some text";
  std::vector<int> const numbers{1, 2, 3};
  auto const size = [](std::string_view view, char const* chars, std::span<int const> span,
                       std::vector<int> const& vector) {
    return view.size() + std::string(chars).size() + span.size() + vector.size();
  };
  auto const [sum] = loky()(delayed(size)(std::string_view(text), "four",
                                          std::span<int const>(numbers), std::cref(numbers)));
  EXPECT_EQ(sum, 9U + 4U + 3U + 3U);
}

TEST(Loky, SendsLargeValuesBothWays) {
  std::vector<std::vector<double>> in;
  for (int i = 0; i < 6; ++i) in.emplace_back(300'000 + static_cast<std::size_t>(i), i);
  auto const out = loky().map(in, [](std::vector<double> const& values) {
    auto twice = values;
    for (auto& value : twice) value *= 2;
    return twice;
  });
  ASSERT_EQ(out.size(), in.size());
  for (std::size_t i = 0; i < in.size(); ++i) {
    EXPECT_EQ(out[i], std::vector<double>(in[i].size(), 2.0 * static_cast<double>(i)));
  }
}

TEST(Loky, SendsLargeTemporaries) {
  auto const sums = loky()(std::views::iota(0, 6) | std::views::transform([](int i) {
                             return delayed([](std::vector<double> const& values) {
                               return std::accumulate(values.begin(), values.end(), 0.0);
                             })(std::vector<double>(100'000, i));
                           }));
  for (int i = 0; i < 6; ++i) EXPECT_EQ(sums[static_cast<std::size_t>(i)], i * 100'000.0);
}

TEST(Loky, ReducesLargeResults) {
  auto const sum = loky().reduce(
      std::views::iota(0, 6), std::vector<double>(50'000, 0.0),
      [](std::vector<double> left, std::vector<double> const& right) {
        for (std::size_t i = 0; i < left.size(); ++i) left[i] += right[i];
        return left;
      },
      [](int i) { return std::vector<double>(50'000, i); });
  EXPECT_EQ(sum, std::vector<double>(50'000, 15.0));
}

TEST(Loky, RefusesWhatCannotTravelBeforeAnyTaskRuns) {
  int captured = 1;
  bool begun = false;
  auto const read = std::views::iota(0, 4) | std::views::transform([&begun](int i) {
                      begun = true;
                      return i;
                    });
  EXPECT_THROW(static_cast<void>(loky().map(read, [captured](int i) { return i + captured; })),
               joblot::NotShippableError);
  EXPECT_THROW(static_cast<void>(loky().map(read, [](int) { return new int; })),
               joblot::NotShippableError);
  EXPECT_THROW(static_cast<void>(loky().generator(std::vector<std::function<int()>>(3))),
               joblot::NotShippableError);
  EXPECT_THROW(loky()(delayed([](int& i) { ++i; })(std::ref(captured))), joblot::NotShippableError);
  EXPECT_FALSE(begun);
  EXPECT_EQ(Parallel(2).map(std::views::iota(0, 1), [captured](int i) { return i + captured; }),
            Numbers{1});
}

TEST(Loky, TakesWhatIsPromisedToBeValues) {
  int captured = 5;
  EXPECT_EQ(loky().map(std::views::iota(0, 3),
                       joblot::by_value([captured](int i) { return i + captured; })),
            (Numbers{5, 6, 7}));
}

// Death.

constexpr auto crash_on_three = [](int i) {
  if (i % 5 == 3) {
    ::signal(SIGSEGV, SIG_DFL);  // a sanitizer reports it and exits otherwise
    ::raise(SIGSEGV);
  }
  return i;
};

TEST(Loky, LosesOnlyTheTaskThatCrashes) {
  for (std::optional<int> const batch_size : {std::optional<int>(), {1}, {7}, {100}}) {
    Options options{.n_jobs = 2, .backend = "loky"};
    if (batch_size) options.batch_size = *batch_size;
    auto outcomes =
        Parallel(options).outcomes(std::views::iota(0, 40) | std::views::transform([](int i) {
                                     return delayed(crash_on_three)(i);
                                   }));
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
  }
}

TEST(Loky, EndsACallWithTheTaskThatCrashes) {
  auto const parallel = loky();
  EXPECT_THROW(static_cast<void>(parallel.map(ten, crash_on_three)), joblot::TerminatedWorkerError);
  ASSERT_TRUE(parallel.failure());
  EXPECT_EQ(parallel.failure()->index % 5, 3U);
  EXPECT_EQ(parallel.map(std::views::iota(0, 3), crash_on_three), (Numbers{0, 1, 2}));
}

TEST(Loky, ReportsTheStatusOfATaskThatExits) {
  try {
    loky().for_each(std::views::iota(0, 1), [](int) { ::_exit(42); });
    FAIL();
  } catch (joblot::TerminatedWorkerError const& error) {
    EXPECT_EQ(error.exit_status(), 42);
    EXPECT_EQ(error.signal(), std::nullopt);
  }
}

TEST(Loky, RunsALostTaskAgainIfAsked) {
  Parallel const parallel{{.n_jobs = 2, .backend = "loky", .retries = 2}};
  auto const attempts = parallel.map(ten, [](int i) {
    if (i == 4 && this_task::attempt() < 3) ::_exit(1);
    return this_task::attempt();
  });
  EXPECT_EQ(attempts, (Numbers{1, 1, 1, 1, 3, 1, 1, 1, 1, 1}));
}

TEST(Loky, SaysHowOftenALostTaskWasTried) {
  Parallel const parallel{{.n_jobs = 2, .backend = "loky", .retries = 2}};
  auto const outcomes = parallel.outcomes(std::vector(1, delayed([] { ::_exit(1); })()));
  EXPECT_FALSE(outcomes[0]);
  EXPECT_EQ(outcomes[0].attempts(), 3);
}

TEST(Loky, KillsATaskThatTakesTooLong) {
  Parallel const parallel{{.n_jobs = 2, .backend = "loky", .timeout = 200ms}};
  auto const begun = std::chrono::steady_clock::now();
  auto outcomes = parallel.outcomes(std::views::iota(0, 20) | std::views::transform([](int i) {
                                      return delayed([](int index) {
                                        while (index == 5) std::this_thread::sleep_for(1s);
                                        return index;
                                      })(i);
                                    }));
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 20s);
  for (int i = 0; i < 20; ++i) {
    auto& outcome = outcomes[static_cast<std::size_t>(i)];
    if (i == 5) {
      EXPECT_THROW(static_cast<void>(outcome.value()), joblot::TimeoutError);
    } else {
      EXPECT_EQ(outcome.value(), i);
    }
  }
}

TEST(Loky, EndsRunningTasksWhenOneFails) {
  Parallel const parallel{{.n_jobs = 2, .backend = "loky", .batch_size = 1}};
  EXPECT_THROW(parallel.for_each(std::views::iota(0, 2),
                                 [](int i) {
                                   if (i == 1) throw std::domain_error("one");
                                   std::this_thread::sleep_for(1h);
                                 }),
               std::domain_error);
}

TEST(Loky, EndsRunningTasksOfADroppedGenerator) {
  auto results =
      loky().generator(std::vector(4, delayed([] { std::this_thread::sleep_for(1h); })()));
  results.close();
  EXPECT_FALSE(results.next());
}

TEST(Loky, IsStoppedFromOutside) {
  std::stop_source stop;
  std::jthread const stopper([&] {
    std::this_thread::sleep_for(20ms);
    stop.request_stop();
  });
  Parallel const parallel{{.n_jobs = 2, .backend = "loky", .stop = stop.get_token()}};
  EXPECT_THROW(parallel.for_each(ten, [](int) { std::this_thread::sleep_for(1h); }),
               joblot::CancelledError);
}

TEST(Loky, LeavesNoZombieAndNoChildButItsIdleWorkers) {
  for (int round = 0; round < 5; ++round) {
    static_cast<void>(loky().outcomes(std::views::iota(0, 20) | std::views::transform([](int i) {
                                        return delayed(crash_on_three)(i);
                                      })));
  }
  siginfo_t info{};
  while (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0) {
    ADD_FAILURE() << "zombie " << info.si_pid;
    break;
  }
}

// What a task says.

TEST(Loky, PassesAnUnknownExceptionOnAsText) {
  struct Odd {};
  try {
    loky().for_each(std::views::iota(0, 1), [](int) { throw Odd(); });
    FAIL();
  } catch (joblot::RemoteError const& error) {
    EXPECT_NE(error.type_name().find("Odd"), std::string::npos);
    EXPECT_EQ(error.index(), 0U);
    EXPECT_GT(error.pid(), 0);
  }
}

TEST(Loky, StreamsWithBoundedReadingAhead) {
  std::atomic<int> read = 0;
  auto results =
      Parallel{{.n_jobs = 2, .backend = "loky", .pre_dispatch = 4, .batch_size = 1}}.generator(
          std::views::iota(0) | std::views::transform([&](int i) {
            ++read;
            return delayed(square)(i);
          }));
  EXPECT_EQ(results.next(), 0);
  std::this_thread::sleep_for(100ms);
  EXPECT_LE(read, 1 + 4 + 1);
  for (int i = 1; i < 100; ++i) EXPECT_EQ(results.next(), i * i);
}

}  // namespace
