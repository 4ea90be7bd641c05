// SPDX-License-Identifier: MIT
// Tests of where workers get elements from.
#include <joblot/source.hpp>
// First, because it needs no other.
#include <cstddef>
#include <deque>
#include <functional>
#include <limits>
#include <list>
#include <optional>
#include <ranges>
#include <sstream>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "support/coroutine.hpp"
#include "support/counted.hpp"

namespace {

using joblot::detail::IndexedSource;
using joblot::detail::ItemBuffer;
using joblot::detail::SequentialSource;
using joblot::detail::source_for;

template <class R>
auto source_of(R&& range) {
  return source_for<R>(std::views::all(std::forward<R>(range)));
}

/// Reads up to `count` elements of a source of numbers.
template <class Source>
std::vector<int> read(Source& source, std::size_t count) {
  typename Source::Items items;
  auto const first = source.position();
  source.read(items, count);
  auto const element = source.elements(items);
  std::vector<int> numbers;
  for (auto i = first; i < source.position(); ++i) numbers.push_back(element(i));
  return numbers;
}

/// What a reader does to a range, one letter a step: begin, look, next, compare.
struct Trace {
  std::string steps;
  class Iterator {
   public:
    using value_type = int;
    using difference_type = std::ptrdiff_t;
    explicit Iterator(Trace* trace) : trace_(trace) {}
    Iterator(Iterator&&) = default;
    Iterator& operator=(Iterator&&) = default;
    int operator*() const {
      trace_->steps += 'l';
      return number_;
    }
    Iterator& operator++() {
      trace_->steps += 'n';
      ++number_;
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(Iterator const& self, std::default_sentinel_t /*end*/) {
      self.trace_->steps += 'c';
      return self.number_ == 4;
    }

   private:
    Trace* trace_;
    int number_ = 0;
  };
  Iterator begin() {
    steps += 'b';
    return Iterator(this);
  }
  static std::default_sentinel_t end() { return {}; }
};

struct Fixed {
  explicit Fixed(int value) : number(value) {}
  Fixed(Fixed&&) = delete;
  int number;
};

TEST(IndexedSource, KnowsItsTotal) {
  std::vector<int> const numbers{1, 2, 3};
  EXPECT_EQ(source_of(numbers).total(), 3U);
  EXPECT_EQ(source_of(std::views::iota(5, 9)).total(), 4U);
  EXPECT_EQ(source_of(std::vector<int>()).total(), 0U);
  EXPECT_EQ(source_of(std::views::empty<int>).total(), 0U);
}

TEST(IndexedSource, GivesTheElementsThemselves) {
  std::vector<int> numbers{1, 2, 3};
  auto const source = source_of(numbers);
  typename std::remove_cvref_t<decltype(source)>::Items items;
  auto const element = source.elements(items);
  static_assert(std::is_same_v<decltype(element(0)), int&>);
  EXPECT_EQ(&element(2), &numbers[2]);
}

TEST(IndexedSource, KeepsAContainerThatIsMovedIn) {
  auto source = source_of(std::deque<std::string>{"one", "two"});
  decltype(source)::Items items;
  EXPECT_EQ(source.elements(items)(1), "two");
}

TEST(IndexedSource, GivesWhatTheRangeMakesAsAValue) {
  auto const source = source_of(std::views::iota(10, 20) |
                                std::views::transform([](int i) { return std::to_string(i); }));
  typename std::remove_cvref_t<decltype(source)>::Items items;
  auto const element = source.elements(items);
  static_assert(std::is_same_v<decltype(element(0)), std::string>);
  EXPECT_EQ(element(3), "13");
}

TEST(IndexedSource, TakesIndicesThatNoIntHolds) {
  auto const last = std::numeric_limits<std::size_t>::max();
  auto const source = source_of(std::views::iota(std::size_t{0}, last));
  EXPECT_EQ(source.total(), last);
  typename std::remove_cvref_t<decltype(source)>::Items items;
  EXPECT_EQ(source.elements(items)(last - 1), last - 1);
}

TEST(SequentialSource, KnowsItsTotalIfTheRangeDoes) {
  std::list<int> const numbers{1, 2, 3};
  EXPECT_EQ(source_of(numbers).total(), 3U);
  Trace trace;
  EXPECT_EQ(source_of(trace).total(), std::nullopt);
  EXPECT_EQ(source_of(std::views::iota(0)).total(), std::nullopt);
}

TEST(SequentialSource, TouchesNothingBeforeItIsAsked) {
  Trace trace;
  auto const source = source_of(trace);
  EXPECT_EQ(source.position(), 0U);
  EXPECT_EQ(trace.steps, "");
}

TEST(SequentialSource, LooksAtEachElementOnceAndNeverAhead) {
  Trace trace;
  auto source = source_of(trace);
  EXPECT_EQ(read(source, 1), std::vector{0});
  EXPECT_EQ(trace.steps, "bcl");
  EXPECT_EQ(read(source, 2), (std::vector{1, 2}));
  EXPECT_EQ(trace.steps, "bclnclncl");
  EXPECT_EQ(read(source, 5), std::vector{3});
  EXPECT_EQ(trace.steps, "bclnclnclnclnc");
}

TEST(SequentialSource, LeavesTheRangeAloneAfterItsEnd) {
  Trace trace;
  auto source = source_of(trace);
  EXPECT_EQ(read(source, 9).size(), 4U);
  auto const steps = trace.steps;
  EXPECT_EQ(read(source, 9).size(), 0U);
  EXPECT_EQ(trace.steps, steps);
  EXPECT_EQ(source.position(), 4U);
}

TEST(SequentialSource, KeepsWhatItHasReadWhenTheRangeThrows) {
  auto numbers = [](int bad) -> Coroutine<int> {
    for (int i = 0;; ++i) {
      if (i == bad) throw std::runtime_error("bad");
      co_yield i;
    }
  }(3);
  auto source = source_of(numbers);
  decltype(source)::Items items;
  EXPECT_THROW(source.read(items, 5), std::runtime_error);
  EXPECT_EQ(source.position(), 3U);
  auto const element = source.elements(items);
  EXPECT_EQ(element(0) + element(1) + element(2), 3);
  EXPECT_NO_THROW(source.read(items, 5));
  EXPECT_EQ(source.position(), 3U);
}

TEST(SequentialSource, MakesValuesInPlace) {
  auto source = source_of(std::views::iota(0, 5) | std::views::filter([](int i) { return i > 1; }) |
                          std::views::transform([](int i) { return Fixed(i); }));
  decltype(source)::Items items;
  source.read(items, 5);
  static_assert(std::is_same_v<decltype(source.elements(items)(0)), Fixed&&>);
  EXPECT_EQ(source.elements(items)(2).number, 4);
}

TEST(SequentialSource, LeavesElementsOfAContainerWhereTheyAre) {
  Account account;
  std::list<Counted> counted;
  for (int i = 0; i < 3; ++i) counted.emplace_back(account, i);
  auto source = source_of(counted);
  decltype(source)::Items items;
  source.read(items, 3);
  EXPECT_EQ(&source.elements(items)(0), &counted.front());
  EXPECT_EQ(&source.elements(items)(2), &counted.back());
  EXPECT_EQ(account.copies + account.moves, 0);
}

TEST(SequentialSource, CopiesLvaluesThatTheNextStepMayOverwrite) {
  std::istringstream text("1 2 3");
  auto source = source_of(std::views::istream<int>(text));
  EXPECT_EQ(read(source, 3), (std::vector{1, 2, 3}));
}

TEST(SequentialSource, MovesWhatTheRangeGivesAway) {
  Account account;
  auto giving = [](Account& of) -> Coroutine<Counted&&> {
    for (int i = 0; i < 2; ++i) co_yield Counted(of, i);
  }(account);
  auto source = source_of(giving);
  decltype(source)::Items items;
  source.read(items, 2);
  auto const element = source.elements(items);
  static_assert(std::is_same_v<decltype(element(0)), Counted&&>);
  EXPECT_EQ(element(1).value(), 1);
  EXPECT_EQ(account.moves, 2);
  EXPECT_EQ(account.copies, 0);
}

TEST(SequentialSource, MakesRoomOnlyForWhatThereIs) {
  auto few = std::views::iota(0, 10) | std::views::filter([](int i) { return i % 2 == 0; });
  for (auto const count : {std::size_t{1} << 40, std::numeric_limits<std::size_t>::max()}) {
    auto source = source_of(few);
    EXPECT_EQ(read(source, count), (std::vector{0, 2, 4, 6, 8}));
  }
}

TEST(SequentialSource, ReadsALargeBatchInOnePiece) {
  Account account;
  {
    auto source = source_of(std::views::iota(0, 5000) |
                            std::views::transform([&](int i) { return Counted(account, i); }));
    decltype(source)::Items items;
    source.read(items, 100);
    source.read(items, 4000);
    EXPECT_EQ(source.position(), 4100U);
    EXPECT_EQ(account.alive, 4000);
    auto const element = source.elements(items);
    for (std::size_t i = 100; i < 4100; ++i) ASSERT_EQ(element(i).value(), static_cast<int>(i));
    source.read(items, 4000);
    EXPECT_EQ(account.alive, 900);
  }
  EXPECT_EQ(account.alive, 0);
  EXPECT_EQ(account.copies + account.moves, 0);
}

TEST(ItemBuffer, DestroysWhatItHoldsOnce) {
  Account account;
  {
    ItemBuffer<Counted> buffer;
    buffer.reserve(3);
    for (int i = 0; i < 3; ++i) buffer.emplace_from([&] { return Counted(account, i); });
    EXPECT_EQ(buffer.size(), 3U);
    EXPECT_EQ(buffer[1].value(), 1);
    auto const moved = std::move(buffer);
    EXPECT_EQ(moved.size(), 3U);
    EXPECT_EQ(account.alive, 3);
  }
  EXPECT_EQ(account.alive, 0);
}

TEST(ItemBuffer, IsUnchangedWhenAnElementCannotBeMade) {
  Account account;
  ItemBuffer<Counted> buffer;
  buffer.reserve(2);
  buffer.emplace_from([&] { return Counted(account, 1); });
  auto const fail = []() -> Counted { throw std::runtime_error("no"); };
  EXPECT_THROW(buffer.emplace_from(fail), std::runtime_error);
  EXPECT_EQ(buffer.size(), 1U);
  buffer.clear();
  EXPECT_EQ(account.alive, 0);
}

}  // namespace
