// SPDX-License-Identifier: MIT
// What the parent's end and the worker's end of a channel have in common.
#ifndef JOBLOT_PROCESS_CHANNEL_END_HPP
#define JOBLOT_PROCESS_CHANNEL_END_HPP

#if defined(__linux__)

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <poll.h>

#include <joblot/call.hpp>
#include <joblot/error.hpp>
#include <joblot/process/bell.hpp>
#include <joblot/process/bulk.hpp>
#include <joblot/process/channel_memory.hpp>
#include <joblot/process/file_descriptor.hpp>
#include <joblot/process/incoming.hpp>
#include <joblot/process/ring.hpp>
#include <joblot/process/shared_memory.hpp>
#include <joblot/serialization/message.hpp>

namespace joblot::detail {

enum class Side { parent, worker };

/// One end of a channel: sends messages to and receives messages from the other process. One
/// thread at a time.
///
/// A small message is a record in a ring in shared memory, so it outlives its sender; the other
/// process is woken through the socket if it sleeps. Of any other message the ring has a record
/// only, and the message follows through the socket, from where its blocks are to where they
/// belong. The record is there before the first such byte is, so a byte in the socket that is
/// neither announced nor for waking (see Bell) cannot be.
template <Side side>
class ChannelEnd {
 public:
  ChannelEnd(SharedMemory memory, FileDescriptor socket)
      : memory_(std::move(memory)),
        socket_(std::move(socket)),
        ring_bytes_(ring_bytes_in(memory_.size())),
        shared_(reinterpret_cast<ChannelMemory*>(memory_.data())),
        writer_(ring(side == Side::parent)),
        reader_(ring(side == Side::worker)),
        bell_(socket_.get(), side == Side::parent ? shared_->parent_sleeps : shared_->worker_sleeps,
              side == Side::parent ? shared_->worker_sleeps : shared_->parent_sleeps) {}

  [[nodiscard]] WorkerSlot& slot() const noexcept { return shared_->slot; }
  [[nodiscard]] int socket() const noexcept { return socket_.get(); }
  [[nodiscard]] SharedMemory& memory() noexcept { return memory_; }
  [[nodiscard]] SharedMemory const& memory() const noexcept { return memory_; }

  /// Whether the message fits into the ring.
  [[nodiscard]] bool is_small(OutMessage const& message) const noexcept {
    return message.blocks.empty() && message.bytes.size() <= writer_.largest_payload();
  }

  /// Sends a small message if there is room for it now; never blocks.
  bool try_send(MessageHeader const& header, OutMessage const& message) {
    if (send_broken_ || !is_small(message) ||
        !writer_.try_write(RecordHead::Kind::message, header, message.bytes)) {
      return false;
    }
    bell_.ring(Sleep::for_message);
    return true;
  }

  /// Sends any message; blocks until it has been handed over. False if the other process is gone or
  /// the wait was interrupted; in the midst of a large message that is the end of sending. Blocks
  /// of the message received last that were not received before are dropped: their sender may wait
  /// for that.
  template <class Waiter>
  bool send(MessageHeader const& header, OutMessage const& message, Waiter waiter) {
    if (send_broken_ || drop_rest(waiter) != Ready::message) return false;
    bool const small = is_small(message);
    auto const kind = small ? RecordHead::Kind::message : RecordHead::Kind::bulk;
    auto const woken_before = bell_.sent();
    auto const payload = small ? std::span<std::byte const>(message.bytes)
                               : std::as_bytes(std::span(&woken_before, 1));
    while (!writer_.try_write(kind, header, payload)) {
      if (!wait_for_room(payload.size(), waiter)) return false;
    }
    if (small) {
      bell_.ring(Sleep::for_message);
      return true;
    }
    send_broken_ = !send_bulk(message, waiter);  // who sleeps is woken by the bulk itself
    return !send_broken_;
  }

