// SPDX-License-Identifier: MIT
// Starts this program once more, as a worker process.
#ifndef JOBLOT_PROCESS_SPAWN_HPP
#define JOBLOT_PROCESS_SPAWN_HPP

#include <span>
#include <string>
#include <vector>

#include <joblot/error.hpp>
#include <joblot/process/worker_start.hpp>

#if defined(__linux__)

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <string_view>
#include <system_error>
#include <utility>

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

namespace joblot::detail {

/// The file to execute. By its name, if that still leads to what runs now: tools that show or
/// intercept programs go by it. Otherwise by a link that leads to the running file even if it has
/// been deleted or replaced.
[[nodiscard]] inline std::string own_executable() {
  std::string link = "/proc/self/exe";
  std::array<char, PATH_MAX> buffer{};
  auto const size = ::readlink(link.c_str(), buffer.data(), buffer.size());
  if (size <= 0 || static_cast<std::size_t>(size) == buffer.size()) return link;
  std::string name(buffer.data(), static_cast<std::size_t>(size));
  struct stat named {};
  struct stat running {};
  if (::stat(name.c_str(), &named) != 0) return link;
  // Without /proc for stat() there is nothing to compare with; under valgrind, which answers
  // readlink() for the program it runs, the link itself leads to valgrind.
  auto const* const preload = std::getenv("LD_PRELOAD");
  bool const in_valgrind =
      preload != nullptr && std::string_view(preload).find("vgpreload") != std::string_view::npos;
  bool const same = ::stat(link.c_str(), &running) != 0 ||
                    (named.st_ino == running.st_ino && named.st_dev == running.st_dev);
  return same || in_valgrind ? name : link;
}

[[noreturn]] inline void throw_spawn_error(std::string_view step, int error) {
  auto const* const hint =
      error == EMFILE || error == ENFILE   ? "raise the limit of open files (ulimit -n)"
      : error == EAGAIN || error == ENOMEM ? "raise the limit of processes (ulimit -u) or memory"
                                           : "check that the program may still be executed";
  throw Error(fmt::format(
      "joblot: a worker process could not be started: {}: {}; {}, or use fewer n_jobs or the "
      "backend \"threading\"",
      step, std::generic_category().message(error), hint));
}

/// Throws for functions that return an error number.
inline void check_spawn_step(std::string_view step, int error) {
  if (error != 0) throw_spawn_error(step, error);
}

/// Copies of file descriptors, out of the way of the numbers they will have in the worker: a copy
/// onto one of these would close another source before its turn.
class MovedFds {
 public:
  explicit MovedFds(std::span<int const> fds) {
    int const lowest = (std::max)(10, first_worker_fd + static_cast<int>(fds.size()));
    moved_.reserve(fds.size());
    for (int const fd : fds) {
      int const copy = ::fcntl(fd, F_DUPFD_CLOEXEC, lowest);
      if (copy < 0) {
        int const error = errno;
        close_all();  // no destructor runs for what has not been constructed
        throw_spawn_error(fmt::format("file descriptor {} could not be duplicated", fd), error);
      }
      moved_.push_back(copy);
    }
  }
  MovedFds(MovedFds const&) = delete;
  MovedFds& operator=(MovedFds const&) = delete;
  ~MovedFds() { close_all(); }

  [[nodiscard]] std::span<int const> get() const noexcept { return moved_; }

 private:
  void close_all() noexcept {
    for (int const fd : moved_) ::close(fd);
  }

  std::vector<int> moved_;
};

/// What the new process does before it executes the program.
class SpawnActions {
 public:
  explicit SpawnActions(std::span<int const> fds) {
    check_spawn_step("posix_spawn_file_actions_init", ::posix_spawn_file_actions_init(&actions_));
    int target = first_worker_fd;
    for (int const fd : fds) {
      if (int const error = ::posix_spawn_file_actions_adddup2(&actions_, fd, target++)) {
        ::posix_spawn_file_actions_destroy(&actions_);
        throw_spawn_error("posix_spawn_file_actions_adddup2", error);
      }
    }
#if defined(__GLIBC_PREREQ)
#if __GLIBC_PREREQ(2, 34)
    // Files that the program has open without O_CLOEXEC, such as the ends of its own pipes, whose
    // other ends would wait for all workers to go. Should it fail, they are merely inherited.
    static_cast<void>(::posix_spawn_file_actions_addclosefrom_np(&actions_, target));
#endif
#endif
  }
  SpawnActions(SpawnActions const&) = delete;
  SpawnActions& operator=(SpawnActions const&) = delete;
  ~SpawnActions() { ::posix_spawn_file_actions_destroy(&actions_); }

