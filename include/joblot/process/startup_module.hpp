// SPDX-License-Identifier: MIT
// Whether code would be there again, and run, if this program were started once more.
#ifndef JOBLOT_PROCESS_STARTUP_MODULE_HPP
#define JOBLOT_PROCESS_STARTUP_MODULE_HPP

#if defined(__linux__)

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <elf.h>
#include <link.h>

namespace joblot::detail {

/// What a loaded program or library says about itself and about the libraries it needs.
struct Dependencies {
  std::string path;
  std::string soname;
  std::vector<std::string> needed;
  bool holds_address = false;

  /// A library may be needed by its soname, or by the path that was given to the linker.
  [[nodiscard]] bool answers_to(std::string_view name) const {
    auto const base_name = [](std::string_view text) {
      return text.substr(text.find_last_of('/') + 1);  // npos + 1 is 0
    };
    return soname == name || path == name || base_name(path) == base_name(name);
  }
};

[[nodiscard]] inline Dependencies read_dependencies(dl_phdr_info const& info,
                                                    std::uintptr_t address) {
  Dependencies result;
  result.path = info.dlpi_name;
  char const* strings = nullptr;
  std::vector<std::size_t> needed;
  std::size_t soname = 0;  // of an empty string, as every string table begins with one
  for (std::size_t i = 0; i < info.dlpi_phnum; ++i) {
    auto const& segment = info.dlpi_phdr[i];
    auto const begin = info.dlpi_addr + segment.p_vaddr;
    if (segment.p_type == PT_LOAD && address >= begin && address - begin < segment.p_memsz) {
      result.holds_address = true;
    }
    if (segment.p_type != PT_DYNAMIC) continue;
    // NOLINTBEGIN(performance-no-int-to-ptr): addresses are numbers to the loader
    for (auto const* entry = reinterpret_cast<ElfW(Dyn) const*>(begin); entry->d_tag != DT_NULL;
         ++entry) {
      if (entry->d_tag == DT_NEEDED) needed.push_back(entry->d_un.d_val);
      if (entry->d_tag == DT_SONAME) soname = entry->d_un.d_val;
      if (entry->d_tag == DT_STRTAB) {
        // glibc has made an address of this offset, other loaders have not.
        bool const relative = entry->d_un.d_ptr < info.dlpi_addr;
        auto const table = entry->d_un.d_ptr + (relative ? info.dlpi_addr : 0);
        strings = reinterpret_cast<char const*>(table);
      }
    }
    // NOLINTEND(performance-no-int-to-ptr)
  }
  if (strings == nullptr) return result;
  result.soname = strings + soname;
  for (auto const offset : needed) result.needed.emplace_back(strings + offset);
  return result;
}

/// The libraries that the environment adds to every program.
[[nodiscard]] inline std::vector<std::string> preloaded_libraries() {
  std::vector<std::string> result;
  auto const* const variable = std::getenv("LD_PRELOAD");
  std::string_view rest = variable != nullptr ? variable : "";
  while (!rest.empty()) {
    auto const size = (std::min)(rest.find_first_of(" :"), rest.size());
    if (size > 0) result.emplace_back(rest.substr(0, size));
    rest.remove_prefix((std::min)(size + 1, rest.size()));
  }
  return result;
}

/// Whether the code or data at `address` is in the program or in a library loaded with it, and not
/// in a plugin: the slot of a plugin is never run in a worker before main, so starting the program
/// again for a worker would run the user's main a second time.
[[nodiscard]] inline bool is_startup_module(void const* address) {
  struct State {
    std::vector<Dependencies> modules;
    std::uintptr_t address;
  } state{{}, reinterpret_cast<std::uintptr_t>(address)};
  auto const collect = [](dl_phdr_info* info, std::size_t, void* data) noexcept -> int {
    auto& [modules, wanted] = *static_cast<State*>(data);
    modules.push_back(read_dependencies(*info, wanted));
    return 0;
  };
  ::dl_iterate_phdr(collect, &state);

  auto& modules = state.modules;
  if (modules.empty() || modules.front().holds_address) return true;  // the program goes first
  auto to_visit = std::move(modules.front().needed);
  std::ranges::move(preloaded_libraries(), std::back_inserter(to_visit));
  for (std::size_t i = 0; i < to_visit.size(); ++i) {
    for (auto& module : modules) {
      if (&module == &modules.front() || !module.answers_to(to_visit[i])) continue;
      if (module.holds_address) return true;
      // Moved, so that nobody follows them twice.
      std::ranges::move(std::exchange(module.needed, {}), std::back_inserter(to_visit));
    }
  }
  return false;
}

}  // namespace joblot::detail

#endif

#endif
