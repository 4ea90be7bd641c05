// SPDX-License-Identifier: MIT
// The types of the standard library that can be sent, and the types they are made of.
#ifndef JOBLOT_SERIALIZATION_KNOWN_TYPE_HPP
#define JOBLOT_SERIALIZATION_KNOWN_TYPE_HPP

#include <array>
#include <bitset>
#include <chrono>
#include <complex>
#include <cstddef>
#include <deque>
#include <filesystem>
#include <forward_list>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include <joblot/serialization/fields.hpp>

namespace joblot::detail {

enum class KnownAs { nothing, text, sequence, ordered, hashed, product, value, smart_pointer };

/// What is known of `T`: its kind, the types of the values in it, what else it depends on
/// (comparison, hash; these are not sent, so they must not have a state).
template <class T>
struct Known {
  static constexpr auto as = KnownAs::nothing;
};

template <KnownAs way, class Parts = Types<>, class Helpers = Types<>>
struct KnownWith {
  static constexpr auto as = way;
  using parts = Parts;
  using helpers = Helpers;
};

template <class C, class Traits, class A>
struct Known<std::basic_string<C, Traits, A>> : KnownWith<KnownAs::text> {};
template <>
struct Known<std::filesystem::path> : KnownWith<KnownAs::text> {};

template <class T, class A>
struct Known<std::vector<T, A>> : KnownWith<KnownAs::sequence, Types<T>> {};
template <class T, class A>
struct Known<std::deque<T, A>> : KnownWith<KnownAs::sequence, Types<T>> {};
template <class T, class A>
struct Known<std::list<T, A>> : KnownWith<KnownAs::sequence, Types<T>> {};
template <class T, class A>
struct Known<std::forward_list<T, A>> : KnownWith<KnownAs::sequence, Types<T>> {};

template <class K, class C, class A>
struct Known<std::set<K, C, A>> : KnownWith<KnownAs::ordered, Types<K>, Types<C>> {};
template <class K, class C, class A>
struct Known<std::multiset<K, C, A>> : KnownWith<KnownAs::ordered, Types<K>, Types<C>> {};
template <class K, class V, class C, class A>
struct Known<std::map<K, V, C, A>> : KnownWith<KnownAs::ordered, Types<K, V>, Types<C>> {};
template <class K, class V, class C, class A>
struct Known<std::multimap<K, V, C, A>> : KnownWith<KnownAs::ordered, Types<K, V>, Types<C>> {};

template <class K, class H, class E, class A>
struct Known<std::unordered_set<K, H, E, A>> : KnownWith<KnownAs::hashed, Types<K>, Types<H, E>> {};
template <class K, class H, class E, class A>
struct Known<std::unordered_multiset<K, H, E, A>>
    : KnownWith<KnownAs::hashed, Types<K>, Types<H, E>> {};
template <class K, class V, class H, class E, class A>
struct Known<std::unordered_map<K, V, H, E, A>>
    : KnownWith<KnownAs::hashed, Types<K, V>, Types<H, E>> {};
template <class K, class V, class H, class E, class A>
struct Known<std::unordered_multimap<K, V, H, E, A>>
    : KnownWith<KnownAs::hashed, Types<K, V>, Types<H, E>> {};

template <class T, std::size_t length>
struct Known<std::array<T, length>> : KnownWith<KnownAs::product, Types<T>> {};
template <class T, std::size_t length>
struct Known<T[length]> : KnownWith<KnownAs::product, Types<T>> {};
template <class A, class B>
struct Known<std::pair<A, B>> : KnownWith<KnownAs::product, Types<A, B>> {};
template <class... T>
struct Known<std::tuple<T...>> : KnownWith<KnownAs::product, Types<T...>> {};

template <class T>
struct Known<std::optional<T>> : KnownWith<KnownAs::value, Types<T>> {};
template <class... T>
struct Known<std::variant<T...>> : KnownWith<KnownAs::value, Types<T...>> {};
template <class T>
struct Known<std::complex<T>> : KnownWith<KnownAs::value, Types<T>> {};
template <class Rep, class Period>
struct Known<std::chrono::duration<Rep, Period>> : KnownWith<KnownAs::value, Types<Rep>> {};
template <class Clock, class Duration>
struct Known<std::chrono::time_point<Clock, Duration>>
    : KnownWith<KnownAs::value, Types<Duration>> {};
template <std::size_t length>
struct Known<std::bitset<length>> : KnownWith<KnownAs::value> {};

template <class T>
struct Known<std::unique_ptr<T>> : KnownWith<KnownAs::smart_pointer, Types<T>> {};
template <class T>
struct Known<std::shared_ptr<T>> : KnownWith<KnownAs::smart_pointer, Types<T>> {};

}  // namespace joblot::detail

#endif
