// SPDX-License-Identifier: MIT
// Waits for descriptors until a point in time.
#ifndef JOBLOT_PROCESS_POLL_UNTIL_HPP
#define JOBLOT_PROCESS_POLL_UNTIL_HPP

#if defined(__linux__)

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <optional>
#include <span>

#include <poll.h>

#include <joblot/process/file_descriptor.hpp>

namespace joblot::detail {

/// The other end of a socket is closed, as `revents` says it.
inline constexpr short hung_up = POLLHUP | POLLRDHUP | POLLERR;

/// Waits until one of `watched` is ready, or for ever without a deadline. False when time is over.
/// A signal does not end it. A deadline that has passed means one look.
inline bool poll_until(std::span<pollfd> watched,
                       std::optional<std::chrono::steady_clock::time_point> const& deadline) {
  for (;;) {
    timespec left{};
    if (deadline) {
      auto const now = std::chrono::steady_clock::now();
      auto const time = (std::max)(*deadline - now, std::chrono::steady_clock::duration{0});
      auto const seconds = std::chrono::duration_cast<std::chrono::seconds>(time);
      left.tv_sec = static_cast<std::time_t>(seconds.count());
      left.tv_nsec = static_cast<long>((time - seconds) / std::chrono::nanoseconds(1));
    }
    int const ready = ::ppoll(watched.data(), watched.size(), deadline ? &left : nullptr, nullptr);
    if (ready >= 0) return ready > 0;
    if (errno != EINTR && errno != EAGAIN && errno != ENOMEM) throw_errno("ppoll");
  }
}

}  // namespace joblot::detail

#endif

#endif
