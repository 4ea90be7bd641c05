// SPDX-License-Identifier: MIT
// Values for messages of the library's own, which are read before any block has arrived.
#ifndef JOBLOT_SERIALIZATION_INLINE_VALUES_HPP
#define JOBLOT_SERIALIZATION_INLINE_VALUES_HPP

#include <joblot/serialization/encode.hpp>
#include <joblot/serialization/message.hpp>

namespace joblot::detail {

/// Writes the values to the end of a message, however large they are.
template <class... T>
void put(OutMessage& message, T const&... value) {
  Encoder encoder(message);
  Writer::Inline const inlined(encoder);
  (..., write<T>(encoder, value));
  encoder.flush();
}

/// Reads one of them. Throws `BadMessage` if it is not there.
template <class T>
T take(InMessage& message) {
  Decoder decoder(message);
  Reader::Inline const inlined(decoder);
  return read<T>(decoder);
}

}  // namespace joblot::detail

#endif
