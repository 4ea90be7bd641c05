// SPDX-License-Identifier: MIT
// Messages that are cut short or changed: an exception or some value, and nothing worse. What is
// worse only the sanitizers see.
#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include <joblot/serialization/encode.hpp>

#include "round_trip.hpp"

namespace {

using joblot::detail::BadMessage;
using joblot::detail::decode;
using joblot::detail::InMessage;
using joblot::detail::OutMessage;
using round_trip::encoded;

struct Node {
  bool flag = false;
  std::unique_ptr<Node> next;
  std::vector<Node> children;
};

struct Account {
  std::string owner;
  std::map<int, std::vector<double>> history;
  std::shared_ptr<int> first;
  std::shared_ptr<int> second;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(owner, history, first, second);
  }
};

struct Shape {
  virtual ~Shape() = default;
  template <class Archive>
  void serialize(Archive&) {}
};

struct Circle : Shape {
  double radius = 1;
  std::shared_ptr<Shape> inner;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(cereal::base_class<Shape>(this), radius, inner);
  }
};

}  // namespace

CEREAL_REGISTER_TYPE(Circle)

namespace {

/// Every family of types, so that each kind of claim a message can make is in it.
using Everything =
    std::tuple<int, bool, std::string, std::vector<double>, std::vector<std::string>,
               std::map<std::string, std::vector<int>>, std::set<int>,
               std::unordered_map<int, bool>, std::optional<std::list<bool>>,
               std::variant<int, std::string, std::monostate>, std::vector<std::monostate>,
               std::array<bool, 3>, std::bitset<9>, std::filesystem::path, Account,
               std::vector<Node>, std::shared_ptr<Shape>, std::unique_ptr<Shape>>;

Everything everything() {
  Everything value;
  std::get<std::string>(value) = "text";
  std::get<std::vector<double>>(value) = {1, 2, 3};
  std::get<std::vector<std::string>>(value) = {"a", "bb", ""};
  std::get<std::map<std::string, std::vector<int>>>(value) = {{"a", {1, 2}}, {"b", {}}};
  std::get<std::set<int>>(value) = {1, 2, 3};
  std::get<std::unordered_map<int, bool>>(value) = {{1, true}};
  std::get<std::optional<std::list<bool>>>(value) = {{true, false}};
  std::get<std::variant<int, std::string, std::monostate>>(value) = "text";
  std::get<std::vector<std::monostate>>(value).resize(3);
  std::get<std::filesystem::path>(value) = "/tmp";
  auto const number = std::make_shared<int>(3);
  std::get<Account>(value) = {"ann", {{1, {2.5}}}, number, number};
  auto& nodes = std::get<std::vector<Node>>(value);
  nodes.push_back({true, std::make_unique<Node>(), {}});
  nodes.front().children.resize(2);
  auto const circle = std::make_shared<Circle>();
  circle->inner = std::make_shared<Circle>();
  std::get<std::shared_ptr<Shape>>(value) = circle;
  std::get<std::unique_ptr<Shape>>(value) = std::make_unique<Circle>();
  return value;
}

void read_and_drop(std::vector<std::byte> const& bytes) {
  // Exactly as large as the message, so that AddressSanitizer sees every byte too many.
  auto const copy = std::make_unique<std::byte[]>(bytes.size());
  std::copy(bytes.begin(), bytes.end(), copy.get());
  InMessage in{{copy.get(), bytes.size()}, {}, {}};
  static_cast<void>(decode<Everything>(in));
}

TEST(CorruptMessage, EveryPrefixOfAMessageIsRefused) {
  auto const whole = encoded(everything()).bytes;
  EXPECT_NO_THROW(read_and_drop(whole));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THROW(read_and_drop({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)}),
                 BadMessage)
        << "cut after " << size << " of " << whole.size() << " bytes";
  }
}

TEST(CorruptMessage, AChangedMessageIsRefusedOrIsAnotherValue) {
  auto const whole = encoded(everything()).bytes;
  std::mt19937 random(1);
  int refused = 0;
  for (int round = 0; round < 5000; ++round) {
    auto changed = whole;
    for (auto changes = 1 + random() % 4; changes > 0; --changes) {
      auto& byte = changed[random() % changed.size()];
      byte = random() % 2 == 0 ? static_cast<std::byte>(random())
                               : byte ^ static_cast<std::byte>(1U << (random() % 8));
    }
    try {
      read_and_drop(changed);
    } catch (BadMessage const&) {
      ++refused;
    } catch (cereal::Exception const&) {  // a class that is no base of the other one
      ++refused;
    }
  }
  EXPECT_GT(refused, 0);
}

TEST(CorruptMessage, AHugeClaimIsRefusedBeforeAnythingIsAllocated) {
  auto const refuses = []<class T>(T const&, std::uint64_t claim) {
    auto const bytes = encoded(std::pair(claim, 0)).bytes;
    InMessage in{bytes, {}, {}};
    EXPECT_THROW(decode<T>(in), BadMessage) << claim;
  };
  for (auto const claim : {std::uint64_t{5}, std::uint64_t{1} << 32, std::uint64_t{1} << 61,
                           (std::numeric_limits<std::uint64_t>::max)()}) {
    refuses(std::vector<double>(), claim);
    refuses(std::string(), claim);
    refuses(std::vector<std::string>(), claim);
    refuses(std::vector<std::monostate>(), claim);
    refuses(std::set<int>(), claim);
    refuses(std::unordered_map<int, int>(), claim);
    refuses(std::list<bool>(), claim);
  }
}

TEST(CorruptMessage, ABlockOfAnotherSizeIsRefused) {
  auto const out = encoded(std::vector<double>(100'000));
  std::vector<std::uint64_t> const sizes{799'999};
  InMessage in{out.bytes, sizes, {}};
  EXPECT_THROW(decode<std::vector<double>>(in), BadMessage);
  EXPECT_TRUE(in.fills.empty());
}

TEST(CorruptMessage, AKeyTwiceIsRefused) {
  auto const out = encoded(std::vector<std::pair<int, std::string>>{{1, "a"}, {1, "b"}});
  InMessage in{out.bytes, {}, {}};
  EXPECT_THROW((decode<std::map<int, std::string>>(in)), BadMessage);
}

TEST(CorruptMessage, ABoolThatIsNeitherTrueNorFalseIsRefused) {
  auto const out = encoded(char{2});
  InMessage in{out.bytes, {}, {}};
  EXPECT_THROW(decode<bool>(in), BadMessage);
}

TEST(CorruptMessage, AnObjectSharedUnderAnotherTypeIsRefused) {
  auto const object = std::make_shared<int>(3);
  auto const out = encoded(std::pair(object, object));
  InMessage in{out.bytes, {}, {}};
  EXPECT_THROW((decode<std::pair<std::shared_ptr<int>, std::shared_ptr<std::string>>>(in)),
               BadMessage);
}

TEST(CorruptMessage, DeepNestingIsRefusedBeforeTheStackEnds) {
  std::vector<std::byte> const bytes(1'000'000, std::byte{1});
  InMessage in{bytes, {}, {}};
  EXPECT_THROW(decode<Node>(in), BadMessage);
}

}  // namespace
