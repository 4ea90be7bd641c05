// SPDX-License-Identifier: MIT
// The types of exceptions that users have made known.
#ifndef JOBLOT_PROCESS_EXCEPTION_REGISTRY_HPP
#define JOBLOT_PROCESS_EXCEPTION_REGISTRY_HPP

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>
#include <typeinfo>

#include <joblot/process/exception_kind.hpp>

namespace joblot::detail {

/// A list that only grows, at its front, so that readers need no lock, which a child forked amid a
/// registration could find taken for ever. Constant-initialised and never destroyed, so that it can
/// be used before, during and after the life of every static object.
class ExceptionRegistry {
 public:
  struct Entry {
    ExceptionKind kind;
    Entry const* older = nullptr;
  };

  /// A type that is known already is left as it is.
  static void add(ExceptionKind const& kind) {
    auto fresh = std::make_unique<Entry>(Entry{kind, nullptr});
    fresh->older = newest();
    do {
      if (find_place(fresh->older, *kind.types[0]) != nullptr) return;
    } while (!head.compare_exchange_strong(fresh->older, fresh.get()));
    static_cast<void>(fresh.release());  // the list's now
  }

  /// The entry of exceptions whose dynamic type is `type`; null if there is none.
  static Entry const* find(std::type_info const& type) noexcept {
    auto const* const first = newest();
    if (auto const* entry = find_place(first, type)) return entry;
    auto const* entry = first;
    while (entry != nullptr && !entry->kind.matches(type)) entry = entry->older;
    return entry;
  }

  /// Types of unnamed namespaces may have a name in common. They are told apart by the order of
  /// registration, which follows static initialisation and so is the same in all processes of a
  /// program.
  static std::uint32_t namesakes_before(Entry const& entry) noexcept {
    std::uint32_t count = 0;
    for (auto const* other = entry.older; other != nullptr; other = other->older) {
      if (name_of(*other) == name_of(entry)) ++count;
    }
    return count;
  }

  /// The type called `name` before which so many of that name were registered; null if there is
  /// none.
  static Entry const* find(std::string_view name, std::uint32_t namesakes) noexcept {
    for (auto const* entry = newest(); entry != nullptr; entry = entry->older) {
      if (name_of(*entry) == name && namesakes_before(*entry) == namesakes) return entry;
    }
    return nullptr;
  }

 private:
  static Entry const* newest() noexcept {
    return head.load(std::memory_order_acquire);  // pairs with the exchange in add
  }

  static std::string_view name_of(Entry const& entry) noexcept { return entry.kind.name(); }

  static Entry const* find_place(Entry const* entry, std::type_info const& type) noexcept {
    while (entry != nullptr && !entry->kind.is_at_place_of(type)) entry = entry->older;
    return entry;
  }

  static constinit inline std::atomic<Entry const*> head{nullptr};
};

}  // namespace joblot::detail

#endif
