// SPDX-License-Identifier: MIT
#include <array>
#include <bitset>
#include <chrono>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <forward_list>
#include <functional>
#include <limits>
#include <list>
#include <map>
#include <memory>
#include <memory_resource>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include <joblot/serialization/encode.hpp>

#include "round_trip.hpp"

namespace {

using joblot::NotShippableError;
using joblot::detail::BadMessage;
using joblot::detail::decode;
using joblot::detail::encode;
using joblot::detail::OutMessage;
using round_trip::Arrived;
using round_trip::encoded;
using round_trip::sent;

template <class T>
void expect_same(T const& value) {
  EXPECT_EQ(sent(value), value);
}

enum class Color : unsigned char { red, green, blue };
enum Plain { first, second };

struct Point {
  double x = 0;
  double y = 0;
  int id = 0;
  bool operator==(Point const&) const = default;
};

struct Flagged {
  bool on = false;
  Color color = Color::red;
  Plain plain = first;
  bool operator==(Flagged const&) const = default;
};

struct Scene {
  std::string name;
  std::vector<Point> points;
  Flagged flags;
  struct Inner {
    std::optional<Point> origin;
    std::map<std::string, int> counts;
    bool operator==(Inner const&) const = default;
  } inner;
  bool operator==(Scene const&) const = default;
};

struct WithArrays {
  int matrix[2][3] = {};
  char name[8] = {};
  std::string texts[2];
  double last = 0;
  bool operator==(WithArrays const&) const = default;
};

struct Constants {
  int const number;
  std::string const text;
};

struct Narrow {
  unsigned small : 3;
  int rest;
};

struct NoDefault {
  explicit NoDefault(int number) : value(number) {}
  int value;
};

struct Sixteen {
  int a, b, c, d, e, f, g, h, i, j, k, l, m, n, o;
  std::string p;
  bool operator==(Sixteen const&) const = default;
};

struct Node {
  int value = 0;
  std::unique_ptr<Node> next;
  std::vector<Node> children;
};

class Account {
 public:
  Account() = default;
  Account(std::string owner, int balance) : owner_(std::move(owner)), balance_(balance) {}
  bool operator==(Account const&) const = default;

 private:
  friend class cereal::access;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(owner_, CEREAL_NVP(balance_));
  }
  std::string owner_;
  int balance_ = 0;
};

struct Everything {
  std::vector<Point> points;
  std::pair<int, std::string> pair;
  std::tuple<char, bool> tuple;
  std::map<int, Account> accounts;
  std::variant<int, std::string> choice;
  std::optional<Color> color;
  int array[3] = {};
  std::vector<bool> bits;
  bool operator==(Everything const&) const = default;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(points, pair, tuple, accounts, choice, color, array, bits);
  }
};

struct Split {
  int value = 0;
  template <class Archive>
  void save(Archive& archive) const {
    archive(value + 1);
  }
  template <class Archive>
  void load(Archive& archive) {
    archive(value);
    value -= 1;
  }
};

struct Loop {  // written as cereal's users write containers
  std::vector<int> values;
  template <class Archive>
  void save(Archive& archive) const {
    archive(cereal::make_size_tag(values.size()));
    for (int value : values) archive(value);
    archive(cereal::binary_data(values.data(), values.size() * sizeof(int)));
  }
  template <class Archive>
  void load(Archive& archive) {
    cereal::size_type size = 0;
    archive(cereal::make_size_tag(size));
    values.resize(static_cast<std::size_t>(size));
    for (int& value : values) archive(value);
    archive(cereal::binary_data(values.data(), values.size() * sizeof(int)));
  }
};

struct Versioned {
  int value = 0;
  template <class Archive>
  void serialize(Archive& archive, std::uint32_t version) {
    archive(value);
    if (version != 3) throw std::runtime_error("the version is lost");
  }
};

struct Minimal {
  int value = 0;
  template <class Archive>
  int save_minimal(Archive const&) const {
    return value;
  }
  template <class Archive>
  void load_minimal(Archive const&, int const& loaded) {
    value = loaded;
  }
};

struct Picky {
  Picky() = default;
  explicit Picky(int) { throw std::runtime_error("no"); }
  std::string text;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(text);
  }
};

struct Failing {
  int value = 0;
  template <class Archive>
  void save(Archive& archive) const {
    archive(std::string("half"));
    if (value == 13) throw std::domain_error("13 cannot be saved");
    archive(value);
  }
  template <class Archive>
  void load(Archive& archive) {
    std::string half;
    archive(half, value);
    if (value == 14) throw std::domain_error("14 cannot be loaded");
  }
};

}  // namespace

