// SPDX-License-Identifier: MIT
// Tests of what is a task, how an element of a range is run, and what is kept of its result.
#include <joblot/task.hpp>
// First, because it needs no other.
#include <array>
#include <functional>
#include <list>
#include <memory>
#include <ranges>
#include <set>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "support/coroutine.hpp"

namespace {

using joblot::Task;
using joblot::TaskRange;
using joblot::detail::owns_elements;
using joblot::detail::run_as_t;
using joblot::detail::RunTask;
using joblot::detail::stored_t;
using joblot::detail::task_of_t;

struct Telling {
  std::string operator()() & { return "lvalue"; }
  std::string operator()() const& { return "const lvalue"; }
  std::string operator()() && { return "rvalue"; }
  std::string operator()() const&& { return "const rvalue"; }
};
struct Counter {
  int calls = 0;
  int operator()() { return ++calls; }
};
using Function = std::function<int()>;
using MoveOnly = decltype([kept = std::unique_ptr<int>()] { return kept == nullptr; });

int answer() { return 42; }

TEST(Task, IsACallableWithoutArguments) {
  EXPECT_TRUE(Task<Function>);
  EXPECT_TRUE(Task<Function const&>);
  EXPECT_TRUE(Task<int (*)()>);
  EXPECT_TRUE(Task<int (&)()>);
  EXPECT_TRUE(Task<MoveOnly>);
  EXPECT_FALSE(Task<int>);
  EXPECT_FALSE(Task<int (*)(int)>);
}

TEST(Task, ThatChangesItselfRunsOnlyOnce) {
  EXPECT_TRUE(Task<Counter>);
  EXPECT_FALSE(Task<Counter const&>);
}

TEST(Task, IsRunAsDereferencingGivesIt) {
  EXPECT_TRUE((std::is_same_v<run_as_t<Telling, false>, Telling>));
  EXPECT_TRUE((std::is_same_v<run_as_t<Telling&&, false>, Telling>));
  EXPECT_TRUE((std::is_same_v<run_as_t<Telling&, false>, Telling const&>));
  EXPECT_TRUE((std::is_same_v<run_as_t<Telling const&, false>, Telling const&>));
  EXPECT_TRUE((std::is_same_v<run_as_t<Telling&, true>, Telling>));
}

TEST(RunTask, CallsLvaluesAsConst) {
  Telling task;
  RunTask<false> const run;
  EXPECT_EQ(run(task), "const lvalue");
  EXPECT_EQ(run(std::as_const(task)), "const lvalue");
  EXPECT_EQ(run(std::move(task)), "rvalue");
  EXPECT_EQ(run(std::move(std::as_const(task))), "const rvalue");
}

TEST(RunTask, CallsLvaluesThatTheCallOwnsAsRvalues) {
  Telling task;
  RunTask<true> const run;
  EXPECT_EQ(run(task), "rvalue");
  EXPECT_EQ(run(std::as_const(task)), "const rvalue");
  EXPECT_EQ(run(std::move(task)), "rvalue");
}

TEST(RunTask, CallsFunctionsByNameAndByPointer) {
  RunTask<false> const run;
  EXPECT_EQ(run(answer), 42);
  EXPECT_EQ(run(&answer), 42);
}

TEST(OwnedElements, AreThoseOfContainersThatAreMovedIn) {
  EXPECT_TRUE(owns_elements<std::vector<Function>>);
  EXPECT_TRUE(owns_elements<std::list<Function>>);
  EXPECT_TRUE((owns_elements<std::array<Function, 3>>));
  EXPECT_TRUE(owns_elements<std::ranges::owning_view<std::vector<Function>>>);
}

TEST(OwnedElements, AreNotThoseOfLvaluesAndViews) {
  EXPECT_FALSE(owns_elements<std::vector<Function>&>);
  EXPECT_FALSE(owns_elements<std::vector<Function> const&>);
  EXPECT_FALSE(owns_elements<std::span<Function>>);
  EXPECT_FALSE(owns_elements<std::ranges::ref_view<std::vector<Function>>>);
  EXPECT_FALSE(owns_elements<Function(&)[3]>);
  using Taken = std::ranges::take_view<std::ranges::owning_view<std::vector<Function>>>;
  EXPECT_FALSE(owns_elements<Taken>);
}

TEST(TaskRange, HasTasksAsElements) {
  EXPECT_TRUE(TaskRange<std::vector<Function>>);
  EXPECT_TRUE(TaskRange<std::vector<Function>&>);
  EXPECT_TRUE(TaskRange<std::set<int (*)()> const&>);
  EXPECT_TRUE(TaskRange<int (*(&)[3])()>);
  EXPECT_TRUE(TaskRange<Coroutine<MoveOnly>>);
  EXPECT_TRUE(TaskRange<Coroutine<MoveOnly>&>);
  EXPECT_FALSE(TaskRange<std::vector<int>>);
  EXPECT_FALSE(TaskRange<Function>);
}

TEST(TaskRange, OfTasksThatRunOnceHasToGiveThemAway) {
  EXPECT_TRUE(TaskRange<std::vector<Counter>>);
  EXPECT_TRUE(TaskRange<Coroutine<Counter>>);
  EXPECT_TRUE(TaskRange<Coroutine<Counter&&>>);
  EXPECT_FALSE(TaskRange<std::vector<Counter>&>);
  EXPECT_FALSE(TaskRange<std::span<Counter>>);
  EXPECT_TRUE((std::is_same_v<task_of_t<std::vector<Counter>>, Counter>));
}

TEST(StoredResult, IsDecayedAndMonostateForVoid) {
  EXPECT_TRUE((std::is_same_v<stored_t<void>, std::monostate>));
  EXPECT_TRUE((std::is_same_v<stored_t<int const&>, int>));
  EXPECT_TRUE((std::is_same_v<stored_t<int&&>, int>));
  EXPECT_TRUE((std::is_same_v<stored_t<bool>, bool>));
  EXPECT_TRUE((std::is_same_v<stored_t<std::string const>, std::string>));
  EXPECT_TRUE((std::is_same_v<stored_t<char const(&)[4]>, char const*>));
  EXPECT_TRUE((std::is_same_v<stored_t<int (&)()>, int (*)()>));
}

}  // namespace
