// SPDX-License-Identifier: MIT
// Wakes a thread that waits in poll.
#ifndef JOBLOT_PROCESS_INTERRUPT_HPP
#define JOBLOT_PROCESS_INTERRUPT_HPP

#if defined(__linux__)

#include <cerrno>
#include <cstdint>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <joblot/process/file_descriptor.hpp>

namespace joblot::detail {

/// Raised, it makes its descriptor readable and stays so until it is cleared: whoever polls it then
/// or later is woken. A forked child shares it with its parent.
class Interrupt {
 public:
  Interrupt() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (event_.get() < 0) throw_errno("eventfd");
  }

  /// Any thread, also a signal handler.
  void raise() noexcept {
    int const error = errno;
    std::uint64_t const one = 1;
    // It fails only if it has been raised 2^64 - 2 times: then it is raised.
    static_cast<void>(!::write(event_.get(), &one, sizeof one));
    errno = error;
  }

  void clear() noexcept {
    int const error = errno;
    std::uint64_t times = 0;
    static_cast<void>(!::read(event_.get(), &times, sizeof times));  // fails if it was not raised
    errno = error;
  }

  [[nodiscard]] bool raised() const noexcept {
    int const error = errno;
    pollfd look{event_.get(), POLLIN, 0};
    bool const result = ::poll(&look, 1, 0) > 0;
    errno = error;
    return result;
  }

  /// Readable while raised.
  [[nodiscard]] int fd() const noexcept { return event_.get(); }

 private:
  FileDescriptor event_;
};

}  // namespace joblot::detail

#endif

#endif
