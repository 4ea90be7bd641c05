// SPDX-License-Identifier: MIT
// The tasks of a call as a worker process sees them.
#ifndef JOBLOT_REMOTE_WORKER_CALL_HPP
#define JOBLOT_REMOTE_WORKER_CALL_HPP

#include <memory>

#include <joblot/process/entry.hpp>
#include <joblot/remote/messages.hpp>
#include <joblot/serialization/message.hpp>

namespace joblot::detail {

/// What a worker keeps of a call: the code of its tasks and what they have in common.
class WorkerCall {
 public:
  WorkerCall() = default;
  WorkerCall(WorkerCall const&) = delete;
  WorkerCall& operator=(WorkerCall const&) = delete;
  virtual ~WorkerCall() = default;

  /// Reads a task, runs it and writes its result. Throws what the task throws, and what reading and
  /// writing throw. `index`: its submission index.
  virtual void run(std::size_t index, InMessage& task, BlockReceiver& blocks,
                   OutMessage& result) = 0;
  /// Whether it has its tasks already, so that messages only number them.
  [[nodiscard]] virtual bool has_tasks() const noexcept { return false; }
  /// Whether what `run` threw last is the range's and no task's.
  [[nodiscard]] virtual bool range_failed() const noexcept { return false; }
  /// After the result has been sent: what it was made of may go.
  virtual void forget_result() noexcept = 0;
};

/// Makes a `WorkerCall` from what all tasks have in common. The parent names an entry of this type.
using MakeWorkerCall = std::unique_ptr<WorkerCall>(InMessage& common, BlockReceiver& blocks);

}  // namespace joblot::detail

#endif
