// SPDX-License-Identifier: MIT
// A queue of records in shared memory, with one writing and one reading process.
#ifndef JOBLOT_PROCESS_RING_HPP
#define JOBLOT_PROCESS_RING_HPP

#if defined(__linux__)

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <type_traits>

#include <fmt/format.h>

#include <joblot/error.hpp>

namespace joblot::detail {

/// What every message carries besides its bytes. The meaning is the user's.
struct MessageHeader {
  std::uint32_t type = 0;
  std::uint32_t count = 0;
  std::uint64_t index = 0;
  std::uint64_t extra = 0;
};

/// What came from the other process cannot have been sent by this library: it has overwritten the
/// shared memory. The channel cannot be used any more.
class BadChannel : public Error {
 public:
  using Error::Error;
};

/// The two ends of a queue: bytes ever written and bytes ever freed. Each is stored by one process
/// only, and each is on a cache line of its own.
struct RingIndices {
  alignas(64) std::atomic<std::uint64_t> head{0};  // the writer's
  alignas(64) std::atomic<std::uint64_t> tail{0};  // the reader's
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free, "a lock is not shared with others");

/// What stands in front of each record. Records begin at multiples of 16 and never go over the end
/// of the memory: what is left there is padding.
struct RecordHead {
  enum class Kind : std::uint64_t { message = 1, bulk = 2, padding = 3 };

  static constexpr std::uint64_t tag = 0x4A4F42;  // says that this is a record

  std::uint64_t word = 0;  // tag, kind, and the number of bytes that follow, 24, 8 and 32 bits
  MessageHeader header;

  static constexpr std::uint64_t make_word(Kind kind, std::size_t bytes) noexcept {
    return tag << 40 | static_cast<std::uint64_t>(kind) << 32 | bytes;
  }
};
static_assert(sizeof(RecordHead) == 32 && std::is_trivially_copyable_v<RecordHead>);

/// What both ends know of the memory. `capacity`, in bytes: a power of two.
struct RingMemory {
  RingIndices* indices = nullptr;
  std::byte* data = nullptr;
  std::size_t capacity = 0;

  [[nodiscard]] std::byte* at(std::uint64_t position) const noexcept {
    return data + (position & (capacity - 1));
  }
  [[nodiscard]] std::size_t up_to_the_end(std::uint64_t position) const noexcept {
    return capacity - (position & (capacity - 1));
  }
  /// A quarter is the most that one record takes, so that padding and record fit for certain.
  [[nodiscard]] std::size_t largest_payload() const noexcept {
    return capacity / 4 - sizeof(RecordHead);
  }
  [[nodiscard]] static std::size_t record_size(std::size_t payload) noexcept {
    return (sizeof(RecordHead) + payload + 15) / 16 * 16;
  }
};

/// The writing end; one thread. It does not believe what the reader stored.
class RingWriter {
 public:
  explicit RingWriter(RingMemory memory) noexcept : memory_(memory) {}

  [[nodiscard]] std::size_t largest_payload() const noexcept { return memory_.largest_payload(); }

  /// Whether a record with so many bytes, at most `largest_payload()`, can be written now.
  [[nodiscard]] bool has_room_for(std::size_t payload) {
    auto const need = padding_before(payload) + RingMemory::record_size(payload);
    if (memory_.capacity - (head_ - tail_) >= need) return true;
    // Seq_cst, as the reader's store: either this sees that store, or the reader sees that this
    // process said it was about to sleep. It also orders the reader's last look at the bytes before
    // they are overwritten.
    auto const tail = memory_.indices->tail.load();
    if (tail - tail_ > head_ - tail_) {
      throw BadChannel(fmt::format("the reader of a ring says it has freed {} bytes of {} written",
                                   tail, head_));
    }
    tail_ = tail;
    return memory_.capacity - (head_ - tail_) >= need;
  }

  /// Writes a record if there is room for it. It is there as a whole after one store or, if this
  /// process dies before, not at all.
  bool try_write(RecordHead::Kind kind, MessageHeader const& header,
                 std::span<std::byte const> payload) {
    if (!has_room_for(payload.size())) return false;
    if (auto const padding = padding_before(payload.size()); padding > 0) {
      auto const word = RecordHead::make_word(RecordHead::Kind::padding, padding);
      std::memcpy(memory_.at(head_), &word, sizeof word);
      head_ += padding;
    }
    RecordHead const head{RecordHead::make_word(kind, payload.size()), header};
    auto* const where = memory_.at(head_);
    std::memcpy(where, &head, sizeof head);
    if (!payload.empty()) std::memcpy(where + sizeof head, payload.data(), payload.size());
    head_ += RingMemory::record_size(payload.size());
    memory_.indices->head.store(head_);  // seq_cst: the writer looks next whether the reader sleeps
    return true;
  }

