// SPDX-License-Identifier: MIT
// Many and large blocks through a socket, from where they are to where they belong.
#ifndef JOBLOT_PROCESS_BULK_HPP
#define JOBLOT_PROCESS_BULK_HPP

#if defined(__linux__)

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <optional>
#include <thread>
#include <vector>

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <joblot/process/file_descriptor.hpp>

namespace joblot::detail {

/// How a wait ended.
enum class Ready {
  message,      // there is one
  nothing,      // there is none yet
  gone,         // there is none, and the other process is gone
  interrupted,  // there is none, and the interrupt is raised
  timed_out,    // there is none, and the time is over
};

using Deadline = std::optional<std::chrono::steady_clock::time_point>;

// A Waiter says what an end watches besides its socket:
//   Ready wait(short events, Deadline const&)  message: the socket has one of the events; gone: it
//                                              may still have bytes to be read
//   send_flags, receive_flags                  MSG_DONTWAIT, or what makes the call itself wait

/// Pieces of memory to be sent or received one after the other.
class IoList {
 public:
  void clear() noexcept {
    pieces_.clear();
    first_ = 0;
  }
  void add(void const* data, std::size_t size) {
    if (size > 0) pieces_.push_back({const_cast<void*>(data), size});  // NOLINT: iovec has no other
  }
  [[nodiscard]] bool done() const noexcept { return first_ == pieces_.size(); }

  /// What one call may take; the kernel refuses more than 1024 pieces.
  [[nodiscard]] msghdr next() noexcept {
    msghdr result{};
    result.msg_iov = pieces_.data() + first_;
    result.msg_iovlen = (std::min)(pieces_.size() - first_, std::size_t{1024});
    return result;
  }
  /// So many bytes are through: what is left of `next` comes with the next call. The kernel cuts
  /// off each call at 2 GiB.
  void advance(std::size_t bytes) noexcept {
    while (bytes > 0) {
      auto& piece = pieces_[first_];
      auto const part = (std::min)(bytes, piece.iov_len);
      piece.iov_base = static_cast<std::byte*>(piece.iov_base) + part;
      piece.iov_len -= part;
      bytes -= part;
      if (piece.iov_len == 0) ++first_;
    }
  }

 private:
  std::vector<iovec> pieces_;
  std::size_t first_ = 0;
};

/// Sends all; false if the other process is gone or the wait was interrupted.
template <class Waiter>
bool send_all(int socket, IoList& list, Waiter& waiter) {
  while (!list.done()) {
    auto const what = list.next();
    auto const sent = ::sendmsg(socket, &what, MSG_NOSIGNAL | Waiter::send_flags);
    if (sent >= 0) {
      list.advance(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      if (waiter.wait(POLLOUT, {}) != Ready::message) return false;
    } else if (errno == ENOBUFS || errno == ENOMEM) {  // the kernel's, not ours: poll says go on
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    } else if (errno == EPIPE || errno == ECONNRESET) {
      return false;
    } else if (errno != EINTR) {
      throw_errno("sendmsg to another process");
    }
  }
  return true;
}

/// Receives all, then `Ready::message`; else gone or interrupted. `received` is increased by each
/// byte that has been taken out of the socket, however it ends.
template <class Waiter>
Ready receive_all(int socket, IoList& list, Waiter& waiter, std::size_t& received) {
  bool gone = false;  // then nothing comes any more, but what has come can be read
  while (!list.done()) {
    auto what = list.next();
    auto const got = ::recvmsg(socket, &what, Waiter::receive_flags);
    if (got > 0) {
      list.advance(static_cast<std::size_t>(got));
      received += static_cast<std::size_t>(got);
    } else if (got == 0 || errno == ECONNRESET) {  // reset: it left bytes of ours unread
      return Ready::gone;
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      if (gone) return Ready::gone;
      auto const ready = waiter.wait(POLLIN, {});
      if (ready == Ready::interrupted) return ready;
      gone = ready == Ready::gone;
    } else if (errno != EINTR && errno != ENOMEM) {
      throw_errno("recvmsg from another process");
    }
  }
  return Ready::message;
}

}  // namespace joblot::detail

#endif

#endif
