// SPDX-License-Identifier: MIT
// Where one task ends and the next one begins in a batch.
#ifndef JOBLOT_REMOTE_TASK_FRAME_HPP
#define JOBLOT_REMOTE_TASK_FRAME_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <joblot/serialization/message.hpp>
#include <joblot/serialization/wire.hpp>

namespace joblot::detail {

/// Before each task: how long it is, so that one that cannot be read does not hide the next.
struct TaskFrame {
  std::uint64_t bytes = 0;
  std::uint64_t blocks = 0;
};

/// Makes room for the frame of a task that is about to be written; returns where it is.
inline std::size_t begin_task(OutMessage& message) {
  auto const place = message.bytes.size();
  message.bytes.resize(place + sizeof(TaskFrame));
  return place;
}

/// The task whose frame is at `place` has been written; there were `blocks` blocks before it.
inline void end_task(OutMessage& message, std::size_t place, std::size_t blocks) {
  TaskFrame const frame{.bytes = message.bytes.size() - place - sizeof(TaskFrame),
                        .blocks = message.blocks.size() - blocks};
  std::memcpy(message.bytes.data() + place, &frame, sizeof frame);
}

/// Takes the next task off `batch`. Throws `BadMessage` if it is not all there.
inline InMessage next_task(InMessage& batch) {
  TaskFrame frame;
  if (batch.bytes.size() < sizeof frame) throw BadMessage("a batch ends before its last task");
  std::memcpy(&frame, batch.bytes.data(), sizeof frame);
  batch.bytes = batch.bytes.subspan(sizeof frame);
  if (frame.bytes > batch.bytes.size() || frame.blocks > batch.block_sizes.size()) {
    throw BadMessage("a batch ends in the midst of a task");
  }
  auto const bytes = static_cast<std::size_t>(frame.bytes);
  auto const blocks = static_cast<std::size_t>(frame.blocks);
  InMessage task{batch.bytes.first(bytes), batch.block_sizes.first(blocks), {}};
  batch.bytes = batch.bytes.subspan(bytes);
  batch.block_sizes = batch.block_sizes.subspan(blocks);
  return task;
}

}  // namespace joblot::detail

#endif
