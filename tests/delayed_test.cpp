// SPDX-License-Identifier: MIT
// Tests of delayed(f)(args...): what it keeps, and how it passes that on.
#include <joblot/delayed.hpp>
// First, because it needs no other.
#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <joblot/task.hpp>

#include "support/counted.hpp"

namespace {

using joblot::delayed;
using joblot::Task;

int half(int x) { return x / 2; }
int sum(int a, int b, int c) { return a + b + c; }
int add_one(int x) noexcept { return x + 1; }
int width(int x) { return x; }
int width(std::string const& text) { return static_cast<int>(text.size()); }
int eat(Counted counted) { return counted.value(); }
int look(Counted const& counted) { return counted.value(); }
int grab(Counted&& counted) {
  Counted const mine(std::move(counted));
  return mine.value();
}
void increase(int& x) { ++x; }

struct Account2D {
  int x = 0;
  [[nodiscard]] int times(int factor) const { return x * factor; }
  int move_by(int distance) { return x += distance; }
};

// Counts its calls, so it cannot be called as const.
struct Counter {
  int calls = 0;
  int operator()() { return ++calls; }
};

// Tells how it is called.
struct Telling {
  std::string operator()() & { return "lvalue"; }
  std::string operator()() const& { return "const lvalue"; }
  std::string operator()() && { return "rvalue"; }
};

TEST(Delayed, RunsNothingBeforeItIsCalled) {
  bool ran = false;
  auto const task = delayed([&ran] { ran = true; })();
  EXPECT_FALSE(ran);
  task();
  EXPECT_TRUE(ran);
}

TEST(Delayed, CallsAFunctionWithItsArguments) {
  EXPECT_EQ(delayed(half)(42)(), 21);
  EXPECT_EQ(delayed(&half)(42)(), 21);
  EXPECT_EQ(delayed(sum)(1, 20, 300)(), 321);
  EXPECT_EQ(delayed(add_one)(1)(), 2);
}

TEST(Delayed, PicksOneOverloadOfAFunction) {
  EXPECT_EQ(delayed<double(double)>(std::sqrt)(4)(), 2.0);
  EXPECT_EQ(delayed<int(int)>(width)(7)(), 7);
  EXPECT_EQ(delayed<int(std::string const&)>(width)("seven")(), 5);
  EXPECT_EQ(delayed<int(int) noexcept>(add_one)(1)(), 2);
  EXPECT_EQ(delayed<int(int)>(add_one)(1)(), 2);
}

TEST(Delayed, CallsMembersByInvoke) {
  Account2D point{5};
  EXPECT_EQ(delayed(&Account2D::times)(point, 3)(), 15);
  EXPECT_EQ(delayed(&Account2D::times)(&point, 3)(), 15);
  EXPECT_EQ(delayed(&Account2D::times)(std::cref(point), 3)(), 15);
  EXPECT_EQ(delayed(&Account2D::times)(std::make_unique<Account2D>(point), 3)(), 15);
  EXPECT_EQ(delayed(&Account2D::times)(std::make_shared<Account2D>(point), 3)(), 15);
  EXPECT_EQ(delayed(&Account2D::x)(point)(), 5);
  EXPECT_EQ(delayed(&Account2D::move_by)(std::ref(point), 2)(), 7);
  EXPECT_EQ(point.x, 7);
  EXPECT_EQ(delayed(&Account2D::move_by)(&point, 2)(), 9);
  EXPECT_EQ(point.x, 9);
}

TEST(Delayed, KeepsItsArgumentsByValue) {
  std::string text = "before";
  auto const task = delayed([](std::string const& kept) { return kept; })(text);
  text = "after";
  EXPECT_EQ(task(), "before");
}

TEST(Delayed, KeepsArraysAsPointersAndFunctionsAsFunctionPointers) {
  auto const task = delayed([](char const* text, int (*f)(int)) {
    return std::string(text) + std::to_string(f(4));
  })("half of four is ", half);
  EXPECT_EQ(task(), "half of four is 2");
}

TEST(Delayed, ConvertsArgumentsOnlyAtTheCall) {
  auto const task = delayed([](std::string const& text) { return text.size(); })("four");
  EXPECT_EQ(task(), 4U);
  auto const number = delayed(half)(9.5);
  EXPECT_EQ(number(), 4);
}

TEST(Delayed, MovesAnArgumentIntoTheTaskAndFromItIntoTheCall) {
  Account account;
  auto task = delayed(eat)(Counted(account, 7));
  EXPECT_EQ(account.moves, 1);
  EXPECT_EQ(std::move(task)(), 7);
  EXPECT_EQ(account.moves, 2);
  EXPECT_EQ(account.copies, 0);
}

TEST(Delayed, CopiesAnLvalueArgumentOnce) {
  Account account;
  Counted const counted(account, 7);
  auto task = delayed(eat)(counted);
  EXPECT_EQ(account.copies, 1);
  EXPECT_EQ(std::move(task)(), 7);
  EXPECT_EQ(account.copies, 1);
}

TEST(Delayed, PassesKeptArgumentsAsConstLvaluesWhenItMayBeRepeated) {
  Account account;
  auto const task = delayed(look)(Counted(account, 7));
  EXPECT_EQ(task(), 7);
  EXPECT_EQ(task(), 7);
  EXPECT_EQ(account.copies, 0);
  EXPECT_EQ(account.moves, 1);
  auto const copying = delayed(eat)(Counted(account, 8));
  EXPECT_EQ(copying(), 8);
  EXPECT_EQ(copying(), 8);
  EXPECT_EQ(account.copies, 2);
}

TEST(Delayed, GivesRvaluesToAFunctionThatWantsThem) {
  Account account;
  auto task = delayed(grab)(Counted(account, 7));
  EXPECT_EQ(std::move(task)(), 7);
  EXPECT_EQ(account.copies, 0);
}

TEST(Delayed, IsATaskByWhatItCanGive) {
  using Repeatable = decltype(delayed(look)(std::declval<Counted>()));
  EXPECT_TRUE(Task<Repeatable>);
  EXPECT_TRUE(Task<Repeatable const&>);
  using RunsOnce = decltype(delayed(grab)(std::declval<Counted>()));
  EXPECT_TRUE(Task<RunsOnce>);
  EXPECT_FALSE(Task<RunsOnce const&>);
}

TEST(Delayed, UnwrapsReferences) {
  int x = 1;
  delayed(increase)(std::ref(x))();
  EXPECT_EQ(x, 2);
  auto const again = delayed(increase)(std::ref(x));
  again();
  again();
  EXPECT_EQ(x, 4);

  Account account;
  Counted counted(account, 7);
  EXPECT_EQ(
      delayed([&counted](Counted const& same) { return &same == &counted; })(std::cref(counted))(),
      true);
  // A generic callable gets the T& itself, no reference_wrapper.
  auto const kind = delayed([](auto&& argument) {
    return std::is_same_v<decltype(argument), Counted&>;
  })(std::ref(counted));
  EXPECT_TRUE(kind());
  auto const const_kind = delayed([](auto&& argument) {
    return std::is_same_v<decltype(argument), Counted const&>;
  })(std::cref(counted));
  EXPECT_TRUE(const_kind());
  EXPECT_EQ(account.copies + account.moves, 0);
}

TEST(Delayed, HoldsMoveOnlyCallablesAndArguments) {
  auto task = delayed([kept = std::make_unique<int>(40)](std::unique_ptr<int> given) {
    return std::make_unique<int>(*kept + *given);
  })(std::make_unique<int>(2));
  static_assert(!std::is_copy_constructible_v<decltype(task)>);
  EXPECT_EQ(*std::move(task)(), 42);
}

TEST(Delayed, RunsACallableAsWhatItIsItself) {
  auto task = delayed(Telling())();
  EXPECT_EQ(std::as_const(task)(), "const lvalue");
  EXPECT_EQ(std::move(task)(), "rvalue");
}

TEST(Delayed, TakesACallableThatChangesItself) {
  auto task = delayed(Counter())();
  static_assert(Task<decltype(task)>);
  static_assert(!Task<decltype(task) const&>);
  EXPECT_EQ(std::move(task)(), 1);
}

TEST(Delayed, CanBeGivenArgumentsSeveralTimes) {
  auto const make =
      delayed([offset = std::string("<")](std::string const& text) { return offset + text; });
  EXPECT_EQ(make("a")(), "<a");
  EXPECT_EQ(make("b")(), "<b");
}

TEST(Delayed, ReturnsWhatTheFunctionReturns) {
  int x = 1;
  auto const by_reference = delayed([&x]() -> int& { return x; })();
  static_assert(std::is_same_v<decltype(by_reference()), int&>);
  EXPECT_EQ(&by_reference(), &x);
  static_assert(std::is_void_v<decltype(delayed(increase)(std::ref(x))())>);
}

TEST(Delayed, LetsExceptionsOfTheFunctionThrough) {
  auto const task = delayed([](std::string_view text) -> int { throw std::string(text); })("oops");
  EXPECT_THROW(task(), std::string);
}

TEST(Delayed, CopiesWithItsArguments) {
  std::vector<int> const numbers{1, 2, 3};
  auto const task = delayed([](std::vector<int> const& all) { return all.size(); })(numbers);
  auto const copy = task;
  EXPECT_EQ(copy(), 3U);
  EXPECT_EQ(task(), 3U);
}

}  // namespace
