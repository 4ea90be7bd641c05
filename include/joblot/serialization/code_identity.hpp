// SPDX-License-Identifier: MIT
// Names for functions and static objects that another process of the same program understands.
#ifndef JOBLOT_SERIALIZATION_CODE_IDENTITY_HPP
#define JOBLOT_SERIALIZATION_CODE_IDENTITY_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <fmt/format.h>

#if defined(__linux__)
#include <dlfcn.h>
#include <elf.h>
#include <limits.h>
#include <link.h>
#include <stdlib.h>
#include <sys/stat.h>
#endif

#include <joblot/error.hpp>

namespace joblot::detail {

/// Tells one build of a program or library from another.
struct Build {
  static constexpr std::size_t max_id = 20;  // SHA-1, the longest that linkers make

  /// What the linker made from the contents. The first `id_size` bytes count; 0 if it made none.
  std::array<std::byte, max_id> id{};
  std::uint8_t id_size = 0;
  /// Only without it: a hash of where its parts go in memory, the size of the file in bytes, and
  /// its last change in ns since 1970.
  std::uint64_t layout = 0;
  std::uint64_t file_size = 0;
  std::int64_t file_time = 0;

  friend bool operator==(Build const&, Build const&) = default;
};

/// Where something with a fixed place in a program or library is: which file, and how far from
/// where that begins. An address would not do: every process loads its files elsewhere.
struct CodeIdentity {
  Build build;
  std::uint64_t offset = 0;
  std::string path;  // "": the program itself

  friend bool operator==(CodeIdentity const&, CodeIdentity const&) = default;

  /// Which file, for messages.
  [[nodiscard]] std::string module() const {
    return path.empty() ? "the program" : fmt::format("library {}", path);
  }

  /// Appends the byte form, for a process on the same machine.
  void append_to(std::vector<std::byte>& bytes) const {
    append(bytes, build.id_size);
    append(bytes, std::span(build.id).first(build.id_size));
    if (build.id_size == 0) {
      append(bytes, build.layout);
      append(bytes, build.file_size);
      append(bytes, build.file_time);
    }
    append(bytes, offset);
    append(bytes, static_cast<std::uint32_t>(path.size()));
    append(bytes, std::as_bytes(std::span(path)));
  }

  /// Reads what `append_to` wrote and drops it from the front of `bytes`. Throws `Error` if it is
  /// cut short or cannot be one.
  static CodeIdentity read_from(std::span<std::byte const>& bytes) {
    CodeIdentity result;
    take(bytes, result.build.id_size);
    if (result.build.id_size > Build::max_id) {
      throw Error(fmt::format(
          "joblot: a message names code by a build-id of {} bytes; at most {} are allowed",
          result.build.id_size, Build::max_id));
    }
    std::ranges::copy(take_bytes(bytes, result.build.id_size), result.build.id.begin());
    if (result.build.id_size == 0) {
      take(bytes, result.build.layout);
      take(bytes, result.build.file_size);
      take(bytes, result.build.file_time);
    }
    take(bytes, result.offset);
    std::uint32_t path_size = 0;
    take(bytes, path_size);
    for (auto const byte : take_bytes(bytes, path_size))
      result.path.push_back(static_cast<char>(byte));
    return result;
  }

 private:
  static void append(std::vector<std::byte>& bytes, std::span<std::byte const> more) {
    bytes.insert(bytes.end(), more.begin(), more.end());
  }

  template <class Number>
  requires std::is_integral_v<Number>
  static void append(std::vector<std::byte>& bytes, Number number) {
    append(bytes, std::as_bytes(std::span(&number, 1)));
  }

  static std::span<std::byte const> take_bytes(std::span<std::byte const>& bytes,
                                               std::size_t size) {
    if (size > bytes.size()) {
      throw Error(
          fmt::format("joblot: a message that names code is cut short: {} bytes wanted, {} left",
                      size, bytes.size()));
    }
    auto const result = bytes.first(size);
    bytes = bytes.subspan(size);
    return result;
  }

  template <class Number>
  requires std::is_integral_v<Number>
  static void take(std::span<std::byte const>& bytes, Number& number) {
    std::memcpy(&number, take_bytes(bytes, sizeof number).data(), sizeof number);
  }
};

#if defined(__linux__)

// Weak references, because a glibc before 2.34 has them in a library of their own, which a program
// without plugins need not be linked with.
[[gnu::weakref("dlopen")]] static void* dlopen_if_linked(char const* path, int flags);
[[gnu::weakref("dlerror")]] static char* dlerror_if_linked();

/// A loaded program or library, as dl_iterate_phdr() shows it. Valid while it stays loaded.
class Module {
 public:
  Module(dl_phdr_info const& info, bool is_program) noexcept
      : base_(info.dlpi_addr),
        segments_(info.dlpi_phdr, info.dlpi_phnum),
        name_(is_program ? "" : info.dlpi_name) {}

