// SPDX-License-Identifier: MIT
#include <any>
#include <array>
#include <chrono>
#include <complex>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include <joblot/serialization/by_value.hpp>
#include <joblot/serialization/reasons.hpp>

namespace {

using joblot::Shippable;
using joblot::detail::why_no_result;
using joblot::detail::why_not_shippable;

struct Point {
  double x, y;
};
struct Foo {
  int number;
  int* address;
};
struct Outer {
  std::string name;
  std::vector<Foo> foos;
};
struct Tree {
  int value;
  std::unique_ptr<Tree> left;
  std::vector<Tree> children;
  std::map<std::string, std::shared_ptr<Tree>> named;
};
struct BadTree {
  std::vector<BadTree> children;
  std::function<void()> visit;
};
struct Base {
  int value;
};
struct Derived : Base {
  int more;
};
struct WithReference {
  int& reference;
};
struct WithView {
  std::string_view text;
};
struct Seventeen {
  int a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q;
};
union Either {
  int number;
  float real;
};
class Hidden {
 public:
  explicit Hidden(int value) : value_(value) {}
  [[nodiscard]] int value() const { return value_; }

 private:
  int value_;
};
struct Functor {
  double factor;
  double operator()(double x) const { return factor * x; }
};
struct Serialized {
  int* hidden = nullptr;
  int value = 0;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(value);
  }
};
struct Extended : Serialized {
  int more = 0;
};
template <class Self>
struct Mixin {
  int id = 0;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(id, static_cast<Self&>(*this).more);
  }
};
struct Mixed : Mixin<Mixed> {
  int more = 0;
};
struct NoDefault {
  explicit NoDefault(int) {}
  template <class Archive>
  void serialize(Archive&) {}
};
struct OnlySaved {
  template <class Archive>
  void save(Archive&) const {}
};
struct Incomplete;
struct Ordered {
  int direction = 1;
  bool operator()(int a, int b) const { return direction * a < direction * b; }
};
struct Deleter {
  void operator()(int* p) const { delete p; }
};

// Every question about its members would be an error.
template <class T>
struct Explosive {
  static_assert(sizeof(T) == 0, "looked at");
  T value;
};
struct Opaque {
  int* handle;
};
class Handle {
 public:
  explicit Handle(int number) : number_(number) {}
  [[nodiscard]] int number() const { return number_; }

 private:
  int number_;
};
class NotTrivial {
 public:
  NotTrivial(NotTrivial const&) {}
};

}  // namespace

template <>
inline constexpr bool joblot::enable_shippable<Explosive<int>> = false;
template <>
inline constexpr bool joblot::enable_shippable<Point> = false;
template <>
inline constexpr bool joblot::enable_shippable<Opaque> = true;
template <>
inline constexpr bool joblot::enable_shippable<Handle> = true;
template <>
inline constexpr bool joblot::enable_shippable<NotTrivial> = true;

