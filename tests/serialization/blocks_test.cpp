// SPDX-License-Identifier: MIT
// Large memory: sent from where it is, received where it stays.
#include <array>
#include <cstddef>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <joblot/serialization/encode.hpp>

#include "round_trip.hpp"

namespace {

using joblot::detail::decode;
using joblot::detail::smallest_block;
using round_trip::Arrived;
using round_trip::encoded;
using round_trip::sent;

struct Point {
  double x = 0;
  double y = 0;
  bool operator==(Point const&) const = default;
};

std::vector<double> many(std::size_t size) {
  std::vector<double> numbers(size);
  std::iota(numbers.begin(), numbers.end(), 0.5);
  return numbers;
}

constexpr std::size_t enough = smallest_block / sizeof(double);

TEST(Blocks, LargeMemoryIsNotCopiedIntoTheMessage) {
  auto const numbers = many(enough);
  auto const out = encoded(numbers);
  ASSERT_EQ(out.blocks.size(), 1U);
  EXPECT_EQ(out.blocks[0].data, numbers.data());
  EXPECT_EQ(out.blocks[0].size, smallest_block);
  EXPECT_EQ(out.bytes.size(), sizeof(std::uint64_t)) << "only the length";
}

TEST(Blocks, SmallMemoryIsCopiedIntoTheMessage) {
  EXPECT_TRUE(encoded(many(enough - 1)).blocks.empty());
  EXPECT_EQ(sent(many(enough - 1)), many(enough - 1));
}

TEST(Blocks, LargeMemoryIsReceivedInPlace) {
  auto const numbers = many(enough);
  Arrived in(encoded(numbers));
  auto const back = decode<std::vector<double>>(in.message);
  ASSERT_EQ(in.message.fills.size(), 1U);
  EXPECT_EQ(in.message.fills[0].data, back.data());
  in.deliver();
  EXPECT_EQ(back, numbers);
}

TEST(Blocks, MemoryThatGetsHugePagesComesBack) {
  EXPECT_EQ(sent(many(1'000'000)), many(1'000'000));
}

TEST(Blocks, TextAndStructsAreBlocksToo) {
  EXPECT_EQ(encoded(std::string(smallest_block, 'x')).blocks.size(), 1U);
  EXPECT_EQ(sent(std::string(smallest_block, 'x')), std::string(smallest_block, 'x'));
  std::vector<Point> const points(enough, Point{1, 2});
  EXPECT_EQ(encoded(points).blocks.size(), 1U);
  EXPECT_EQ(sent(points), points);
}

TEST(Blocks, MemoryStaysInPlaceWhileWhatHoldsItIsMoved) {
  using Value = std::map<int, std::pair<std::optional<std::vector<double>>, std::string>>;
  Value const value{{1, {many(enough), std::string(smallest_block, 'x')}},
                    {2, {many(2 * enough), "short"}}};
  Arrived in(encoded(value));
  auto first = decode<Value>(in.message);
  auto const moved = std::move(first);
  in.deliver();
  EXPECT_EQ(moved, value);
}

TEST(Blocks, AnArrayInsideTheObjectIsCopiedIntoTheMessage) {
  using Large = std::array<char, smallest_block>;
  auto const value = std::make_unique<Large>();
  value->fill('x');
  auto const out = encoded(*value);
  EXPECT_TRUE(out.blocks.empty());
  EXPECT_EQ(out.bytes.size(), smallest_block);
}

TEST(Blocks, KeysAreThereWhenTheyAreCompared) {
  std::set<std::vector<double>> const keys{many(enough), many(enough + 1)};
  EXPECT_TRUE(encoded(keys).blocks.empty());
  EXPECT_EQ(sent(keys), keys);
}

struct Summed {
  std::vector<double> numbers;
  double sum = 0;
  template <class Archive>
  void save(Archive& archive) const {
    archive(numbers);
  }
  template <class Archive>
  void load(Archive& archive) {
    std::vector<double> loaded;
    archive(loaded);
    sum = std::accumulate(loaded.begin(), loaded.end(), 0.0);
  }
};

TEST(Blocks, DataIsThereWhenALoadOfTheUserLooksAtIt) {
  EXPECT_EQ(sent(Summed{std::vector<double>(enough, 1.0), 0}).sum, static_cast<double>(enough));
}

struct Refusing {
  template <class Archive>
  void save(Archive&) const {}
  template <class Archive>
  void load(Archive&) {
    throw std::runtime_error("refused");
  }
};

TEST(Blocks, WhatWasToBeFilledIsForgottenAfterAnException) {
  Arrived in(encoded(std::pair(many(enough), Refusing{})));
  EXPECT_THROW((decode<std::pair<std::vector<double>, Refusing>>(in.message)), std::runtime_error);
  ASSERT_EQ(in.message.fills.size(), 1U);
  EXPECT_EQ(in.message.fills[0].data, nullptr) << "read it and drop it";
  EXPECT_EQ(in.message.fills[0].size, smallest_block);
}

}  // namespace
