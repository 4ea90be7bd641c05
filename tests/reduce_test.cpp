// SPDX-License-Identifier: MIT
// Tests of Parallel::reduce: the grouping, the order, and which types it takes.
#include <joblot/reduce.hpp>
// First, because it needs no other.
#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <list>
#include <memory>
#include <numeric>
#include <optional>
#include <ranges>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <joblot/parallel.hpp>

#include "support/coroutine.hpp"
#include "support/counted.hpp"

namespace {

using joblot::Options;
using joblot::Parallel;

auto const sizes = {0, 1, 2, 3, 100, 4095, 4096, 4097, 8193, 100'000};

/// Numbers that give another sum for nearly every other grouping.
std::vector<double> uneven(int size) {
  std::vector<double> numbers;
  for (int i = 0; i < size; ++i) numbers.push_back(std::sin(i) * std::pow(10, i % 12));
  return numbers;
}

double sum(Options options, std::vector<double> const& numbers) {
  return Parallel(std::move(options)).reduce(numbers, 0.1, std::plus<>());
}

void expect_same_bits(double a, double b) {
  EXPECT_EQ(std::bit_cast<std::uint64_t>(a), std::bit_cast<std::uint64_t>(b)) << a << " " << b;
}

Coroutine<int> count_to(int size) {
  for (int i = 0; i < size; ++i) co_yield i;
}

/// Combines texts that say which numbers they cover: only neighbours fit.
struct Span {
  int first;
  int last;
};
struct Join {
  Span operator()(Span left, Span right) const {
    if (left.last + 1 != right.first) throw std::logic_error("combined what is not side by side");
    return {left.first, right.last};
  }
};

TEST(Reduce, AddsUp) {
  for (int const n_jobs : {1, 2, 3, 8}) {
    Parallel const parallel(n_jobs);
    EXPECT_EQ(parallel.reduce(std::views::iota(1, 101), 0, std::plus<>()), 5050);
    EXPECT_EQ(parallel.reduce(std::views::iota(1, 5), 1, std::multiplies<>()), 24);
    EXPECT_EQ(parallel.reduce({3, 1, 2}, 0, std::plus<>()), 6);
    EXPECT_EQ(parallel.reduce(std::list{3, 1, 2}, 0, std::plus<>()), 6);
  }
}

TEST(Reduce, TransformsEachElementFirst) {
  std::vector<std::string> const words{"one", "three", "fifteen"};
  auto const size = [](std::string const& word) { return word.size(); };
  Parallel const parallel(2);
  EXPECT_EQ(parallel.reduce(words, std::size_t{0}, std::plus<>(), size), 15U);
  EXPECT_EQ(parallel.reduce(words, std::size_t{0}, std::plus<>(), &std::string::size), 15U);
  auto const longest = [](std::size_t a, std::size_t b) { return std::max(a, b); };
  EXPECT_EQ(parallel.reduce(words, std::size_t{0}, longest, size), 7U);
}

TEST(Reduce, OfNothingIsInit) {
  auto const never = [](int, int) -> int { throw std::logic_error("combined nothing"); };
  for (int const n_jobs : {1, 4}) {
    Parallel const parallel(n_jobs);
    EXPECT_EQ(parallel.reduce(std::vector<int>(), 7, never), 7);
    EXPECT_EQ(parallel.reduce(count_to(0), 7, never), 7);
    EXPECT_EQ(*parallel.reduce(
                  std::vector<int>(), std::make_unique<int>(7), [](auto a, auto) { return a; },
                  [](int i) { return std::make_unique<int>(i); }),
              7);
  }
}

TEST(Reduce, CombinesInitOnceAndLeftmost) {
  for (int const size : sizes) {
    for (int const n_jobs : {1, 2, 3, 8}) {
      Parallel const parallel(n_jobs);
      auto const text = [](int i) { return std::to_string(i % 10); };
      std::string expected = "init:";
      for (int i = 0; i < size; ++i) expected += text(i);
      auto const numbers = std::views::iota(0, size);
      ASSERT_EQ(parallel.reduce(numbers, std::string("init:"), std::plus<>(), text), expected);
      if (size > 5000) continue;
      ASSERT_EQ(parallel.reduce(count_to(size), std::string("init:"), std::plus<>(), text),
                expected);
    }
  }
}

TEST(Reduce, CombinesOnlyNeighbours) {
  auto const one = [](int i) { return Span{i, i}; };
  for (int const size : sizes) {
    for (int const n_jobs : {1, 2, 3, 8}) {
      for (auto const& options :
           {Options{.n_jobs = n_jobs}, Options{.n_jobs = n_jobs, .batch_size = 1},
            Options{.n_jobs = n_jobs, .batch_size = 7},
            Options{.n_jobs = n_jobs, .batch_size = 1'000'000}}) {
        Parallel const parallel(options);
        auto const sized = parallel.reduce(std::views::iota(0, size), Span{-1, -1}, Join(), one);
        EXPECT_EQ(sized.first, -1);
        EXPECT_EQ(sized.last, size - 1);
        auto const unsized = parallel.reduce(count_to(size), Span{-1, -1}, Join(), one);
        EXPECT_EQ(unsized.first, -1);
        EXPECT_EQ(unsized.last, size - 1);
      }
    }
  }
}

TEST(ReduceOfASizedRange, HasTheSameBitsForAnyNumberOfWorkers) {
  for (int const size : sizes) {
    auto const numbers = uneven(size);
    auto const expected = sum({.n_jobs = 1}, numbers);
    for (int const n_jobs : {2, 3, 8}) {
      for (int round = 0; round < 3; ++round) {
        expect_same_bits(sum({.n_jobs = n_jobs}, numbers), expected);
      }
    }
  }
}

TEST(ReduceOfASizedRange, HasTheSameBitsHoweverItIsCutAndRead) {
  for (int const size : {100, 4097, 20'000}) {
    auto const numbers = uneven(size);
    auto const expected = sum({.n_jobs = 1}, numbers);
    expect_same_bits(sum({.n_jobs = 3, .batch_size = 1}, numbers), expected);
    expect_same_bits(sum({.n_jobs = 2, .batch_size = 1000}, numbers), expected);
    expect_same_bits(sum({.n_jobs = 3, .pre_dispatch = 1}, numbers), expected);
    expect_same_bits(sum({.n_jobs = 3, .backend = "sequential"}, numbers), expected);
    std::list<double> const list(numbers.begin(), numbers.end());
    for (int const n_jobs : {1, 2, 3}) {
      expect_same_bits(Parallel(n_jobs).reduce(list, 0.1, std::plus<>()), expected);
    }
  }
}

TEST(ReduceOfASizedRange, IsNotDoneFromLeftToRight) {
  auto const numbers = uneven(100);
  // The test of the same bits would hold for a serial loop, too.
  EXPECT_NE(sum({.n_jobs = 2}, numbers), std::accumulate(numbers.begin(), numbers.end(), 0.1));
}

TEST(ReduceOfASizedRange, CombinesOnSeveralThreads) {
  std::atomic<int> busy{0};
  std::atomic<int> most{0};
  auto const combine = [&](int a, int b) {
    auto const now = ++busy;
    auto seen = most.load();
    while (seen < now && !most.compare_exchange_weak(seen, now)) {
    }
    // Waits for company, for a bounded time: whether it comes is up to the scheduler.
    for (int i = 0; i < 1000 && most < 2; ++i) std::this_thread::yield();
    --busy;
    return a + b;
  };
  Parallel const parallel(2);
  for (int round = 0; round < 1000 && most < 2; ++round) {
    ASSERT_EQ(parallel.reduce(std::views::iota(0, 100), 0, combine), 4950);
  }
  EXPECT_EQ(most, 2);
}

TEST(Reduce, TakesTypesThatCanOnlyBeMoved) {
  using Number = std::unique_ptr<int>;
  auto const make = [](int i) { return std::make_unique<int>(i); };
  auto const add = [](Number a, Number b) { return std::make_unique<int>(*a + *b); };
  for (int const n_jobs : {1, 3}) {
    Parallel const parallel(n_jobs);
    EXPECT_EQ(*parallel.reduce(std::views::iota(0, 5000), make(1), add, make), 12'497'501);
    EXPECT_EQ(*parallel.reduce(count_to(5000), make(1), add, make), 12'497'501);
  }
}

TEST(Reduce, NeedsNoDefaultConstructor) {
  struct Most {
    explicit Most(int value) : x(value) {}
    int x;
  };
  auto const more = [](Most a, Most b) { return a.x < b.x ? b : a; };
  auto const make = [](int i) { return Most(i % 77); };
  EXPECT_EQ(Parallel(3).reduce(std::views::iota(0, 5000), Most(-1), more, make).x, 76);
}

TEST(Reduce, CopiesNothing) {
  Account account;
  {
    auto const larger = [](Counted a, Counted b) {
      return a.value() < b.value() ? std::move(b) : std::move(a);
    };
    auto const make = [&](int i) { return Counted(account, i); };
    Parallel const parallel(3);
    auto const sized =
        parallel.reduce(std::views::iota(0, 5000), Counted(account, -1), larger, make);
    auto const unsized = parallel.reduce(count_to(5000), Counted(account, -1), larger, make);
    EXPECT_EQ(sized.value(), 4999);
    EXPECT_EQ(unsized.value(), 4999);
  }
  EXPECT_EQ(account.copies, 0);
  EXPECT_EQ(account.alive, 0);
}

TEST(Reduce, ConvertsWhatTransformReturnsToTheTypeOfInit) {
  auto const result = Parallel(2).reduce(std::vector{1, 2, 3}, 0.5, std::plus<>());
  static_assert(std::is_same_v<decltype(result), double const>);
  EXPECT_EQ(result, 6.5);
  auto const texts = Parallel(2).reduce(std::vector{"a", "b", "c"}, std::string(), std::plus<>());
  EXPECT_EQ(texts, "abc");
}

TEST(Reduce, OfTypeBool) {
  auto const any = Parallel(3).reduce(std::views::iota(0, 5000), false, std::logical_or<>(),
                                      [](int i) { return i == 4321; });
  EXPECT_TRUE(any);
}

TEST(Reduce, CallsItsFunctionsAsConst) {
  struct Telling {
    int operator()(int, int) { return -1000; }
    int operator()(int a, int b) const { return a + b; }
  };
  struct Twice {
    int operator()(int) { return -1000; }
    int operator()(int x) const { return 2 * x; }
  };
  EXPECT_EQ(Parallel(2).reduce(std::views::iota(0, 10), 0, Telling(), Twice()), 90);
}

TEST(Reduce, ThrowsWhatTransformThrowsAndForgetsTheRest) {
  Account account;
  for (int const n_jobs : {1, 3}) {
    Parallel const parallel(n_jobs);
    auto const make = [&](int i) {
      if (i == 777) throw std::out_of_range("777");
      return Counted(account, i);
    };
    auto const add = [](Counted a, Counted) { return a; };
    EXPECT_THROW(
        static_cast<void>(parallel.reduce(std::views::iota(0, 5000), Counted(account), add, make)),
        std::out_of_range);
    ASSERT_TRUE(parallel.failure());
    EXPECT_EQ(parallel.failure()->index, 777U);
    EXPECT_THROW(static_cast<void>(parallel.reduce(count_to(5000), Counted(account), add, make)),
                 std::out_of_range);
    ASSERT_TRUE(parallel.failure());
    EXPECT_EQ(parallel.failure()->index, 777U);
    EXPECT_EQ(account.alive, 0);
  }
}

TEST(Reduce, KeepsWhatCombineReturnsByReferenceToItsArgument) {
  using Values = std::vector<int>;
  auto const append = [](Values&& left, Values&& right) -> Values&& {
    left.insert(left.end(), right.begin(), right.end());
    return std::move(left);
  };
  auto const one = [](int i) { return Values{i}; };
  for (int const n_jobs : {1, 3}) {
    Parallel const parallel(n_jobs);
    EXPECT_EQ(parallel.reduce(std::views::iota(0, 9000), Values{}, append, one).size(), 9000U);
    EXPECT_EQ(parallel.reduce(count_to(9000), Values{}, append, one).size(), 9000U);
  }
}

TEST(Reduce, ThrowsWhatCombineThrows) {
  auto const fail = [](int, int) -> int { throw std::domain_error("no"); };
  for (int const n_jobs : {1, 3}) {
    Parallel const parallel(n_jobs);
    EXPECT_THROW(static_cast<void>(parallel.reduce(std::views::iota(0, 5000), 0, fail)),
                 std::domain_error);
    EXPECT_THROW(static_cast<void>(parallel.reduce(count_to(5000), 0, fail)), std::domain_error);
    // Of one element, which is combined with init alone.
    EXPECT_THROW(static_cast<void>(parallel.reduce(std::views::iota(0, 1), 0, fail)),
                 std::domain_error);
    EXPECT_EQ(parallel.reduce(std::views::iota(0, 3), 0, std::plus<>()), 3);
  }
}

}  // namespace
