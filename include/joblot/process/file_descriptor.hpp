// SPDX-License-Identifier: MIT
// A file descriptor that is closed with its owner, and what to throw when a system call fails.
#ifndef JOBLOT_PROCESS_FILE_DESCRIPTOR_HPP
#define JOBLOT_PROCESS_FILE_DESCRIPTOR_HPP

#if defined(__linux__)

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include <joblot/error.hpp>

namespace joblot::detail {

/// Throws `Error` with what was tried and the text of `error`, a value of errno.
[[noreturn]] inline void throw_errno(std::string const& tried, int error = errno) {
  throw Error(fmt::format("{} failed: {}", tried, std::generic_category().message(error)));
}

/// Owns a descriptor; -1 is none.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) noexcept : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    if (this != &other) {
      close();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~FileDescriptor() { close(); }

  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }

  /// Leaves errno as it is, so that it may run between a failure and its report.
  void close() noexcept {
    if (fd_ < 0) return;
    int const error = errno;
    ::close(std::exchange(fd_, -1));  // not again after EINTR: on Linux it is closed by then
    errno = error;
  }

 private:
  int fd_ = -1;
};

}  // namespace joblot::detail

#endif

#endif
