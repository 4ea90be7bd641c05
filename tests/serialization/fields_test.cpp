// SPDX-License-Identifier: MIT
#include <any>
#include <array>
#include <chrono>
#include <complex>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include <joblot/serialization/fields.hpp>

namespace {

using joblot::detail::field_count;
using joblot::detail::field_types;
using joblot::detail::Types;
using joblot::detail::unknown_fields;
using joblot::detail::with_fields;

struct Empty {};
struct Point {
  double x, y;
  int id;
};
struct Arrays {
  double matrix[2][2];
  Point point;
  Point points[2];
  std::array<int, 3> array;
  std::string text;
  char name[20];
};
struct Everything {
  std::optional<int> optional;
  std::variant<int, std::string> variant;
  std::vector<Point> vector;
  std::map<int, Point> map;
  std::function<int(int)> function;
  std::any any;
  std::unique_ptr<int> unique;
  std::shared_ptr<Point> shared;
  std::span<int const> span;
  std::string_view view;
  std::filesystem::path path;
  std::chrono::seconds seconds;
  std::complex<double> complex;
  std::tuple<int, Point> tuple;
  std::pair<int, int> pair;
  int* pointer;
};
struct Derived : Point {
  int more;
};
struct DerivedFromNothing : Empty {
  int more;
};
struct Reference {
  int value;
  int& reference;
};
struct BitFields {
  unsigned small : 3;
  int rest;
};
struct Constants {
  int const number;
  std::string const text;
};
struct NoDefault {
  explicit NoDefault(int) {}
};
struct HoldsNoDefault {
  NoDefault first;
  int second;
};
struct OneVector {
  std::vector<int> only;
};

TEST(Fields, AreCounted) {
  static_assert(field_count<Empty> == 0);
  static_assert(field_count<Point> == 3);
  static_assert(field_count<Everything> == 16);
  static_assert(field_count<BitFields> == 2);
  static_assert(field_count<Constants> == 2);
  static_assert(field_count<HoldsNoDefault> == 2);
  static_assert(field_count<OneVector> == 1);
}

TEST(Fields, AnArrayIsOne) { static_assert(field_count<Arrays> == 6); }

TEST(Fields, BaseClassesAndReferencesAreNotTakenApart) {
  static_assert(field_count<Derived> == unknown_fields);
  static_assert(field_count<DerivedFromNothing> == unknown_fields);
  static_assert(field_count<Reference> == unknown_fields);
}

TEST(Fields, HaveTheirTypes) {
  static_assert(std::is_same_v<decltype(field_types<Point>()), Types<double, double, int>>);
  static_assert(std::is_same_v<
                decltype(field_types<Arrays>()),
                Types<double[2][2], Point, Point[2], std::array<int, 3>, std::string, char[20]>>);
}

TEST(Fields, AreVisitedInOrder) {
  Point point{1, 2, 3};
  with_fields(point, [](double& x, double const& y, int& id) { x = y + id; });
  EXPECT_EQ(point.x, 5);
}

}  // namespace
