// SPDX-License-Identifier: MIT
// Which types can travel to another process, and if one cannot, what stands in the way.
#ifndef JOBLOT_SERIALIZATION_SHIPPABLE_HPP
#define JOBLOT_SERIALIZATION_SHIPPABLE_HPP

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <joblot/serialization/cereal_type.hpp>
#include <joblot/serialization/fields.hpp>
#include <joblot/serialization/flaw.hpp>
#include <joblot/serialization/known_type.hpp>
#include <joblot/serialization/type_name.hpp>

namespace joblot {
namespace detail {

/// `T` is put together from its members in braces.
template <class T, class... M>
concept BraceConstructible = requires { T{std::declval<M>()...}; };

template <class T, class... Seen>
consteval Flaw find_flaw();

template <class... Seen, class... T>
consteval Flaw find_flaw_in(Types<T...>) {
  Flaw flaw;
  // The fold ends at the first one.
  static_cast<void>((... || static_cast<bool>(flaw = find_flaw<std::remove_cv_t<T>, Seen...>())));
  return flaw;
}

template <class... H>
consteval Flaw find_state(Types<H...>) {
  Flaw flaw;
  static_cast<void>((... || (!std::is_empty_v<H> || !std::is_default_constructible_v<H>
                                 ? (flaw = {Problem::helper_with_state, raw_type_name<H>()}, true)
                                 : false)));
  return flaw;
}

template <class... Seen, class T>
consteval Flaw find_pointee_flaw(Types<T>) {
  if constexpr (std::is_void_v<T>) {
    return {Problem::pointer_to_void, raw_type_name<T>()};
  } else if constexpr (std::is_array_v<T>) {
    return {Problem::pointer_to_array, raw_type_name<T>()};
  } else if constexpr (!Complete<T>) {
    return {Problem::incomplete, raw_type_name<T>()};
  } else if constexpr (std::is_polymorphic_v<T>) {
    return {};  // What is behind the pointer only the object tells.
  } else if constexpr (CerealConstructed<T>) {
    return {};
  } else {
    return find_flaw<std::remove_cv_t<T>, Seen...>();
  }
}

template <class T, class... Seen>
consteval Flaw find_flaw_in_known() {
  if constexpr (Known<T>::as == KnownAs::smart_pointer) {
    return find_pointee_flaw<Seen...>(typename Known<T>::parts{});
  } else {
    constexpr auto flaw = find_state(typename Known<T>::helpers{});
    if constexpr (flaw) {
      return flaw;
    } else {
      return find_flaw_in<Seen...>(typename Known<T>::parts{});
    }
  }
}

template <class T, class... Seen, class... M>
consteval Flaw find_flaw_in_members(Types<M...>) {
  Flaw flaw;
  std::size_t member = 0;
  static_cast<void>(
      (... || (++member, static_cast<bool>(flaw = find_flaw<std::remove_cv_t<M>, Seen...>()))));
  if (flaw && flaw.owner.empty()) {
    flaw.owner = raw_type_name<T>();
    flaw.member = member;
  }
  if constexpr (!(... || std::is_array_v<M>)) {
    if (!flaw && !BraceConstructible<T, M...>) {
      return {Problem::not_brace_constructible, raw_type_name<T>()};
    }
  }
  return flaw;
}

template <class T, class... Seen>
consteval Flaw find_flaw_in_aggregate() {
  if constexpr (HasBase<T>) {
    return {Problem::base_class, raw_type_name<T>()};
  } else if constexpr (field_count<T> > max_fields) {
    return {Problem::too_many_members, raw_type_name<T>()};
  } else {
    return find_flaw_in_members<T, Seen..., T>(field_types<T>());
  }
}

/// The rules. `Seen`: the aggregates around `T`; a type that contains itself through a pointer or
/// a container is as good as the rest of it.
template <class T, class... Seen>
consteval Flaw find_flaw() {
  constexpr auto name = raw_type_name<T>();
  if constexpr ((... || std::is_same_v<T, Seen>)) {
    return {};
  } else if constexpr (opted_out<T>) {
    return {Problem::opted_out, name};
  } else if constexpr (opted_in<T>) {
    return {std::is_trivially_copyable_v<T> ? Problem::none : Problem::not_trivially_copyable,
            name};
  } else if constexpr (std::is_reference_v<T>) {
    return {Problem::reference, name};
  } else if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T> || std::is_null_pointer_v<T> ||
                       std::is_member_pointer_v<T>) {
    return {};
  } else if constexpr (std::is_pointer_v<T>) {
    constexpr bool function = std::is_function_v<std::remove_pointer_t<T>>;
    return {function ? Problem::none : Problem::raw_pointer, name};
  } else if constexpr (is_known<T>) {
    return find_flaw_in_known<T, Seen...>();
  } else if constexpr (!Complete<T>) {
    return {Problem::incomplete, name};
  } else if constexpr (is_read_reference<T>) {
    return {Problem::read_reference, name};
  } else if constexpr (is_reference_wrapper<T>) {
    return {Problem::writable_reference, name};
  } else if constexpr (is_writable_span<T>) {
    return {Problem::writable_view, name};
  } else if constexpr (is_span<T> || is_string_view<T>) {
    return {Problem::view, name};
  } else if constexpr (is_std_function<T>) {
    return {Problem::type_erased, name};
  } else if constexpr (has_own_deleter<T>) {
    return {Problem::deleter, name};
  } else if constexpr (is_weak_pointer<T>) {
    return {Problem::weak_pointer, name};
  } else if constexpr (is_lambda<T>()) {
    return {is_nothing<T> ? Problem::none : Problem::capturing_lambda, name};
  } else if constexpr (InheritsCereal<T>) {
    return {Problem::inherited_cereal, name};
  } else if constexpr (CerealType<T>) {
    return {std::is_default_constructible_v<T> ? Problem::none : Problem::not_default_constructible,
            name};
  } else if constexpr (CerealSaved<T> || CerealLoaded<T>) {
    return {Problem::half_cereal, name};
  } else if constexpr (is_nothing<T>) {
    return {};
  } else if constexpr (std::is_union_v<T>) {
    return {Problem::union_type, name};
  } else if constexpr (std::is_aggregate_v<T>) {
    return find_flaw_in_aggregate<T, Seen...>();
  } else {
    return {Problem::not_an_aggregate, name};
  }
}

/// Views that are sent by content as arguments, and what they are sent as.
template <class T>
struct CarriedAs {
  using type = T;
};
template <>
struct CarriedAs<char const*> {
  using type = std::optional<std::string>;  // it may be null
};
template <class C, class Traits>
struct CarriedAs<std::basic_string_view<C, Traits>> {
  using type = std::basic_string<C, Traits>;
};
template <class T, std::size_t extent>
struct CarriedAs<std::span<T const, extent>> {
  using type = std::vector<std::remove_volatile_t<T>>;
};
template <class T>
requires(!std::is_void_v<T> && !std::is_function_v<T>)
struct CarriedAs<std::reference_wrapper<T const>> {
  using type = T;
};
template <class T>
using Carried = typename CarriedAs<std::remove_cv_t<T>>::type;

/// What stands in the way of an argument or a callable.
template <class T>
inline constexpr Flaw argument_flaw = find_flaw<Carried<T>>();

/// What stands in the way of a result, which must be there before it is filled.
template <class T>
inline constexpr Flaw result_flaw = [] {
  if constexpr (std::is_void_v<T>) {
    return Flaw{};
  } else {
    constexpr auto flaw = find_flaw<std::remove_cv_t<T>>();
    if constexpr (flaw || std::is_default_constructible_v<T> || std::is_aggregate_v<T>) {
      return flaw;
    } else {
      return Flaw{Problem::no_result, raw_type_name<T>()};
    }
  }
}();

}  // namespace detail

inline namespace v1 {

/// `T` can be given to a task in another process: numbers, enums, strings, containers and the like
/// of the standard library, smart pointers by value, aggregates of at most 16 such members, types
/// with cereal's `serialize` or `load` and `save`, function pointers, captureless lambdas; and, by
/// content, `char const*`, `std::string_view`, `std::span<T const>`, `std::reference_wrapper<T
/// const>`.
template <class T>
concept Shippable = !detail::argument_flaw<T>;

}  // namespace v1
}  // namespace joblot

#endif
