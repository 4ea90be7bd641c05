// SPDX-License-Identifier: MIT
// A message received from another process.
#ifndef JOBLOT_PROCESS_INCOMING_HPP
#define JOBLOT_PROCESS_INCOMING_HPP

#if defined(__linux__)

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <joblot/process/ring.hpp>
#include <joblot/serialization/message.hpp>

namespace joblot::detail {

/// A message received, with room for what it consists of. To be used again and again: its memory
/// is kept for the next message.
struct Incoming {
  MessageHeader header;
  InMessage message;

  // Owned by the channel's end, which keeps here what `message` looks at.
  std::unique_ptr<std::byte[]> bytes;
  std::size_t capacity = 0;
  std::vector<std::uint64_t> block_sizes;

  /// Uninitialised memory for so many bytes.
  std::byte* room_for(std::size_t size) {
    if (size > capacity) {
      auto const larger = (std::max)(size, std::size_t{256});
      bytes = std::make_unique_for_overwrite<std::byte[]>(larger);
      capacity = larger;
    }
    return bytes.get();
  }
};

}  // namespace joblot::detail

#endif

#endif
