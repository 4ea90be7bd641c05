// SPDX-License-Identifier: MIT
// The parent's end of a channel to a worker.
#ifndef JOBLOT_PROCESS_PARENT_END_HPP
#define JOBLOT_PROCESS_PARENT_END_HPP

#if defined(__linux__)

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <functional>
#include <new>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <joblot/process/bulk.hpp>
#include <joblot/process/channel_end.hpp>
#include <joblot/process/channel_memory.hpp>
#include <joblot/process/file_descriptor.hpp>
#include <joblot/process/incoming.hpp>
#include <joblot/process/interrupt.hpp>
#include <joblot/process/poll_until.hpp>
#include <joblot/process/shared_memory.hpp>
#include <joblot/process/worker_end.hpp>
#include <joblot/serialization/message.hpp>

namespace joblot::detail {

/// The parent's end of a channel; it makes the channel. It trusts nothing that comes from the
/// worker, and never waits for it without watching its death and an interrupt. One thread at a
/// time.
class ParentEnd {
 public:
  /// The rings take their memory page by page as they are used.
  static constexpr std::size_t default_ring_bytes = std::size_t{256} * 1024;

  /// `ring_bytes`, of each ring: a power of two, at least 1024. Throws `Error` if there is no
  /// memory or no socket to be had.
  explicit ParentEnd(std::size_t ring_bytes = default_ring_bytes) : ParentEnd(ring_bytes, {}) {}

  /// For the worker, which makes its `WorkerEnd` from them; -1 after `close_worker_side`.
  [[nodiscard]] int worker_socket() const noexcept { return worker_socket_.get(); }
  [[nodiscard]] int memory_fd() const noexcept { return end_.memory().fd(); }

  /// To be called when the worker has its own copies: only then its death ends the stream.
  void close_worker_side() noexcept {
    worker_socket_.close();
    end_.memory().close_fd();
  }

  /// Ends the stream to the worker, which sees it even if another process has inherited this end.
  void hang_up() noexcept { ::shutdown(end_.socket(), SHUT_WR); }

  /// In a forked child: the worker's end instead of this one.
  [[nodiscard]] WorkerEnd turn_into_worker_end() && {
    ParentEnd mine = std::move(*this);
    FileDescriptor memory(::fcntl(mine.memory_fd(), F_DUPFD_CLOEXEC, 0));
    if (memory.get() < 0) throw_errno("fcntl of shared memory");
    return {std::move(mine.worker_socket_), std::move(memory)};
  }

  /// How to notice the worker's death if its end of the socket lives on in another process, say a
  /// child of it: a pidfd, which stays the caller's, or, where there is none (-1), a function that
  /// is asked every 100 ms.
  void watch(int pidfd, std::function<bool()> is_gone = {}) {
    pidfd_ = pidfd;
    is_gone_ = std::move(is_gone);
  }

  /// What the worker says that it does; also after its death.
  [[nodiscard]] WorkerSlot& slot() noexcept { return end_.slot(); }

  /// Whether `try_send` can ever send the message: no blocks, and not more bytes than a quarter of
  /// the ring.
  [[nodiscard]] bool is_small(OutMessage const& message) const noexcept {
    return end_.is_small(message);
  }

  /// Sends a small message if there is room for it now; else false. Never blocks.
  bool try_send(MessageHeader const& header, OutMessage const& message) {
    return end_.try_send(header, message);
  }

  /// Sends a message of any size, and returns when all has been handed over: its blocks may change
  /// again. Only while the worker has nothing to do but to receive, else each could wait for the
  /// other. False if the worker is gone or the interrupt is raised; then a large message may be
  /// half sent, and nothing can be sent any more: end the worker.
  bool send(MessageHeader const& header, OutMessage const& message, Interrupt const& interrupt) {
    return end_.send(header, message, waiter(interrupt));
  }

  /// Whether the worker has closed its end of the socket, or a task of it did; never blocks.
  [[nodiscard]] bool is_hung_up() const noexcept {
    pollfd look{end_.socket(), POLLRDHUP, 0};
    return ::poll(&look, 1, 0) > 0 && (look.revents & hung_up) != 0;
  }

