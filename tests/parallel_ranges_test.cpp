// SPDX-License-Identifier: MIT
// Tests of the ranges a Parallel takes: what it holds, how it reads, and who reads when.
#include <joblot/parallel.hpp>
// First, because it needs no other.
#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <deque>
#include <forward_list>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <latch>
#include <limits>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <ostream>
#include <ranges>
#include <set>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <joblot/delayed.hpp>
#include <joblot/range.hpp>

#include "support/coroutine.hpp"
#include "support/counted.hpp"

namespace {

using joblot::delayed;
using joblot::Options;
using joblot::Parallel;

int answer() { return 42; }
int twice(int x) { return 2 * x; }

/// Both a range and a callable.
struct Both : std::vector<int (*)()> {
  using std::vector<int (*)()>::vector;
  int operator()() const { return -1; }
};

/// Finds out how many threads are in a range at the same time.
class Turnstile {
 public:
  void pass() {
    if (inside_.exchange(true)) crowded_ = true;
    std::this_thread::yield();
    inside_ = false;
  }
  [[nodiscard]] bool was_crowded() const { return crowded_; }

 private:
  std::atomic<bool> inside_{false};
  std::atomic<bool> crowded_{false};
};

/// Dereferences from several threads wait for each other, so that they only get on if they are
/// really made at the same time.
struct Meeting {
  static inline std::latch* latch = nullptr;
  int operator()(int i) const {
    if (i == 0 || i == 3) latch->arrive_and_wait();
    return i;
  }
};

/// A random-access range, of which nothing is known but what the user promises.
template <int tag>
class Promised {
 public:
  explicit Promised(std::function<int(int)> look) : look_(std::move(look)) {}
  class Iterator {
   public:
    using value_type = int;
    using difference_type = std::ptrdiff_t;
    Iterator() = default;
    explicit Iterator(Promised const* range) : range_(range) {}
    int operator*() const { return range_->look_(static_cast<int>(at_)); }
    int operator[](std::ptrdiff_t n) const { return *(*this + n); }
    Iterator& operator++() { return *this += 1; }
    Iterator operator++(int) { return std::exchange(*this, *this + 1); }
    Iterator& operator--() { return *this -= 1; }
    Iterator operator--(int) { return std::exchange(*this, *this - 1); }
    Iterator& operator+=(std::ptrdiff_t n) { return at_ += n, *this; }
    Iterator& operator-=(std::ptrdiff_t n) { return at_ -= n, *this; }
    friend Iterator operator+(Iterator it, std::ptrdiff_t n) { return it += n; }
    friend Iterator operator+(std::ptrdiff_t n, Iterator it) { return it += n; }
    friend Iterator operator-(Iterator it, std::ptrdiff_t n) { return it -= n; }
    friend std::ptrdiff_t operator-(Iterator a, Iterator b) { return a.at_ - b.at_; }
    friend bool operator==(Iterator a, Iterator b) { return a.at_ == b.at_; }
    friend auto operator<=>(Iterator a, Iterator b) { return a.at_ <=> b.at_; }

   private:
    Promised const* range_ = nullptr;
    std::ptrdiff_t at_ = 0;
  };
  [[nodiscard]] Iterator begin() const { return Iterator(this); }
  [[nodiscard]] Iterator end() const { return Iterator(this) + 4; }

