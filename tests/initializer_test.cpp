// SPDX-License-Identifier: MIT
// Tests of the option `initializer` where tasks run in this process.
#include <joblot/initializer.hpp>
// First, because it needs no other.
#include <array>
#include <atomic>
#include <cstddef>
#include <functional>
#include <latch>
#include <optional>
#include <ranges>
#include <semaphore>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#if defined(__unix__)
#include <sys/wait.h>
#include <unistd.h>
#endif

#include <joblot/config.hpp>
#include <joblot/delayed.hpp>
#include <joblot/parallel.hpp>
#include <joblot/this_task.hpp>

namespace {

using joblot::Initializer;
using joblot::Options;
using joblot::Parallel;
using joblot::detail::initialize_process;

/// Each tag is a function of its own with a count of its runs.
template <int tag>
std::atomic<int> runs{0};
template <int tag>
void prepare() {
  ++runs<tag>;
}

/// Checks from inside tasks that the initializer has run, once.
template <int tag>
void expect_prepared_by(std::function<void(std::function<void()>)> const& call) {
  std::atomic<int> tasks{0};
  std::atomic<int> unprepared{0};
  call([&] {
    ++tasks;
    if (runs<tag> != 1) ++unprepared;
  });
  EXPECT_GT(tasks, 0);
  EXPECT_EQ(unprepared, 0);
  EXPECT_EQ(runs<tag>, 1);
}

template <int tag>
Options options(int n_jobs, char const* backend = "threading") {
  return {.n_jobs = n_jobs, .backend = backend, .initializer = prepare<tag>};
}

auto const ten = std::views::iota(0, 10);

TEST(Initializer, RunsOnceInAProcess) {
  initialize_process(prepare<0>);
  initialize_process(prepare<0>);
  EXPECT_EQ(runs<0>, 1);
  initialize_process(prepare<1>);
  EXPECT_EQ(runs<0>, 1);
  EXPECT_EQ(runs<1>, 1);
}

TEST(Initializer, MayBeNone) {
  EXPECT_NO_THROW(initialize_process(nullptr));
  std::atomic<int> tasks{0};
  Parallel{{.n_jobs = 2, .initializer = nullptr}}.for_each(ten, [&](int) { ++tasks; });
  EXPECT_EQ(tasks, 10);
}

TEST(Initializer, RunsBeforeTheFirstTaskOfEveryForm) {
  expect_prepared_by<10>([](auto const& task) {
    Parallel const parallel(options<10>(2));
    parallel(std::vector(5, task));
    parallel(std::vector(5, task));
  });
  expect_prepared_by<11>([](auto const& task) { Parallel(options<11>(2))(task, task); });
  expect_prepared_by<12>(
      [](auto const& task) { Parallel(options<12>(2)).for_each(ten, [&](int) { task(); }); });
  expect_prepared_by<13>([](auto const& task) {
    auto const count = [&](int) { return task(), 1; };
    EXPECT_EQ(Parallel(options<13>(2)).reduce(ten, 0, std::plus<>(), count), 10);
  });
  expect_prepared_by<14>([](auto const& task) {
    static_cast<void>(Parallel(options<14>(2)).outcomes(std::vector(5, task)));
  });
  expect_prepared_by<15>([](auto const& task) {
    auto generator = Parallel(options<15>(2)).generator(std::vector(5, task));
    while (generator.next()) {
    }
  });
}

TEST(Initializer, RunsAlsoWhereTheCallerRunsTheTasks) {
  expect_prepared_by<20>([](auto const& task) { Parallel(options<20>(1))(std::vector(5, task)); });
  expect_prepared_by<21>(
      [](auto const& task) { Parallel(options<21>(3, "sequential"))(std::vector(5, task)); });
  expect_prepared_by<22>([](auto const& task) {
    auto generator = Parallel(options<22>(1)).generator(std::vector(5, task));
    while (generator.next()) {
    }
  });
}

TEST(Initializer, ComesFromTheScope) {
  expect_prepared_by<30>([](auto const& task) {
    auto const scope = joblot::parallel_config({.initializer = prepare<30>});
    Parallel(2)(std::vector(5, task));
  });
}

TEST(Initializer, OfTheScopeCanBePutOff) {
  auto const scope = joblot::parallel_config({.initializer = prepare<31>});
  std::atomic<int> tasks{0};
  Parallel{{.n_jobs = 2, .initializer = std::nullopt}}.for_each(ten, [&](int) { ++tasks; });
  EXPECT_EQ(tasks, 10);
  EXPECT_EQ(runs<31>, 0);
}

TEST(Initializer, DoesNotRunWhenAParallelIsMade) {
  Parallel const parallel(options<32>(2));
  EXPECT_EQ(parallel.n_jobs(), 2);
  EXPECT_EQ(runs<32>, 0);
}

std::atomic<int> attempts{0};
void fails_twice() {
  if (++attempts <= 2) throw std::runtime_error("not yet");
}

TEST(Initializer, ThatThrowsEndsTheCallBeforeAnyTaskAndIsTriedAgain) {
  Parallel const parallel{{.n_jobs = 2, .initializer = fails_twice}};
  std::atomic<int> tasks{0};
  auto const task = [&] { ++tasks; };
  EXPECT_THROW(parallel(std::vector(5, std::function<void()>(task))), std::runtime_error);
  EXPECT_FALSE(parallel.failure());
  EXPECT_THROW(static_cast<void>(parallel.generator(std::vector(5, std::function<void()>(task)))),
               std::runtime_error);
  EXPECT_EQ(tasks, 0);
  parallel(std::vector(5, std::function<void()>(task)));
  parallel(std::vector(5, std::function<void()>(task)));
  EXPECT_EQ(tasks, 10);
  EXPECT_EQ(attempts, 3);
}

void fails() { throw std::runtime_error("never"); }

TEST(Initializer, ThatThrowsIsNoTasksFailure) {
  Parallel const failing(2);
  EXPECT_THROW(failing.for_each(ten, [](int) { throw std::out_of_range("task"); }),
               std::out_of_range);
  EXPECT_TRUE(joblot::last_failure());
  Parallel const parallel{{.n_jobs = 2, .initializer = fails}};
  EXPECT_THROW(parallel.for_each(ten, [](int) {}), std::runtime_error);
  EXPECT_FALSE(joblot::last_failure());
}

std::latch* begun = nullptr;
std::binary_semaphore* may_end = nullptr;
std::atomic<bool> ended{false};
void slow() {
  begun->count_down();
  may_end->acquire();
  ended = true;
}

TEST(Initializer, HoldsBackTheTasksOfOtherCallsUntilItIsDone) {
  std::latch first_begun(1);
  std::binary_semaphore let_go(0);
  begun = &first_begun;
  may_end = &let_go;
  std::atomic<int> too_early{0};
  std::atomic<int> tasks{0};
  auto const call = [&] {
    Parallel{{.n_jobs = 2, .initializer = slow}}.for_each(ten, [&](int) {
      if (!ended) ++too_early;
      ++tasks;
    });
  };
  std::thread first(call);
  first_begun.wait();
  std::thread second(call);
  std::thread third(call);
  EXPECT_EQ(tasks, 0);
  let_go.release();
  first.join();
  second.join();
  third.join();
  EXPECT_EQ(too_early, 0);
  EXPECT_EQ(tasks, 30);
}

std::atomic<int> sum{0};
void works_in_parallel() {
  Parallel{{.n_jobs = 2, .initializer = works_in_parallel}}.for_each(ten, [](int i) { sum += i; });
}

TEST(Initializer, MayItselfMakeAParallelCall) {
  Parallel{{.n_jobs = 2, .initializer = works_in_parallel}}.for_each(ten, [](int) {});
  EXPECT_EQ(sum, 45);
}

void needs_another() {
  Parallel{{.n_jobs = 2, .batch_size = 1}}.for_each(ten, [](int) {
    Parallel{{.n_jobs = 2, .initializer = prepare<50>}}.for_each(ten, [](int) {});
  });
}

TEST(Initializer, MayHaveTasksThatNeedAnotherOne) {
  Parallel{{.n_jobs = 2, .initializer = needs_another}}.for_each(ten, [](int) {});
  EXPECT_EQ(runs<50>, 1);
}

bool in_task = true;
void looks_around() { in_task = joblot::this_task::stop_token().stop_possible(); }

TEST(Initializer, IsNoTask) {
  Parallel{{.n_jobs = 2, .initializer = looks_around}}.for_each(ten, [](int) {});
  EXPECT_FALSE(in_task);
}

#if defined(__unix__)
TEST(Initializer, RunsAgainInAForkedChild) {
  initialize_process(prepare<40>);
  auto const child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    initialize_process(prepare<40>);
    initialize_process(prepare<40>);
    _exit(runs<40>);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 2);
}
#endif

}  // namespace
