// SPDX-License-Identifier: MIT
// What goes wrong with tasks, values and workers, but the deaths that come at random.
#include <joblot/backends/loky.hpp>
// First, because it needs no other.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <ranges>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include <joblot/joblot.hpp>

namespace {

using joblot::delayed;
using joblot::Outcome;
using joblot::Parallel;
using namespace std::chrono_literals;

/// A value that sometimes cannot be written or read, and takes some bytes along.
struct Picky {
  int value = 0;
  std::string ballast{};
  bool written = true;
  bool read = true;

  template <class Archive>
  void save(Archive& archive) const {
    if (!written) throw std::domain_error("not written " + std::to_string(value));
    archive(value, ballast, read);
  }
  template <class Archive>
  void load(Archive& archive) {
    archive(value, ballast, read);
    if (!read) throw std::domain_error("not read " + std::to_string(value));
  }
};

constexpr auto value_of = [](Picky const& picky) {
  if (picky.value < 0) ::_exit(1);
  return picky.value;
};

std::vector<Picky> counted(int size) {
  std::vector<Picky> result;
  for (int i = 0; i < size; ++i) result.push_back({.value = i});
  return result;
}

auto outcomes_of(std::vector<Picky> const& values, int batch_size, int n_jobs = 2) {
  return Parallel{{.n_jobs = n_jobs, .backend = "loky", .batch_size = batch_size}}.outcomes(
      values | std::views::transform([](Picky const& one) { return delayed(value_of)(one); }));
}

template <class T>
std::string text_of(Outcome<T>& outcome) {
  try {
    static_cast<void>(outcome.value());
  } catch (std::exception const& error) {
    return error.what();
  }
  return "a value";
}

/// All are there but those that could not be written or read.
void expect_all_but_bad_ones(std::vector<Picky> const& values, std::vector<Outcome<int>> outcomes) {
  ASSERT_EQ(outcomes.size(), values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    auto const& one = values[i];
    if (one.value < 0) {
      EXPECT_THROW(static_cast<void>(outcomes[i].value()), joblot::TerminatedWorkerError) << i;
    } else if (!one.written || !one.read) {
      auto const text = (one.written ? "not read " : "not written ") + std::to_string(one.value);
      EXPECT_EQ(text_of(outcomes[i]), text);
    } else {
      ASSERT_TRUE(outcomes[i]) << i << ": " << text_of(outcomes[i]);
      EXPECT_EQ(outcomes[i].value(), one.value);
    }
  }
}

TEST(LokyTrouble, AnArgumentThatCannotBeWrittenOrReadFailsItsTaskOnly) {
  for (int const batch_size : {1, 3, 7, 30}) {
    auto values = counted(30);
    for (std::size_t const bad : {0U, 3U, 4U, 11U, 29U}) values[bad].written = false;
    for (std::size_t const bad : {1U, 5U, 12U, 28U}) values[bad].read = false;
    expect_all_but_bad_ones(values, outcomes_of(values, batch_size));
  }
}

TEST(LokyTrouble, AnArgumentThatCannotBeWrittenDoesNotHoldUpWhoFollowsADeath) {
  for (int const batch_size : {3, 7, 30}) {
    auto values = counted(30);
    for (std::size_t const bad : {2U, 6U, 20U}) values[bad].written = false;
    for (std::size_t const deadly : {1U, 4U, 18U}) values[deadly].value = -1;
    expect_all_but_bad_ones(values, outcomes_of(values, batch_size));
  }
}

TEST(LokyTrouble, AnArgumentThatCannotBeWrittenIsNotTakenForOneBeforeIt) {
  for (int const batch_size : {2, 5}) {
    auto values = counted(20);
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (i % 2 == 0) values[i].ballast.assign(100'000, 'x');  // too large to be sent ahead
      values[i].written = i % 5 != 4;
    }
    expect_all_but_bad_ones(values, outcomes_of(values, batch_size, 1));
  }
}

constexpr auto turned = [](std::vector<int> values) {
  std::ranges::reverse(values);
  return values;
};

TEST(LokyTrouble, TasksOfABatchMayEachHaveALargeArgumentAndResult) {
  for (int const batch_size : {2, 7, 30}) {
    for (int const every : {1, 2, 3}) {
      std::vector<std::vector<int>> in;
      for (int i = 0; i < 30; ++i) {
        in.emplace_back(i % every == 0 ? 300'000 : 100);
        std::iota(in.back().begin(), in.back().end(), i);
      }
      Parallel const parallel{{.n_jobs = 2, .backend = "loky", .batch_size = batch_size}};
      auto out = parallel.map(in, turned);
      for (auto& values : out) std::ranges::reverse(values);
      EXPECT_EQ(out, in);
    }
  }
}

TEST(LokyTrouble, AResultThatCannotBeWrittenOrReadFailsItsTaskAndSparesTheWorker) {
  for (int const batch_size : {1, 7}) {
    auto outcomes = Parallel{{.n_jobs = 1, .backend = "loky", .batch_size = batch_size}}.outcomes(
        std::views::iota(0, 30) | std::views::transform([](int i) {
          return delayed([](int n) {
            return Picky{.value = static_cast<int>(::getpid()),
                         .ballast = std::string(n % 4 == 0 ? 200'000 : 10, 'x'),
                         .written = n % 5 != 2,
                         .read = n % 5 != 4};
          })(i);
        }));
    auto const pid = outcomes[0].value().value;
    for (int i = 0; i < 30; ++i) {
      auto& outcome = outcomes[static_cast<std::size_t>(i)];
      if (i % 5 == 2 || i % 5 == 4) {
        EXPECT_EQ(text_of(outcome),
                  (i % 5 == 2 ? "not written " : "not read ") + std::to_string(pid));
      } else {
        ASSERT_TRUE(outcome) << text_of(outcome);
        EXPECT_EQ(outcome.value().value, pid);
        EXPECT_EQ(outcome.value().ballast.size(), i % 4 == 0 ? 200'000U : 10U);
      }
    }
  }
}

// Workers that are cut off, stopped, or leave something behind.

/// What becomes of each of `tasks` calls of `task`, in batches of one.
template <class Task>
auto outcomes_of_calls(Task task, int tasks, joblot::Options options = {}) {
  options.backend = "loky";
  options.n_jobs = 2;
  return Parallel(options).outcomes(
      std::views::iota(0, tasks) |
      std::views::transform([task](int i) { return delayed(task)(i); }));
}

template <class Error>
void expect_all_but(std::vector<int> const& bad, std::vector<Outcome<int>> outcomes) {
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    auto const index = static_cast<int>(i);
    if (std::ranges::find(bad, index) != bad.end()) {
      EXPECT_THROW(static_cast<void>(outcomes[i].value()), Error) << text_of(outcomes[i]);
    } else {
      ASSERT_TRUE(outcomes[i]) << text_of(outcomes[i]);
      EXPECT_EQ(outcomes[i].value(), index);
    }
  }
}

TEST(LokyTrouble, ATaskThatClosesItsWorkersFilesIsLostAtOnceAndAlone) {
  expect_all_but<joblot::TerminatedWorkerError>({5, 6}, outcomes_of_calls(
                                                            [](int i) {
                                                              if (i == 5 || i == 6) {
                                                                for (int fd = 3; fd < 64; ++fd)
                                                                  ::close(fd);
                                                                std::this_thread::sleep_for(1h);
                                                              }
                                                              return i;
                                                            },
                                                            20));
}

TEST(LokyTrouble, ATaskThatClosesItsWorkersFilesAndReturnsHoldsNobodyUp) {
  auto const outcomes = outcomes_of_calls(
      [](int i) {
        if (i == 5) {
          for (int fd = 3; fd < 64; ++fd) ::close(fd);
        }
        return i;
      },
      20);
  auto const lost = std::ranges::count_if(outcomes, [](auto const& one) { return !one; });
  EXPECT_LE(lost, 1) << "the one it runs when it is noticed";
  for (int round = 0; round < 5; ++round) {
    expect_all_but<joblot::Error>({}, outcomes_of_calls([](int i) { return i; }, 20));
  }
}

TEST(LokyTrouble, AWorkerThatIsStoppedIsTakenForOneWhoseTaskIsTooSlow) {
  expect_all_but<joblot::TimeoutError>({3, 4}, outcomes_of_calls(
                                                   [](int i) {
                                                     if (i == 3 || i == 4) ::raise(SIGSTOP);
                                                     return i;
                                                   },
                                                   20, {.timeout = 300ms}));
}

TEST(LokyTrouble, AWorkersDeathIsNoticedThoughAnotherProcessHoldsItsSocket) {
  auto const begun = std::chrono::steady_clock::now();
  expect_all_but<joblot::TerminatedWorkerError>({3}, outcomes_of_calls(
                                                         [](int i) {
                                                           if (i == 3) {
                                                             if (::fork() == 0) {
                                                               ::signal(SIGALRM, SIG_DFL);
                                                               ::alarm(5);
                                                               for (;;) ::pause();
                                                             }
                                                             ::_exit(1);
                                                           }
                                                           return i;
                                                         },
                                                         20));
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 4s);
}

TEST(LokyTrouble, ATaskMayExit) {
  auto outcomes = outcomes_of_calls(
      [](int i) {
        if (i == 3) std::exit(0);
        if (i == 7) std::exit(8);
        return i;
      },
      20);
  for (std::size_t i = 0; i < 20; ++i) {
    if (i != 3 && i != 7) {
      EXPECT_EQ(outcomes[i].value(), static_cast<int>(i));
      continue;
    }
    try {
      static_cast<void>(outcomes[i].value());
      ADD_FAILURE();
    } catch (joblot::TerminatedWorkerError const& error) {
      EXPECT_EQ(error.exit_status(), i == 3 ? 0 : 8);
      EXPECT_EQ(error.index(), i);
    }
  }
}

TEST(LokyTrouble, FiveTasksOfTwoHundredCrash) {
  auto outcomes = outcomes_of_calls(
      [](int i) {
        if (i % 40 == 7) {
          ::signal(SIGSEGV, SIG_DFL);  // a sanitizer reports it and exits otherwise
          ::raise(SIGSEGV);
        }
        return i;
      },
      200);
  int values = 0;
  for (std::size_t i = 0; i < 200; ++i) {
    if (outcomes[i]) {
      EXPECT_EQ(outcomes[i].value(), static_cast<int>(i));
      ++values;
      continue;
    }
    try {
      static_cast<void>(outcomes[i].value());
    } catch (joblot::TerminatedWorkerError const& error) {
      EXPECT_EQ(error.signal(), SIGSEGV);
      EXPECT_EQ(error.index(), i);
      EXPECT_EQ(i % 40, 7U);
    }
  }
  EXPECT_EQ(values, 195);
}

TEST(LokyTrouble, ADeathInANestedCallIsThatCallsErrorOnly) {
  auto outcomes = outcomes_of_calls(
      [](int i) {
        auto const inner = Parallel{{.n_jobs = 2, .backend = "loky", .batch_size = 1}}.outcomes(
            std::views::iota(0, 4) | std::views::transform([](int j) {
              return delayed([](int n) {
                if (n == 2) ::raise(SIGKILL);
              })(j);
            }));
        auto const failed = std::ranges::count_if(inner, [](auto const& one) { return !one; });
        return static_cast<int>(failed) * i;
      },
      6);
  for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(outcomes[i].value(), static_cast<int>(i));
}

TEST(LokyTrouble, AWorkersDeathUnderACallInItTakesItsWorkersAlong) {
  auto outcomes = outcomes_of_calls(
      [](int i) {
        Parallel{{.n_jobs = 2, .backend = "loky", .batch_size = 1}}.for_each(
            std::views::iota(0, 4), [](int n) {
              if (n == 3) ::kill(::getppid(), SIGKILL);
              std::this_thread::sleep_for(n == 3 ? 3'600'000ms : 1ms);
            });
        return i;
      },
      3);
  for (auto& outcome : outcomes) {
    EXPECT_THROW(static_cast<void>(outcome.value()), joblot::TerminatedWorkerError);
  }
}

TEST(LokyTrouble, AProgressReportThatThrowsEndsTheCallOnly) {
  struct Enough {};
  for (int round = 0; round < 5; ++round) {
    Parallel const parallel{{.n_jobs = 2,
                             .backend = "loky",
                             .batch_size = 1,
                             .on_progress = [](joblot::Progress const&) { throw Enough(); }}};
    EXPECT_THROW(
        parallel.for_each(std::views::iota(0, 8),
                          [](int i) { std::this_thread::sleep_for(i > 4 ? 3'600'000ms : 1ms); }),
        Enough);
    EXPECT_FALSE(parallel.failure());
  }
  expect_all_but<joblot::Error>({}, outcomes_of_calls([](int i) { return i; }, 20));
}

TEST(LokyTrouble, ABrokenChannelIsNoSignalToTheProgram) {
  ::signal(SIGPIPE, SIG_DFL);
  for (int round = 0; round < 20; ++round) {
    auto const outcomes = Parallel{{.n_jobs = 2, .backend = "loky", .batch_size = 1}}.outcomes(
        std::views::iota(0, 4) | std::views::transform([](int) {
          return delayed([](std::string const& text) {
            ::raise(SIGKILL);
            return text;
          })(std::string(2'000'000, 'x'));
        }));
    EXPECT_TRUE(std::ranges::none_of(outcomes, [](auto const& one) { return one.has_value(); }));
  }
}

TEST(LokyTrouble, WhatIsWrittenToStdoutIsWrittenOnce) {
  testing::internal::CaptureStdout();
  std::printf("before;");  // is in the buffer when workers start
  Parallel const parallel{
      {.n_jobs = 2, .backend = "loky", .batch_size = 1, .idle_worker_timeout = 61s}};
  parallel.for_each(std::views::iota(0, 4), [](int i) {
    std::printf("task %d;", i);
    std::fflush(stdout);
  });
  EXPECT_THROW(parallel.for_each(std::views::iota(0, 1), [](int) { std::exit(1); }),
               joblot::TerminatedWorkerError);
  std::printf("after;");
  std::fflush(stdout);
  auto const text = testing::internal::GetCapturedStdout();
  for (std::string const part : {"before;", "task 0;", "task 1;", "task 2;", "task 3;", "after;"}) {
    auto const place = text.find(part);
    EXPECT_NE(place, std::string::npos) << part << " in " << text;
    EXPECT_EQ(text.find(part, place + 1), std::string::npos) << part << " in " << text;
  }
}

// Calls that end while workers are busy with other things than tasks.

std::vector<double> const large(5'000'000, 1.0);

void sleep_for_an_hour() { std::this_thread::sleep_for(1h); }
constexpr auto size_of = [](std::vector<double> const& values) { return values.size(); };

TEST(LokyTrouble, AGeneratorIsClosedWhileItsWorkersStart) {
  auto const begun = std::chrono::steady_clock::now();
  for (int round = 0; round < 10; ++round) {
    auto results =
        Parallel{{.n_jobs = 2, .backend = "loky", .initializer = sleep_for_an_hour}}.generator(
            std::vector(4, delayed(size_of)(std::vector<double>(10))));
    std::this_thread::sleep_for(round * 1ms);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 20s);
}

TEST(LokyTrouble, AGeneratorIsClosedWhileALargeArgumentWaitsForAWorker) {
  auto const begun = std::chrono::steady_clock::now();
  for (int round = 0; round < 3; ++round) {
    auto results =
        Parallel{{.n_jobs = 2, .backend = "loky", .initializer = sleep_for_an_hour}}.generator(
            std::vector(2, delayed(size_of)(large)));
    std::this_thread::sleep_for(30ms);
    results.close();
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 20s);
}

TEST(LokyTrouble, ACallIsCancelledWhileALargeArgumentWaitsForAWorker) {
  std::stop_source stop;
  std::jthread const stopper([&] {
    std::this_thread::sleep_for(50ms);
    stop.request_stop();
  });
  Parallel const parallel{
      {.n_jobs = 2, .backend = "loky", .initializer = sleep_for_an_hour, .stop = stop.get_token()}};
  EXPECT_THROW(static_cast<void>(parallel(std::vector(2, delayed(size_of)(large)))),
               joblot::CancelledError);
}

// Workers that leave.

std::size_t children(char state = 0) {
  std::size_t count = 0;
  for (auto const& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream file(task.path() / "children");
    for (std::string pid; file >> pid;) {
      std::ifstream stat("/proc/" + pid + "/stat");
      std::string text;
      std::getline(stat, text);
      auto const place = text.rfind(')');
      if (place == std::string::npos) continue;
      if (state == 0 || text.substr(place + 2, 1)[0] == state) ++count;
    }
  }
  return count;
}

TEST(LokyTrouble, IdleWorkersLeaveAndAreBuriedByTheNextCall) {
  for (auto const timeout : {30ms, 31ms, 32ms}) {
    EXPECT_EQ(
        outcomes_of_calls([](int i) { return i; }, 20, {.idle_worker_timeout = timeout}).size(),
        20U);
  }
  auto const until = std::chrono::steady_clock::now() + 10s;
  while (children('Z') < 3 && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(5ms);
  std::this_thread::sleep_for(200ms);  // as many as there are, else some end behind the call's back
  EXPECT_GE(children('Z'), 3U);
  EXPECT_EQ(outcomes_of_calls([](int i) { return i; }, 20).size(), 20U);
  EXPECT_EQ(children('Z'), 0U) << "workers of other kinds, too";
}

TEST(LokyTrouble, ACallMayMeetWorkersThatAreAboutToLeave) {
  for (int round = 0; round < 20; ++round) {
    expect_all_but<joblot::Error>(
        {}, outcomes_of_calls([](int i) { return i; }, 6, {.idle_worker_timeout = 10ms}));
    std::this_thread::sleep_for(9ms + round % 20 * 100us);
  }
}

TEST(LokyTrouble, WorkersDoNotLeaveWhileTheirTasksAreBeingWritten) {
  Parallel const parallel{{.n_jobs = 2, .backend = "loky", .idle_worker_timeout = 2ms}};
  auto const values = parallel(std::views::iota(0, 4) | std::views::transform([](int i) {
                                 std::this_thread::sleep_for(100ms);
                                 return delayed([](int value) { return value; })(i);
                               }));
  EXPECT_EQ(values, (std::vector<int>{0, 1, 2, 3}));
}

}  // namespace
