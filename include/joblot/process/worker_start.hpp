// SPDX-License-Identifier: MIT
// How this program, started once more, becomes a worker before it reaches main.
#ifndef JOBLOT_PROCESS_WORKER_START_HPP
#define JOBLOT_PROCESS_WORKER_START_HPP

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <span>
#include <string_view>

#if defined(__linux__)
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>
#endif

#include <joblot/error.hpp>
#include <joblot/process/startup_module.hpp>

namespace joblot::detail {

/// What the variable in the environment of a worker is called; its value is the number of a socket.
/// The version is that of everything the two processes have to agree on: of two versions of the
/// library in one program each answers its own.
inline constexpr char worker_variable[] = "JOBLOT_WORKER_V1";

/// The `argv[0]` of a worker, and what ps calls it.
inline constexpr char worker_name[] = "joblot-worker";

/// Where the first file descriptor given to a worker is; the others follow.
inline constexpr int first_worker_fd = 3;

/// What a worker does, from the moment at which main would be entered, with all static objects
/// constructed. `socket_fd` is connected to the process that started it. Defined with the worker's
/// loop, and weak, so that how a worker starts does not depend on what it does then.
[[noreturn, gnu::weak]] void run_worker(int socket_fd);

enum class ProcessKind { program, starting_worker, worker };

/// Relaxed wherever it is used: it changes while static objects are being constructed, and says
/// nothing about other memory.
inline constinit std::atomic<ProcessKind> process_kind{ProcessKind::program};

#if defined(__linux__)

/// Whether this process is a worker, be it one that is not ready yet. By its name where this code
/// is a plugin's: that has variables of its own, and its slot came too late.
[[nodiscard]] inline bool in_worker_process() noexcept {
  return process_kind.load(std::memory_order_relaxed) != ProcessKind::program ||
         std::string_view(program_invocation_name) == worker_name;
}

/// How glibc calls what is in .init_array. Other C libraries pass nothing, and what arrives here
/// is only ever passed on.
using InitFunction = void (*)(int, char**, char**);

// Made by the linker, but only found in static programs that have no dynamic section.
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): not our names
extern "C" {
[[gnu::weak, gnu::visibility("hidden")]] extern InitFunction __init_array_start[];
[[gnu::weak, gnu::visibility("hidden")]] extern InitFunction __init_array_end[];
}
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

/// Data by which a plugin recognises that the program itself can become a worker, although it does
/// not see the program's symbols. Each unit has one.
struct SlotMarker {
  std::array<std::uintptr_t, 3> magic{};
  InitFunction* slot = nullptr;
};

/// The functions that construct the static objects of the program, as far as they go by this table,
/// and the part of the program that the loader has made read-only.
struct InitArray {
  std::span<InitFunction> slots;
  std::uintptr_t protected_begin = 0;
  std::uintptr_t protected_end = 0;
  /// Data of the program that it may change, or could before it was protected.
  std::array<std::span<std::byte const>, 4> writable;

  [[nodiscard]] bool holds(InitFunction const* slot) const noexcept {
    std::less<> const before;  // which, unlike <, may compare with any pointer
    return !before(slot, slots.data()) && before(slot, slots.data() + slots.size());
  }
};

[[nodiscard]] inline InitArray program_init_array() noexcept {
  InitArray result;
  auto const read_program = [](dl_phdr_info* info, std::size_t, void* data) noexcept -> int {
    auto& array = *static_cast<InitArray*>(data);
    InitFunction* first = nullptr;
    std::size_t count = 0;
    std::size_t segments = 0;
    for (std::size_t i = 0; i < info->dlpi_phnum; ++i) {
      auto const& segment = info->dlpi_phdr[i];
      auto const begin = info->dlpi_addr + segment.p_vaddr;
      if (segment.p_type == PT_GNU_RELRO) {
        array.protected_begin = begin;
        array.protected_end = begin + segment.p_memsz;
      }
      // NOLINTBEGIN(performance-no-int-to-ptr): addresses are numbers to the loader
      if (segment.p_type == PT_LOAD && (segment.p_flags & PF_W) != 0 &&
          segment.p_filesz > sizeof(SlotMarker) && segments < array.writable.size()) {
        auto const skipped = (0 - begin) % sizeof(std::uintptr_t);  // up to whole words
        array.writable.at(segments++) = {reinterpret_cast<std::byte const*>(begin + skipped),
                                         segment.p_filesz - skipped};
      }
      if (segment.p_type != PT_DYNAMIC) continue;
      for (auto const* entry = reinterpret_cast<ElfW(Dyn) const*>(begin); entry->d_tag != DT_NULL;
           ++entry) {
        if (entry->d_tag == DT_INIT_ARRAY) {
          first = reinterpret_cast<InitFunction*>(info->dlpi_addr + entry->d_un.d_ptr);
        }
        if (entry->d_tag == DT_INIT_ARRAYSZ) count = entry->d_un.d_val / sizeof(InitFunction);
      }
      // NOLINTEND(performance-no-int-to-ptr)
    }
    if (first != nullptr) array.slots = {first, count};
    return 1;  // the program is the first, and the only one wanted
  };
  ::dl_iterate_phdr(read_program, &result);
  if (result.slots.empty() && __init_array_start != nullptr) {
    result.slots = {__init_array_start, __init_array_end};
  }
  return result;
}