  [[nodiscard]] posix_spawn_file_actions_t const* get() const noexcept { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_{};
};

/// The signals of the new process: what this thread has blocked and what the program ignores are
/// no business of a worker, which has to end when it is told to.
class SpawnSignals {
 public:
  SpawnSignals() {
    check_spawn_step("posix_spawnattr_init", ::posix_spawnattr_init(&attributes_));
    sigset_t none;
    sigemptyset(&none);
    sigset_t defaults;
    sigemptyset(&defaults);
    for (int const signal : {SIGINT, SIGTERM, SIGPIPE, SIGCHLD, SIGHUP}) {
      sigaddset(&defaults, signal);
    }
    // None of these can fail on valid sets and flags.
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setsigdefault(&attributes_, &defaults);
    ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  SpawnSignals(SpawnSignals const&) = delete;
  SpawnSignals& operator=(SpawnSignals const&) = delete;
  ~SpawnSignals() { ::posix_spawnattr_destroy(&attributes_); }

  [[nodiscard]] posix_spawnattr_t const* get() const noexcept { return &attributes_; }

 private:
  posix_spawnattr_t attributes_{};
};

/// This process's environment, where each "NAME=value" of `changes` replaces what had the name.
[[nodiscard]] inline std::vector<std::string> changed_environment(
    std::vector<std::string> changes) {
  auto const name_of = [](std::string_view entry) { return entry.substr(0, entry.find('=')); };
  auto const changed = changes.size();
  for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry) {
    std::string_view const inherited = *entry;
    auto const end = changes.begin() + static_cast<std::ptrdiff_t>(changed);
    if (std::any_of(changes.begin(), end, [&](std::string const& change) {
          return name_of(change) == name_of(inherited);
        })) {
      continue;
    }
    changes.emplace_back(inherited);
  }
  return changes;
}

/// Starts this program once more as a worker and returns its process id; the caller has to wait for
/// it (`Child`). The worker has `fds` as 3, 4, ... and no other files but the standard streams; the
/// first one must be a socket whose other end this process has made, and goes to `run_worker`.
/// `extra_environment` has entries "NAME=value". Throws `Error`.
[[nodiscard]] inline pid_t spawn_self(std::span<int const> fds,
                                      std::vector<std::string> const& extra_environment) {
  check_workers_can_start();
  if (fds.empty()) throw_spawn_error("a worker needs a socket", EBADF);
  auto changes = extra_environment;
  changes.push_back(fmt::format("{}={}", worker_variable, first_worker_fd));
  auto environment = changed_environment(std::move(changes));
  std::vector<char*> pointers;
  pointers.reserve(environment.size() + 1);
  for (auto& entry : environment) pointers.push_back(entry.data());
  pointers.push_back(nullptr);

  std::string name = worker_name;
  std::array<char*, 2> arguments{name.data(), nullptr};
  MovedFds const sources(fds);
  SpawnActions const actions(sources.get());
  SpawnSignals const signals;
  auto const file = own_executable();
  pid_t pid = -1;
  int const error = ::posix_spawn(&pid, file.c_str(), actions.get(), signals.get(),
                                  arguments.data(), pointers.data());
  if (error != 0) throw_spawn_error(fmt::format("{} could not be executed", file), error);
  return pid;
}

/// The process whose end is this one's.
inline constinit std::atomic<pid_t> guarded_parent{0};
static_assert(std::atomic<pid_t>::is_always_lock_free);  // it is read by a signal handler

inline void end_if_orphan(int) noexcept {
  if (::getppid() != guarded_parent.load(std::memory_order_relaxed)) ::_exit(0);
}

/// Ends this process, at the latest, when `parent` has ended, however that came. For a worker,
/// early: it takes a signal for itself, SIGRTMAX-3. `parent`: as of the start of this process
/// (`worker_start.parent`), because by now it may be an orphan, and the child of another one.
inline void guard_against_orphanhood(pid_t parent) noexcept {
  guarded_parent.store(parent, std::memory_order_relaxed);
  ::prctl(PR_SET_NAME, worker_name, 0, 0, 0);
  // Not SIGKILL: to the kernel the parent is the thread that started this process, and when that
  // thread ends the signal comes while the program is well. The handler can tell.
  int const signal = SIGRTMAX - 3;
  struct sigaction action {};
  action.sa_handler = &end_if_orphan;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  ::sigaction(signal, &action, nullptr);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  ::prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0);
  end_if_orphan(signal);  // it may have ended before there was a signal to be sent
}

}  // namespace joblot::detail

#else

namespace joblot::detail {

[[nodiscard]] inline int spawn_self(std::span<int const>, std::vector<std::string> const&) {
  check_workers_can_start();  // throws
  return -1;
}

}  // namespace joblot::detail

#endif

#endif
