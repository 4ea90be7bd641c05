// SPDX-License-Identifier: MIT
// The members of an aggregate: how many there are, their types, and a function called with them.
#ifndef JOBLOT_SERIALIZATION_FIELDS_HPP
#define JOBLOT_SERIALIZATION_FIELDS_HPP

#include <concepts>
#include <cstddef>
#include <exception>
#include <type_traits>
#include <utility>

namespace joblot::detail {

inline constexpr std::size_t max_fields = 16;

/// Becomes any member of `T`, but neither `T` itself, which would be a copy, nor a base class.
template <class T>
struct AnyMember {
  // const: so a member's own constructor from anything (std::optional) is the better match, not an
  // equally good one.
  template <class U>
  requires(!std::is_base_of_v<U, T>)
  operator U() const noexcept {
    std::terminate();  // never called
  }
};

/// Becomes only base classes of `T`.
template <class T>
struct AnyBase {
  template <class U>
  requires(std::is_base_of_v<U, T> && !std::same_as<U, T>)
  operator U() const noexcept {
    std::terminate();  // never called
  }
};

template <class T>
concept HasBase = requires { T{AnyBase<T>{}}; };

template <class T, std::size_t>
using AnyMemberAt = AnyMember<T>;

template <class T, std::size_t... index>
consteval bool takes(std::index_sequence<index...>) {
  return requires { T{AnyMemberAt<T, index>{}...}; };
}

/// Whether T{a..., {b...}, c...} is well-formed.
template <class T, std::size_t... front, std::size_t... braced, std::size_t... back>
consteval bool takes(std::index_sequence<front...>, std::index_sequence<braced...>,
                     std::index_sequence<back...>) {
  return requires {
    T{AnyMemberAt<T, front>{}..., {AnyMemberAt<T, braced>{}...}, AnyMemberAt<T, back>{}...};
  };
}

template <class T, std::size_t before, std::size_t inside, std::size_t after>
inline constexpr bool takes_braced =
    takes<T>(std::make_index_sequence<before>{}, std::make_index_sequence<inside>{},
             std::make_index_sequence<after>{});

// A C array of k elements takes k initialisers, so there may be more of them than members. It is
// not looked for beyond so many: each question costs the compiler time.
inline constexpr std::size_t max_initializers = 64;

/// The most initialisers that `T` takes; `max_initializers + 1` stands for none or too many.
template <class T, std::size_t count = 0, bool taken = false>
consteval std::size_t count_initializers() {
  if constexpr (count > max_initializers) {
    return count;
  } else if constexpr (takes<T>(std::make_index_sequence<count>{})) {
    return count_initializers<T, count + 1, true>();
  } else if constexpr (taken) {
    return count - 1;
  } else {
    return count_initializers<T, count + 1, false>();
  }
}

/// How many initialisers the member at initialiser `at` of `total` takes: k, if k of them may stand
/// in braces and then no more than the others fit behind. (A class may be written with braces, too,
/// but then takes the place of one.)
template <class T, std::size_t at, std::size_t total, std::size_t k = total - at>
consteval std::size_t width() {
  if constexpr (k <= 1) {
    return 1;
  } else if constexpr (takes_braced<T, at, k, total - at - k> &&
                       !takes_braced<T, at, k, total - at - k + 1>) {
    return k;
  } else {
    return width<T, at, total, k - 1>();
  }
}

template <class T, std::size_t total, std::size_t at = 0>
consteval std::size_t count_members() {
  if constexpr (at >= total) {
    return 0;
  } else {
    return 1 + count_members<T, total, at + width<T, at, total>()>();
  }
}

inline constexpr std::size_t unknown_fields = static_cast<std::size_t>(-1);

/// Number of members of the aggregate `T`; `unknown_fields` if it has base classes, a reference, or
/// too many.
template <class T>
consteval std::size_t count_fields() {
  if constexpr (HasBase<T>) {
    return unknown_fields;
  } else {
    constexpr auto initializers = count_initializers<T>();
    if constexpr (initializers > max_initializers) {
      return unknown_fields;
    } else {
      return count_members<T, initializers>();
    }
  }
}
template <class T>
inline constexpr std::size_t field_count = count_fields<T>();

template <class... T>
struct Types {
  static constexpr std::size_t size = sizeof...(T);
};

/// Calls `visit(members...)` for an aggregate of at most `max_fields` members.
template <class Aggregate, class Visit>
constexpr decltype(auto) with_fields(Aggregate& x, Visit&& visit) {
  constexpr auto count = field_count<std::remove_const_t<Aggregate>>;
  static_assert(count <= max_fields);
  if constexpr (count == 0) {
    return visit();
  } else if constexpr (count == 1) {
    auto& [a] = x;
    return visit(a);
  } else if constexpr (count == 2) {
    auto& [a, b] = x;
    return visit(a, b);
  } else if constexpr (count == 3) {
    auto& [a, b, c] = x;
    return visit(a, b, c);
  } else if constexpr (count == 4) {
    auto& [a, b, c, d] = x;
    return visit(a, b, c, d);
  } else if constexpr (count == 5) {
    auto& [a, b, c, d, e] = x;
    return visit(a, b, c, d, e);
  } else if constexpr (count == 6) {
    auto& [a, b, c, d, e, f] = x;
    return visit(a, b, c, d, e, f);
  } else if constexpr (count == 7) {
    auto& [a, b, c, d, e, f, g] = x;
    return visit(a, b, c, d, e, f, g);
  } else if constexpr (count == 8) {
    auto& [a, b, c, d, e, f, g, h] = x;
    return visit(a, b, c, d, e, f, g, h);
  } else if constexpr (count == 9) {
    auto& [a, b, c, d, e, f, g, h, i] = x;
    return visit(a, b, c, d, e, f, g, h, i);
  } else if constexpr (count == 10) {
    auto& [a, b, c, d, e, f, g, h, i, j] = x;
    return visit(a, b, c, d, e, f, g, h, i, j);
  } else if constexpr (count == 11) {
    auto& [a, b, c, d, e, f, g, h, i, j, k] = x;
    return visit(a, b, c, d, e, f, g, h, i, j, k);
  } else if constexpr (count == 12) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l] = x;
    return visit(a, b, c, d, e, f, g, h, i, j, k, l);
  } else if constexpr (count == 13) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m] = x;
    return visit(a, b, c, d, e, f, g, h, i, j, k, l, m);
  } else if constexpr (count == 14) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n] = x;
    return visit(a, b, c, d, e, f, g, h, i, j, k, l, m, n);
  } else if constexpr (count == 15) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o] = x;
    return visit(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o);
  } else if constexpr (count == 16) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = x;
    return visit(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p);
  }
}

/// The types of the members of the aggregate `T`, as `Types<...>`.
template <class T>
consteval auto field_types() {
  return decltype(with_fields(std::declval<T const&>(),
                              []<class... M>(M const&...) { return Types<M...>{}; })){};
}

}  // namespace joblot::detail

#endif
