// SPDX-License-Identifier: MIT
// Tests of Outcome: what became of one task.
#include <joblot/outcome.hpp>
// First, because it needs no other.
#include <any>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace {

using joblot::Outcome;

std::exception_ptr oops() { return std::make_exception_ptr(std::out_of_range("oops")); }

TEST(Outcome, OfASuccessHasTheValue) {
  Outcome<std::string> outcome(3, 1, std::in_place, "done");
  EXPECT_TRUE(outcome.has_value());
  EXPECT_TRUE(outcome);
  EXPECT_EQ(outcome.value(), "done");
  EXPECT_EQ(outcome.error(), nullptr);
  EXPECT_EQ(outcome.index(), 3U);
  EXPECT_EQ(outcome.attempts(), 1);
}

TEST(Outcome, OfAFailureHasTheErrorAndThrowsItWhenAskedForTheValue) {
  auto const error = oops();
  Outcome<int> outcome(5, 2, error);
  EXPECT_FALSE(outcome.has_value());
  EXPECT_FALSE(outcome);
  EXPECT_EQ(outcome.error(), error);
  EXPECT_EQ(outcome.index(), 5U);
  EXPECT_EQ(outcome.attempts(), 2);
  EXPECT_THROW(static_cast<void>(outcome.value()), std::out_of_range);
  EXPECT_THROW(static_cast<void>(std::as_const(outcome).value()), std::out_of_range);
  EXPECT_THROW(static_cast<void>(std::move(outcome).value()), std::out_of_range);
}

TEST(Outcome, RethrowsTheSameObjectAsOftenAsAsked) {
  Outcome<int> const outcome(0, 1, oops());
  std::exception const* first = nullptr;
  for (int i = 0; i < 2; ++i) {
    try {
      static_cast<void>(outcome.value());
      FAIL() << "nothing was thrown";
    } catch (std::out_of_range const& error) {
      EXPECT_STREQ(error.what(), "oops");
      if (first == nullptr) first = &error;
      EXPECT_EQ(first, &error);
    }
  }
}

TEST(Outcome, OfATaskThatReturnsNothingHasNothingToGive) {
  Outcome<void> const done(1, 1, std::in_place);
  EXPECT_TRUE(done.has_value());
  EXPECT_NO_THROW(done.value());
  EXPECT_TRUE(std::is_void_v<decltype(done.value())>);
  Outcome<void> const failed(1, 1, oops());
  EXPECT_FALSE(failed.has_value());
  EXPECT_THROW(failed.value(), std::out_of_range);
}

TEST(Outcome, GivesTheValueByReferenceAsItIsHeldItself) {
  using Text = Outcome<std::string>;
  EXPECT_TRUE((std::is_same_v<decltype(std::declval<Text&>().value()), std::string&>));
  EXPECT_TRUE((std::is_same_v<decltype(std::declval<Text const&>().value()), std::string const&>));
  EXPECT_TRUE((std::is_same_v<decltype(std::declval<Text>().value()), std::string&&>));
  Text outcome(0, 1, std::in_place, "before");
  outcome.value() = "after";
  EXPECT_EQ(std::as_const(outcome).value(), "after");
}

TEST(Outcome, CanGiveAwayAMoveOnlyValue) {
  Outcome<std::unique_ptr<int>> outcome(0, 1, std::in_place, std::make_unique<int>(7));
  EXPECT_FALSE(std::is_copy_constructible_v<decltype(outcome)>);
  auto moved = std::move(outcome);
  std::unique_ptr<int> const value = std::move(moved).value();
  EXPECT_EQ(*value, 7);
}

TEST(Outcome, MovesItsErrorWithItself) {
  auto const error = oops();
  Outcome<int> from(4, 3, error);
  Outcome<int> to(0, 1, std::in_place, 1);
  to = std::move(from);
  EXPECT_EQ(to.error(), error);
  EXPECT_EQ(to.index(), 4U);
  EXPECT_EQ(to.attempts(), 3);
}

TEST(Outcome, NeedsNoDefaultConstructor) {
  struct Point {
    explicit Point(int value) : x(value) {}
    int x;
  };
  std::vector<Outcome<Point>> outcomes;
  outcomes.emplace_back(0U, 1, std::in_place, 5);
  outcomes.emplace_back(1U, 1, oops());
  EXPECT_EQ(outcomes[0].value().x, 5);
  EXPECT_FALSE(outcomes[1].has_value());
}

TEST(Outcome, TellsAValueThatIsAnErrorFromAFailure) {
  auto const error = oops();
  Outcome<std::exception_ptr> const success(0, 1, std::in_place, error);
  EXPECT_TRUE(success.has_value());
  EXPECT_EQ(success.value(), error);
  EXPECT_EQ(success.error(), nullptr);
  Outcome<std::exception_ptr> const failure(0, 1, error);
  EXPECT_FALSE(failure.has_value());
  EXPECT_EQ(failure.error(), error);
}

TEST(Outcome, HoldsAnyTypeAsItIs) {
  Outcome<std::any> const outcome(0, 1, std::in_place, std::string("text"));
  EXPECT_EQ(std::any_cast<std::string>(outcome.value()), "text");
  Outcome<bool> const no(0, 1, std::in_place, false);
  EXPECT_TRUE(no.has_value());
  EXPECT_FALSE(no.value());
}

}  // namespace
