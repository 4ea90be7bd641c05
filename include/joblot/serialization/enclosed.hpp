// SPDX-License-Identifier: MIT
// A message within a message.
#ifndef JOBLOT_SERIALIZATION_ENCLOSED_HPP
#define JOBLOT_SERIALIZATION_ENCLOSED_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include <joblot/serialization/message.hpp>
#include <joblot/serialization/wire.hpp>

namespace joblot::detail {

/// Puts all of `part` into `out`, its blocks by copy: what they lie in may die before `out` is
/// sent.
inline void enclose(OutMessage& out, OutMessage const& part) {
  Writer writer(out);
  writer.length(part.blocks.size());
  for (auto const& block : part.blocks) writer.length(block.size);
  writer.length(part.bytes.size());
  writer.bytes(part.bytes.data(), part.bytes.size());
  for (auto const& block : part.blocks) writer.bytes(block.data, block.size);
  writer.flush();
}

/// What `enclose` has put in. It can be skipped by whoever does not understand it, and stays valid
/// as long as the bytes of the message around it. Throws `BadMessage` if it is not there.
class Enclosed {
 public:
  explicit Enclosed(InMessage& in) {
    Reader reader(in);
    sizes_.resize(reader.length(sizeof(std::uint64_t)));
    reader.bytes(sizes_.data(), sizes_.size() * sizeof(std::uint64_t));
    message_.block_sizes = sizes_;
    message_.bytes = take_bytes(in, reader.length(1));
    for (auto const size : sizes_) blocks_.push_back(take_bytes(in, size));
  }
  Enclosed(Enclosed const&) = delete;
  Enclosed& operator=(Enclosed const&) = delete;
  ~Enclosed() = default;

  [[nodiscard]] InMessage& message() noexcept { return message_; }

  /// To be called when the message has been read: fills in the blocks. Throws `BadMessage` if
  /// something is left over or does not fit.
  void finish() {
    if (!message_.bytes.empty() || message_.fills.size() != blocks_.size()) {
      throw BadMessage("A part of a message was not read to its end.");
    }
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      auto const& fill = message_.fills[i];
      if (fill.size != blocks_[i].size()) throw BadMessage("A block of a message does not fit.");
      if (fill.size != 0) std::memcpy(fill.data, blocks_[i].data(), fill.size);
    }
  }

 private:
  static std::span<std::byte const> take_bytes(InMessage& in, std::uint64_t size) {
    if (size > in.bytes.size()) throw BadMessage("A part of a message ends too early.");
    auto const taken = in.bytes.first(static_cast<std::size_t>(size));
    in.bytes = in.bytes.subspan(taken.size());
    return taken;
  }

  std::vector<std::uint64_t> sizes_;
  std::vector<std::span<std::byte const>> blocks_;
  InMessage message_;
};

}  // namespace joblot::detail

#endif
