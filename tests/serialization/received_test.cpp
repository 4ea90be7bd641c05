// SPDX-License-Identifier: MIT
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <joblot/serialization/received.hpp>

#include "round_trip.hpp"

namespace {

using joblot::detail::BadMessage;
using joblot::detail::decode_all;
using joblot::detail::encode;
using joblot::detail::OutMessage;
using joblot::detail::Received;
using round_trip::Arrived;

/// The arguments as a task gets them on the other side, given to `check`.
template <class Check, class... T>
void receive(Check check, T const&... argument) {
  OutMessage out;
  encode(out, argument...);
  Arrived in(out);
  auto received = decode_all<T...>(in.message);
  in.deliver();
  auto moved = std::move(received);
  std::apply([&](auto&... one) { check(one.get()...); }, moved);
}

TEST(Received, ValuesAreMovedIntoTheTask) {
  receive(
      [](auto&& number, auto&& pointer) {
        static_assert(std::is_same_v<decltype(number), int&&>);
        static_assert(std::is_same_v<decltype(pointer), std::unique_ptr<int>&&>);
        EXPECT_EQ(number, 3);
        EXPECT_EQ(*pointer, 4);
      },
      3, std::make_unique<int>(4));
}

TEST(Received, ViewsShowACopyOfWhatTheyShowed) {
  std::string const text = "short";
  std::vector<double> const numbers(100'000, 2.5);
  bool const flags[] = {true, false, true};
  char const* const nothing = nullptr;
  receive(
      [&](std::string_view view, char const* c_text, char const* null, std::span<double const> span,
          std::span<int const, 2> pair, std::span<bool const> bools) {
        EXPECT_EQ(view, "short");
        EXPECT_NE(static_cast<void const*>(view.data()), text.data());
        EXPECT_STREQ(c_text, "short");
        EXPECT_EQ(null, nullptr);
        EXPECT_NE(span.data(), numbers.data());
        EXPECT_EQ(std::vector(span.begin(), span.end()), numbers);
        EXPECT_EQ(pair[1], 2);
        EXPECT_EQ(std::vector<bool>(bools.begin(), bools.end()),
                  (std::vector<bool>{true, false, true}));
      },
      std::string_view(text), text.c_str(), nothing, std::span<double const>(numbers),
      std::span<int const, 2>(std::array{1, 2}), std::span<bool const>(flags));
}

TEST(Received, AReferenceRefersToACopyOfTheObject) {
  std::vector<std::string> const texts{"a", "b"};
  receive(
      [&](auto&& reference) {
        static_assert(std::is_same_v<decltype(reference), std::vector<std::string> const&>);
        EXPECT_NE(&reference, &texts);
        EXPECT_EQ(reference, texts);
      },
      std::cref(texts));
}

TEST(Received, ObjectsSharedByTwoArgumentsAreSharedAfterwards) {
  auto const object = std::make_shared<int>(3);
  receive([](auto&& first, auto&& second) { EXPECT_EQ(first, second); }, object, object);
}

TEST(Received, ASpanOfTheWrongSizeIsRefused) {
  std::vector<int> const numbers{1, 2, 3};
  OutMessage out;
  encode(out, std::span<int const>(numbers));
  Arrived in(out);
  EXPECT_THROW((decode_all<std::span<int const, 2>>(in.message)), BadMessage);
}

}  // namespace