  /// What offsets count from.
  [[nodiscard]] std::uintptr_t base() const noexcept { return base_; }

  /// Whether the `size` bytes at `address` are part of it, code or data.
  [[nodiscard]] bool contains(std::uintptr_t address, std::size_t size = 1) const noexcept {
    return std::ranges::any_of(segments_, [&](ElfW(Phdr) const& segment) {
      auto const begin = base_ + segment.p_vaddr;
      return segment.p_type == PT_LOAD && address >= begin && address - begin < segment.p_memsz &&
             size <= segment.p_memsz - (address - begin);
    });
  }

  [[nodiscard]] Build build() const noexcept {
    Build result;
    auto const id = build_id();
    result.id_size = static_cast<std::uint8_t>((std::min)(id.size(), Build::max_id));
    std::ranges::copy(id.first(result.id_size), result.id.begin());
    if (result.id_size > 0) return result;
    result.layout = layout();
    // /proc/self/exe leads to the file that runs, even if its name leads to another one by now.
    struct stat file {};
    if (::stat(*name_ == '\0' ? "/proc/self/exe" : name_, &file) != 0) return result;
    result.file_size = static_cast<std::uint64_t>(file.st_size);
    result.file_time = std::int64_t{file.st_mtim.tv_sec} * 1'000'000'000 + file.st_mtim.tv_nsec;
    return result;
  }

  /// "" for the program, for a library an absolute name where there is one: those of dlopen() and
  /// LD_LIBRARY_PATH may be relative, and the other process may be in another directory.
  [[nodiscard]] std::string path() const {
    PathBuffer buffer;
    return absolute(buffer);
  }

  [[nodiscard]] bool has_path(std::string_view path) const noexcept {
    PathBuffer buffer;  // not filled with zeros: this runs for each library
    return path == name_ || path == absolute(buffer);
  }

 private:
  using PathBuffer = std::array<char, PATH_MAX>;

  char const* absolute(PathBuffer& buffer) const noexcept {
    bool const relative = *name_ != '/' && std::strchr(name_, '/') != nullptr;
    auto const* const result = relative ? ::realpath(name_, buffer.data()) : nullptr;
    return result != nullptr ? result : name_;
  }

  // Unlike the file it is what has been loaded, even if a name leads to another file by now.
  [[nodiscard]] std::uint64_t layout() const noexcept {
    std::uint64_t hash = 0xcbf29ce484222325;  // 64-bit FNV-1a
    for (auto const byte : std::as_bytes(segments_)) {
      hash = (hash ^ std::to_integer<std::uint64_t>(byte)) * 0x100000001b3;
    }
    return hash;
  }

  [[nodiscard]] std::span<std::byte const> build_id() const noexcept {
    for (auto const& segment : segments_) {
      if (segment.p_type != PT_NOTE) continue;
      auto const alignment = std::size_t{segment.p_align == 8 ? 8U : 4U};
      auto const aligned = [&](std::size_t size) {
        return (size + alignment - 1) / alignment * alignment;
      };
      // NOLINTNEXTLINE(performance-no-int-to-ptr): addresses are numbers to the loader
      std::span notes(reinterpret_cast<std::byte const*>(base_ + segment.p_vaddr), segment.p_memsz);
      ElfW(Nhdr) note{};
      while (notes.size() >= sizeof note) {
        std::memcpy(&note, notes.data(), sizeof note);
        auto const value = aligned(sizeof note + note.n_namesz);
        if (value > notes.size() || note.n_descsz > notes.size() - value) break;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
            std::memcmp(notes.data() + sizeof note, "GNU", 4) == 0) {
          return notes.subspan(value, note.n_descsz);
        }
        notes = notes.subspan((std::min)(notes.size(), aligned(value + note.n_descsz)));
      }
    }
    return {};
  }

  std::uintptr_t base_;
  std::span<ElfW(Phdr) const> segments_;
  char const* name_;
};

