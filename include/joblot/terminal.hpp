// SPDX-License-Identifier: MIT
// Text to stderr and stdout that can never break, kill or hold up the program.
#ifndef JOBLOT_TERMINAL_HPP
#define JOBLOT_TERMINAL_HPP

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <string_view>

#if defined(__linux__)
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>
#endif

namespace joblot::detail {

inline constexpr int stdout_fd = 1;
inline constexpr int stderr_fd = 2;

/// Columns assumed where no terminal can tell.
inline constexpr std::size_t default_terminal_width = 80;

#if defined(__linux__)

/// Keeps the SIGPIPE of a write by this thread from ending the process, whatever the program does
/// with that signal. Ignoring it process-wide would be simpler, and a library must not do that.
class SigpipeGuard {
 public:
  SigpipeGuard() noexcept {
    sigset_t pending;
    sigemptyset(&pending);
    sigpending(&pending);
    // Pending means blocked already, and one more would merge with the one that is the program's.
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    if (was_pending_) return;
    sigset_t const set = sigpipe();
    pthread_sigmask(SIG_BLOCK, &set, &mask_before_);
  }

  ~SigpipeGuard() {
    if (was_pending_) return;
    if (raised_) consume();
    pthread_sigmask(SIG_SETMASK, &mask_before_, nullptr);
  }

  SigpipeGuard(SigpipeGuard const&) = delete;
  SigpipeGuard& operator=(SigpipeGuard const&) = delete;

  /// A write has failed with this error.
  void failed(int error) noexcept { raised_ = raised_ || error == EPIPE; }

 private:
  static sigset_t sigpipe() noexcept {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    return set;
  }

  static void consume() noexcept {
    sigset_t const set = sigpipe();
    timespec const at_once{};
    while (sigtimedwait(&set, nullptr, &at_once) == -1 && errno == EINTR) {
    }
  }

  sigset_t mask_before_{};
  bool was_pending_ = false;
  bool raised_ = false;
};

/// Waits until `fd` takes more, at the longest until `deadline`.
inline bool wait_writable(int fd, std::chrono::steady_clock::time_point deadline) noexcept {
  for (;;) {
    auto const left = deadline - std::chrono::steady_clock::now();
    if (left <= left.zero()) return false;
    auto const ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    pollfd entry{.fd = fd, .events = POLLOUT, .revents = 0};
    int const ready = ::poll(&entry, 1, static_cast<int>((std::min<long long>)(ms, 1000)));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

/// Flushes what the program itself has printed, so that the order on stdout is kept. Skipped while
/// another thread holds stdout: it may be waiting for this one.
inline void flush_stdout(SigpipeGuard& guard) noexcept {
  if (::ftrylockfile(stdout) != 0) return;
  if (std::fflush(stdout) != 0) guard.failed(errno);
  ::funlockfile(stdout);
}

/// Writes `text` to `fd` (for stdout, after what stdio has buffered), in one `write` where the
/// system lets it, so that lines of several calls do not mix. Returns whether all of it went out.
/// A closed or failing stream is no error; a full non-blocking one is waited for `patience`.
inline bool write_text(int fd, std::string_view text, std::chrono::milliseconds patience) noexcept {
  int const errno_before = errno;
  auto const deadline = std::chrono::steady_clock::now() + patience;
  {
    SigpipeGuard guard;
    if (fd == stdout_fd) flush_stdout(guard);
    while (!text.empty()) {
      ssize_t const written = ::write(fd, text.data(), text.size());
      if (written > 0) {
        text.remove_prefix(static_cast<std::size_t>(written));
      } else if (written == 0) {
        break;
      } else if (int const error = errno; error != EINTR) {
        guard.failed(error);
        if (error != EAGAIN || !wait_writable(fd, deadline)) break;
      }
    }
  }
  errno = errno_before;
  return text.empty();
}

/// Whether `fd` is a terminal.
inline bool is_terminal(int fd) noexcept {
  int const errno_before = errno;
  bool const result = ::isatty(fd) == 1;
  errno = errno_before;
  return result;
}

/// Columns of the terminal `fd`, asked anew each time since windows change their size.
inline std::size_t terminal_width(int fd) noexcept {
  int const errno_before = errno;
  winsize size{};
  bool const known = ::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  errno = errno_before;
  return known ? size.ws_col : default_terminal_width;
}

#else  // No SIGPIPE guard and no terminal control here yet: plain stdio.

inline bool write_text(int fd, std::string_view text, std::chrono::milliseconds) noexcept {
  std::FILE* const file = fd == stdout_fd ? stdout : stderr;
  bool const all = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  return std::fflush(file) == 0 && all;
}

inline bool is_terminal(int) noexcept { return false; }
inline std::size_t terminal_width(int) noexcept { return default_terminal_width; }

#endif

/// A stream to write to. Remembers a failure: a stream that is stuck costs its waiting time once,
/// not once per line, until it takes text again. Not for several threads at once.
class TextSink {
 public:
  explicit TextSink(int fd) noexcept : fd_(fd) {}

  [[nodiscard]] int fd() const noexcept { return fd_; }

  /// Writes `text` as `write_text` does; never throws, whatever becomes of the stream.
  void write(std::string_view text) noexcept {
    using std::chrono::milliseconds;
    healthy_ = write_text(fd_, text, healthy_ ? milliseconds(100) : milliseconds(0));
  }

 private:
  int fd_;
  bool healthy_ = true;
};

}  // namespace joblot::detail

#endif
