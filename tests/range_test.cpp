// SPDX-License-Identifier: MIT
// Tests of which ranges are read by several threads at once.
#include <joblot/range.hpp>
// First, because it needs no other.
#include <array>
#include <cstddef>
#include <deque>
#include <forward_list>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <list>
#include <ranges>
#include <set>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <valarray>
#include <vector>

#include <gtest/gtest.h>

#include <joblot/source.hpp>

#include "support/coroutine.hpp"

namespace {

/// Numbers 0 .. 9, by value, from an iterator of its own. Nothing is known about it.
class Numbers {
 public:
  class Iterator {
   public:
    using value_type = int;
    using difference_type = std::ptrdiff_t;
    int operator*() const { return static_cast<int>(at_); }
    int operator[](std::ptrdiff_t n) const { return *(*this + n); }
    Iterator& operator++() { return *this += 1; }
    Iterator operator++(int) { return std::exchange(*this, *this + 1); }
    Iterator& operator--() { return *this -= 1; }
    Iterator operator--(int) { return std::exchange(*this, *this - 1); }
    Iterator& operator+=(std::ptrdiff_t n) { return at_ += n, *this; }
    Iterator& operator-=(std::ptrdiff_t n) { return at_ -= n, *this; }
    [[maybe_unused]] friend Iterator operator+(Iterator it, std::ptrdiff_t n) { return it += n; }
    [[maybe_unused]] friend Iterator operator+(std::ptrdiff_t n, Iterator it) { return it += n; }
    friend Iterator operator-(Iterator it, std::ptrdiff_t n) { return it -= n; }
    friend std::ptrdiff_t operator-(Iterator a, Iterator b) { return a.at_ - b.at_; }
    friend auto operator<=>(Iterator, Iterator) = default;

   private:
    std::ptrdiff_t at_ = 0;
  };
  [[nodiscard]] Iterator begin() const { return {}; }
  [[nodiscard]] Iterator end() const { return Iterator() + 10; }
};

/// The same, promised to be safe.
class SafeNumbers : public Numbers {};
class SafeView : public Numbers, public std::ranges::view_base {};
using SafeSubrange = std::ranges::subrange<std::deque<int>::iterator>;

}  // namespace

template <>
inline constexpr bool joblot::concurrent_range<SafeNumbers> = true;
template <>
inline constexpr bool joblot::concurrent_range<SafeView> = true;
template <>
inline constexpr bool joblot::concurrent_range<SafeSubrange> = true;

