// SPDX-License-Identifier: MIT
#include <memory>
#include <type_traits>

#include <gtest/gtest.h>

#include <joblot/serialization/by_value.hpp>

#include "round_trip.hpp"

namespace {

using joblot::by_value;
using round_trip::sent;

TEST(ByValue, CallsTheLambdaOnTheOtherSideWithWhatItCaptured) {
  auto const scale = by_value([n = 3, offset = 0.5](int x) { return n * x + offset; });
  EXPECT_EQ(sent(scale)(2), 6.5);
}

TEST(ByValue, IsCalledAsTheLambdaIs) {
  auto constant = by_value([n = 1](auto x) { return n + x; });
  EXPECT_EQ(constant(2), 3);
  EXPECT_EQ(std::as_const(constant)(2.5), 3.5);

  auto counter = by_value([n = 0]() mutable { return ++n; });
  static_assert(!std::is_invocable_v<decltype(counter) const&>);
  EXPECT_EQ(counter(), 1);
  EXPECT_EQ(counter(), 2);
  EXPECT_EQ(sent(counter)(), 3);

  auto const moving = by_value([n = 1](std::unique_ptr<int> p) { return n + *p; });
  EXPECT_EQ(moving(std::make_unique<int>(2)), 3);
  static_assert(!std::is_invocable_v<decltype(moving), int>);

  static int target = 0;
  auto const reference = by_value([n = 1]() -> int& { return target += n; });
  static_assert(std::is_same_v<decltype(reference()), int&>);
}

TEST(ByValue, WrapsFunctionObjectsToo) {
  struct Scale {
    double factor;
    double operator()(double x) const { return factor * x; }
  };
  EXPECT_EQ(sent(by_value(Scale{2}))(3.0), 6.0);
}

}  // namespace