 private:
  std::function<int(int)> look_;
};

/// Numbers next to their squares, by value but for the reference in them: like C++23's zip.
auto zip(std::vector<int>& left, std::vector<double>& right) {
  return std::views::iota(std::size_t{0}, left.size()) |
         std::views::transform([&](std::size_t i) -> std::tuple<int&, double&> {
           return {left[i], right[i]};
         });
}

Coroutine<int> count_to(int size) {
  for (int i = 0; i < size; ++i) co_yield i;
}

template <class R>
std::vector<int> doubled(Parallel const& parallel, R&& range) {
  return parallel.map(std::forward<R>(range), twice);
}

struct Kind {
  char const* name;
  Options options;
};
void PrintTo(Kind const& kind, std::ostream* out) { *out << kind.name; }

class Ranges : public testing::TestWithParam<Kind> {
 protected:
  Parallel const parallel{GetParam().options};
};

INSTANTIATE_TEST_SUITE_P(
    On, Ranges,
    testing::Values(Kind{"one_worker", {.n_jobs = 1}}, Kind{"two_workers", {.n_jobs = 2}},
                    Kind{"three_workers", {.n_jobs = 3}},
                    Kind{"batches_of_two", {.n_jobs = 3, .batch_size = 2}},
                    Kind{"batches_larger_than_any_range",
                         {.n_jobs = 2, .batch_size = std::numeric_limits<std::size_t>::max()}},
                    Kind{"a_window_of_one", {.n_jobs = 3, .pre_dispatch = 1}},
                    Kind{"sequential", {.n_jobs = 4, .backend = "sequential"}}),
    [](auto const& kind) { return std::string(kind.param.name); });

// --- containers and views -----------------------------------------------------------------------

TEST_P(Ranges, MayBeContainers) {
  std::vector const expected{2, 4, 6};
  std::vector<int> vector{1, 2, 3};
  std::vector<int> const const_vector = vector;
  EXPECT_EQ(doubled(parallel, vector), expected);
  EXPECT_EQ(doubled(parallel, const_vector), expected);
  EXPECT_EQ(doubled(parallel, std::vector{1, 2, 3}), expected);
  std::deque<int> const deque{1, 2, 3};
  EXPECT_EQ(doubled(parallel, deque), expected);
  EXPECT_EQ(doubled(parallel, std::list{1, 2, 3}), expected);
  std::forward_list<int> const forward_list{1, 2, 3};
  EXPECT_EQ(doubled(parallel, forward_list), expected);
  EXPECT_EQ(doubled(parallel, std::forward_list{1, 2, 3}), expected);
  std::set<int> const set{3, 1, 2};
  EXPECT_EQ(doubled(parallel, set), expected);
  EXPECT_EQ(doubled(parallel, std::array{1, 2, 3}), expected);
  int array[] = {1, 2, 3};
  EXPECT_EQ(doubled(parallel, array), expected);
  int const const_array[] = {1, 2, 3};
  EXPECT_EQ(doubled(parallel, const_array), expected);
  std::initializer_list<int> const list{1, 2, 3};
  EXPECT_EQ(doubled(parallel, list), expected);
  EXPECT_EQ(doubled(parallel, std::string("\1\2\3")), expected);
}

TEST_P(Ranges, MayBeViews) {
  std::vector<int> numbers{1, 2, 3};
  std::vector const expected{2, 4, 6};
  EXPECT_EQ(doubled(parallel, std::span(numbers)), expected);
  EXPECT_EQ(doubled(parallel, std::span<int const>(numbers)), expected);
  EXPECT_EQ(doubled(parallel, std::string_view("\1\2\3")), expected);
  EXPECT_EQ(doubled(parallel, std::views::iota(1, 4)), expected);
  EXPECT_EQ(doubled(parallel, std::views::all(numbers)), expected);
  EXPECT_EQ(doubled(parallel, numbers | std::views::reverse), (std::vector{6, 4, 2}));
  EXPECT_EQ(
      doubled(parallel, std::vector{0, 1, 2, 3, 4} | std::views::drop(1) | std::views::take(3)),
      expected);
  EXPECT_EQ(doubled(parallel, std::ranges::subrange(numbers.begin(), numbers.end())), expected);
  EXPECT_EQ(doubled(parallel, std::views::single(21)), std::vector{42});
  EXPECT_EQ(doubled(parallel, std::views::empty<int>), std::vector<int>());
  EXPECT_EQ(doubled(parallel, std::views::counted(numbers.begin(), 2)), (std::vector{2, 4}));
  auto const odd = numbers | std::views::transform([](int x) { return x + 1; });
  EXPECT_EQ(doubled(parallel, odd), (std::vector{4, 6, 8}));
  auto filtered = std::views::iota(0, 7) | std::views::filter([](int x) { return x % 2 == 1; });
  EXPECT_EQ(doubled(parallel, filtered), (std::vector{2, 6, 10}));
  std::vector<std::vector<int>> const nested{{1}, {}, {2, 3}};
  EXPECT_EQ(doubled(parallel, nested | std::views::join), expected);
  std::map<std::string, int> const map{{"a", 1}, {"b", 2}, {"c", 3}};
  EXPECT_EQ(doubled(parallel, map | std::views::values), expected);
  auto texts = std::string_view("a,b,c") | std::views::split(',');
  auto const size = [](auto part) { return static_cast<int>(std::ranges::distance(part)); };
  EXPECT_EQ(parallel.map(texts, size), (std::vector{1, 1, 1}));
}

TEST_P(Ranges, MayBeReadOnlyOnce) {
  std::istringstream text("1 2 3 4 5 6 7 8 9");
  EXPECT_EQ(doubled(parallel, std::views::istream<int>(text)),
            (std::vector{2, 4, 6, 8, 10, 12, 14, 16, 18}));
  auto numbers = count_to(5);
  EXPECT_EQ(doubled(parallel, numbers), (std::vector{0, 2, 4, 6, 8}));
  EXPECT_EQ(doubled(parallel, count_to(3)), (std::vector{0, 2, 4}));
  std::istringstream words("a bb ccc");
  EXPECT_EQ(parallel.map(std::views::istream<std::string>(words), &std::string::size),
            (std::vector<std::size_t>{1, 2, 3}));
}

TEST_P(Ranges, MayBeGeneratorsOfOtherCalls) {
  auto const tasks =
      std::views::iota(0, 50) | std::views::transform([](int i) { return [i] { return i; }; });
  auto const results = doubled(parallel, Parallel(2).generator(tasks));
  ASSERT_EQ(results.size(), 50U);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(results[static_cast<std::size_t>(i)], 2 * i);
}

TEST_P(Ranges, OfBoolsAreRanges) {
  std::vector<bool> const flags{true, false, true};
  EXPECT_EQ(parallel.map(flags, [](bool flag) { return flag ? 1 : 0; }), (std::vector{1, 0, 1}));
  std::vector<bool> changed = flags;
  EXPECT_EQ(parallel.map(changed, [](bool flag) { return !flag; }),
            (std::vector{false, true, false}));
}

TEST_P(Ranges, OfProxiesWriteThroughThem) {
  std::vector<int> numbers(200);
  std::vector<double> halves(200);
  for (int i = 0; i < 200; ++i) numbers[static_cast<std::size_t>(i)] = i;
  parallel.for_each(zip(numbers, halves), [](std::tuple<int&, double&> pair) {
    auto& [number, half] = pair;
    half = number / 2.0;
    number = -number;
  });
  for (std::size_t i = 0; i < 200; ++i) {
    EXPECT_EQ(halves[i], static_cast<double>(i) / 2);
    EXPECT_EQ(numbers[i], -static_cast<int>(i));
  }
}

TEST_P(Ranges, OfThingsThatCannotBeMoved) {
  struct Fixed {
    explicit Fixed(int value) : number(value) {}
    Fixed(Fixed&&) = delete;
    int operator()() const { return number; }
    int number;
  };
  int offset = 1;
  auto const made = std::views::iota(0, 20) |
                    std::views::transform([&offset](int i) { return Fixed(i + offset); });
  EXPECT_EQ(parallel(made).back(), 20);
  EXPECT_EQ(parallel.map(made, [](Fixed const& fixed) { return fixed.number; }).front(), 1);
  std::list<Fixed> list;
  for (int i = 0; i < 20; ++i) list.emplace_back(i);
  EXPECT_EQ(parallel(list).back(), 19);
  EXPECT_EQ(parallel(std::move(list)).back(), 19);
}

TEST_P(Ranges, OfTasksThatAreCallableThemselvesAreRanges) {
  Both const both{answer, answer};
  EXPECT_EQ(parallel(both), (std::vector{42, 42}));
}

// --- what is held -------------------------------------------------------------------------------

TEST_P(Ranges, ThatAreLvaluesAreNotCopied) {
  Account account;
  std::vector<Counted> counted;
  counted.reserve(100);
  for (int i = 0; i < 100; ++i) counted.emplace_back(account, i);
  auto const addresses = parallel.map(counted, [](Counted& element) { return &element; });
  for (std::size_t i = 0; i < 100; ++i) EXPECT_EQ(addresses[i], &counted[i]);
  EXPECT_EQ(account.copies + account.moves, 0);
}

TEST_P(Ranges, ThatAreMovedInAreGoneAfterTheCall) {
  Account account;
  std::list<Counted> counted;
  for (int i = 0; i < 100; ++i) counted.emplace_back(account, i);
  parallel.for_each(std::move(counted), [](Counted const&) {});
  EXPECT_EQ(account.alive, 0);
  EXPECT_EQ(account.copies, 0);
}

TEST_P(Ranges, ThatAreLvaluesOfOnePassGoOnWhereTheCallEnded) {
  auto numbers = count_to(10);
  auto const fail_at_zero = [](int) { throw std::out_of_range("task"); };
  EXPECT_THROW(parallel.for_each(numbers, fail_at_zero), std::out_of_range);
  std::istringstream text("1 2 3 and more");
  auto view = std::views::istream<int>(text);
  EXPECT_EQ(doubled(parallel, view), (std::vector{2, 4, 6}));
  text.clear();
  std::string rest;
  text >> rest;
  EXPECT_EQ(rest, "and");
}

// --- values and references ----------------------------------------------------------------------

TEST_P(Ranges, ThatMakeTasksHaveThemRunOnceAsRvalues) {
  struct Telling {
    std::string operator()() & { return "lvalue"; }
    std::string operator()() const& { return "const lvalue"; }
    std::string operator()() && { return "rvalue"; }
    std::string operator()() const&& { return "const rvalue"; }
  };
  auto const kind_of = [&](auto&& range) {
    auto const told = parallel(std::forward<decltype(range)>(range));
    EXPECT_EQ(std::set(told.begin(), told.end()).size(), 1U);
    return told.at(0);
  };
  int const none = 0;
  auto const make = [](int) { return Telling(); };
  auto const make_here = [&none](int) { return static_cast<void>(none), Telling(); };
  std::vector<Telling> tasks(5);
  std::vector<Telling> const const_tasks(5);
  EXPECT_EQ(kind_of(std::views::iota(0, 5) | std::views::transform(make)), "rvalue");
  EXPECT_EQ(kind_of(std::views::iota(0, 5) | std::views::transform(make_here)), "rvalue");
  EXPECT_EQ(kind_of([](int n) -> Coroutine<Telling&&> {
              for (int i = 0; i < n; ++i) co_yield Telling();
            }(5)),
            "rvalue");
  EXPECT_EQ(kind_of(std::vector<Telling>(5)), "rvalue");
  EXPECT_EQ(kind_of(std::list<Telling>(5)), "rvalue");
  EXPECT_EQ(kind_of(std::ranges::owning_view(std::vector<Telling>(5))), "rvalue");
  EXPECT_EQ(kind_of(tasks), "const lvalue");
  EXPECT_EQ(kind_of(const_tasks), "const lvalue");
  EXPECT_EQ(kind_of(std::span(tasks)), "const lvalue");
  EXPECT_EQ(kind_of(std::views::all(tasks)), "const lvalue");
  EXPECT_EQ(kind_of(tasks | std::views::filter([](auto&) { return true; })), "const lvalue");
  EXPECT_EQ(kind_of(std::vector<Telling>(5) | std::views::take(3)), "const lvalue");
  EXPECT_EQ(kind_of(tasks | std::views::transform(
                                [](Telling& task) -> Telling&& { return std::move(task); })),
            "rvalue");
}

TEST_P(Ranges, GiveEachElementToOneTask) {
  std::vector<std::atomic<int>> runs(3000);
  auto const count = [&](int i) { ++runs[static_cast<std::size_t>(i)]; };
  parallel.for_each(std::views::iota(0, 3000), count);
  parallel.for_each(count_to(3000), count);
  for (auto const& times : runs) ASSERT_EQ(times, 2);
}

// --- who reads, and when ------------------------------------------------------------------------

TEST_P(Ranges, OfOneReaderAreReadInOrderAndEachElementOnce) {
  Turnstile turnstile;
  std::vector<int> looked_at;  // no lock: one reader at a time
  auto const look = [&](int i) {
    turnstile.pass();
    looked_at.push_back(i);
    return i;
  };
  auto const results = parallel.map(std::views::iota(0, 600) | std::views::transform(look), twice);
  EXPECT_EQ(results.back(), 1198);
  ASSERT_EQ(looked_at.size(), 600U);
  EXPECT_TRUE(std::is_sorted(looked_at.begin(), looked_at.end()));
  EXPECT_FALSE(turnstile.was_crowded());
}

TEST_P(Ranges, ThatFilterAskTheirPredicateOnceForEachElement) {
  Turnstile turnstile;
  std::vector<int> asked;
  auto const keep = [&](int i) {
    turnstile.pass();
    asked.push_back(i);
    return i % 3 == 0;
  };
  auto filtered = std::views::iota(0, 600) | std::views::filter(keep);
  EXPECT_EQ(parallel.map(filtered, twice).size(), 200U);
  ASSERT_EQ(asked.size(), 600U);
  EXPECT_TRUE(std::is_sorted(asked.begin(), asked.end()));
  EXPECT_FALSE(turnstile.was_crowded());
}

TEST_P(Ranges, WithoutAPromiseHaveOneReader) {
  Turnstile turnstile;
  Promised<0> const range([&](int i) {
    turnstile.pass();
    return i;
  });
  for (int round = 0; round < 50; ++round) {
    ASSERT_EQ(doubled(parallel, range), (std::vector{0, 2, 4, 6}));
  }
  EXPECT_FALSE(turnstile.was_crowded());
}

// With batches of one task a reader that were ahead would have looked at the next element.
TEST(ARangeOfOneReader, IsNotReadAheadOfItsTasks) {
  std::vector<std::string> steps;
  auto const note = [&](char const* what, int i) { steps.push_back(what + std::to_string(i)); };
  auto const range = std::views::iota(0, 6) | std::views::transform([&](int i) {
                       note("read ", i);
                       return i;
                     });
  for (auto const& [batch_size, expected] :
       {std::pair(
            1, std::vector<std::string>{"read 0", "run 0", "read 1", "run 1", "read 2", "run 2",
                                        "read 3", "run 3", "read 4", "run 4", "read 5", "run 5"}),
        std::pair(
            4, std::vector<std::string>{"read 0", "read 1", "read 2", "read 3", "run 0", "run 1",
                                        "run 2", "run 3", "read 4", "read 5", "run 4", "run 5"})}) {
    for (auto const* backend : {"threading", "sequential"}) {
      steps.clear();
      Parallel const parallel{{.n_jobs = 1, .backend = backend, .batch_size = batch_size}};
      parallel.for_each(range, [&](int i) { note("run ", i); });
      EXPECT_EQ(steps, expected);
    }
  }
}

TEST(ARangeOfOneReader, HoldsUpNoTaskWhileItWaitsForItsNextElement) {
  std::latch second_may_come(1);
  auto waiting = [](std::latch& latch) -> Coroutine<int> {
    co_yield 0;
    latch.wait();
    co_yield 1;
  }(second_may_come);
  // The first task lets the second one come, so it has to run while the range waits.
  auto const run = [&](int i) {
    if (i == 0) second_may_come.count_down();
    return i;
  };
  EXPECT_EQ(Parallel(2).map(waiting, run), (std::vector{0, 1}));
}

TEST(AConcurrentRange, IsReadByWorkersSideBySide) {
  std::latch both(2);
  Meeting::latch = &both;
  auto const range = std::views::iota(0, 4) | std::views::transform(Meeting());
  EXPECT_EQ(Parallel(2).map(range, twice), (std::vector{0, 2, 4, 6}));
}

}  // namespace