CEREAL_CLASS_VERSION(Versioned, 3)
template <>
inline constexpr bool joblot::enable_shippable<NoDefault> = true;

namespace outside {

class Free {
 public:
  int value = 0;
  Free() = default;
};

template <class Archive>
void serialize(Archive& archive, Free& free) {
  archive(free.value);
}

}  // namespace outside

namespace {

TEST(Encode, NumbersAndEnumsComeBack) {
  expect_same(true);
  expect_same(-3);
  expect_same('x');
  expect_same(u'x');
  expect_same(std::byte{200});
  expect_same((std::numeric_limits<std::uint64_t>::max)());
  expect_same(2.5);
  expect_same(2.5L);
  expect_same(Color::blue);
  expect_same(second);
  EXPECT_EQ(sent(nullptr), nullptr);
}

TEST(Encode, TextComesBack) {
  expect_same(std::string());
  expect_same(std::string("a\0b", 3));
  expect_same(std::string(1000, 'x'));
  expect_same(std::u16string(u"text"));
  expect_same(std::filesystem::path("/tmp/file.txt"));
}

TEST(Encode, SequencesComeBack) {
  expect_same(std::vector<int>{});
  expect_same(std::vector<int>{1, 2, 3});
  expect_same(std::vector<std::string>{"a", "", "c"});
  expect_same(std::vector<bool>{true, false, true});
  expect_same(std::vector<Flagged>{{true, Color::green, second}});
  expect_same(std::vector<std::vector<Point>>{{{1, 2, 3}}, {}});
  expect_same(std::deque<int>{1, 2, 3});
  expect_same(std::list<std::string>{"a", "b"});
  expect_same(std::forward_list<std::string>{"a", "b", "c"});
  expect_same(std::array<int, 3>{1, 2, 3});
  expect_same(std::array<std::string, 2>{"a", "b"});
  expect_same(std::array<int, 0>{});
  expect_same(std::vector<std::monostate>(5));
  expect_same(std::vector<std::tuple<>>(5));
}

TEST(Encode, SetsAndMapsComeBack) {
  expect_same(std::set<std::string>{"a", "b"});
  expect_same(std::multiset<int>{1, 1, 2});
  expect_same(std::map<std::string, std::vector<int>>{{"a", {1}}, {"b", {}}});
  expect_same(std::multimap<int, std::string>{{1, "a"}, {1, "b"}});
  expect_same(std::unordered_set<std::string>{"a", "b"});
  expect_same(std::unordered_multiset<int>{1, 1, 2});
  expect_same(std::unordered_map<int, std::string>{{1, "a"}, {2, "b"}});
  expect_same(std::unordered_multimap<int, int>{{1, 2}, {1, 3}});
  expect_same(std::map<int, int, std::greater<>>{{1, 2}, {3, 4}});
}

TEST(Encode, SmallThingsOfTheStandardLibraryComeBack) {
  expect_same(std::pair<int, std::string>{1, "a"});
  expect_same(std::tuple<int, std::string, double>{1, "a", 2.5});
  expect_same(std::tuple<>{});
  expect_same(std::optional<std::string>{});
  expect_same(std::optional<std::string>{"a"});
  expect_same(std::variant<int, std::string>{"a"});
  expect_same(std::variant<std::monostate, int>{});
  expect_same(std::monostate{});
  expect_same(std::complex<double>{1, 2});
  expect_same(std::chrono::milliseconds{5});
  expect_same(std::chrono::system_clock::now());
  expect_same(std::bitset<70>{0x123});
}

TEST(Encode, AVariantComesBackInTheSameAlternative) {
  using Twice = std::variant<int, int>;
  EXPECT_EQ(sent(Twice(std::in_place_index<1>, 4)).index(), 1U);
}

TEST(Encode, AVariantWithoutAValueIsAnError) {
  std::variant<int, Picky> variant;
  EXPECT_THROW(variant.emplace<Picky>(3), std::runtime_error);
  ASSERT_TRUE(variant.valueless_by_exception());
  EXPECT_THROW(encoded(variant), NotShippableError);
}

TEST(Encode, AggregatesComeBackMemberByMember) {
  expect_same(Point{1, 2, 3});
  expect_same(Flagged{true, Color::green, second});
  expect_same(Scene{"s", {{1, 2, 3}, {}}, {true, Color::blue, first}, {Point{}, {{"a", 1}}}});
  expect_same(Sixteen{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, "p"});
}

TEST(Encode, ArraysInAggregatesComeBack) {
  expect_same(WithArrays{{{1, 2, 3}, {4, 5, 6}}, "name", {"a", "b"}, 2.5});
}

TEST(Encode, MembersThatCannotBeAssignedComeBack) {
  auto const back = sent(Constants{3, "text"});
  EXPECT_EQ(back.number, 3);
  EXPECT_EQ(back.text, "text");
}

TEST(Encode, BitFieldsOfPlainStructsComeBack) {
  auto const back = sent(Narrow{5, 6});
  EXPECT_EQ(back.small, 5U);
  EXPECT_EQ(back.rest, 6);
}

TEST(Encode, TypesThatContainThemselvesComeBack) {
  Node root{1, std::make_unique<Node>(), {}};
  root.next->value = 2;
  root.children.push_back(Node{3, nullptr, {}});
  auto const back = sent(root);
  EXPECT_EQ(back.value, 1);
  EXPECT_EQ(back.next->value, 2);
  EXPECT_EQ(back.next->next, nullptr);
  EXPECT_EQ(back.children.at(0).value, 3);
}

TEST(Encode, TypesWithFunctionsForCerealComeBack) {
  expect_same(Account("ann", 7));
  expect_same(std::vector<Account>{{"ann", 7}, {"bob", 8}});
  expect_same(Everything{{{1, 2, 3}},
                         {1, "a"},
                         {'c', true},
                         {{1, {"ann", 7}}},
                         "choice",
                         Color::blue,
                         {1, 2, 3},
                         {true, false}});
  EXPECT_EQ(sent(Split{4}).value, 4);
  EXPECT_EQ(sent(Loop{{1, 2, 3}}).values, (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(sent(std::vector<Versioned>{{1}, {2}}).at(1).value, 2);
  EXPECT_EQ(sent(Minimal{5}).value, 5);
  outside::Free free;
  free.value = 6;
  EXPECT_EQ(sent(free).value, 6);
}

TEST(Encode, LambdasThatCaptureNothingTakeNoSpace) {
  auto const twice = [](int x) { return 2 * x; };
  EXPECT_EQ(encoded(twice).bytes.size(), 0U);
  EXPECT_EQ(sent(twice)(4), 8);
}

TEST(Encode, WhatMayTravelByItsBytesNeedsNoDefaultConstructor) {
  EXPECT_EQ(sent(NoDefault(3)).value, 3);
  EXPECT_EQ(sent(std::vector<NoDefault>{NoDefault(4), NoDefault(5)}).at(1).value, 5);
  EXPECT_EQ((sent(std::array<NoDefault, 2>{NoDefault(4), NoDefault(5)}).at(1).value), 5);
}

TEST(Encode, ContainersWithAnAllocatorOfTheirOwnComeBack) {
  std::pmr::vector<std::pmr::string> const texts{"a", "b"};
  EXPECT_EQ(sent(texts), texts);
  std::pmr::vector<double> const numbers(100'000, 2.5);
  EXPECT_EQ(sent(numbers), numbers);
  EXPECT_TRUE(encoded(numbers).blocks.empty()) << "a move may copy: nothing can be filled later";
}

TEST(Encode, SeveralValuesStandOneBehindTheOther) {
  OutMessage out;
  encode(out, 1, std::string("a"));
  encode(out, 2.5);
  Arrived in(out);
  EXPECT_EQ(decode<int>(in.message), 1);
  EXPECT_EQ(decode<std::string>(in.message), "a");
  EXPECT_EQ(decode<double>(in.message), 2.5);
}

TEST(Encode, AValueThatCannotBeSavedLeavesTheMessageAsItWas) {
  std::vector<double> const large(10'000);
  OutMessage out;
  encode(out, 1, large);
  auto const before = out.bytes;
  EXPECT_THROW(encode(out, large, Failing{13}), std::domain_error);
  EXPECT_EQ(out.bytes, before);
  EXPECT_EQ(out.blocks.size(), 1U);
}

TEST(Encode, AValueThatCannotBeLoadedThrowsWhatItThrows) {
  auto const out = encoded(Failing{14});
  Arrived in(out);
  EXPECT_THROW(decode<Failing>(in.message), std::domain_error);
}

TEST(Encode, WhatIsNestedTooDeepIsAnErrorAndNoCrash) {
  Node root;
  for (int i = 0; i < 5000; ++i) {
    auto next = std::make_unique<Node>(std::move(root));
    root = Node{i, std::move(next), {}};
  }
  EXPECT_THROW(encoded(root), NotShippableError);
}

}  // namespace
