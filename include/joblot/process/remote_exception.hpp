// SPDX-License-Identifier: MIT
// Exceptions on their way from one process to another.
#ifndef JOBLOT_PROCESS_REMOTE_EXCEPTION_HPP
#define JOBLOT_PROCESS_REMOTE_EXCEPTION_HPP

#include <cstddef>
#include <cstdint>
#include <exception>
#include <ios>
#include <new>
#include <string>
#include <string_view>
#include <typeinfo>
#include <utility>

#include <joblot/error.hpp>
#include <joblot/process/exception_kind.hpp>
#include <joblot/process/exception_registry.hpp>
#include <joblot/process/known_exceptions.hpp>
#include <joblot/process/thrown.hpp>
#include <joblot/serialization/enclosed.hpp>
#include <joblot/serialization/inline_values.hpp>
#include <joblot/serialization/message.hpp>
#include <joblot/serialization/wire.hpp>

namespace joblot::detail {

/// An exception, what is nested in it, what is nested in that, ... so many of them travel.
inline constexpr int max_nested_exceptions = 16;

/// How a type of exceptions is called in a message.
struct NamedKind {
  ExceptionKind const* kind = nullptr;  // null: cannot be rebuilt
  std::uint32_t namesakes = 0;          // user's types of the same name that were registered before
};

/// By the exact type: of a derived class a part would be lost.
inline NamedKind find_kind(std::type_info const& type) noexcept {
  for (auto const& kind : known_exceptions) {
    if (kind.matches(type)) return {&kind, 0};
  }
  if (auto const* entry = ExceptionRegistry::find(type)) {
    return {&entry->kind, ExceptionRegistry::namesakes_before(*entry)};
  }
  // What libstdc++'s streams throw: a std::ios_base::failure with room for one of the old ABI.
  if (std::string_view(type.name()) == "St13__ios_failure") {
    return find_kind(typeid(std::ios_base::failure));
  }
  return {};
}

inline ExceptionKind const* find_kind(std::string_view name, std::uint32_t namesakes) noexcept {
  for (auto const& kind : known_exceptions) {
    if (kind.name() == name) return &kind;
  }
  auto const* entry = ExceptionRegistry::find(name, namesakes);
  return entry != nullptr ? &entry->kind : nullptr;
}

/// Takes an exception apart; false if its kind's `encode` cannot, which may run foreign code.
inline bool encode_value(OutMessage& out, ExceptionKind const& kind,
                         std::exception_ptr const& error) {
  bool out_of_memory = false;
  try {
    return kind.encode(out, error);
  } catch (std::bad_alloc const&) {
    out_of_memory = true;
  } catch (...) {
  }
  if (out_of_memory) throw std::bad_alloc();
  return false;
}

inline void encode_exception(OutMessage& out, std::exception_ptr const& error, int depth) {
  auto const thrown = examine(error);
  bool const nesting = thrown.nested != nullptr && depth + 1 < max_nested_exceptions;
  put(out, nesting);
  if (nesting) encode_exception(out, thrown.nested, depth + 1);

  auto found = find_kind(*thrown.type);
  OutMessage value;
  if (found.kind != nullptr && !encode_value(value, *found.kind, error)) {
    found = {};
    value.clear();
  }
  std::string const name = found.kind != nullptr ? found.kind->name() : "";
  put(out, name, found.namesakes, printed_name(*thrown.type), thrown.text);
  enclose(out, value);
}

/// Appends an exception, with what is nested in it, to a message. `error` must not be null; its
/// message needs it no longer. Throws nothing but `std::bad_alloc`; then the message is incomplete.
inline void encode_exception(OutMessage& out, std::exception_ptr const& error) {
  encode_exception(out, error, 0);
}

/// The exception as it was; null if foreign code that rebuilds it refuses.
inline std::exception_ptr decode_value(ExceptionKind const& kind, Enclosed& value,
                                       std::string const& text, std::exception_ptr const& nested) {
  std::exception_ptr trouble;
  try {
    return kind.decode(value, text, nested);
  } catch (BadMessage const&) {
    trouble = std::current_exception();
  } catch (std::bad_alloc const&) {
    trouble = std::current_exception();
  } catch (...) {
  }
  if (trouble) std::rethrow_exception(std::move(trouble));
  return nullptr;
}

inline std::exception_ptr decode_exception(InMessage& in, long pid, std::size_t index, int depth) {
  if (depth >= max_nested_exceptions) throw BadMessage("A message nests too many exceptions.");
  std::exception_ptr nested;
  if (take<bool>(in)) nested = decode_exception(in, pid, index, depth + 1);

  auto const name = take<std::string>(in);
  auto const namesakes = take<std::uint32_t>(in);
  auto const printed = take<std::string>(in);
  auto const text = take<std::string>(in);
  Enclosed value(in);
  if (auto const* kind = find_kind(name, namesakes)) {
    if (auto error = decode_value(*kind, value, text, nested)) return error;
  }
  return make_nesting(nested, [&] { return RemoteError(printed, text, pid, index); });
}

/// The next exception of a message, rebuilt; a `RemoteError` that names `pid` and `index` if its
/// type is not known. Throws `BadMessage` if it is damaged.
inline std::exception_ptr decode_exception(InMessage& in, long pid, std::size_t index) {
  return decode_exception(in, pid, index, 0);
}

}  // namespace joblot::detail

#endif