template <>
inline constexpr bool joblot::concurrent_range<Promised<1>> = true;

namespace {

TEST(AConcurrentRange, IsWhatTheUserPromisesToBeOne) {
  std::latch both(2);
  Promised<1> range([&](int i) {
    if (i == 0 || i == 3) both.arrive_and_wait();
    return i;
  });
  EXPECT_EQ(Parallel(2).map(range, twice), (std::vector{0, 2, 4, 6}));
}

TEST(AConcurrentRange, GivesEachElementOnce) {
  std::vector<std::atomic<int>> looks(4);
  Promised<1> const range([&](int i) {
    ++looks[static_cast<std::size_t>(i)];
    return i;
  });
  EXPECT_EQ(Parallel(3).map(range, twice), (std::vector{0, 2, 4, 6}));
  for (auto const& times : looks) EXPECT_EQ(times, 1);
}

// --- infinite ranges ----------------------------------------------------------------------------

TEST(AnEndlessRange, FeedsAGenerator) {
  auto const forever =
      std::views::iota(0) | std::views::transform([](int i) { return [i] { return 2 * i; }; });
  for (int const n_jobs : {1, 3}) {
    Parallel const parallel(n_jobs);
    auto generator = parallel.generator(forever);
    for (int i = 0; i < 500; ++i) ASSERT_EQ(generator.next(), 2 * i);
    std::set<int> seen;
    for (int const result : parallel.generator_unordered(forever) | std::views::take(500)) {
      seen.insert(result);
    }
    EXPECT_EQ(seen.size(), 500U);
    auto outcomes = parallel.outcome_generator([]() -> Coroutine<std::function<int()>> {
      for (;;) co_yield answer;
    }());
    for (int i = 0; i < 500; ++i) ASSERT_EQ(outcomes.next()->value(), 42);
  }
}

TEST(AnEndlessRange, IsReadNoFurtherThanTheWindow) {
  for (int const n_jobs : {1, 3}) {
    std::atomic<int> asked{0};
    std::atomic<int> too_far{0};
    auto const make = [&](int i) {
      if (i + 1 > asked + 4) ++too_far;
      return [i] { return i; };
    };
    Parallel const parallel{{.n_jobs = n_jobs, .pre_dispatch = 4, .batch_size = 1}};
    auto generator = parallel.generator(std::views::iota(0) | std::views::transform(make));
    for (int i = 0; i < 200; ++i) {
      ++asked;
      ASSERT_EQ(generator.next(), i);
    }
    generator.close();
    EXPECT_EQ(too_far, 0);
  }
}

// --- errors of the range ------------------------------------------------------------------------

struct RangeError {};

/// Throws where it is looked at, stepped on or compared, or at its very beginning.
class BadRange {
 public:
  enum class Where { begin, look, next, compare };
  BadRange(Where where, int at) : where_(where), at_(at) {}

