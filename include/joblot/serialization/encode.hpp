// SPDX-License-Identifier: MIT
// Values into a message and out of it.
#ifndef JOBLOT_SERIALIZATION_ENCODE_HPP
#define JOBLOT_SERIALIZATION_ENCODE_HPP

#include <array>
#include <cstddef>
#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include <joblot/serialization/coder.hpp>
#include <joblot/serialization/containers.hpp>
#include <joblot/serialization/functions.hpp>
#include <joblot/serialization/message.hpp>
#include <joblot/serialization/pointers.hpp>

namespace joblot::detail {

/// Writes `value` as a `Carried<T>`: what a view shows, not the view.
template <class T>
void write_carried(Encoder& out, T const& value) {
  if constexpr (std::is_same_v<T, char const*>) {
    write(out, value != nullptr);
    if (value != nullptr) {
      std::string_view const text(value);
      write_span(out, text.data(), text.size());
    }
  } else if constexpr (is_string_view<T>) {
    write_span(out, value.data(), value.size());
  } else if constexpr (is_span<T>) {
    if constexpr (std::is_same_v<Carried<T>, std::vector<bool>>) {
      write(out, Carried<T>(value.begin(), value.end()));
    } else {
      write_span<typename T::value_type>(out, value.data(), value.size());
    }
  } else if constexpr (is_reference_wrapper<T>) {
    write<Carried<T>>(out, value.get());
  } else {
    write<T>(out, value);
  }
}

/// Writes the values to the end of the message; what one of them throws (its own `save`,
/// NotShippableError) comes out of here, with the message as it was. Blocks point into the values:
/// they must stay where and as they are until the message has been sent.
template <class... T>
void encode(OutMessage& message, T const&... value) {
  if constexpr (sizeof...(T) > 0 && (... && (is_bits<T> && sizeof(T) <= 256))) {
    std::array<std::byte, (std::size_t{0} + ... + sizeof(T))> together;
    auto* at = together.data();
    (..., (std::memcpy(at, std::addressof(value), sizeof value), at += sizeof value));
    message.bytes.insert(message.bytes.end(), together.begin(), together.end());
  } else {
    auto const bytes = message.bytes.size();
    auto const blocks = message.blocks.size();
    try {
      Encoder encoder(message);
      (..., write_carried(encoder, value));
      encoder.flush();
    } catch (...) {
      message.bytes.resize(bytes);
      message.blocks.resize(blocks);
      throw;
    }
  }
}

/// Calls `read` with a decoder. After an exception what was to be filled is no more, but the blocks
/// are still on their way: their fills lose the data, which stands for "read it and drop it".
template <class Read>
auto decode_with(InMessage& message, Read read) {
  auto const fills = message.fills.size();
  try {
    Decoder decoder(message);
    return read(decoder);
  } catch (...) {
    for (auto i = fills; i < message.fills.size(); ++i) message.fills[i].data = nullptr;
    throw;
  }
}

/// Reads one value from the front of the message. Throws BadMessage if it is not there, and what
/// the `load` of a user's type throws. Memory for large parts is in `message.fills` afterwards and
/// stays where it is while the value is moved; the value is complete when they have been filled.
/// After an exception these fills have no data: the block is to be read and dropped.
template <class T>
T decode(InMessage& message) {
  return decode_with(message, [](Decoder& decoder) { return read<T>(decoder); });
}

}  // namespace joblot::detail

#endif
