// SPDX-License-Identifier: MIT
// Errors, time limits and stopping, across all forms of a call.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <compare>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <iterator>
#include <latch>
#include <memory>
#include <mutex>
#include <optional>
#include <ranges>
#include <semaphore>
#include <set>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <joblot/joblot.hpp>

#include "support/forms.hpp"
#include "support/watched_range.hpp"

namespace {

using joblot::CancelledError;
using joblot::last_failure;
using joblot::Options;
using joblot::Parallel;
using joblot::Progress;
using joblot::TimeoutError;
namespace this_task = joblot::this_task;
using namespace std::chrono_literals;

using forms::Numbers;

std::vector<int> squares(int size) {
  std::vector<int> result;
  for (int i = 0; i < size; ++i) result.push_back(i * i);
  return result;
}

int square(int x) { return x * x; }

template <class F>
auto tasks_of(int size, F f) {
  return std::views::iota(0, size) |
         std::views::transform([f](int i) { return [f, i]() -> decltype(auto) { return f(i); }; });
}

// All results of a generator of outcomes, by their indices.
template <class T>
std::vector<joblot::Outcome<T>> collected(joblot::Generator<joblot::Outcome<T>> generator) {
  std::vector<joblot::Outcome<T>> outcomes;
  for (auto&& outcome : generator) outcomes.push_back(std::move(outcome));
  std::ranges::sort(outcomes, {}, &joblot::Outcome<T>::index);
  return outcomes;
}

// A task that gives up when it is asked to, like a long computation that looks now and then.
void wait_for_stop() {
  while (!this_task::stop_requested()) std::this_thread::yield();
}

// Counts those who are inside.
class Inside {
 public:
  explicit Inside(std::atomic<int>& count) : count_(count) { ++count_; }
  Inside(Inside const&) = delete;
  Inside& operator=(Inside const&) = delete;
  ~Inside() { --count_; }