  class Iterator {
   public:
    using value_type = int;
    using difference_type = std::ptrdiff_t;
    explicit Iterator(BadRange const* range) : range_(range) {}
    Iterator(Iterator&&) = default;
    Iterator& operator=(Iterator&&) = default;
    int operator*() const {
      range_->check(Where::look, number_);
      return number_;
    }
    Iterator& operator++() {
      range_->check(Where::next, ++number_);
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(Iterator const& self, std::default_sentinel_t /*end*/) {
      return self.ended();
    }

   private:
    [[nodiscard]] bool ended() const {
      range_->check(Where::compare, number_);
      return number_ == 20;
    }
    BadRange const* range_;
    int number_ = 0;
  };
  [[nodiscard]] Iterator begin() const {
    check(Where::begin, at_);
    return Iterator(this);
  }
  [[nodiscard]] static std::default_sentinel_t end() { return {}; }

 private:
  void check(Where where, int number) const {
    if (where == where_ && number == at_) throw RangeError();
  }
  Where where_;
  int at_;
};

TEST_P(Ranges, ThatThrowEndTheCallWithTheirErrorWhichIsNoTasks) {
  using enum BadRange::Where;
  for (auto const& range : {BadRange(begin, 0), BadRange(look, 0), BadRange(look, 5),
                            BadRange(look, 19), BadRange(next, 1), BadRange(next, 20),
                            BadRange(compare, 0), BadRange(compare, 13), BadRange(compare, 20)}) {
    EXPECT_THROW(parallel.for_each({1}, [](int i) { throw i; }), int);
    EXPECT_TRUE(parallel.failure());
    EXPECT_THROW(static_cast<void>(parallel.map(range, twice)), RangeError);
    EXPECT_FALSE(parallel.failure());
    EXPECT_THROW(static_cast<void>(parallel.reduce(range, 0, std::plus<>())), RangeError);
    EXPECT_FALSE(parallel.failure());
    EXPECT_EQ(parallel.map({1, 2}, twice), (std::vector{2, 4}));
  }
}

// Read by any worker at any position, so that the error comes up where a task would run.
TEST_P(Ranges, ThatThrowWhenReadSideBySideAreNoTasksFailureEither) {
  auto const look = [](int i) {
    if (i == 13) throw RangeError();
    return i;
  };
  auto const range = std::views::iota(0, 20) | std::views::transform(look);
  static_assert(joblot::detail::source_for<decltype(range)>::concurrent);
  EXPECT_THROW(parallel.for_each({1}, [](int i) { throw i; }), int);
  EXPECT_THROW(static_cast<void>(parallel.map(range, twice)), RangeError);
  EXPECT_FALSE(parallel.failure());
  auto const tasks = range | std::views::transform([](int i) { return [i] { return i; }; });
  EXPECT_THROW(static_cast<void>(parallel.outcomes(tasks)), RangeError);
  EXPECT_FALSE(parallel.failure());
  auto generator = parallel.generator(tasks);
  for (int i = 0; i < 13; ++i) ASSERT_EQ(generator.next(), i);
  EXPECT_THROW(static_cast<void>(generator.next()), RangeError);
  EXPECT_FALSE(generator.failure());
  EXPECT_FALSE(parallel.failure());
}

TEST_P(Ranges, ThatKnowTheirSizeMayThrowWhenAskedForIt) {
  struct Sizeless {
    std::vector<int> numbers{1, 2, 3};
    [[nodiscard]] auto begin() const { return numbers.begin(); }
    [[nodiscard]] auto end() const { return numbers.end(); }
    [[nodiscard]] std::size_t size() const { throw RangeError(); }
  };
  EXPECT_THROW(parallel.for_each({1}, [](int i) { throw i; }), int);
  EXPECT_THROW(parallel.for_each(Sizeless(), [](int) {}), RangeError);
  EXPECT_FALSE(parallel.failure());
}

}  // namespace
