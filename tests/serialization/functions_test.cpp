// SPDX-License-Identifier: MIT
#include <cmath>
#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <joblot/serialization/functions.hpp>

#include "round_trip.hpp"

namespace {

using joblot::detail::BadMessage;
using joblot::detail::decode;
using joblot::detail::InMessage;
using round_trip::encoded;
using round_trip::sent;

int twice(int x) { return 2 * x; }

struct Base {
  virtual ~Base() = default;
  [[nodiscard]] virtual int number() const { return 1; }
  int plain(int x) { return x + value; }
  int value = 10;
};
struct Other {
  virtual ~Other() = default;
  int other() { return seven; }
  int seven = 7;
};
struct Derived : Base, Other {
  [[nodiscard]] int number() const override { return 2; }
};

TEST(Functions, ComeBackAsTheSameFunction) {
  EXPECT_EQ(sent(&twice), &twice);
  EXPECT_EQ(sent(static_cast<double (*)(double)>(std::sqrt))(4.0), 2.0);
  int (*const none)(int) = nullptr;
  EXPECT_EQ(sent(none), nullptr);
  EXPECT_EQ(sent(std::vector{&twice, none}).at(0)(4), 8);
}

TEST(Functions, MemberFunctionsComeBackAsTheSame) {
  Derived object;
  EXPECT_EQ(std::invoke(sent(&Base::plain), object, 5), 15);
  EXPECT_EQ(std::invoke(sent(&Base::number), object), 2) << "virtual";
  int (Derived::*const other)() = &Derived::other;
  // Compared and not called: g++ 12's UBSan takes the shift of `this` for a mistake.
  EXPECT_EQ(sent(other), other) << "of a second base";
  int (Base::*const none)(int) = nullptr;
  EXPECT_EQ(sent(none), nullptr);
}

TEST(Functions, PointersToMembersComeBackAsTheSame) {
  Derived object;
  EXPECT_EQ(std::invoke(sent(&Base::value), object), 10);
  int Base::*const none = nullptr;
  EXPECT_EQ(sent(none), nullptr);
}

TEST(Functions, ANameThatIsCutShortIsRefused) {
  auto const whole = encoded(std::pair(&twice, &Base::plain)).bytes;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    InMessage in{std::span(whole).first(size), {}, {}};
    EXPECT_THROW((decode<std::pair<int (*)(int), int (Base::*)(int)>>(in)), BadMessage) << size;
  }
}

}  // namespace
