// SPDX-License-Identifier: MIT
// Values as bytes: a short part that is copied, and large blocks that stay where they are.
#ifndef JOBLOT_SERIALIZATION_MESSAGE_HPP
#define JOBLOT_SERIALIZATION_MESSAGE_HPP

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace joblot::detail {

/// From this size on, in bytes, contiguous trivially copyable data is a block of its own: copying
/// less costs less than one more entry of a scatter/gather list.
inline constexpr std::size_t smallest_block = std::size_t{64} * 1024;

/// Memory that is sent from where it is. Not owned: it must stay as it is until it has been sent.
struct ConstBlock {
  void const* data = nullptr;
  std::size_t size = 0;
};

/// A message being written.
struct OutMessage {
  std::vector<std::byte> bytes;
  std::vector<ConstBlock> blocks;

  void clear() noexcept {
    bytes.clear();
    blocks.clear();
  }
};

/// Memory that a block is to be received into.
struct Fill {
  void* data = nullptr;
  std::size_t size = 0;
};

/// A message being read. Nothing in it is trusted: every length is checked against what is there.
struct InMessage {
  std::span<std::byte const> bytes;            // what is left to be read
  std::span<std::uint64_t const> block_sizes;  // of the blocks not yet asked for, in order
  std::vector<Fill> fills;                     // where the blocks asked for go; filled afterwards
};

}  // namespace joblot::detail

#endif
