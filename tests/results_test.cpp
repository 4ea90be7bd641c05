// SPDX-License-Identifier: MIT
// Tests of where the results of a call go, whatever their type.
#include <joblot/results.hpp>
// First, because it needs no other.
#include <array>
#include <atomic>
#include <chrono>
#include <complex>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <joblot/parallel.hpp>

#include "support/counted.hpp"

namespace {

using joblot::Parallel;
using joblot::detail::GatheredResults;
using joblot::detail::PlacedResults;
using joblot::detail::PlainResult;
using namespace std::chrono_literals;

struct NoDefault {
  explicit NoDefault(int value) : x(value) {}
  int x;
};
struct NoAssignment {
  int const x = -1;
};
struct NeitherDefaultNorCopy {
  explicit NeitherDefaultNorCopy(int value) : x(std::make_unique<int>(value)) {}
  NeitherDefaultNorCopy(NeitherDefaultNorCopy&&) = default;
  NeitherDefaultNorCopy& operator=(NeitherDefaultNorCopy&&) = delete;
  std::unique_ptr<int> x;
};

/// Throws when it is moved, if it is broken.
struct Fragile {
  explicit Fragile(bool is_broken) : broken(is_broken) {}
  Fragile(Fragile&& other) : broken(other.broken) {
    if (broken) throw std::domain_error("broken on the way");
  }
  bool broken;
};

constexpr int several = 1000;

/// Ranges of known and of unknown size, read side by side and in turn: each way results can go.
template <class Check>
void over_all_kinds_of_ranges(Check check) {
  for (int const n_jobs : {1, 2, 3}) {
    Parallel const parallel(n_jobs);
    auto const numbers = std::views::iota(0, several);
    check(parallel, numbers);
    std::list<int> const list(numbers.begin(), numbers.end());
    check(parallel, list);
    check(parallel, numbers | std::views::filter([](int) { return true; }));
    Parallel const batched{{.n_jobs = n_jobs, .batch_size = 7}};
    check(batched, numbers);
    check(batched, list);
  }
}

/// `make(i)` for each i, as a vector of `T`, in order, of which `number_of(result)` is i.
template <class T, class Make, class NumberOf>
void expect_results(Make make, NumberOf number_of) {
  over_all_kinds_of_ranges([&](Parallel const& parallel, auto&& numbers) {
    auto const results = parallel.map(numbers, make);
    static_assert(std::is_same_v<decltype(results), std::vector<T> const>);
    ASSERT_EQ(results.size(), static_cast<std::size_t>(several));
    int index = 0;
    for (auto const& result : results) ASSERT_EQ(number_of(result), index++);
  });
}

TEST(PlainResult, IsWhatMayStandInItsPlaceFromTheStart) {
  EXPECT_TRUE(PlainResult<int>);
  EXPECT_TRUE(PlainResult<double*>);
  EXPECT_TRUE(PlainResult<std::optional<int>>);
  EXPECT_FALSE(PlainResult<bool>);
  EXPECT_FALSE(PlainResult<std::string>);
  EXPECT_FALSE(PlainResult<NoDefault>);
  EXPECT_FALSE(PlainResult<NoAssignment>);
}

TEST(PlacedResults, StandInTheirPlacesAtOnce) {
  PlacedResults<int> results(5);
  auto const writer = results.writer();
  writer.strip(3, 5, [](std::size_t i) { return static_cast<int>(i); });
  writer.strip(0, 3, [](std::size_t i) { return static_cast<int>(i); });
  EXPECT_EQ(results.take(), (std::vector{0, 1, 2, 3, 4}));
}

TEST(GatheredResults, ArePutTogetherInTheirOrder) {
  GatheredResults<std::string> results;
  auto const text = [](std::size_t i) { return std::to_string(i); };
  {
    auto one = results.writer();
    auto other = results.writer();
    one.begin({4, 2});
    one.strip(4, 6, text);
    other.begin({0, 1});
    other.strip(0, 1, text);
    one.begin({1, 3});
    one.strip(1, 2, text);
    one.strip(2, 4, text);
    other.begin({6, 1});
    other.strip(6, 7, text);
  }
  std::size_t index = 0;
  EXPECT_EQ(results.take(index), (std::vector<std::string>{"0", "1", "2", "3", "4", "5", "6"}));
  EXPECT_EQ(index, 7U);
}

TEST(GatheredResults, MayBeNone) {
  GatheredResults<std::string> results;
  { auto const writer = results.writer(); }
  std::size_t index = 0;
  EXPECT_TRUE(results.take(index).empty());
}

TEST(Results, OfNumbersAreInOrder) {
  expect_results<int>([](int i) { return i; }, std::identity());
  expect_results<double>([](int i) { return i + 0.0; }, std::identity());
  expect_results<std::complex<double>>([](int i) { return std::complex(i + 0.0); },
                                       [](auto const& z) { return z.real(); });
}

TEST(Results, OfTypeBoolAreInOrder) {
  over_all_kinds_of_ranges([](Parallel const& parallel, auto&& numbers) {
    auto const odd = parallel.map(numbers, [](int i) { return i % 2 == 1; });
    static_assert(std::is_same_v<decltype(odd), std::vector<bool> const>);
    ASSERT_EQ(odd.size(), static_cast<std::size_t>(several));
    for (std::size_t i = 0; i < odd.size(); ++i) ASSERT_EQ(odd[i], i % 2 == 1);
  });
}

TEST(Results, OfTextsAreInOrder) {
  expect_results<std::string>([](int i) { return std::to_string(i) + std::string(30, 'x'); },
                              [](auto const& text) { return std::stoi(text); });
}

TEST(Results, NeedNoDefaultConstructorNoCopyAndNoAssignment) {
  expect_results<NoDefault>([](int i) { return NoDefault(i); }, [](auto& r) { return r.x; });
  expect_results<NoAssignment>([](int i) { return NoAssignment{i}; }, [](auto& r) { return r.x; });
  expect_results<std::unique_ptr<int>>([](int i) { return std::make_unique<int>(i); },
                                       [](auto& r) { return *r; });
  expect_results<NeitherDefaultNorCopy>([](int i) { return NeitherDefaultNorCopy(i); },
                                        [](auto& r) { return *r.x; });
}

TEST(Results, ThatAreReferencesAreCopied) {
  static std::vector<int> const numbers = [] {
    std::vector<int> all;
    for (int i = 0; i < several; ++i) all.push_back(i);
    return all;
  }();
  expect_results<int>([](int i) -> int const& { return numbers[static_cast<std::size_t>(i)]; },
                      std::identity());
  std::vector<std::string> texts{"one", "two", "three"};
  auto results = Parallel(2).map(texts, [](std::string& text) -> std::string& { return text; });
  static_assert(std::is_same_v<decltype(results), std::vector<std::string>>);
  results[0] = "changed";
  EXPECT_EQ(texts, (std::vector<std::string>{"one", "two", "three"}));
}

// What the range makes lives until its result is kept, whatever the function returns.
TEST(Results, ThatReferToTheElementAreCopiedInTime) {
  expect_results<int>([](int const& i) -> int const& { return i; }, std::identity());
  auto const texts = std::views::iota(0, 100) | std::views::transform([](int i) {
                       return std::to_string(i) + std::string(30, 'x');
                     });
  for (auto const& parallel :
       {Parallel(1), Parallel(2), Parallel{{.n_jobs = 2, .timeout = 1min}}}) {
    auto const lvalues =
        parallel.map(texts, [](std::string const& text) -> std::string const& { return text; });
    auto const rvalues =
        parallel.map(texts, [](std::string&& text) -> std::string&& { return std::move(text); });
    for (int i = 0; i < 100; ++i) {
      ASSERT_EQ(lvalues[static_cast<std::size_t>(i)], texts[i]);
      ASSERT_EQ(rvalues[static_cast<std::size_t>(i)], texts[i]);
    }
  }
}

TEST(Results, OfATaskThatReturnsNothingAreNone) {
  std::atomic<int> runs{0};
  over_all_kinds_of_ranges([&](Parallel const& parallel, auto&& numbers) {
    static_assert(std::is_void_v<decltype(parallel.for_each(numbers, [](int) {}))>);
    runs = 0;
    parallel.for_each(numbers, [&](int) { ++runs; });
    ASSERT_EQ(runs, several);
  });
}

TEST(Results, AreAllDestroyedWhenTheCallFails) {
  Account account;
  over_all_kinds_of_ranges([&](Parallel const& parallel, auto&& numbers) {
    auto const make = [&](int i) {
      if (i == 700) throw std::out_of_range("seven hundred");
      return Counted(account, i);
    };
    ASSERT_THROW(static_cast<void>(parallel.map(numbers, make)), std::out_of_range);
    ASSERT_EQ(account.alive, 0);
  });
}

TEST(Results, AreMovedAndNotCopied) {
  Account account;
  over_all_kinds_of_ranges([&](Parallel const& parallel, auto&& numbers) {
    auto const results = parallel.map(numbers, [&](int i) { return Counted(account, i); });
    ASSERT_EQ(account.alive, several);
    ASSERT_EQ(results.back().value(), several - 1);
  });
  EXPECT_EQ(account.copies, 0);
  EXPECT_EQ(account.alive, 0);
}

TEST(Results, ThatThrowWhenTheyAreMovedAreTheirTasksFailure) {
  over_all_kinds_of_ranges([](Parallel const& parallel, auto&& numbers) {
    auto const make = [&](int i) { return Fragile(i == 5); };
    ASSERT_THROW(static_cast<void>(parallel.map(numbers, make)), std::domain_error);
    ASSERT_TRUE(parallel.failure());
    ASSERT_EQ(parallel.failure()->index, 5U);
  });
}

// A vector that grows would copy them.
TEST(Results, WhoseMoveMayThrowAreNotCopied) {
  struct Careless : Counted {
    using Counted::Counted;
    Careless(Careless const&) = default;
    Careless(Careless&& other) noexcept(false) : Counted(std::move(other)) {}
  };
  Account account;
  over_all_kinds_of_ranges([&](Parallel const& parallel, auto&& numbers) {
    auto const results = parallel.map(numbers, [&](int i) { return Careless(account, i); });
    ASSERT_EQ(results.back().value(), several - 1);
  });
  EXPECT_EQ(account.copies, 0);
}

}  // namespace