  /// Whether there is a message; never blocks.
  [[nodiscard]] bool has_message() noexcept { return end_.has_message(); }

  /// The next message (`Ready::message`) or `nothing`; never blocks for a small one. Of a large one
  /// it waits for all but the blocks: `gone` and `interrupted` say that it was lost midway. An
  /// interrupt loses this message only; what is left of it is dropped by the next call.
  Ready receive(Incoming& in, Interrupt const& interrupt) {
    return end_.receive(in, waiter(interrupt));
  }

  /// Fills the blocks asked for in the message received last (`in.message.fills`, which is empty
  /// then), straight into the memory they are for. `message`, `gone` or `interrupted`; what was not
  /// asked for is dropped by the next receive.
  Ready receive_blocks(InMessage& message, Interrupt const& interrupt) {
    return end_.receive_blocks(message, waiter(interrupt));
  }

  /// Waits for a message: a few microseconds awake, then asleep. `Ready::message`, `interrupted`,
  /// `timed_out`, or `gone` if the worker is dead and everything it sent has been received.
  Ready wait(Interrupt const& interrupt, Deadline const& deadline = {}) {
    return end_.wait(waiter(interrupt), deadline);
  }

 private:
  struct Sockets {
    FileDescriptor parent, worker;

    Sockets() {
      std::array<int, 2> pair{};
      if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0) {
        throw_errno("socketpair");
      }
      parent = FileDescriptor(pair[0]);
      worker = FileDescriptor(pair[1]);
      // What is on its way should fit into a core's cache: the kernel's own choice moves 100 MB in
      // 30 ms here, 256 KiB in 23, 4 MiB in 45. If it fails, it is only slower.
      int const buffer = 256 * 1024;
      for (int const fd : pair) ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
    }
  };

  ParentEnd(std::size_t ring_bytes, Sockets sockets)
      : worker_socket_(std::move(sockets.worker)),
        end_(make_memory(ring_bytes), std::move(sockets.parent)) {}

  static SharedMemory make_memory(std::size_t ring_bytes) {
    SharedMemory memory(ChannelMemory::size_for(ring_bytes));
    new (memory.data()) ChannelMemory;
    return memory;
  }

  struct Waiter {
    int socket;
    int pidfd;
    int interrupt;
    std::function<bool()> const* is_gone;
    static constexpr int send_flags = MSG_DONTWAIT;
    static constexpr int receive_flags = MSG_DONTWAIT;

    [[nodiscard]] Ready wait(short events, Deadline const& deadline) const {
      std::array<pollfd, 3> watched{{{socket, static_cast<short>(events | POLLRDHUP), 0},
                                     {interrupt, POLLIN, 0},
                                     {pidfd, POLLIN, 0}}};  // poll leaves -1 out
      for (;;) {
        auto until = deadline;
        bool const ask = pidfd < 0 && *is_gone;
        if (ask) {
          auto const next = std::chrono::steady_clock::now() + std::chrono::milliseconds(100);
          until = (std::min)(next, deadline.value_or(next));
        }
        bool const any = poll_until(watched, until);
        // Dead comes before bytes left to be read: the reader looks for those once more. And an
        // interrupt comes before them, or a fast sender would keep it out.
        if ((watched[0].revents & hung_up) != 0 || watched[2].revents != 0) return Ready::gone;
        if (watched[1].revents != 0) return Ready::interrupted;
        if (any) return Ready::message;
        if (ask && (*is_gone)()) return Ready::gone;
        if (!ask || (deadline && std::chrono::steady_clock::now() >= *deadline)) {
          return Ready::timed_out;
        }
      }
    }
  };
  [[nodiscard]] Waiter waiter(Interrupt const& interrupt) const noexcept {
    return {end_.socket(), pidfd_, interrupt.fd(), &is_gone_};
  }

  FileDescriptor worker_socket_;
  ChannelEnd<Side::parent> end_;
  int pidfd_ = -1;
  std::function<bool()> is_gone_;
};

}  // namespace joblot::detail

#endif

#endif