  /// The next message, if there is one: `Ready::message`, `nothing`, and if its sender died or the
  /// wait was interrupted in the midst of a large one `gone` or `interrupted`. What was not
  /// received of the message before is dropped, so that the interrupted one is lost, but not those
  /// after it.
  ///
  /// The parent gets a copy that nobody can change; the worker may look into the shared memory.
  template <class Waiter>
  Ready receive(Incoming& in, Waiter waiter) {
    if (auto const dropped = drop_rest(waiter); dropped != Ready::message) return dropped;
    if (reader_.free_if_much()) bell_.ring(Sleep::for_room);
    auto const record = reader_.read();
    if (!record) {
      if (reader_.free_all()) bell_.ring(Sleep::for_room);
      return Ready::nothing;
    }
    in.header = record->header;
    in.message = {.bytes = {}, .block_sizes = {}, .fills = std::move(in.message.fills)};
    in.message.fills.clear();
    if (record->kind == RecordHead::Kind::bulk) {
      std::uint64_t woken_before = 0;
      if (record->payload.size() != sizeof woken_before) throw BadChannel("a bulk record is none");
      std::memcpy(&woken_before, record->payload.data(), sizeof woken_before);
      owed_ = bell_.owed_before(woken_before);
      in_prefix_ = true;
      prefix_got_ = 0;
      return receive_bulk(in, waiter);
    }
    in.message.bytes = record->payload;
    if (side == Side::parent && !record->payload.empty()) {
      auto* const copy = in.room_for(record->payload.size());
      std::memcpy(copy, record->payload.data(), record->payload.size());
      in.message.bytes = {copy, record->payload.size()};
    }
    return Ready::message;
  }

  /// Fills the blocks asked for so far, which are the next ones of the message received last.
  template <class Waiter>
  Ready receive_blocks(InMessage& message, Waiter waiter) {
    list_.clear();
    std::uint64_t wanted = 0;
    for (auto const& fill : message.fills) {
      if (fill.size > bulk_left_ - wanted) {
        throw BadChannel("a message has smaller or fewer blocks than asked for");
      }
      wanted += fill.size;
      list_.add(fill.data, fill.size);
    }
    message.fills.clear();
    return receive_list(waiter);
  }

  /// Waits for a message. After `gone` there is none, and there will be none.
  template <class Waiter>
  Ready wait(Waiter waiter, Deadline const& deadline) {
    if (auto const dropped = drop_rest(waiter); dropped != Ready::message) return dropped;
    if (reader_.ready()) return Ready::message;
    if (reader_.free_all()) bell_.ring(Sleep::for_room);
    auto const there = [this]() noexcept { return reader_.ready(); };
    if (spin_until(there)) return Ready::message;
    return sleep(Sleep::for_message, there, waiter, deadline);
  }

  /// Whether there is a message; never blocks.
  [[nodiscard]] bool has_message() noexcept { return reader_.ready(); }

 private:
  struct Prefix {
    static constexpr std::uint64_t right_magic = 0x6A6F626C6F74'0001;
    std::uint64_t magic = right_magic;
    std::uint64_t total = 0;  // bytes that follow
    std::uint64_t bytes = 0;
    std::uint64_t blocks = 0;
  };

  static std::size_t ring_bytes_in(std::size_t memory) {
    auto const rings = memory < ChannelMemory::rings_at ? 0 : memory - ChannelMemory::rings_at;
    if (!std::has_single_bit(rings / 2) || rings / 2 < 1024) {
      throw Error(
          fmt::format("a channel cannot have {} bytes of shared memory: two rings, each a "
                      "power of two of at least 1024 bytes, follow the first {} bytes",
                      memory, ChannelMemory::rings_at));
    }
    return rings / 2;
  }

  [[nodiscard]] RingMemory ring(bool to_worker) const noexcept {
    return {.indices = to_worker ? &shared_->to_worker : &shared_->to_parent,
            .data = memory_.data() + ChannelMemory::rings_at + (to_worker ? 0 : ring_bytes_),
            .capacity = ring_bytes_};
  }

  // Sleeps until `done()`, which is `Ready::message`, or something else ends it.
  template <class Done, class Waiter>
  Ready sleep(Sleep reason, Done done, Waiter& waiter, Deadline const& deadline) {
    for (;;) {
      bell_.about_to_sleep(reason);
      if (done()) {
        bell_.awake();
        return Ready::message;
      }
      auto const end = waiter.wait(POLLIN, deadline);
      bell_.awake();
      // Also after the other's death: what it stored before is there.
      if (done()) return Ready::message;
      if (end != Ready::message) return end;
      if (bell_.owed() == 0) {
        throw BadChannel("the other process has sent something that it has not announced");
      }
    }
  }

  template <class Waiter>
  bool wait_for_room(std::size_t payload, Waiter& waiter) {
    auto const room = [&] { return writer_.has_room_for(payload); };
    return sleep(Sleep::for_room, room, waiter, {}) == Ready::message;
  }

