// SPDX-License-Identifier: MIT
// The worker's end of a channel.
#ifndef JOBLOT_PROCESS_WORKER_END_HPP
#define JOBLOT_PROCESS_WORKER_END_HPP

#if defined(__linux__)

#include <chrono>
#include <optional>
#include <utility>

#include <sys/socket.h>

#include <joblot/process/bulk.hpp>
#include <joblot/process/channel_end.hpp>
#include <joblot/process/channel_memory.hpp>
#include <joblot/process/file_descriptor.hpp>
#include <joblot/process/incoming.hpp>
#include <joblot/process/poll_until.hpp>
#include <joblot/process/shared_memory.hpp>
#include <joblot/serialization/message.hpp>

namespace joblot::detail {

/// The worker's end. It blocks as long as its parent is there: the parent takes messages out
/// whenever it waits, and sends so that it blocks only when the worker does nothing but receive; so
/// the two never wait for each other. One thread.
class WorkerEnd {
 public:
  /// Takes over both descriptors: `ParentEnd::worker_socket()` and `memory_fd()` in this process.
  WorkerEnd(FileDescriptor socket, FileDescriptor memory)
      : end_(SharedMemory::attach(memory.get(), SharedMemory::size_of(memory.get())),
             std::move(socket)) {
    end_.memory().close_fd();
  }

  [[nodiscard]] WorkerSlot& slot() noexcept { return end_.slot(); }

  /// Waits for the next message: `Ready::message`; `gone`: the parent has closed its end or died;
  /// `timed_out`: nothing came for `idle_limit`. What `in` looks at stays until the next call.
  Ready receive(Incoming& in, std::optional<std::chrono::nanoseconds> idle_limit = {}) {
    Deadline deadline;
    for (;;) {
      auto const got = end_.receive(in, waiter());
      if (got != Ready::nothing) return got;
      if (idle_limit && !deadline) deadline = std::chrono::steady_clock::now() + *idle_limit;
      auto const ready = end_.wait(waiter(), deadline);
      if (ready != Ready::message) return ready;
    }
  }

  /// Fills the blocks asked for in the message received last. False if the parent is gone.
  bool receive_blocks(InMessage& message) {
    return end_.receive_blocks(message, waiter()) == Ready::message;
  }

  /// Sends a message; waits while there is no room for it. To be called after `receive_blocks`:
  /// blocks not received by then are dropped. False if it has seen that the parent is gone. A small
  /// message is safe once this has returned: the parent receives it even if this process is killed
  /// at once.
  bool send(MessageHeader const& header, OutMessage const& message) {
    return end_.send(header, message, waiter());
  }

 private:
  struct Waiter {
    int socket;
    static constexpr int send_flags = 0;  // the calls wait themselves
    static constexpr int receive_flags = MSG_WAITALL;

    [[nodiscard]] Ready wait(short events, Deadline const& deadline) const {
      pollfd watched{socket, static_cast<short>(events | POLLRDHUP), 0};
      if (!poll_until({&watched, 1}, deadline)) return Ready::timed_out;
      return (watched.revents & events) != 0 && (watched.revents & hung_up) == 0 ? Ready::message
                                                                                 : Ready::gone;
    }
  };
  [[nodiscard]] Waiter waiter() const noexcept { return {end_.socket()}; }

  ChannelEnd<Side::worker> end_;
};

}  // namespace joblot::detail

#endif

#endif