 private:
  std::atomic<int>& count_;
};

class Calls : public testing::TestWithParam<forms::Form> {};
INSTANTIATE_TEST_SUITE_P(, Calls, testing::ValuesIn(forms::all()), forms::name);

class FailingCalls : public testing::TestWithParam<forms::Form> {};
INSTANTIATE_TEST_SUITE_P(, FailingCalls, testing::ValuesIn(forms::failing()), forms::name);

class CallsThatGoOn : public testing::TestWithParam<forms::Form> {};
INSTANTIATE_TEST_SUITE_P(, CallsThatGoOn, testing::ValuesIn(forms::keeping_going()), forms::name);

class StreamedCalls : public testing::TestWithParam<forms::Form> {};
INSTANTIATE_TEST_SUITE_P(, StreamedCalls, testing::ValuesIn(forms::streaming()), forms::name);

// The tests' own errors.

// Knows its own address, so that a copy can be told from the object that was thrown.
struct Marked : std::runtime_error {
  Marked() : std::runtime_error("marked"), self(this) {}
  Marked const* self;
};

struct MoveOnly {
  std::unique_ptr<int> value;
};

// No std::exception, no default constructor, two arguments.
struct Unusual {
  Unusual(int first, std::string second) : number(first), text(std::move(second)) {}
  int number;
  std::string text;
};

// Which task failed.

TEST_P(FailingCalls, ReportTheTaskWithTheLowestIndexOfThoseThatFailed) {
  Parallel const parallel{{.n_jobs = 2, .batch_size = 1}};
  std::latch second_fails(1);
  auto const f = [&](int i) -> int {
    if (i == 0) second_fails.wait();
    if (i == 1) second_fails.count_down();
    throw std::runtime_error("task " + std::to_string(i));
  };
  try {
    GetParam().run(parallel, Numbers{2}, f);
    FAIL() << "nothing was thrown";
  } catch (std::runtime_error const& error) {
    EXPECT_STREQ(error.what(), "task 0");
  }
  ASSERT_TRUE(parallel.failure());
  EXPECT_EQ(parallel.failure()->index, 0U);
}

TEST_P(FailingCalls, LetTheLowestIndexWinAlsoIfItFailsBecauseOfTheOther) {
  // In a generator in order a failure does not stop the tasks before it: their results come first.
  if (GetParam().name == std::string("generator")) return;
  Parallel const parallel{{.n_jobs = 2, .batch_size = 1}};
  auto const f = [](int i) -> int {
    if (i == 0) wait_for_stop();
    throw std::runtime_error("task " + std::to_string(i));
  };
  EXPECT_THROW(GetParam().run(parallel, Numbers{2}, f), std::runtime_error);
  ASSERT_TRUE(parallel.failure());
  EXPECT_EQ(parallel.failure()->index, 0U);
}

TEST_P(FailingCalls, DoNotReportATaskThatWouldHaveFailedButNeverRan) {
  Parallel const parallel(2);
  std::mutex mutex;
  std::set<std::size_t> failed;
  auto const f = [&](int i) -> int {
    if (i == 0) {
      if (GetParam().name != std::string("generator")) wait_for_stop();
      return 0;
    }
    std::lock_guard const lock(mutex);
    failed.insert(this_task::index());
    throw std::runtime_error("task " + std::to_string(i));
  };
  try {
    GetParam().run(parallel, Numbers{1000}, f);
    FAIL() << "nothing was thrown";
  } catch (std::runtime_error const& error) {
    ASSERT_FALSE(failed.empty());
    EXPECT_EQ(error.what(), "task " + std::to_string(*failed.begin()));
  }
  ASSERT_TRUE(parallel.failure());
  EXPECT_EQ(parallel.failure()->index, *failed.begin());
}

TEST_P(FailingCalls, SayWhichTaskFailedAndOnWhichWorker) {
  for (int n_jobs : {1, 2, 4}) {
    Parallel const parallel(n_jobs);
    std::atomic<int> worker = -1;
    auto const f = [&](int i) {
      if (i == 7) {
        worker = this_task::worker_id();
        throw std::domain_error("seven");
      }
      return i;
    };
    EXPECT_THROW(GetParam().run(parallel, Numbers{10}, f), std::domain_error);
    auto const failure = parallel.failure();
    ASSERT_TRUE(failure);
    EXPECT_EQ(failure->index, 7U);
    EXPECT_EQ(failure->worker_id, worker);
    EXPECT_GE(failure->worker_id, 0);
    EXPECT_LT(failure->worker_id, n_jobs);
    EXPECT_EQ(failure->attempt, 1);
    EXPECT_EQ(last_failure()->index, 7U);
  }
}

TEST_P(FailingCalls, ForgetTheFailureAfterASuccess) {
  for (int n_jobs : {1, 2}) {
    Parallel const parallel(n_jobs);
    auto const fail_at_3 = [](int i) { return i == 3 ? throw std::domain_error("three") : i; };
    EXPECT_THROW(GetParam().run(parallel, Numbers{10}, fail_at_3), std::domain_error);
    EXPECT_TRUE(parallel.failure());
    EXPECT_EQ(GetParam().run(parallel, Numbers{10}, square), squares(10));
    EXPECT_FALSE(parallel.failure());
    EXPECT_FALSE(last_failure());
  }
}

// What arrives.

TEST_P(FailingCalls, ThrowTheVeryObjectThatTheTaskThrew) {
  for (int n_jobs : {1, 2}) {
    try {
      GetParam().run(Parallel(n_jobs), Numbers{4},
                     [](int i) { return i == 1 ? throw Marked() : i; });
      FAIL() << "nothing was thrown";
    } catch (Marked const& error) {
      EXPECT_EQ(error.self, &error);
    }
  }
}

TEST_P(FailingCalls, ThrowWhateverTypeTheTaskThrew) {
  for (int n_jobs : {1, 2}) {
    Parallel const parallel(n_jobs);
    auto const run = [&](auto fail) {
      GetParam().run(parallel, Numbers{4}, [&](int i) {
        if (i == 2) fail();
        return i;
      });
    };
    try {
      run([] { throw 42; });
      FAIL() << "nothing was thrown";
    } catch (int number) {
      EXPECT_EQ(number, 42);
    }
    try {
      run([] { throw MoveOnly{std::make_unique<int>(7)}; });
      FAIL() << "nothing was thrown";
    } catch (MoveOnly const& error) {
      EXPECT_EQ(*error.value, 7);
    }
    try {
      run([] { throw Unusual(3, "three"); });
      FAIL() << "nothing was thrown";
    } catch (Unusual const& error) {
      EXPECT_EQ(error.text, "three");
    }
    try {
      run([] { throw std::system_error(std::make_error_code(std::errc::io_error)); });
      FAIL() << "nothing was thrown";
    } catch (std::system_error const& error) {
      EXPECT_EQ(error.code(), std::errc::io_error);
    }
    ASSERT_TRUE(parallel.failure());
    EXPECT_EQ(parallel.failure()->index, 2U);
  }
}

TEST_P(FailingCalls, ThrowAnExceptionThatWasStoredBeforeAndThrownByManyTasks) {
  auto const stored = std::make_exception_ptr(std::out_of_range("stored"));
  auto const f = [&](int) -> int { std::rethrow_exception(stored); };
  EXPECT_THROW(GetParam().run(Parallel(4), Numbers{100}, f), std::out_of_range);
}

// What becomes of the others.

TEST_P(FailingCalls, CancelTheRest) {
  for (int n_jobs : {1, 2, 4}) {
    Parallel const parallel{{.n_jobs = n_jobs, .batch_size = 1}};
    std::atomic<int> started = 0;
    auto const f = [&](int i) -> int {
      ++started;
      if (i == 0) throw std::domain_error("first");
      wait_for_stop();
      return i;
    };
    EXPECT_THROW(GetParam().run(parallel, Numbers{10000}, f), std::domain_error);
    EXPECT_LE(started, n_jobs);
  }
}

TEST_P(FailingCalls, LeaveNoTaskRunningBehindTheCaller) {
  Parallel const parallel{{.n_jobs = 4, .batch_size = 1}};
  std::atomic<int> running = 0;
  std::latch all_run(4);
  auto const f = [&](int i) -> int {
    Inside const inside(running);
    if (i < 4) all_run.arrive_and_wait();
    if (i == 0) throw std::domain_error("first");
    wait_for_stop();
    for (int n = 0; n < 100; ++n) std::this_thread::yield();  // takes its time to stop
    return i;
  };
  try {
    GetParam().run(parallel, Numbers{1000}, f);
    FAIL() << "nothing was thrown";
  } catch (std::domain_error const&) {
    EXPECT_EQ(running, 0);
  }
}

TEST_P(Calls, KeepNothingOfTheTasksAfterAnError) {
  for (int n_jobs : {1, 2, 4}) {
    auto const f =
        forms::Form::function([](int i) { return i == 50 ? throw std::domain_error("fifty") : i; });
    auto const range = WatchedRange(100, [](Step, int) {});
    for (auto const& values : {forms::Values(Numbers{100}), forms::Values(range)}) {
      EXPECT_THROW(GetParam().run(Parallel(n_jobs), values, f), std::domain_error);
      EXPECT_EQ(f.use_count(), 1);  // each task has had a copy
    }
  }
}

TEST_P(FailingCalls, CanBeMadeAgainAfterAnErrorAsOftenAsWanted) {
  Parallel const parallel(2);
  for (int round = 0; round < 50; ++round) {
    auto const f = [&](int i) { return i == round ? throw std::domain_error("again") : i * i; };
    EXPECT_THROW(GetParam().run(parallel, Numbers{60}, f), std::domain_error);
    EXPECT_EQ(parallel.failure()->index, static_cast<std::size_t>(round));
    EXPECT_EQ(GetParam().run(parallel, Numbers{60}, square), squares(60));
  }
}

TEST_P(FailingCalls, DoNotDisturbOthersOnTheSameObject) {
  Parallel const parallel(2);
  std::atomic<bool> done = false;
  std::jthread const failing([&] {
    while (!done) {
      auto const f = [](int i) { return i == 5 ? throw std::domain_error("five") : i; };
      EXPECT_THROW(GetParam().run(parallel, Numbers{50}, f), std::domain_error);
      EXPECT_EQ(parallel.failure()->index, 5U);
    }
  });
  for (int round = 0; round < 50; ++round) {
    EXPECT_EQ(GetParam().run(parallel, Numbers{50}, square), squares(50));
    EXPECT_FALSE(parallel.failure());
  }
  done = true;
}

TEST_P(CallsThatGoOn, RunAllTasksThoughSomeFail) {
  for (int n_jobs : {1, 2, 4}) {
    Parallel const parallel(n_jobs);
    std::atomic<int> ran = 0;
    auto const f = [&](int i) {
      ++ran;
      if (i % 3 == 0) throw std::domain_error("task " + std::to_string(i));
      return i * i;
    };
    EXPECT_THROW(GetParam().run(parallel, Numbers{100}, f), std::domain_error);  // by value()
    EXPECT_EQ(ran, 100);
    EXPECT_FALSE(parallel.failure()) << "the call itself has not failed";
  }
}

// Errors of the range.

struct RangeError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

TEST_P(Calls, ThrowWhatTheRangeThrowsWhereverItDoes) {
  constexpr int size = 20;
  for (int n_jobs : {1, 2, 4}) {
    for (auto batch_size : {0, 1, 4}) {
      Options options;
      options.n_jobs = n_jobs;
      if (batch_size > 0) options.batch_size = batch_size;
      Parallel const parallel(options);
      for (auto const step : {Step::begin, Step::next, Step::look, Step::compare}) {
        for (int const position : {0, 1, 5, 19, 20}) {
          if (step == Step::begin && position != 0) continue;
          if (step == Step::next && position == 0) continue;
          if (step == Step::look && position == size) continue;
          WatchedRange const range(size, [=](Step at, int where) {
            if (at == step && where == position) throw RangeError("broken range");
          });
          SCOPED_TRACE(testing::Message()
                       << "n_jobs " << n_jobs << ", batch_size " << batch_size << ", step "
                       << static_cast<int>(step) << " at " << position);
          EXPECT_THROW(GetParam().run(parallel, range, square), RangeError);
          EXPECT_FALSE(parallel.failure());
          EXPECT_FALSE(last_failure());
        }
      }
      EXPECT_EQ(GetParam().run(parallel, Numbers{size}, square), squares(size));
    }
  }
}

TEST_P(Calls, HaveNoTaskToBlameForAnErrorOfTheRangeAlsoAfterOneOfATask) {
  Parallel const parallel(2);
  auto const fail = [](int) -> int { throw std::domain_error("task"); };
  EXPECT_THROW(static_cast<void>(parallel.map(std::views::iota(0, 2), fail)), std::domain_error);
  EXPECT_TRUE(parallel.failure());
  WatchedRange const range(3, [](Step, int) { throw RangeError("broken range"); });
  EXPECT_THROW(GetParam().run(parallel, range, square), RangeError);
  EXPECT_FALSE(parallel.failure());
}

TEST_P(Calls, TouchTheRangeNoMoreAfterItHasThrown) {
  for (int n_jobs : {1, 4}) {
    std::atomic<bool> broken = false;
    std::atomic<int> touched = 0;
    WatchedRange const range(100, [&](Step at, int where) {
      if (broken) ++touched;
      if (at == Step::look && where == 10) {
        broken = true;
        throw RangeError("broken range");
      }
    });
    EXPECT_THROW(GetParam().run(Parallel(n_jobs), range, square), RangeError);
    EXPECT_EQ(touched, 0);
  }
}

TEST_P(Calls, RunEveryElementBeforeTheEndOfTheRangeOnce) {
  for (int n_jobs : {1, 2, 4}) {
    std::vector<std::atomic<int>> read(50);
    WatchedRange const range(50, [&](Step at, int where) {
      if (at == Step::look) ++read[static_cast<std::size_t>(where)];
    });
    EXPECT_EQ(GetParam().run(Parallel(n_jobs), range, square), squares(50));
    for (auto const& count : read) EXPECT_EQ(count, 1);
  }
}

TEST_P(FailingCalls, PreferTheTaskToTheRangeIfTheTaskComesFirst) {
  Parallel const parallel{{.n_jobs = 2, .batch_size = 1}};
  std::latch range_broken(1);
  WatchedRange const range(10, [&](Step at, int where) {
    if (at == Step::look && where == 1) {
      range_broken.count_down();
      throw RangeError("broken range");
    }
  });
  auto const f = [&](int) -> int {
    range_broken.wait();
    throw std::domain_error("task");
  };
  EXPECT_THROW(GetParam().run(parallel, range, f), std::domain_error);
  ASSERT_TRUE(parallel.failure());
  EXPECT_EQ(parallel.failure()->index, 0U);
}

// The numbers 0 .. 9 of a range that workers read side by side, which breaks at 5 or before.
struct BreaksWhenRead {
  class Iterator {
   public:
    using value_type = int;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::random_access_iterator_tag;
    int operator*() const { return position_ == 5 ? throw RangeError("read") : at(position_); }
    int operator[](std::ptrdiff_t n) const { return *(*this + n); }
    Iterator& operator+=(std::ptrdiff_t n) {
      position_ += n;
      return *this;
    }
    Iterator& operator-=(std::ptrdiff_t n) { return *this += -n; }
    Iterator& operator++() { return *this += 1; }
    Iterator& operator--() { return *this -= 1; }
    Iterator operator++(int) { return std::exchange(*this, *this + 1); }
    Iterator operator--(int) { return std::exchange(*this, *this - 1); }
    friend Iterator operator+(Iterator a, std::ptrdiff_t n) { return a += n; }
    [[maybe_unused]] friend Iterator operator+(std::ptrdiff_t n, Iterator a) { return a += n; }
    friend Iterator operator-(Iterator a, std::ptrdiff_t n) { return a -= n; }
    friend std::ptrdiff_t operator-(Iterator a, Iterator b) { return a.position_ - b.position_; }
    [[maybe_unused]] friend auto operator<=>(Iterator const&, Iterator const&) = default;

