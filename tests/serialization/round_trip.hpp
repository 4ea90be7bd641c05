// SPDX-License-Identifier: MIT
// What a transport does with a message, without one.
#ifndef JOBLOT_TESTS_SERIALIZATION_ROUND_TRIP_HPP
#define JOBLOT_TESTS_SERIALIZATION_ROUND_TRIP_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include <gtest/gtest.h>

#include <joblot/serialization/encode.hpp>

namespace round_trip {

/// A message that has arrived, but for its blocks. They are filled by `deliver`.
struct Arrived {
  explicit Arrived(joblot::detail::OutMessage const& sent) : bytes(sent.bytes) {
    for (auto const& block : sent.blocks) {
      auto const* const data = static_cast<std::byte const*>(block.data);
      blocks.emplace_back(data, data + block.size);
      sizes.push_back(block.size);
    }
    message = {bytes, sizes, {}};
  }

  void deliver() {
    ASSERT_EQ(message.fills.size(), blocks.size());
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      ASSERT_EQ(message.fills[i].size, blocks[i].size());
      if (message.fills[i].data == nullptr) continue;
      std::memcpy(message.fills[i].data, blocks[i].data(), blocks[i].size());
    }
  }

  std::vector<std::byte> bytes;
  std::vector<std::vector<std::byte>> blocks;
  std::vector<std::uint64_t> sizes;
  joblot::detail::InMessage message;
};

/// `value` after its journey.
template <class T>
T sent(T const& value) {
  joblot::detail::OutMessage out;
  joblot::detail::encode(out, value);
  Arrived in(out);
  T result = joblot::detail::decode<T>(in.message);
  EXPECT_EQ(in.message.bytes.size(), 0U) << "nothing is left over";
  in.deliver();
  return result;
}

template <class T>
joblot::detail::OutMessage encoded(T const& value) {
  joblot::detail::OutMessage out;
  joblot::detail::encode(out, value);
  return out;
}

}  // namespace round_trip

#endif
