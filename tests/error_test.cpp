// SPDX-License-Identifier: MIT
#include <concepts>
#include <stdexcept>
#include <string>
#include <type_traits>

#include <gtest/gtest.h>

#include <joblot/error.hpp>

namespace {

using joblot::CancelledError;
using joblot::Error;
using joblot::InvalidOption;
using joblot::TimeoutError;

static_assert(std::derived_from<Error, std::runtime_error>);
static_assert(std::derived_from<TimeoutError, Error>);
static_assert(std::derived_from<CancelledError, Error>);
static_assert(std::derived_from<InvalidOption, std::invalid_argument>);
static_assert(!std::derived_from<InvalidOption, Error>);
// What is thrown may be copied while another exception is on its way.
static_assert(std::is_nothrow_copy_constructible_v<Error>);
static_assert(std::is_nothrow_copy_constructible_v<TimeoutError>);
static_assert(std::is_nothrow_copy_constructible_v<CancelledError>);
static_assert(std::is_nothrow_copy_constructible_v<InvalidOption>);

TEST(TimeoutError, KnowsItsTask) {
  TimeoutError const error("task 3 ran longer than timeout = 2 s", 3);
  EXPECT_EQ(error.index(), 3U);
  EXPECT_STREQ(error.what(), "task 3 ran longer than timeout = 2 s");
}

TEST(Errors, OfTheLibraryCanBeCaughtTogether) {
  auto const caught = [](auto const& error) {
    try {
      throw error;
    } catch (Error const& one_of_ours) {
      return std::string(one_of_ours.what());
    }
  };
  EXPECT_EQ(caught(TimeoutError("late", 0)), "late");
  EXPECT_EQ(caught(CancelledError("stopped")), "stopped");
}

TEST(InvalidOption, IsAnInvalidArgument) {
  EXPECT_THROW(throw InvalidOption("n_jobs = 0"), std::invalid_argument);
}

}  // namespace