   private:
    static int at(std::ptrdiff_t position) { return static_cast<int>(position); }
    std::ptrdiff_t position_ = 0;
  };
  static Iterator begin() { return {}; }
  static Iterator end() { return Iterator() + 10; }
};
struct BreaksAtItsBegin : BreaksWhenRead {
  static Iterator begin() { throw RangeError("begin"); }
};

}  // namespace

template <>
inline constexpr bool joblot::concurrent_range<BreaksWhenRead> = true;
template <>
inline constexpr bool joblot::concurrent_range<BreaksAtItsBegin> = true;

namespace {

template <class Range>
void expect_range_error(int n_jobs) {
  Parallel const parallel(n_jobs);
  auto const fail = [](int) -> int { throw std::domain_error("task"); };
  Range const range;
  EXPECT_THROW(static_cast<void>(parallel.map(std::views::iota(0, 2), fail)), std::domain_error);
  EXPECT_TRUE(parallel.failure());
  EXPECT_THROW(static_cast<void>(parallel.map(range, square)), RangeError);
  EXPECT_FALSE(parallel.failure());
  EXPECT_THROW(parallel.for_each(range, square), RangeError);
  EXPECT_THROW(static_cast<void>(parallel.reduce(range, 0, std::plus<>(), square)), RangeError);
  EXPECT_FALSE(parallel.failure());
}

TEST(ARangeReadSideBySide, MayThrowWhenItIsReadOrBeforeAnyTaskRuns) {
  for (int const n_jobs : {1, 2, 4}) {
    expect_range_error<BreaksWhenRead>(n_jobs);
    expect_range_error<BreaksAtItsBegin>(n_jobs);
  }
}

// Errors of on_progress.

struct ProgressError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

TEST_P(Calls, ThrowWhatOnProgressThrowsAtItsFirstCall) {
  for (int n_jobs : {1, 2, 4}) {
    std::atomic<int> running = 0;
    Parallel const parallel{
        {.n_jobs = n_jobs, .on_progress = [](Progress const&) { throw ProgressError("first"); }}};
    auto const f = [&](int i) {
      Inside const inside(running);
      return i;
    };
    EXPECT_THROW(GetParam().run(parallel, Numbers{100000}, f), ProgressError);
    EXPECT_EQ(running, 0);
    EXPECT_FALSE(parallel.failure());
  }
}

TEST_P(Calls, ThrowWhatOnProgressThrowsInTheMiddle) {
  for (int n_jobs : {1, 2, 4}) {
    std::atomic<int> calls = 0;
    Parallel const parallel{{.n_jobs = n_jobs, .on_progress = [&](Progress const&) {
                               if (++calls == 3) throw ProgressError("third");
                             }}};
    auto const f = [](int i) {
      std::this_thread::sleep_for(100us);  // the third call comes after a tenth of a second
      return i;
    };
    EXPECT_THROW(GetParam().run(parallel, WatchedRange(1000000, [](Step, int) {}), f),
                 ProgressError);
    EXPECT_EQ(calls, 3) << "it is not called again";
    EXPECT_FALSE(parallel.failure());
  }
}

TEST_P(Calls, ThrowWhatOnProgressThrowsAtTheEnd) {
  for (int n_jobs : {1, 2, 4}) {
    Parallel const parallel{{.n_jobs = n_jobs, .on_progress = [](Progress const& progress) {
                               if (progress.total == progress.completed) throw ProgressError("end");
                             }}};
    EXPECT_THROW(GetParam().run(parallel, Numbers{1000}, square), ProgressError);
    EXPECT_FALSE(parallel.failure());
    EXPECT_FALSE(last_failure());
  }
}

TEST_P(FailingCalls, KeepTheTasksErrorIfOnProgressThrowsAtTheEndAsWell) {
  for (int n_jobs : {1, 2}) {
    Parallel const parallel{
        {.n_jobs = n_jobs, .on_progress = [](Progress const&) { throw ProgressError("end"); }}};
    auto const f = [](int) -> int { throw std::domain_error("task"); };
    EXPECT_THROW(GetParam().run(parallel, Numbers{1}, f), std::domain_error);
    EXPECT_TRUE(parallel.failure());
  }
}

// Errors of results.

// The `moves`-th move from now on throws.
class Fragile {
 public:
  struct Broken {};
  explicit Fragile(int value) : value_(value) { ++alive; }
  Fragile(Fragile&& other) : value_(other.value_) {
    step();
    ++alive;
  }
  Fragile& operator=(Fragile&& other) {
    step();
    value_ = other.value_;
    return *this;
  }
  ~Fragile() { --alive; }
  [[nodiscard]] int value() const { return value_; }

