// SPDX-License-Identifier: MIT
// Bytes into a message and, each of them counted, out of it again.
#ifndef JOBLOT_SERIALIZATION_WIRE_HPP
#define JOBLOT_SERIALIZATION_WIRE_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <type_traits>

#include <joblot/error.hpp>
#include <joblot/serialization/message.hpp>

namespace joblot::detail {

/// A message that does not say what it should: cut short, changed on its way, or not for us.
class BadMessage : public Error {
 public:
  using Error::Error;
};

/// How deep pointers, containers and user types may lie in one another. The stack of a thread ends
/// somewhere, and a message must not decide where; Python's pickle stops at 1000, too.
inline constexpr int max_nesting = 1000;

/// One for each type. An address, because it is compared far more often than it is printed.
template <class T>
inline constexpr char type_key = 0;

/// Keeps count of the levels above a value; the same on both sides.
class Nesting {
 public:
  Nesting(Nesting const&) = delete;
  Nesting& operator=(Nesting const&) = delete;
  ~Nesting() { --level_; }

 protected:
  explicit Nesting(int& level) noexcept : level_(level) { ++level_; }

 private:
  int& level_;
};

/// Writes to the end of a message; `flush` ends it.
class Writer {
 public:
  explicit Writer(OutMessage& message) noexcept : message_(message) {}
  Writer(Writer const&) = delete;
  Writer& operator=(Writer const&) = delete;

  void bytes(void const* data, std::size_t size) {
    // Most of what is written has 8 bytes or so, and an insert costs more than to copy them.
    if (size > sizeof stage_ - staged_) return many_bytes(data, size);
    if (size == 0) return;  // then data may be null, which memcpy may not get
    std::memcpy(stage_ + staged_, data, size);
    staged_ += size;
  }

  /// Everything written is in the message after this.
  void flush() {
    insert(stage_, staged_);
    staged_ = 0;
  }

  /// The bytes of `value`, which has to be trivially copyable.
  template <class T>
  void bits(T const& value) {
    bytes(std::addressof(value), sizeof(T));
  }

  void length(std::size_t length) { bits(static_cast<std::uint64_t>(length)); }

  /// Memory of any size, left where it is if it is large and blocks are allowed here.
  void memory(void const* data, std::size_t size) {
    if (takes_blocks(size)) {
      message_.blocks.push_back({data, size});
    } else if (size != 0) {
      bytes(data, size);
    }
  }

  /// While one lives, values are written one level deeper.
  class Deeper : Nesting {
   public:
    explicit Deeper(Writer& writer) : Nesting(writer.level_) {
      if (writer.level_ > max_nesting) {
        throw NotShippableError("A value with more than " + std::to_string(max_nesting) +
                                " objects inside one another cannot be sent to another process; "
                                "keep the parts of a long chain in a std::vector.");
      }
    }
  };

  /// While one lives, all memory is copied: whoever reads it looks at the data while it reads, to
  /// find the place of a key, or in a `load` of its own.
  class Inline : Nesting {
   public:
    explicit Inline(Writer& writer) noexcept : Nesting(writer.inline_) {}
  };

 private:
  [[nodiscard]] bool takes_blocks(std::size_t size) const noexcept {
    return size >= smallest_block && inline_ == 0;
  }

  void many_bytes(void const* data, std::size_t size) {
    flush();
    if (size > sizeof stage_) return insert(data, size);
    std::memcpy(stage_, data, size);
    staged_ = size;
  }
  void insert(void const* data, std::size_t size) {
    auto const* const first = static_cast<std::byte const*>(data);
    message_.bytes.insert(message_.bytes.end(), first, first + size);
  }

  OutMessage& message_;
  std::size_t staged_ = 0;
  int level_ = 0;
  int inline_ = 0;
  std::byte stage_[240];
};

/// Reads from the front of a message. Everything that the message claims is checked.
class Reader {
 public:
  explicit Reader(InMessage& message) noexcept : message_(message) {}
  Reader(Reader const&) = delete;
  Reader& operator=(Reader const&) = delete;

  [[nodiscard]] std::size_t left() const noexcept { return message_.bytes.size(); }

  void bytes(void* data, std::size_t size) {
    if (size == 0) return;
    if (size > left()) ends_early(size);
    std::memcpy(data, message_.bytes.data(), size);
    message_.bytes = message_.bytes.subspan(size);
  }

  template <class T>
  T bits() {
    static_assert(std::is_trivially_copyable_v<T>);
    if (sizeof(T) > left()) ends_early(sizeof(T));
    // Not every such type has a default constructor.
    Raw<T> raw;
    std::memcpy(static_cast<void*>(std::addressof(raw.value)), message_.bytes.data(), sizeof(T));
    message_.bytes = message_.bytes.subspan(sizeof(T));
    return raw.value;
  }

  /// An object that is nothing but its type, a captureless lambda say; nothing is read.
  template <class T>
  static T nothing() noexcept {
    Raw<T> raw;
    std::memset(static_cast<void*>(std::addressof(raw.value)), 0, sizeof(T));
    return raw.value;
  }

  /// What `read` takes from the front of the bytes that are left.
  template <class Read>
  auto take(Read read) {
    return read(message_.bytes);
  }

  /// A number of elements of which each takes at least `element` bytes of the message.
  std::size_t length(std::size_t element) {
    auto const claimed = bits<std::uint64_t>();
    if (claimed > left() / element) too_long(claimed);
    return static_cast<std::size_t>(claimed);
  }

  /// A number of elements of `element` bytes each that `memory` will be asked for.
  std::size_t memory_length(std::size_t element) {
    auto const claimed = bits<std::uint64_t>();
    auto const most = std::numeric_limits<std::ptrdiff_t>::max() / element;
    if (claimed > most) too_long(claimed);
    auto const size = static_cast<std::size_t>(claimed) * element;
    if (!takes_blocks(size)) {
      if (size > left()) too_long(claimed);
    } else if (message_.block_sizes.empty() || message_.block_sizes.front() != size) {
      throw BadMessage("A message has no block of " + std::to_string(size) + " bytes next.");
    }
    return static_cast<std::size_t>(claimed);
  }

  /// Fills memory, now or, if it is a block, when the block arrives: its address must last.
  void memory(void* data, std::size_t size) {
    if (!takes_blocks(size)) return bytes(data, size);
    message_.fills.push_back({data, size});
    message_.block_sizes = message_.block_sizes.subspan(1);
  }

  /// Whether so much memory arrives after everything else.
  [[nodiscard]] bool takes_blocks(std::size_t size) const noexcept {
    return size >= smallest_block && inline_ == 0;
  }

  class Deeper : Nesting {
   public:
    explicit Deeper(Reader& reader) : Nesting(reader.level_) {
      if (reader.level_ > max_nesting) throw BadMessage("A message is nested too deep.");
    }
  };

  class Inline : Nesting {
   public:
    explicit Inline(Reader& reader) noexcept : Nesting(reader.inline_) {}
  };

 private:
  template <class T>
  union Raw {
    Raw() noexcept {}
    T value;
  };

  [[noreturn]] void ends_early(std::size_t size) const {
    throw BadMessage("A message ends too early: " + std::to_string(size) +
                     " more bytes are needed, " + std::to_string(left()) + " are left.");
  }
  [[noreturn]] void too_long(std::uint64_t claimed) const {
    throw BadMessage("A message claims " + std::to_string(claimed) + " elements, with " +
                     std::to_string(left()) + " bytes left.");
  }

  InMessage& message_;
  int level_ = 0;
  int inline_ = 0;
};

}  // namespace joblot::detail

#endif
