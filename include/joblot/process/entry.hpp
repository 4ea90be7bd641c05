// SPDX-License-Identifier: MIT
// Functions that another process may ask for, with proof that they are what it means.
#ifndef JOBLOT_PROCESS_ENTRY_HPP
#define JOBLOT_PROCESS_ENTRY_HPP

#include <cstdint>
#include <string_view>
#include <type_traits>

#include <fmt/format.h>

#include <joblot/error.hpp>
#include <joblot/serialization/code_identity.hpp>

namespace joblot::detail {

/// Begins every entry. A constant, not a hash of the signature: compilers spell types differently,
/// and a program and its libraries may come from two of them. Changes with the layout.
inline constexpr std::uint64_t entry_magic = 0x31'74'6f'6c'62'6f'6a'fe;  // "joblot1"

/// A function at a place that `identify` can name. An address that a message leads to is used only
/// if one of these is there: a jump to anywhere else could not even be reported.
template <class Signature>
struct Entry {
  std::uint64_t magic = 0;
  std::uint64_t type_hash = 0;  // of the function's name with its template arguments
  Signature* run = nullptr;
};

template <auto function>
[[nodiscard]] constexpr std::uint64_t hash_of_name() noexcept {
  std::uint64_t hash = 0xcbf29ce484222325;  // 64-bit FNV-1a: it finds mistakes, not attacks
  for (char const c : std::string_view(__PRETTY_FUNCTION__)) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  return hash;
}

/// The entry of `function`, a pointer to a function. A message names it by
/// `identify(&entry_for<f>)` and `entry_for<f>.type_hash`.
template <auto function>
inline constinit Entry<std::remove_pointer_t<decltype(function)>> const entry_for{
    entry_magic, hash_of_name<function>(), function};

/// The entry that another process of this program named. `Signature` must be the one it has there.
/// Throws `Error` if there is none, or the one of another function.
template <class Signature>
[[nodiscard]] Entry<Signature> const& resolve_entry(CodeIdentity const& identity,
                                                    std::uint64_t type_hash) {
  using Wanted = Entry<Signature> const;
  void const* const address = find_code(identity, sizeof(Wanted));
  bool const aligned = reinterpret_cast<std::uintptr_t>(address) % alignof(Wanted) == 0;
  auto const* const entry = static_cast<Wanted*>(address);
  if (aligned && entry->magic == entry_magic && entry->type_hash == type_hash) return *entry;
  throw Error(fmt::format(
      "joblot: offset {:#x} of {} is not the function that the calling process means; both must be "
      "the same build, so build program and libraries with a build-id (-Wl,--build-id)",
      identity.offset, identity.module()));
}

}  // namespace joblot::detail

#endif