 private:
  [[nodiscard]] std::size_t padding_before(std::size_t payload) const noexcept {
    auto const rest = memory_.up_to_the_end(head_);
    return RingMemory::record_size(payload) > rest ? rest : 0;
  }

  RingMemory memory_;
  std::uint64_t head_ = 0;  // what has been stored, or is about to be
  std::uint64_t tail_ = 0;  // what was loaded last
};

/// The reading end; one thread. It believes nothing that it finds.
class RingReader {
 public:
  explicit RingReader(RingMemory memory) noexcept : memory_(memory) {}

  struct Record {
    RecordHead::Kind kind;
    MessageHeader header;
    std::span<std::byte const> payload;  // in the shared memory, until it is freed
  };

  /// Whether there is something to read. Seq_cst, as the writer's store: either this sees that
  /// store, or the writer sees that this process said it was about to sleep. It also orders that
  /// process's writing of the record before its reading here.
  [[nodiscard]] bool ready() noexcept {
    if (head_ == next_) head_ = memory_.indices->head.load();
    return head_ != next_;
  }

  /// The next record, if there is one. Throws `BadChannel` if what is there cannot be one.
  std::optional<Record> read() {
    if (!ready()) return std::nullopt;
    if (head_ - freed_ > memory_.capacity || head_ % 16 != 0 || head_ - next_ > head_ - freed_) {
      bad("the index of its writer");
    }
    auto word = word_at(next_);
    if (kind_of(word) == RecordHead::Kind::padding) {
      auto const padding = memory_.up_to_the_end(next_);
      if (size_of(word) != padding || padding >= head_ - next_) bad("the padding at its end");
      next_ += padding;
      word = word_at(next_);
    }
    auto const kind = kind_of(word);
    if (word >> 40 != RecordHead::tag ||
        (kind != RecordHead::Kind::message && kind != RecordHead::Kind::bulk)) {
      bad("the beginning of a record");
    }
    auto const payload = size_of(word);
    auto const record = RingMemory::record_size(payload);
    if (payload > memory_.largest_payload() || record > head_ - next_ ||
        record > memory_.up_to_the_end(next_)) {
      bad("the size of a record");
    }
    Record result{kind, {}, {memory_.at(next_) + sizeof(RecordHead), payload}};
    std::memcpy(&result.header, memory_.at(next_) + offsetof(RecordHead, header),
                sizeof result.header);
    next_ += record;
    return result;
  }

  /// Gives the space of all records read back to the writer if that is worth a store; whether it
  /// did. Not after each: the writer looks only when it has no room, and each store takes a cache
  /// line away from it.
  bool free_if_much() noexcept { return next_ - freed_ >= memory_.capacity / 4 && free_all(); }

  /// The same in any case, unless there is nothing to give. To be called before waiting: the writer
  /// may wait for this.
  bool free_all() noexcept {
    if (next_ == freed_) return false;
    freed_ = next_;
    memory_.indices->tail.store(freed_);  // seq_cst: see RingWriter::has_room_for
    return true;
  }

 private:
  // Relaxed: `ready` has ordered it after the writer's store. Atomic so that it is read once, and
  // what has been checked is what is used, even if the other process goes on overwriting it.
  [[nodiscard]] std::uint64_t word_at(std::uint64_t position) const noexcept {
    auto* const word = reinterpret_cast<std::uint64_t*>(memory_.at(position));
    return std::atomic_ref(*word).load(std::memory_order_relaxed);
  }
  static RecordHead::Kind kind_of(std::uint64_t word) noexcept {
    return static_cast<RecordHead::Kind>(word >> 32 & 0xFF);
  }
  static std::size_t size_of(std::uint64_t word) noexcept { return word & 0xFFFF'FFFF; }

  [[noreturn]] static void bad(char const* what) {
    throw BadChannel(
        fmt::format("{} in a ring in shared memory makes no sense: the other process has "
                    "overwritten it",
                    what));
  }

  RingMemory memory_;
  std::uint64_t head_ = 0;   // what was loaded last
  std::uint64_t next_ = 0;   // the next record
  std::uint64_t freed_ = 0;  // what has been stored
};

}  // namespace joblot::detail

#endif

#endif
