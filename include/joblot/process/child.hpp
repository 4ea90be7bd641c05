// SPDX-License-Identifier: MIT
// A child process: how it ended, and that it ends.
#ifndef JOBLOT_PROCESS_CHILD_HPP
#define JOBLOT_PROCESS_CHILD_HPP

#include <optional>
#include <string>

#include <fmt/format.h>

#if defined(__linux__)
#include <utility>

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

#include <joblot/signal_text.hpp>

namespace joblot::detail {

#if defined(__linux__)

/// How a process ended. At most one of the two is there; neither if nobody can tell.
struct ExitStatus {
  std::optional<int> signal;       // that killed it
  std::optional<int> exit_status;  // what it gave to exit()

  friend bool operator==(ExitStatus const&, ExitStatus const&) = default;

  /// Continues a sentence: "process 123 ...".
  [[nodiscard]] std::string describe() const {
    if (signal) {
      return "was killed by " + signal_text(*signal);
    }
    if (exit_status) return fmt::format("exited with status {}", *exit_status);
    return "ended with a status that is not known (reaped by the program)";
  }
};

/// Owns a child process: what is destroyed is killed and reaped. Not for several threads at once.
class Child {
 public:
  /// `pid`: a child of this process that nobody has waited for yet.
  explicit Child(pid_t pid) noexcept : pid_(pid), owner_(::getpid()), pidfd_(open_pidfd(pid)) {}

  Child(Child&& other) noexcept
      : pid_(std::exchange(other.pid_, -1)),
        owner_(other.owner_),
        pidfd_(std::exchange(other.pidfd_, -1)),
        ended_(std::exchange(other.ended_, {})) {}
  Child& operator=(Child&& other) noexcept {
    Child moved(std::move(other));
    std::swap(pid_, moved.pid_);
    std::swap(owner_, moved.owner_);
    std::swap(pidfd_, moved.pidfd_);
    std::swap(ended_, moved.ended_);
    return *this;
  }
  Child(Child const&) = delete;
  Child& operator=(Child const&) = delete;

  ~Child() {
    if (is_alive_here()) {
      kill();
      wait();
    }
    if (pidfd_ >= 0) ::close(pidfd_);
  }

  /// -1 after it has been moved from.
  [[nodiscard]] pid_t pid() const noexcept { return pid_; }

  /// Readable for poll() as soon as the process has ended, even if another one holds its sockets.
  /// -1 where the system has no such thing (Linux before 5.3, some sandboxes, valgrind).
  [[nodiscard]] int pidfd() const noexcept { return pidfd_; }

  /// Sends a signal; to nobody if the process is gone, whoever has its number now.
  void kill(int signal = SIGKILL) noexcept {
    if (!is_alive_here()) return;
#if defined(SYS_pidfd_send_signal)
    if (pidfd_ >= 0 && ::syscall(SYS_pidfd_send_signal, pidfd_, signal, nullptr, 0) == 0) return;
    if (pidfd_ >= 0 && errno == ESRCH) return;
#endif
    // Not yet reaped by us, so that the number is still its own, unless the program reaps anybody.
    ::kill(pid_, signal);
  }

  /// How it ended, if it has. Reaps it.
  [[nodiscard]] std::optional<ExitStatus> poll_exit() noexcept {
    reap(WNOHANG);
    return ended_;
  }

  /// Waits for its end. Reaps it.
  ExitStatus wait() noexcept {
    reap(0);
    return ended_.value_or(ExitStatus{});
  }

 private:
  // After a fork the other side has a copy of this object, but the process is no child of it.
  [[nodiscard]] bool is_alive_here() const noexcept {
    return pid_ > 0 && !ended_ && owner_ == ::getpid();
  }

  static int open_pidfd([[maybe_unused]] pid_t pid) noexcept {
#if defined(SYS_pidfd_open)
    return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));  // closed on exec by itself
#else
    return -1;
#endif
  }

  void reap(int flags) noexcept {
    if (!is_alive_here()) return;
    constexpr auto by_pidfd = static_cast<idtype_t>(3);  // P_PIDFD, which glibc 2.35 has not
    bool use_pidfd = pidfd_ >= 0;
    siginfo_t info{};
    while (::waitid(use_pidfd ? by_pidfd : P_PID, static_cast<id_t>(use_pidfd ? pidfd_ : pid_),
                    &info, WEXITED | flags) != 0) {
      if (errno == EINVAL && use_pidfd) {
        use_pidfd = false;  // Linux 5.3 has pidfds, but cannot wait for them
      } else if (errno != EINTR) {
        // ECHILD: SIGCHLD is ignored, or the program waits for any child.
        ended_ = ExitStatus{};
        return;
      }
    }
    if (info.si_pid == 0) return;  // it still runs
    ended_ = ExitStatus{};
    (info.si_code == CLD_EXITED ? ended_->exit_status : ended_->signal) = info.si_status;
  }

  pid_t pid_;
  pid_t owner_;
  int pidfd_;
  std::optional<ExitStatus> ended_;
};

#endif

}  // namespace joblot::detail

#endif
