// SPDX-License-Identifier: MIT
// How exceptions of one type are taken apart and rebuilt.
#ifndef JOBLOT_PROCESS_EXCEPTION_KIND_HPP
#define JOBLOT_PROCESS_EXCEPTION_KIND_HPP

#include <algorithm>
#include <array>
#include <concepts>
#include <exception>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include <joblot/serialization/enclosed.hpp>
#include <joblot/serialization/message.hpp>

namespace joblot::detail {

template <class E>
concept Nestable =
    std::is_class_v<E> && !std::is_final_v<E> && !std::derived_from<E, std::nested_exception>;

/// The dynamic types that an exception has as an `E`: that of the E itself and, null if there are
/// none, those of what `std::throw_with_nested` throws. The standard leaves these unnamed, but
/// asking for the E by a `catch` would also match what is derived from it.
template <class E>
constexpr std::array<std::type_info const*, 3> types_thrown() noexcept {
  if constexpr (Nestable<E>) {
#if defined(__GLIBCXX__)  // whose version 12 keeps the const of an lvalue
    return {&typeid(E), &typeid(std::_Nested_exception<E>),
            &typeid(std::_Nested_exception<E const>)};
#elif defined(_LIBCPP_VERSION)
    return {&typeid(E), &typeid(std::__nested<E>), nullptr};
#endif
  }
  return {&typeid(E), nullptr, nullptr};
}

/// One type of exception that can be rebuilt in another process.
struct ExceptionKind {
  std::array<std::type_info const*, 3> types{};

  /// Takes apart an exception of this type. False if its value cannot travel.
  bool (*encode)(OutMessage&, std::exception_ptr const&) = nullptr;
  /// Rebuilds it from that, what it said, and what is nested in it, null if nothing is.
  std::exception_ptr (*decode)(Enclosed&, std::string const& text,
                               std::exception_ptr const& nested) = nullptr;

  /// The mangled name of the type.
  [[nodiscard]] char const* name() const noexcept { return types[0]->name(); }

  /// Whether `thrown`, the exact type of an exception, is this one, alone or nesting another.
  [[nodiscard]] bool matches(std::type_info const& thrown) const noexcept {
    return std::any_of(types.begin(), types.end(),
                       [&](auto const* type) { return type != nullptr && *type == thrown; });
  }
  /// Whether, in addition, no other type of the same name can be meant. clang's types of unnamed
  /// namespaces are equal if their names are. A type that two shared libraries have is at two
  /// places.
  [[nodiscard]] bool is_at_place_of(std::type_info const& thrown) const noexcept {
    return std::find(types.begin(), types.end(), &thrown) != types.end();
  }
};

/// The exception that `make` returns, with `nested`, unless null, nested in it.
template <class Make>
std::exception_ptr make_nesting(std::exception_ptr const& nested, Make make) {
  if (!nested) return std::make_exception_ptr(make());
  std::exception_ptr error;
  try {
    std::rethrow_exception(nested);
  } catch (...) {
    // Made here, because a type derived from std::nested_exception keeps what is being handled
    // while it is constructed.
    auto value = make();
    try {
      std::throw_with_nested(std::move(value));
    } catch (...) {
      error = std::current_exception();
    }
  }
  return error;
}

/// The kind of `E`, where `Codec` has
///   static bool encode(OutMessage&, E const&);              // false: this value cannot travel
///   static E decode(InMessage&, std::string const& text);   // text: its what()
template <class E, class Codec>
constexpr ExceptionKind kind_of() noexcept {
  return {.types = types_thrown<E>(),
          .encode =
              [](OutMessage& out, std::exception_ptr const& error) {
                try {
                  std::rethrow_exception(error);
                } catch (E const& exception) {
                  return Codec::encode(out, exception);
                }
              },
          .decode =
              [](Enclosed& in, std::string const& text, std::exception_ptr const& nested) {
                return make_nesting(nested, [&] {
                  E exception = Codec::decode(in.message(), text);
                  in.finish();
                  return exception;
                });
              }};
}

}  // namespace joblot::detail

#endif
