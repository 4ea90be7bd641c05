// SPDX-License-Identifier: MIT
// A worker process as its parent holds it, and where such processes come from.
#ifndef JOBLOT_REMOTE_WORKER_PROCESS_HPP
#define JOBLOT_REMOTE_WORKER_PROCESS_HPP

#include <cstdint>
#include <memory>

#include <joblot/process/channel.hpp>
#include <joblot/process/child.hpp>
#include <joblot/process/interrupt.hpp>
#include <joblot/remote/worker_spec.hpp>

namespace joblot::detail {

/// A worker process and the way to it.
struct WorkerProcess {
  /// `start(channel)` starts it and returns its process id. Throws `Error` if none can be had.
  template <class Start>
  WorkerProcess(WorkerSpec const& wanted, Start start) : spec(wanted), child(start(channel)) {
    channel.close_worker_side();
    channel.watch(child.pidfd(), [this] { return child.poll_exit().has_value(); });
  }
  WorkerProcess(WorkerProcess const&) = delete;
  WorkerProcess& operator=(WorkerProcess const&) = delete;
  ~WorkerProcess() = default;

  WorkerSpec spec;
  ParentEnd channel;
  Interrupt interrupt;       // wakes the thread that waits for the worker
  Interrupt unwanted;        // breaks large messages off, either way
  std::int64_t answers = 0;  // received from it in all calls
  Child child;
};

/// Where a seat gets its workers from. One thread.
class WorkerSource {
 public:
  struct Hired {
    std::unique_ptr<WorkerProcess> process;
    bool ready = false;       // it need not say that it has been set up
    bool knows_call = false;  // it need not be told what the tasks have in common
  };

  /// A worker that has nothing to do. Throws `Error` if none can be had.
  virtual Hired hire() = 0;
  /// Takes one back that has nothing left to do.
  virtual void dismiss(std::unique_ptr<WorkerProcess> worker) noexcept = 0;

 protected:
  ~WorkerSource() = default;
};

}  // namespace joblot::detail

#endif
