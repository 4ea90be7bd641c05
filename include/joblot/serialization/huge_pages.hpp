// SPDX-License-Identifier: MIT
// Fewer page faults for memory that is about to be filled.
#ifndef JOBLOT_SERIALIZATION_HUGE_PAGES_HPP
#define JOBLOT_SERIALIZATION_HUGE_PAGES_HPP

#include <cstddef>
#include <cstdint>

#if __has_include(<sys/mman.h>)
#include <sys/mman.h>
#endif

namespace joblot::detail {

/// From this size on it pays: below, glibc hands out memory that has been used before.
inline constexpr std::size_t smallest_huge = std::size_t{4} << 20;

/// Asks for huge pages in memory that has not been touched. Where page faults are most of what
/// receiving costs, this halves the time. A hint: nothing is lost if the system does not care.
inline void advise_huge_pages([[maybe_unused]] void* data,
                              [[maybe_unused]] std::size_t size) noexcept {
#ifdef MADV_HUGEPAGE
  constexpr std::uintptr_t page = 4096;
  auto const address = reinterpret_cast<std::uintptr_t>(data);
  auto const begin = (address + page - 1) / page * page;
  auto const end = (address + size) / page * page;
  // The pages at both ends may hold something else, too.
  if (size >= smallest_huge && begin < end) {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): a page begins at a number
    static_cast<void>(::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE));
  }
#endif
}

}  // namespace joblot::detail

#endif
