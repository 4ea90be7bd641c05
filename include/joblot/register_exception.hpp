// SPDX-License-Identifier: MIT
// Makes an exception type known to all processes of the program.
#ifndef JOBLOT_REGISTER_EXCEPTION_HPP
#define JOBLOT_REGISTER_EXCEPTION_HPP

#include <concepts>
#include <cstddef>
#include <exception>
#include <stdexcept>
#include <string>
#include <type_traits>

#include <joblot/error.hpp>
#include <joblot/process/exception_kind.hpp>
#include <joblot/process/exception_registry.hpp>
#include <joblot/serialization/encode.hpp>
#include <joblot/serialization/message.hpp>
#include <joblot/serialization/shippable.hpp>

namespace joblot {
namespace detail {

/// What an `E` that keeps nothing but its text may be as large as.
template <class E>
constexpr bool has_size_of_text() noexcept {
  std::size_t const nested =
      std::derived_from<E, std::nested_exception> ? sizeof(std::nested_exception) : 0;
  if constexpr (std::derived_from<E, std::runtime_error>) {
    return sizeof(E) == sizeof(std::runtime_error) + nested;
  } else if constexpr (std::derived_from<E, std::logic_error>) {
    return sizeof(E) == sizeof(std::logic_error) + nested;
  } else {
    return sizeof(E) == sizeof(std::exception) + sizeof(std::string) + nested;
  }
}

/// What `what()` says is all it is: there is no member that would be lost.
template <class E>
concept TextException = std::derived_from<E, std::exception> &&
                        std::constructible_from<E, std::string const&> && has_size_of_text<E>();

/// All of one type are equal.
template <class E>
concept StatelessException =
    std::default_initializable<E> && (std::is_empty_v<E> || (std::derived_from<E, std::exception> &&
                                                             sizeof(E) == sizeof(std::exception)));

/// It can be sent as a result can.
template <class E>
concept ValueException = !std::is_pointer_v<E> && !result_flaw<E>;

/// Makes `exception` say `text`. Standard exceptions keep it where nobody but they themselves can
/// read or write it, so a user's constructors and serialize cannot be relied on to restore it.
template <class E>
void restore_text(E& exception, std::string const& text) {
  if constexpr (std::derived_from<E, std::runtime_error>) {
    static_cast<std::runtime_error&>(exception) = std::runtime_error(text);
  } else if constexpr (std::derived_from<E, std::logic_error>) {
    static_cast<std::logic_error&>(exception) = std::logic_error(text);
  }
}

/// How exceptions of a registered type travel.
template <class E>
struct RegisteredExceptionCodec;

template <ValueException E>
struct RegisteredExceptionCodec<E> {
  static bool encode(OutMessage& out, E const& exception) {
    detail::encode(out, exception);
    return true;
  }
  static E decode(InMessage& in, std::string const& text) {
    auto exception = detail::decode<E>(in);
    restore_text(exception, text);
    return exception;
  }
};

template <TextException E>
requires(!ValueException<E>)
struct RegisteredExceptionCodec<E> {
  static bool encode(OutMessage& /*out*/, E const& /*exception*/) { return true; }
  static E decode(InMessage& /*in*/, std::string const& text) {
    E exception(text);
    restore_text(exception, text);
    // A constructor that adds something to its argument would add it twice.
    if (text != exception.what()) throw NotShippableError("its text is not what it was made from");
    return exception;
  }
};

template <StatelessException E>
requires(!ValueException<E> && !TextException<E>)
struct RegisteredExceptionCodec<E> {
  static bool encode(OutMessage& /*out*/, E const& /*exception*/) { return true; }
  static E decode(InMessage& /*in*/, std::string const& /*text*/) { return E(); }
};

template <class E>
concept RegistrableException = requires { sizeof(RegisteredExceptionCodec<E>); };

template <class E>
bool register_now() {
  ExceptionRegistry::add(kind_of<E, RegisteredExceptionCodec<E>>());
  return true;
}

/// Initialised before main, in each process of a program in which it is used somewhere, whether or
/// not that place is ever reached.
template <class E>
inline bool const registered = register_now<E>();

}  // namespace detail

inline namespace v1 {

/// Makes exceptions of exactly the type `E` known, so that one thrown in a worker process reaches
/// the caller as an `E` and not as a `RemoteError`. The call may stand anywhere in the program
/// before the call of the tasks: that it is there is enough for worker processes, which do not run
/// `main`. `E` has to be copyable and one of: a type that a result may have, so a class of one's
/// own with functions for cereal, which need not mind what a standard base class says; derived from
/// a standard exception, with a constructor from `std::string` and no members of its own; or
/// without any state. Any thread; a type that is known stays as it is. Throws `std::bad_alloc`.
template <class E>
void register_exception() {
  static_assert(
      std::same_as<E, std::decay_t<E>> && std::copy_constructible<E>,
      "register_exception<E>: E is what is thrown, so no reference, not const, and it has "
      "to be copyable");
  static_assert(detail::RegistrableException<E>,
                "register_exception<E>: joblot cannot send all of E to another process. Give E a "
                "cereal serialize function and a default constructor, or no members but the text "
                "that its std::string constructor takes and its what() returns");
  if constexpr (detail::RegistrableException<E>) {
    static_cast<void>(&detail::registered<E>);  // makes it exist
    detail::register_now<E>();                  // for a compiler that initialises it only when used
  }
}

}  // namespace v1
}  // namespace joblot

#endif