  static inline std::atomic<int> alive = 0;
  static inline std::atomic<int> moves = 0;

 private:
  static void step() {
    if (--moves == 0) throw Broken();
  }
  int value_;
};

// Calls `run` with a throw in the first move, in the second, ... until there are no more moves;
// `failed` is called after each one that threw. Returns how many there were.
template <class Run, class Failed>
int break_every_move(Run run, Failed failed) {
  for (int move = 1;; ++move) {
    Fragile::moves = move;
    try {
      run();
    } catch (Fragile::Broken const&) {
      EXPECT_EQ(Fragile::alive, 0) << "after move " << move;
      failed();
      continue;
    }
    EXPECT_EQ(Fragile::alive, 0);
    EXPECT_GT(Fragile::moves, 0) << "move " << move << " threw, and the call succeeded";
    return move - 1;
  }
}

std::vector<Options> options_for_moves() {
  std::vector<Options> all;
  for (int n_jobs : {1, 2}) {
    for (bool const timed : {false, true}) {
      Options options;
      options.n_jobs = n_jobs;
      if (timed) options.timeout = 1h;
      all.push_back(options);
    }
  }
  return all;
}

TEST(AMoveOfAResult, ThatThrowsInAVectorIsTheErrorOfItsTask) {
  for (auto const& options : options_for_moves()) {
    Parallel const parallel(options);
    int const moves = break_every_move(
        [&] {
          auto const results = parallel(tasks_of(6, [](int i) { return Fragile(i); }));
          EXPECT_EQ(results.size(), 6U);
          EXPECT_EQ(results[5].value(), 5);
        },
        [&] { EXPECT_TRUE(parallel.failure()); });
    EXPECT_GE(moves, 6);
  }
}

TEST(AMoveOfAResult, ThatThrowsInATupleIsTheErrorOfItsTask) {
  for (auto const& options : options_for_moves()) {
    Parallel const parallel(options);
    int const moves = break_every_move(
        [&] {
          auto const [a, b] = parallel([] { return Fragile(1); }, [] { return Fragile(2); });
          EXPECT_EQ(a.value() + b.value(), 3);
        },
        [&] { EXPECT_TRUE(parallel.failure()); });
    EXPECT_GE(moves, 2);
  }
}

TEST(AMoveOfAResult, ThatThrowsInAReductionReachesTheCaller) {
  for (auto const& options : options_for_moves()) {
    Parallel const parallel(options);
    int const moves = break_every_move(
        [&] {
          auto const add = [](Fragile a, Fragile b) { return Fragile(a.value() + b.value()); };
          auto const make = [](int i) { return Fragile(i); };
          EXPECT_EQ(parallel.reduce(std::views::iota(0, 6), Fragile(0), add, make).value(), 15);
        },
        [] {});
    EXPECT_GE(moves, 1);
  }
}

TEST(AMoveOfAResult, ThatThrowsInAGeneratorIsTheErrorOfItsTask) {
  for (auto const& options : options_for_moves()) {
    Parallel const parallel(options);
    for (bool const ordered : {true, false}) {
      int const moves = break_every_move(
          [&] {
            auto const make = [](int i) { return Fragile(i); };
            auto tasks = tasks_of(6, make);
            auto results =
                ordered ? parallel.generator(tasks) : parallel.generator_unordered(tasks);
            int sum = 0;
            try {
              while (auto result = results.next()) sum += result->value();
            } catch (...) {
              EXPECT_TRUE(results.failure());
              EXPECT_FALSE(results.next()) << "an error ends the generator";
              throw;
            }
            EXPECT_EQ(sum, 15);
          },
          [&] { EXPECT_TRUE(parallel.failure()); });
      EXPECT_GE(moves, 6);
    }
  }
}

TEST(AMoveOfAResult, ThatThrowsAmongOutcomesIsTheErrorOfItsTaskAndOfNoOther) {
  // How many of the six have failed.
  auto const check = [](auto&& outcomes) {
    std::vector<bool> there(6);
    int failed = 0;
    for (auto&& outcome : outcomes) {
      there.at(outcome.index()) = true;
      if (outcome) {
        EXPECT_EQ(outcome.value().value(), static_cast<int>(outcome.index()));
      } else {
        EXPECT_THROW(outcome.value(), Fragile::Broken);
        ++failed;
      }
    }
    EXPECT_EQ(there, std::vector<bool>(6, true));
    return failed;
  };
  auto const tasks = tasks_of(6, [](int i) { return Fragile(i); });
  for (auto const& options : options_for_moves()) {
    Parallel const parallel(options);
    std::vector<std::function<int()>> const forms{
        [&] { return check(parallel.outcomes(tasks)); },
        [&] { return check(parallel.outcome_generator(tasks)); },
        [&] { return check(parallel.outcome_generator_unordered(tasks)); }};
    for (auto const& form : forms) {
      for (int move = 1;; ++move) {
        Fragile::moves = move;
        int const failed = form();
        EXPECT_EQ(Fragile::alive, 0);
        EXPECT_EQ(failed, Fragile::moves > 0 ? 0 : 1) << "move " << move;
        if (failed == 0) break;
      }
    }
  }
}

TEST(ACopyOfAResult, ThatThrowsIsTheErrorOfItsTask) {
  // The task returns a reference; the result is a copy of it.
  struct NoCopyOf3 {
    int value;
    explicit NoCopyOf3(int v) : value(v) {}
    NoCopyOf3(NoCopyOf3 const& other) : value(other.value) {
      if (value == 3) throw std::domain_error("no copy of 3");
    }
    NoCopyOf3(NoCopyOf3&&) = default;
    NoCopyOf3& operator=(NoCopyOf3&&) = default;
  };
  std::vector<NoCopyOf3> values;
  values.reserve(10);
  for (int i = 0; i < 10; ++i) values.emplace_back(i);
  auto const tasks =
      tasks_of(10, [&](int i) -> NoCopyOf3 const& { return values[static_cast<std::size_t>(i)]; });
  for (int n_jobs : {1, 2}) {
    Parallel const parallel(n_jobs);
    EXPECT_THROW(static_cast<void>(parallel(tasks)), std::domain_error);
    ASSERT_TRUE(parallel.failure());
    EXPECT_EQ(parallel.failure()->index, 3U);

    auto results = parallel.generator(tasks);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(results.next()->value, i);
    EXPECT_THROW(static_cast<void>(results.next()), std::domain_error);
    EXPECT_EQ(results.failure()->index, 3U);

    for (auto const& outcome : parallel.outcomes(tasks)) {
      EXPECT_EQ(outcome.has_value(), outcome.index() != 3);
    }
  }
}

// Time limits.

TEST_P(Calls, CountATimeLimitFromTheStartOfTheTask) {
  // The last two start after 0.4 s and end after 0.6 s.
  Parallel const parallel{{.n_jobs = 2, .timeout = 500ms, .batch_size = 1}};
  auto const f = [](int i) {
    std::this_thread::sleep_for(200ms);
    return i * i;
  };
  EXPECT_EQ(GetParam().run(parallel, Numbers{6}, f), squares(6));
}

TEST_P(FailingCalls, NameTheTaskThatRanTooLong) {
  for (auto const batch_size : {1, 3}) {
    Parallel const parallel{{.n_jobs = 2, .timeout = 200ms, .batch_size = batch_size}};
    auto const f = [](int i) {
      if (i == 4) wait_for_stop();
      return i;
    };
    try {
      GetParam().run(parallel, Numbers{6}, f);
      FAIL() << "nothing was thrown";
    } catch (TimeoutError const& error) {
      EXPECT_EQ(error.index(), 4U);
      EXPECT_NE(std::string(error.what()).find("task 4"), std::string::npos) << error.what();
      EXPECT_NE(std::string(error.what()).find("0.2 s"), std::string::npos) << error.what();
    }
    ASSERT_TRUE(parallel.failure());
    EXPECT_EQ(parallel.failure()->index, 4U);
  }
}

TEST_P(FailingCalls, NoticeAtTheEndOfATaskInTheCallerThatItRanTooLong) {
  Parallel const parallel{{.n_jobs = 1, .timeout = 100ms}};
  int ran = 0;
  bool ended = false;
  auto const f = [&](int i) {
    ++ran;
    if (i == 2) {
      std::this_thread::sleep_for(150ms);
      ended = true;
    }
    return i;
  };
  try {
    GetParam().run(parallel, Numbers{6}, f);
    FAIL() << "nothing was thrown";
  } catch (TimeoutError const& error) {
    EXPECT_EQ(error.index(), 2U);
  }
  EXPECT_TRUE(ended);
  EXPECT_EQ(ran, 3);
}

TEST_P(FailingCalls, CallATaskThatFailsAfterItsTimeIsUpTooLong) {
  for (int n_jobs : {1, 2}) {
    Parallel const parallel{{.n_jobs = n_jobs, .timeout = 20ms}};
    auto const f = [](int i) {
      if (i == 1) {
        wait_for_stop();
        throw std::domain_error("asked to stop");
      }
      return i;
    };
    EXPECT_THROW(GetParam().run(parallel, Numbers{3}, f), TimeoutError);
  }
}

TEST_P(FailingCalls, KeepTheErrorOfATaskThatFailsInTime) {
  for (int n_jobs : {1, 2}) {
    Parallel const parallel{{.n_jobs = n_jobs, .timeout = 1h}};
    auto const f = [](int i) { return i == 1 ? throw Marked() : i; };
    EXPECT_THROW(GetParam().run(parallel, Numbers{3}, f), Marked);
  }
}

TEST_P(Calls, WaitForATaskThatIsTooLongAndDoesNotListen) {
  for (int n_jobs : {1, 2}) {
    Parallel const parallel{{.n_jobs = n_jobs, .timeout = 10ms}};
    std::atomic<int> running = 0;
    auto const f = [&](int i) {
      Inside const inside(running);
      if (i == 1) std::this_thread::sleep_for(100ms);
      return i;
    };
    EXPECT_THROW(GetParam().run(parallel, Numbers{3}, f), TimeoutError);
    EXPECT_EQ(running, 0);
  }
}

TEST(OutcomesUnderATimeLimit, BlameOnlyTheTaskThatRanTooLong) {
  for (int n_jobs : {1, 2}) {
    Parallel const parallel{{.n_jobs = n_jobs, .timeout = 200ms, .batch_size = 2}};
    auto const tasks = tasks_of(8, [](int i) {
      if (i == 3) wait_for_stop();
      return i;
    });
    auto const check = [](auto const& outcomes) {
      ASSERT_EQ(outcomes.size(), 8U);
      for (auto const& outcome : outcomes) {
        EXPECT_EQ(outcome.has_value(), outcome.index() != 3);
        if (outcome) {
          EXPECT_EQ(outcome.value(), static_cast<int>(outcome.index()));
        }
      }
      try {
        static_cast<void>(outcomes[3].value());
        FAIL() << "nothing was thrown";
      } catch (TimeoutError const& error) {
        EXPECT_EQ(error.index(), 3U);
      }
    };
    check(parallel.outcomes(tasks));
    check(collected(parallel.outcome_generator(tasks)));
    check(collected(parallel.outcome_generator_unordered(tasks)));
  }
}

TEST_P(Calls, AreNotDisturbedByATimeLimitThatIsFarAway) {
  for (int n_jobs : {1, 2, 4}) {
    for (auto const timeout : {Options::Seconds(10), Options::Seconds(1e300)}) {
      Parallel const parallel{{.n_jobs = n_jobs, .timeout = timeout}};
      EXPECT_EQ(GetParam().run(parallel, Numbers{500}, square), squares(500));
    }
  }
}

// Stopping from outside.

TEST_P(Calls, RunNoTaskIfTheyAreStoppedBeforeTheyBegin) {
  std::stop_source source;
  source.request_stop();
  for (int n_jobs : {1, 2}) {
    Parallel const parallel{{.n_jobs = n_jobs, .stop = source.get_token()}};
    std::atomic<int> ran = 0;
    auto const f = [&](int i) {
      ++ran;
      return i;
    };
    EXPECT_THROW(GetParam().run(parallel, Numbers{100}, f), CancelledError);
    EXPECT_EQ(ran, 0);
    EXPECT_FALSE(parallel.failure());
    EXPECT_THROW(GetParam().run(parallel, Numbers{100}, f), CancelledError) << "also next time";
  }
}

TEST_P(Calls, EndSoonIfTheyAreStoppedWhileTheyRun) {
  for (int n_jobs : {1, 2, 4}) {
    std::stop_source source;
    Parallel const parallel{{.n_jobs = n_jobs, .batch_size = 1, .stop = source.get_token()}};
    std::binary_semaphore running(0);
    std::jthread const stopper([&] {
      running.acquire();
      source.request_stop();
    });
    std::atomic<int> started = 0;
    std::atomic<int> inside = 0;
    auto const f = [&](int i) {
      Inside const here(inside);
      if (++started == 1) running.release();
      wait_for_stop();
      return i;
    };
    EXPECT_THROW(GetParam().run(parallel, Numbers{10000}, f), CancelledError);
    EXPECT_LE(started, n_jobs);
    EXPECT_EQ(inside, 0);
    EXPECT_FALSE(parallel.failure());
  }
}

TEST_P(Calls, CanBeStoppedByTheirOwnTask) {
  for (int n_jobs : {1, 2}) {
    std::stop_source source;
    Parallel const parallel{{.n_jobs = n_jobs, .stop = source.get_token()}};
    auto const f = [&](int i) {
      if (i == 5) source.request_stop();
      return i;
    };
    EXPECT_THROW(GetParam().run(parallel, Numbers{1000}, f), CancelledError);
  }
}

TEST_P(Calls, DoNotCallATaskFailedThatThrowsBecauseItIsStopped) {
  for (int n_jobs : {1, 2}) {
    std::stop_source source;
    Parallel const parallel{{.n_jobs = n_jobs, .stop = source.get_token()}};
    auto const f = [&](int) -> int {
      source.request_stop();
      throw std::domain_error("asked to stop");
    };
    EXPECT_THROW(GetParam().run(parallel, Numbers{10}, f), CancelledError);
    EXPECT_FALSE(parallel.failure());
  }
}

TEST_P(Calls, AreNotDisturbedByATokenThatIsStoppedAfterwards) {
  for (int n_jobs : {1, 2}) {
    std::stop_source source;
    Parallel const parallel{{.n_jobs = n_jobs, .stop = source.get_token()}};
    EXPECT_EQ(GetParam().run(parallel, Numbers{100}, square), squares(100));
    source.request_stop();
    EXPECT_THROW(GetParam().run(parallel, Numbers{100}, square), CancelledError);
  }
}

TEST_P(StreamedCalls, CanBeStoppedWhileTheConsumerWaits) {
  std::stop_source source;
  Parallel const parallel{{.n_jobs = 2, .stop = source.get_token()}};
  std::binary_semaphore running(0);
  std::atomic<int> started = 0;
  auto const f = [&](int i) {
    if (++started == 1) running.release();
    wait_for_stop();
    return i;
  };
  auto results = GetParam().start(parallel, Numbers{100}, f);
  running.acquire();
  std::jthread const stopper([&] { source.request_stop(); });
  EXPECT_THROW(static_cast<void>(results->next()), CancelledError);
  EXPECT_FALSE(results->next()) << "an error ends the generator";
  EXPECT_FALSE(results->failure());
}

TEST_P(StreamedCalls, CanBeStoppedWhileTheConsumerPauses) {
  std::stop_source source;
  Parallel const parallel{
      {.n_jobs = 2, .pre_dispatch = 4, .batch_size = 1, .stop = source.get_token()}};
  std::latch window_full(4);
  auto const f = [&](int i) {
    if (i < 4) window_full.count_down();
    return i;
  };
  auto results = GetParam().start(parallel, Numbers{100000}, f);
  window_full.wait();
  source.request_stop();
  EXPECT_THROW(static_cast<void>(results->next()), CancelledError);
  EXPECT_FALSE(results->next());
}

TEST_P(StreamedCalls, CanBeDroppedAfterTheyWereStopped) {
  std::stop_source source;
  Parallel const parallel{{.n_jobs = 2, .stop = source.get_token()}};
  std::atomic<int> inside = 0;
  {
    auto const results = GetParam().start(parallel, Numbers{1000}, [&](int i) {
      Inside const here(inside);
      wait_for_stop();
      return i;
    });
    source.request_stop();
  }
  EXPECT_EQ(inside, 0);
}

}  // namespace