/// Calls `visit(module)` for each loaded module, the program first, until it returns true. The
/// loader is locked meanwhile, and its frames are no place for exceptions.
template <class Visit>
void visit_modules(Visit visit) noexcept {
  static_assert(noexcept(visit(std::declval<Module const&>())));
  struct State {
    Visit& visit;
    bool is_program;
  } state{visit, true};
  auto const step = [](dl_phdr_info* info, std::size_t, void* data) noexcept -> int {
    auto& [visit_one, is_program] = *static_cast<State*>(data);
    return visit_one(Module(*info, std::exchange(is_program, false))) ? 1 : 0;
  };
  ::dl_iterate_phdr(step, &state);
}

/// The loaded program or library that an address belongs to.
[[nodiscard]] inline std::optional<Module> module_of(void const* address) noexcept {
  std::optional<Module> result;
  visit_modules([&](Module const& module) noexcept {
    if (module.contains(reinterpret_cast<std::uintptr_t>(address))) result = module;
    return result.has_value();
  });
  return result;
}

/// The name of the function or static object at `address`. Takes well below a microsecond and an
/// allocation, and stays true while its module is loaded, so a caller may keep it. Throws `Error`
/// for what is in no file: heap, stack, code made at run time.
[[nodiscard]] inline CodeIdentity identify(void const* address) {
  auto const module = module_of(address);
  if (!module) {
    throw Error(fmt::format(
        "joblot: {} is in no loaded program or library, so another process cannot find it; give a "
        "function that is compiled into one",
        address));
  }
  auto const offset = reinterpret_cast<std::uintptr_t>(address) - module->base();
  return {.build = module->build(), .offset = offset, .path = module->path()};
}

/// What a look for the module of a `CodeIdentity` found.
struct ModuleSearch {
  std::optional<Module> found;
  bool other_build = false;  // there is one of that name, but not the same
};

/// The same build under another name will do, since names depend on how a library was found; but
/// the right name goes first, since a copy loaded beside it has static objects of its own.
[[nodiscard]] inline ModuleSearch search_module(CodeIdentity const& identity) noexcept {
  ModuleSearch result;
  visit_modules([&](Module const& module) noexcept {
    bool const same_path = module.has_path(identity.path);
    bool const same_build = module.build() == identity.build;
    if (same_build && (same_path || (identity.build.id_size > 0 && !result.found))) {
      result.found = module;
    }
    result.other_build = result.other_build || (same_path && !same_build);
    return same_path && same_build;
  });
  return result;
}

/// Loads a library that the other process has loaded after its start; "" or what is wrong with it.
/// It stays loaded: there is no moment at which nobody would use it.
[[nodiscard]] inline std::string load_library(std::string const& path) {
  if (dlopen_if_linked == nullptr) return "this program has no dlopen(); link it with -ldl";
  if (dlopen_if_linked(path.c_str(), RTLD_NOW | RTLD_LOCAL) != nullptr) return "";
  auto const* const reason = dlerror_if_linked != nullptr ? dlerror_if_linked() : nullptr;
  return reason != nullptr ? reason : "unknown error";
}

/// The address in this process of what `identify` named in another one, and of the `size` bytes
/// there. Loads the library if it was a plugin in the other one. Throws `Error` if this process
/// does not have the same build.
[[nodiscard]] inline void* find_code(CodeIdentity const& identity, std::size_t size = 1) {
  auto search = search_module(identity);
  std::string reason;
  if (!search.found && !search.other_build && !identity.path.empty()) {
    reason = load_library(identity.path);
    search = search_module(identity);
  }
  if (!search.found) {
    if (search.other_build) {
      throw Error(fmt::format(
          "joblot: {} on disk has changed since the calling process loaded it, so a worker process "
          "started now does not have the same code; restart the calling program",
          identity.module()));
    }
    throw Error(fmt::format("joblot: {} is not loaded in the worker process, and cannot be: {}",
                            identity.module(), reason));
  }
  auto const address = search.found->base() + identity.offset;
  if (!search.found->contains(address, size)) {
    throw Error(fmt::format("joblot: offset {:#x} is outside of {}; the message is damaged",
                            identity.offset, identity.module()));
  }
  return reinterpret_cast<void*>(address);  // NOLINT(performance-no-int-to-ptr): see above
}

#else

[[nodiscard]] inline CodeIdentity identify(void const*) {
  throw Error("joblot: other processes cannot find code of this one on this system; use threads");
}

[[nodiscard]] inline void* find_code(CodeIdentity const&, std::size_t = 1) {
  throw Error("joblot: code of other processes cannot be found on this system; use threads");
}

#endif

}  // namespace joblot::detail

#endif