/// Random numbers; others for each version of `worker_variable`.
inline constexpr std::array<std::uintptr_t, 3> slot_magic{
    static_cast<std::uintptr_t>(0x8f0d'61c2'5be9'7a34),
    static_cast<std::uintptr_t>(0xd7a1'3f86'90c4'2e5b),
    static_cast<std::uintptr_t>(0x42b6'e80f'7d15'c9a3)};

/// Whether the program has a slot of this version, found by its marker. Reads through all writable
/// data in the program's file, so it is for the rare case that nothing else tells. Word by word and
/// unseen by sanitizers: it meets what others write, and the red zones between.
[[gnu::no_sanitize_address, gnu::no_sanitize_thread]] inline bool program_has_slot() noexcept {
  constexpr std::size_t words = sizeof(SlotMarker) / sizeof(std::uintptr_t);
  auto const array = program_init_array();
  for (auto const data : array.writable) {
    auto const* const word = reinterpret_cast<std::uintptr_t const volatile*>(data.data());
    std::size_t const size = data.size() / sizeof(std::uintptr_t);
    for (std::size_t i = 0; i + words <= size; ++i) {
      if (word[i] != slot_magic[0] || word[i + 1] != slot_magic[1]) continue;
      // NOLINTNEXTLINE(performance-no-int-to-ptr): addresses are numbers to the loader
      auto const* const slot = reinterpret_cast<InitFunction const*>(word[i + 3]);
      if (word[i + 2] == slot_magic[2] && array.holds(slot)) return true;
    }
  }
  return false;
}

/// Throws `Error` if this program, started once more, would not become a worker.
inline void check_workers_can_start() {
  // The variable is still there if this unit's static objects come before any slot.
  if (process_kind.load(std::memory_order_relaxed) == ProcessKind::starting_worker ||
      std::getenv(worker_variable) != nullptr) {
    throw Error(
        "joblot: worker processes cannot be started while static objects are being constructed, "
        "because each worker constructs them too and would start more of them; make the call in "
        "main or later");
  }
  if (!is_startup_module(&process_kind) && !program_has_slot()) {
    throw Error(
        "joblot: worker processes cannot be started from a plugin, a library loaded with dlopen(): "
        "the program would run its main again in each worker; include joblot in the program or in "
        "a library linked with it, or use the backend \"multiprocessing\" or \"threading\"");
  }
}

/// Ends a process that should have become a worker: whatever is wrong, it must not run main.
[[noreturn]] inline void give_up_start(std::string_view text) noexcept {
  static_cast<void>(!::write(2, text.data(), text.size()));
  ::_exit(127);
}

/// The socket this process is to serve as a worker; -1 in all others, at the cost of one look into
/// the environment.
[[nodiscard]] inline int claim_worker_socket() noexcept {
  auto const* const value = std::getenv(worker_variable);
  if (value == nullptr) return -1;
  char* end = nullptr;
  auto const number = std::strtol(value, &end, 10);
  bool const is_number = end != value && *end == '\0' && number >= 0 && number < 1'000'000;
  ::unsetenv(worker_variable);  // programs that this one starts are no workers
  // A program that runs with rights its user does not have takes no orders from the environment.
  if (::getauxval(AT_SECURE) != 0) return -1;
  auto const fd = static_cast<int>(number);
  int type = 0;
  socklen_t type_size = sizeof type;
  ucred peer{};
  socklen_t peer_size = sizeof peer;
  if (is_number && ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_size) == 0 &&
      ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_size) == 0 &&
      peer.pid == ::getppid() && peer.uid == ::geteuid()) {
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    return fd;
  }
  // Either the variable is a stray one, or who started this worker is gone already.
  if (std::string_view(program_invocation_name) == worker_name) ::_exit(0);
  return -1;
}

/// Only in a worker that is starting.
struct WorkerStart {
  int socket_fd = -1;
  pid_t parent = 0;  // as it was then: it may be gone when the worker is ready to watch it
  InitFunction last_slot = nullptr;  // the one that `finish_start` stands for, if any
};

inline constinit WorkerStart worker_start{};

[[noreturn]] inline void enter_worker() noexcept {
  process_kind.store(ProcessKind::worker, std::memory_order_relaxed);
  if (&run_worker == nullptr) {
    give_up_start("joblot: this program can start workers, but has no code for them\n");
  }
  run_worker(worker_start.socket_fd);
}

/// Stands in for the program's last slot.
inline void finish_start(int argc, char** argv, char** environment) noexcept {
  worker_start.last_slot(argc, argv, environment);
  enter_worker();
}

/// Puts `finish_start` in the place of the program's last slot.
inline void replace_last_slot(InitArray const& array) noexcept {
  auto& last = array.slots.back();
  auto const page_size = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  auto const page = reinterpret_cast<std::uintptr_t>(&last) / page_size * page_size;
  // The loader protects whole pages. Any other one is writable and has to remain so.
  bool const is_protected = page >= array.protected_begin / page_size * page_size &&
                            page < array.protected_end / page_size * page_size;
  auto* const memory = reinterpret_cast<void*>(page);  // NOLINT(performance-no-int-to-ptr)
  if (is_protected && ::mprotect(memory, page_size, PROT_READ | PROT_WRITE) != 0) {
    give_up_start("joblot: a worker cannot start: mprotect() of .init_array failed\n");
  }
  worker_start.last_slot = last;
  last = &finish_start;
  if (is_protected) ::mprotect(memory, page_size, PROT_READ);
}

/// Called through `own_slot`, which is in an .init_array. If this process is to be a worker, it
/// sees to it that all static objects are constructed, and that the worker runs instead of main.
inline void start_if_worker(InitFunction* own_slot, int argc, char** argv,
                            char** environment) noexcept {
  static constinit bool seen = false;  // one slot for each translation unit, and one is enough
  if (seen) return;
  seen = true;
  worker_start.parent = ::getppid();  // before it is compared with who made the socket
  worker_start.socket_fd = claim_worker_socket();
  if (worker_start.socket_fd < 0) return;
  process_kind.store(ProcessKind::starting_worker, std::memory_order_relaxed);

  auto const array = program_init_array();
  if (array.slots.empty()) give_up_start("joblot: a worker cannot start: no .init_array\n");
  if (!array.holds(own_slot)) {
    // In a library, which goes first: other libraries and the program are still to come.
    replace_last_slot(array);
    return;
  }
  auto* const end = array.slots.data() + array.slots.size();
  for (auto* slot = own_slot + 1; slot != end; ++slot) (*slot)(argc, argv, environment);
  enter_worker();
}

#else

[[nodiscard]] inline bool in_worker_process() noexcept { return false; }

inline void check_workers_can_start() {
  throw Error(
      "joblot: worker processes cannot be started on this system yet; use the backend "
      "\"threading\"");
}

#endif

}  // namespace joblot::detail

#if defined(__linux__)

// A pointer that is put into .init_array by hand, because g++ -flto makes one function of all that
// are marked as constructors, after which what comes behind this one could not be called alone.
// It has internal linkage on purpose: the linker keeps the slots of all units, in any order, and
// the first that is run does the work. Not const: .init_array is writable as far as compilers know.
namespace joblot::detail {
namespace {

void start_from_this_unit(int argc, char** argv, char** environment);

#if defined(__clang__)
[[clang::no_sanitize("address")]]  // whose red zones would be called like functions
#endif
[[gnu::section(".init_array"), gnu::used]] InitFunction start_slot = &start_from_this_unit;

[[gnu::used]] constinit SlotMarker start_marker{slot_magic, &start_slot};

void start_from_this_unit(int argc, char** argv, char** environment) {
  start_if_worker(start_marker.slot, argc, argv, environment);
}

}  // namespace
}  // namespace joblot::detail

#endif

#endif