  template <class Waiter>
  bool send_bulk(OutMessage const& message, Waiter& waiter) {
    sizes_.clear();
    Prefix prefix{.bytes = message.bytes.size(), .blocks = message.blocks.size()};
    for (auto const& block : message.blocks) {
      sizes_.push_back(block.size);
      prefix.total += block.size;
    }
    prefix.total += message.bytes.size() + sizes_.size() * sizeof(std::uint64_t);
    list_.clear();
    list_.add(&prefix, sizeof prefix);
    list_.add(sizes_.data(), sizes_.size() * sizeof(std::uint64_t));
    list_.add(message.bytes.data(), message.bytes.size());
    for (auto const& block : message.blocks) list_.add(block.data, block.size);
    return send_all(socket_.get(), list_, waiter);
  }

  // The rest of what was announced: the sizes of what follows.
  template <class Waiter>
  Ready receive_prefix(Waiter& waiter) {
    std::array<std::byte, Bell::most_owed> owed;
    list_.clear();
    list_.add(owed.data(), owed_);
    list_.add(&prefix_, sizeof prefix_);
    list_.advance(prefix_got_);
    if (auto const got = receive_all(socket_.get(), list_, waiter, prefix_got_);
        got != Ready::message) {
      return got;
    }
    in_prefix_ = false;
    bell_.took(owed_);
    constexpr auto most = std::uint64_t{1} << 60;  // so that no sum of two overflows
    auto const& [magic, total, bytes, blocks] = prefix_;
    if (magic != Prefix::right_magic || total > most || bytes > total ||
        blocks > (total - bytes) / sizeof(std::uint64_t)) {
      throw BadChannel("what was announced as a large message is none");
    }
    bulk_left_ = total;
    return Ready::message;
  }

  template <class Waiter>
  Ready receive_bulk(Incoming& in, Waiter& waiter) {
    if (auto const got = receive_prefix(waiter); got != Ready::message) return got;
    in.block_sizes.resize(prefix_.blocks);
    in.message.bytes = {in.room_for(prefix_.bytes), prefix_.bytes};
    list_.clear();
    list_.add(in.block_sizes.data(), in.block_sizes.size() * sizeof(std::uint64_t));
    list_.add(in.bytes.get(), prefix_.bytes);
    if (auto const got = receive_list(waiter); got != Ready::message) return got;
    auto left = bulk_left_;
    for (auto const size : in.block_sizes) {
      if (size > left) throw BadChannel("the blocks of a message are larger than it is");
      left -= size;
    }
    if (left != 0) throw BadChannel("the blocks of a message are smaller than it is");
    in.message.block_sizes = in.block_sizes;
    return Ready::message;
  }

  // Receives what is in `list_`, all of it from the current large message.
  template <class Waiter>
  Ready receive_list(Waiter& waiter) {
    std::size_t got = 0;
    auto const result = receive_all(socket_.get(), list_, waiter, got);
    bulk_left_ -= got;
    return result;
  }

  // Reads the rest of the current large message away; at once, if there is none.
  template <class Waiter>
  Ready drop_rest(Waiter& waiter) {
    if (in_prefix_) {
      if (auto const got = receive_prefix(waiter); got != Ready::message) return got;
    }
    if (bulk_left_ == 0) return Ready::message;
    std::vector<std::byte> nowhere((std::min)(bulk_left_, std::uint64_t{64} * 1024));
    while (bulk_left_ > 0) {
      list_.clear();
      list_.add(nowhere.data(), (std::min)(bulk_left_, std::uint64_t{nowhere.size()}));
      if (auto const got = receive_list(waiter); got != Ready::message) return got;
    }
    return Ready::message;
  }

  SharedMemory memory_;
  FileDescriptor socket_;
  std::size_t ring_bytes_;
  ChannelMemory* shared_;
  RingWriter writer_;
  RingReader reader_;
  Bell bell_;
  IoList list_;
  std::vector<std::uint64_t> sizes_;
  Prefix prefix_;
  std::size_t owed_ = 0;         // bytes before the prefix that did nothing but wake this end
  std::size_t prefix_got_ = 0;   // of the bytes owed and the prefix
  std::uint64_t bulk_left_ = 0;  // bytes of the current large message still in the socket
  bool in_prefix_ = false;       // its prefix, too
  bool send_broken_ = false;     // the other waits for the rest of a message that will not come
};

}  // namespace joblot::detail

#endif

#endif