namespace {

template <class T>
void expect_reason(std::string_view part) {
  EXPECT_FALSE(Shippable<T>);
  EXPECT_NE(why_not_shippable<T>().find(part), std::string::npos)
      << "\"" << part << "\" is not in \"" << why_not_shippable<T>() << '"';
}

TEST(Shippable, WhatMayTravelHasNoReasonNotTo) {
  using Mixture = std::map<std::string, std::vector<std::optional<std::variant<int, Tree>>>>;
  static_assert(Shippable<int>);
  static_assert(Shippable<std::string>);
  static_assert(Shippable<Mixture>);
  static_assert(Shippable<std::unordered_map<int, std::complex<float>>>);
  static_assert(Shippable<std::tuple<std::chrono::nanoseconds, std::filesystem::path>>);
  static_assert(Shippable<Tree>);
  static_assert(Shippable<Base>);
  static_assert(Shippable<Functor>);
  static_assert(Shippable<Serialized>);
  static_assert(Shippable<Mixed>);
  static_assert(Shippable<std::unique_ptr<Serialized const>>);
  static_assert(Shippable<std::less<>>);
  static_assert(Shippable<int (*)(int)>);
  static_assert(Shippable<int (Hidden::*)() const>);
  static_assert(Shippable<double Functor::*>);
  static_assert(Shippable<decltype([](auto x) { return x; })>);
  EXPECT_EQ(why_not_shippable<Mixture>(), "");
  EXPECT_EQ(why_no_result<Mixture>(), "");
  EXPECT_EQ(why_no_result<void>(), "");
}

TEST(Shippable, ViewsMayTravelOnlyAsArgumentsOfTheirOwn) {
  static_assert(Shippable<char const*>);
  static_assert(Shippable<std::string_view>);
  static_assert(Shippable<std::span<double const>>);
  static_assert(Shippable<std::span<double const, 3>>);
  static_assert(Shippable<std::reference_wrapper<std::string const>>);
  expect_reason<WithView>("member 1 of");
  expect_reason<std::vector<std::string_view>>("view of memory that stays behind");
  expect_reason<std::pair<int, char const*>>("raw pointer");
  EXPECT_NE(why_no_result<std::string_view>(), "");
  EXPECT_NE(why_no_result<char const*>(), "");
  EXPECT_NE(why_no_result<std::span<double const>>(), "");
}

TEST(Shippable, AddressesStayWithTheReasonAndTheMember) {
  expect_reason<int*>("raw pointer");
  expect_reason<Foo>("member 2 of");
  expect_reason<Foo>("Foo (int");
  expect_reason<Foo>("SharedArray");
  expect_reason<Outer>("Outer cannot be sent to another process: member 2 of");
  expect_reason<std::map<int, Foo>>("raw pointer");
  expect_reason<std::reference_wrapper<int>>("std::cref");
  expect_reason<std::span<int>>("std::span<T const>");
  expect_reason<WithReference>("aggregate");
}

TEST(Shippable, WhatHidesItsContentsStaysWithAdvice) {
  expect_reason<std::function<int(int)>>("function pointer");
  expect_reason<std::any>("known too late");
  expect_reason<BadTree>("member 2 of");
  expect_reason<Hidden>("serialize(Archive& archive)");
  auto const lambda = [n = 3] { return n; };
  expect_reason<decltype(lambda)>("joblot::by_value");
  expect_reason<Either>("std::variant");
}

TEST(Shippable, AggregatesWithBasesOrTooManyMembersStay) {
  expect_reason<Derived>("base class");
  expect_reason<Seventeen>("more than 16");
}

TEST(Shippable, FunctionsForCerealMustFit) {
  expect_reason<Extended>("those of a base class");
  expect_reason<NoDefault>("default constructor");
  expect_reason<OnlySaved>("only save or only load");
}

TEST(Shippable, PointersThatDoNotOwnOneKnownObjectStay) {
  expect_reason<std::unique_ptr<Incomplete>>("declared but not defined");
  expect_reason<std::unique_ptr<int[]>>("std::vector");
  expect_reason<std::shared_ptr<void>>("does not know the type");
  expect_reason<std::unique_ptr<int, Deleter>>("deleter");
  expect_reason<std::weak_ptr<int>>("std::shared_ptr");
}

TEST(Shippable, ContainersOrderedByAStateStay) {
  expect_reason<std::set<int, Ordered>>("with a state");
}

TEST(Shippable, AUsersWordComesFirst) {
  expect_reason<Explosive<int>>("joblot::enable_shippable");
  expect_reason<Point>("switched off");
  expect_reason<std::vector<Point>>("Point is switched off");
  static_assert(Shippable<Opaque>);
  static_assert(Shippable<std::vector<Handle>>);
  expect_reason<NotTrivial>("not trivially copyable");
}

TEST(Shippable, AResultMustBeThereBeforeItIsFilled) {
  EXPECT_EQ(why_no_result<std::vector<Handle>>(), "");
  EXPECT_NE(why_no_result<Handle>().find("default constructible"), std::string::npos);
}

TEST(Shippable, ALambdaWithAPromiseMayTravel) {
  static_assert(Shippable<decltype(joblot::by_value([n = 3](int x) { return n * x; }))>);
}

TEST(Shippable, NamesAreShort) {
  EXPECT_EQ((joblot::detail::type_name<std::map<std::string, int>>().substr(0, 20)),
            "std::map<std::string");
}

}  // namespace
