// SPDX-License-Identifier: MIT
// Wakes the process at the other end of a socket, but only if it sleeps.
#ifndef JOBLOT_PROCESS_BELL_HPP
#define JOBLOT_PROCESS_BELL_HPP

#if defined(__linux__)

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
/// The socket carries bulk, too, and still no byte is taken for another. Who takes a flag back
/// sends one byte, and one only, before it does anything else; so the sleeper knows how many it has
/// to expect. And what is announced as bulk says how many such bytes were sent before it.
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
    ++sent_;
  }

  /// After this it has to look once more, then to poll the socket, then to call `awake`.
  void about_to_sleep(Sleep reason) {
    take_bytes();
    mine_->store(reason);
  }
  void awake() noexcept {
    if (mine_->exchange(Sleep::no) == Sleep::no) ++owed_;
  }

  /// Bytes sent so far only to wake the other end.
  [[nodiscard]] std::uint64_t sent() const noexcept { return sent_; }

  /// Such bytes that are to come yet; some may be behind bulk that has not been read.
  [[nodiscard]] std::size_t owed() const noexcept { return owed_; }

  /// How many of them come before bulk that was announced after `sent` of them. To be read with it,
  /// and then to be reported by `took`.
  [[nodiscard]] std::size_t owed_before(std::uint64_t sent) const {
    if (sent - taken_ > owed_ || owed_ > most_owed) without_a_word();
    return static_cast<std::size_t>(sent - taken_);
  }
  void took(std::size_t bytes) noexcept {
    owed_ -= bytes;
    taken_ += bytes;
  }

  /// More are never owed: each is sent before its sender looks at a flag again.
  static constexpr std::size_t most_owed = 16;

 private:
  // There is no bulk before them: this end has read what was announced, and of what is announced
  // from now on the first byte comes after those that are owed now. One that is not there yet stays
  // owed, and ends the next sleep too early.
  void take_bytes() {
    if (owed_ == 0) return;
    if (owed_ > most_owed) without_a_word();
    std::array<std::byte, most_owed> bytes;
    auto const got = ::recv(socket_, bytes.data(), owed_, MSG_DONTWAIT);
    if (got > 0) took(static_cast<std::size_t>(got));
  }

  [[noreturn]] static void without_a_word() {
    throw BadChannel("the other process woke this one, or says so, and did not");
  }

  int socket_;
  std::atomic<Sleep>* mine_;
  std::atomic<Sleep>* other_;
  std::uint64_t sent_ = 0;
  std::uint64_t taken_ = 0;
  std::size_t owed_ = 0;
};

}  // namespace joblot::detail

#endif

#endif