namespace {

/// Whether the range, given as this lvalue or rvalue type, is read side by side.
template <class R>
constexpr bool side_by_side = joblot::detail::source_for<R>::concurrent;

constexpr auto twice = [](int x) { return 2 * x; };

TEST(ConcurrentRange, IsAContainerWithObjectsInIt) {
  EXPECT_TRUE(side_by_side<std::vector<int>&>);
  EXPECT_TRUE(side_by_side<std::vector<int> const&>);
  EXPECT_TRUE(side_by_side<std::vector<int>>);
  EXPECT_TRUE(side_by_side<std::deque<int>&>);
  EXPECT_TRUE(side_by_side<std::deque<int> const&>);
  EXPECT_TRUE(side_by_side<std::deque<int>>);
  EXPECT_TRUE((side_by_side<std::array<int, 3>&>));
  EXPECT_TRUE((side_by_side<std::array<int, 3>>));
  EXPECT_TRUE(side_by_side<int(&)[3]>);
  EXPECT_TRUE(side_by_side<int const(&)[3]>);
  EXPECT_TRUE(side_by_side<std::string&>);
  EXPECT_TRUE(side_by_side<std::valarray<int>&>);
  EXPECT_TRUE(side_by_side<std::initializer_list<int>&>);
}

TEST(ConcurrentRange, IsASpanOrAnythingContiguous) {
  EXPECT_TRUE(side_by_side<std::span<int>>);
  EXPECT_TRUE(side_by_side<std::span<int const>&>);
  EXPECT_TRUE(side_by_side<std::string_view>);
  EXPECT_TRUE(side_by_side<std::ranges::subrange<std::vector<int>::iterator>>);
  EXPECT_TRUE(side_by_side<std::ranges::subrange<int*>>);
  EXPECT_TRUE(side_by_side<std::ranges::empty_view<int>>);
  EXPECT_TRUE(side_by_side<std::ranges::single_view<int>>);
}

TEST(ConcurrentRange, IsAnIotaWithAnEnd) {
  EXPECT_TRUE(side_by_side<decltype(std::views::iota(0, 9))>);
  EXPECT_TRUE(side_by_side<decltype(std::views::iota(std::size_t{0}, std::size_t{9}))>);
  EXPECT_TRUE(
      (side_by_side<decltype(std::views::iota(std::declval<int*>(), std::declval<int*>()))>));
  EXPECT_FALSE(side_by_side<decltype(std::views::iota(0))>);
  using Iterator = std::list<int>::iterator;
  EXPECT_FALSE((side_by_side<decltype(std::views::iota(Iterator(), Iterator()))>));
}

TEST(ConcurrentRange, IsAStandardViewOverOneWhoseCallableIsAnEmptyClass) {
  std::vector<int> v;
  std::vector<std::pair<int, int>> pairs;
  EXPECT_TRUE(side_by_side<decltype(v | std::views::take(2))>);
  EXPECT_TRUE(side_by_side<decltype(v | std::views::drop(2))>);
  EXPECT_TRUE(side_by_side<decltype(v | std::views::reverse)>);
  EXPECT_TRUE(side_by_side<decltype(v | std::views::common)>);
  EXPECT_TRUE(side_by_side<decltype(pairs | std::views::keys)>);
  EXPECT_TRUE(side_by_side<decltype(pairs | std::views::values)>);
  EXPECT_TRUE(side_by_side<decltype(v | std::views::transform(twice))>);
  EXPECT_TRUE(side_by_side<decltype(v | std::views::transform(std::negate<>()))>);
  EXPECT_TRUE(side_by_side<decltype(std::views::iota(0, 9) | std::views::transform(twice))>);
  EXPECT_TRUE(side_by_side<decltype(v | std::views::transform(twice) | std::views::reverse |
                                    std::views::drop(1) | std::views::take(2))>);
  EXPECT_TRUE(side_by_side<decltype(std::vector<int>() | std::views::take(2))>);
  EXPECT_TRUE(side_by_side<decltype(std::deque<int>() | std::views::transform(twice))>);
}

TEST(ConcurrentRange, IsNoTransformWhoseCallableMayHoldSomething) {
  std::vector<int> v;
  int offset = 1;
  auto const add = [offset](int x) { return x + offset; };
  auto const add_there = [&offset](int x) { return x + offset; };
  EXPECT_FALSE(side_by_side<decltype(v | std::views::transform(add))>);
  EXPECT_FALSE(side_by_side<decltype(v | std::views::transform(add_there))>);
  EXPECT_FALSE(side_by_side<decltype(v | std::views::transform(std::function<int(int)>(add)))>);
  EXPECT_FALSE(side_by_side<decltype(v | std::views::transform(std::declval<int (*)(int)>()))>);
  EXPECT_FALSE(side_by_side<decltype(v | std::views::transform(add) | std::views::take(2))>);
  struct Point {
    int x;
  };
  std::vector<Point> points;
  EXPECT_FALSE(side_by_side<decltype(points | std::views::transform(&Point::x))>);
}

TEST(ConcurrentRange, IsNothingThatCannotBeReadAnywhere) {
  std::vector<int> v;
  EXPECT_FALSE(side_by_side<std::list<int>&>);
  EXPECT_FALSE(side_by_side<std::forward_list<int>&>);
  EXPECT_FALSE(side_by_side<std::set<int>&>);
  EXPECT_FALSE(side_by_side<decltype(v | std::views::filter(twice))>);
  EXPECT_FALSE(side_by_side<decltype(v | std::views::take_while(twice))>);
  EXPECT_FALSE(side_by_side<std::ranges::istream_view<int>>);
  EXPECT_FALSE(side_by_side<Coroutine<int>>);
  EXPECT_FALSE(side_by_side<Coroutine<int>&>);
}

TEST(ConcurrentRange, IsNoContainerOfProxies) {
  EXPECT_FALSE(side_by_side<std::vector<bool>&>);
  EXPECT_FALSE(side_by_side<std::vector<bool> const&>);
  EXPECT_FALSE(side_by_side<std::vector<bool>>);
}

TEST(ConcurrentRange, IsNoUnknownRange) {
  EXPECT_FALSE(side_by_side<Numbers&>);
  EXPECT_FALSE(side_by_side<Numbers>);
  EXPECT_FALSE(side_by_side<decltype(std::declval<Numbers&>() | std::views::take(2))>);
  EXPECT_FALSE(side_by_side<std::ranges::subrange<std::deque<long>::iterator>>);
}

TEST(ConcurrentRange, IsWhatTheUserPromises) {
  EXPECT_TRUE(side_by_side<SafeNumbers&>);
  EXPECT_TRUE(side_by_side<SafeNumbers const&>);
  EXPECT_TRUE(side_by_side<SafeNumbers>);
  EXPECT_TRUE(side_by_side<SafeView>);
  EXPECT_TRUE(side_by_side<SafeView&>);
  EXPECT_TRUE(side_by_side<SafeSubrange>);
  EXPECT_TRUE(side_by_side<decltype(std::declval<SafeNumbers&>() | std::views::take(2))>);
  EXPECT_TRUE(side_by_side<decltype(std::declval<SafeNumbers&>() | std::views::transform(twice))>);
  EXPECT_TRUE(side_by_side<decltype(SafeView() | std::views::reverse)>);
}

}  // namespace
