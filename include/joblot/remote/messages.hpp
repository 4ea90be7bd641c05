// SPDX-License-Identifier: MIT
// What a parent and its worker process say to each other.
#ifndef JOBLOT_REMOTE_MESSAGES_HPP
#define JOBLOT_REMOTE_MESSAGES_HPP

#include <cstdint>

#include <joblot/serialization/message.hpp>

namespace joblot::detail {

/// What a message is; in brackets what its header says beside that.
enum class MessageType : std::uint32_t {
  // To the worker.
  set_up = 1,  // what the worker is for: once, first of all
  call,        // what the tasks that follow have in common [count: whether their time is measured,
               // index: worker_id]
  batch,       // tasks [count, index: of the first one, extra: the attempt that this is at it]

  // To the parent.
  ready = 101,  // set up
  unfit,        // the initializer threw: its exception
  result,       // of a task [count: tasks of the batch after it, index, extra: run time in ns of
                // the task if time is measured, else of the batch, in its last one]
  task_error,   // its exception [the same]
  range_error,  // what the range threw instead of giving its element [the same]
};

constexpr std::uint32_t to_number(MessageType type) noexcept {
  return static_cast<std::uint32_t>(type);
}

/// Where the blocks of a message are had from, once it is known where they go.
class BlockReceiver {
 public:
  /// Fills `message.fills`, and empties it.
  virtual void receive(InMessage& message) = 0;

 protected:
  ~BlockReceiver() = default;
};

}  // namespace joblot::detail

#endif
