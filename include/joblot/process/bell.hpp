// SPDX-License-Identifier: MIT
// Wakes the process at the other end of a socket, but only if it sleeps.
#ifndef JOBLOT_PROCESS_BELL_HPP
#define JOBLOT_PROCESS_BELL_HPP

#if defined(__linux__)

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <thread>

#include <sys/socket.h>

#include <joblot/process/ring.hpp>

namespace joblot::detail {

/// What a process sleeps for. In shared memory, stored by the sleeper and reset by who wakes it.
enum class Sleep : std::uint32_t { no, for_message, for_room };

struct alignas(64) SleepFlag {
  std::atomic<Sleep> value{Sleep::no};
};
static_assert(std::atomic<Sleep>::is_always_lock_free);

/// One end's part in waking and being woken; one thread.
///
/// No wake-up is lost. The sleeper sets its flag, looks whether there is something after all, and
/// polls its socket; the other makes something, looks at the flag, and if it is set takes it back
/// and sends one byte. All four are seq_cst, so that at least one of the two sees the other.
///
/// The socket carries other bytes, too, and still none is taken for another: who took the flag back
/// owes exactly one byte, sent before anything else, so the sleeper knows how many to take out.
class Bell {
 public:
  Bell(int socket, SleepFlag& mine, SleepFlag& other) noexcept
      : socket_(socket), mine_(&mine.value), other_(&other.value) {}

  /// Wakes the other end if it sleeps for `reason`. To be called after what it sleeps for has been
  /// stored.
  void ring(Sleep reason) noexcept {
    if (other_->load() != reason || !other_->compare_exchange_strong(reason, Sleep::no)) return;
    char const byte = 0;
    // There is room: a sleeper has read everything but bytes like this one.
    while (::send(socket_, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
           (errno == EINTR || errno == ENOBUFS || errno == ENOMEM)) {
      std::this_thread::yield();
    }
  }

  /// After this it has to look once more, then to poll the socket, then to call `awake`.
  void about_to_sleep(Sleep reason) {
    take_bytes();
    mine_->store(reason);
  }
  void awake() noexcept {
    if (mine_->exchange(Sleep::no) == Sleep::no) ++owed_;
  }

  /// Bytes of the socket, the next ones, that did nothing but wake this end. Read them before
  /// anything else and say so by `set_owed(0)`.
  [[nodiscard]] std::size_t owed() const noexcept { return owed_; }
  void set_owed(std::size_t bytes) noexcept { owed_ = bytes; }

  /// More are never owed, as each is sent before the flag is looked at again.
  static constexpr std::size_t most_owed = 16;

 private:
  // One that is owed and not there yet stays owed, and ends the next sleep too early.
  void take_bytes() {
    if (owed_ == 0) return;
    if (owed_ > most_owed) throw BadChannel("the other process wakes this one without a word");
    std::array<std::byte, most_owed> bytes;
    auto const taken = ::recv(socket_, bytes.data(), owed_, MSG_DONTWAIT);
    if (taken > 0) owed_ -= static_cast<std::size_t>(taken);
  }

  int socket_;
  std::atomic<Sleep>* mine_;
  std::atomic<Sleep>* other_;
  std::size_t owed_ = 0;
};

}  // namespace joblot::detail

#endif

#endif
