// SPDX-License-Identifier: MIT
// Tests of Setting: left out, none, or a value, and which values it takes.
#include <joblot/setting.hpp>
// First, because it needs no other.
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace {

using joblot::Setting;
using joblot::detail::AnyInteger;
using joblot::detail::NumberOrText;

template <class From, class To>
constexpr bool fits = std::convertible_to<From, To>;

TEST(Setting, IsLeftOutNoneOrAValue) {
  Setting<int> const left_out;
  EXPECT_FALSE(left_out.is_set());
  EXPECT_FALSE(left_out.has_value());
  Setting<int> const none = std::nullopt;
  EXPECT_TRUE(none.is_set());
  EXPECT_FALSE(none.has_value());
  Setting<int> const value = 5;
  EXPECT_TRUE(value.is_set());
  EXPECT_TRUE(value.has_value());
  EXPECT_EQ(value.value().text(), "5");
}

TEST(Setting, CanBeChanged) {
  Setting<std::string> setting;
  setting = "one";
  EXPECT_EQ(setting.value(), "one");
  setting = std::nullopt;
  EXPECT_TRUE(setting.is_set());
  EXPECT_FALSE(setting.has_value());
  setting = std::string("two");
  EXPECT_EQ(setting.value(), "two");
  Setting<std::string> const copy = setting;
  setting = Setting<std::string>();
  EXPECT_FALSE(setting.is_set());
  EXPECT_EQ(copy.value(), "two");
}

TEST(SettingOfAnInteger, TakesAnyIntegerTypeAndKeepsItsValue) {
  auto const text = [](Setting<int> const& setting) { return setting.value().text(); };
  EXPECT_EQ(text(7), "7");
  EXPECT_EQ(text(7U), "7");
  EXPECT_EQ(text(std::int8_t{-128}), "-128");
  EXPECT_EQ(text(std::uint16_t{65535}), "65535");
  EXPECT_EQ(text(std::numeric_limits<int>::min()), "-2147483648");
  EXPECT_EQ(text(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
  EXPECT_EQ(text(std::numeric_limits<std::int64_t>::max()), "9223372036854775807");
  EXPECT_EQ(text(std::numeric_limits<std::uint64_t>::max()), "18446744073709551615");
  EXPECT_EQ(text(std::size_t{0}), "0");
}

TEST(SettingOfAnInteger, TakesNothingElse) {
  EXPECT_TRUE((fits<long, Setting<int>>));
  EXPECT_FALSE((fits<double, Setting<int>>));
  EXPECT_FALSE((fits<float, Setting<int>>));
  EXPECT_FALSE((fits<bool, Setting<int>>));
  EXPECT_FALSE((fits<char const*, Setting<int>>));
  EXPECT_FALSE((fits<std::nullptr_t, Setting<int>>));
  enum class Color { red };
  EXPECT_FALSE((fits<Color, Setting<int>>));
}

TEST(SettingOfAFlag, TakesNothingThatMerelyConvertsToBool) {
  EXPECT_TRUE((fits<bool, Setting<bool>>));
  EXPECT_FALSE((fits<int, Setting<bool>>));
  EXPECT_FALSE((fits<double, Setting<bool>>));
  EXPECT_FALSE((fits<char const*, Setting<bool>>));
  EXPECT_FALSE((fits<std::nullptr_t, Setting<bool>>));
  Setting<bool> const on = true;
  Setting<bool> const off = false;
  EXPECT_TRUE(on.value().value());
  EXPECT_TRUE(off.has_value());
  EXPECT_FALSE(off.value().value());
}

TEST(SettingOfADuration, TakesAnyDurationAndNoBareNumber) {
  using Duration = std::chrono::duration<double>;
  Setting<Duration> const setting = std::chrono::milliseconds(1500);
  EXPECT_EQ(setting.value().count(), 1.5);
  EXPECT_TRUE((fits<std::chrono::hours, Setting<Duration>>));
  EXPECT_TRUE((fits<std::chrono::duration<float>, Setting<Duration>>));
  EXPECT_FALSE((fits<int, Setting<Duration>>));
  EXPECT_FALSE((fits<double, Setting<Duration>>));
}

TEST(NumberOrText, IsOneOrTheOther) {
  NumberOrText const number = 5U;
  ASSERT_NE(number.number(), nullptr);
  EXPECT_EQ(number.number()->text(), "5");
  EXPECT_EQ(number.text(), nullptr);
  NumberOrText const text = "auto";
  ASSERT_NE(text.text(), nullptr);
  EXPECT_EQ(*text.text(), "auto");
  EXPECT_EQ(text.number(), nullptr);
}

TEST(NumberOrText, TakesIntegersAndStringsOnly) {
  using Both = Setting<NumberOrText>;
  EXPECT_TRUE((fits<int, Both>));
  EXPECT_TRUE((fits<std::uint64_t, Both>));
  EXPECT_TRUE((fits<char const*, Both>));
  EXPECT_TRUE((fits<std::string, Both>));
  EXPECT_TRUE((fits<std::string_view, Both>));
  EXPECT_FALSE((fits<double, Both>));
  EXPECT_FALSE((fits<bool, Both>));
  EXPECT_FALSE((fits<std::nullptr_t, Both>));
}

TEST(AnyInteger, HasSignAndMagnitude) {
  EXPECT_TRUE(AnyInteger(-3).negative());
  EXPECT_EQ(AnyInteger(-3).magnitude(), 3U);
  EXPECT_FALSE(AnyInteger(3).negative());
  EXPECT_FALSE(AnyInteger(0).negative());
  EXPECT_EQ(AnyInteger(std::numeric_limits<std::int64_t>::min()).magnitude(), 1ULL << 63);
}

}  // namespace
