// SPDX-License-Identifier: MIT
// Worker processes forked from the call: they have its tasks by inheritance.
#ifndef JOBLOT_REMOTE_FORKED_WORKER_HPP
#define JOBLOT_REMOTE_FORKED_WORKER_HPP

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <utility>

#include <stdio_ext.h>
#include <sys/types.h>
#include <unistd.h>

#include <joblot/call.hpp>
#include <joblot/job.hpp>
#include <joblot/process/channel.hpp>
#include <joblot/process/spawn.hpp>
#include <joblot/remote/worker.hpp>
#include <joblot/remote/worker_call.hpp>
#include <joblot/remote/worker_pool.hpp>
#include <joblot/remote/worker_process.hpp>
#include <joblot/remote/worker_spec.hpp>

namespace joblot::detail {

/// What a forked worker has to know of its call beside its tasks.
struct ForkedWork {
  WorkerCall& call;
  bool timed = false;  // whether the time of each task is measured
  int worker_id = 0;
};

/// The life of a forked worker. Of what its parent's threads share it may only read what the tasks
/// need: any lock may have been taken by a thread that is not here, and would stay so for ever.
[[noreturn]] inline void run_forked_worker(pid_t parent, ParentEnd&& channel,
                                           WorkerSpec const& spec, ForkedWork work) noexcept {
  guard_against_orphanhood(parent);
  ::__fpurge(stdout);  // what other threads have written since is the parent's to say
  current_call = nullptr;
  current_task = nullptr;
  int status = 1;
  try {
    auto end = std::move(channel).turn_into_worker_end();
    Worker worker(end);
    if (worker.inherit(work.call, spec, work.timed, work.worker_id)) worker.serve();
    WorkerPool::instance().clear();  // of calls nested in tasks: nobody else would reap them
    status = 0;
  } catch (...) {  // the parent sees that it is gone
  }
  std::fflush(stdout);
  ::_exit(status);  // handlers and static objects are the parent's
}

/// Forks a worker for each one wanted, and lets it end when it has nothing left to do.
class ForkedWorkers final : public WorkerSource {
 public:
  ForkedWorkers(WorkerSpec const& spec, ForkedWork work) : spec_(spec), work_(work) {}

  Hired hire() override {
    auto const begun = Clock::now();
    // By name: to flush all is to wait for a thread that reads from one of them.
    std::fflush(stdout);
    std::fflush(stderr);
    auto worker = std::make_unique<WorkerProcess>(
        spec_, [this](ParentEnd& channel) { return fork_worker(channel); });
    start_cost_ = Clock::now() - begun;
    return {std::move(worker), spec_.initializer == nullptr, true};
  }

  void dismiss(std::unique_ptr<WorkerProcess> worker) noexcept override {
    auto const begun = Clock::now();
    worker->channel.hang_up();
    worker->child.wait();
    end_cost_ = (std::min)(end_cost_.value_or(Clock::duration::max()), Clock::now() - begun);
  }

  /// How long its parent is busy with a worker that does nothing: to fork the last one, and, at
  /// best so far, to see one off, which takes longer when others have the processor.
  [[nodiscard]] std::chrono::nanoseconds cost() const noexcept {
    return start_cost_ + end_cost_.value_or(Clock::duration(0));
  }

 private:
  using Clock = std::chrono::steady_clock;

  pid_t fork_worker(ParentEnd& channel) {
    auto const parent = ::getpid();
    auto const pid = ::fork();
    if (pid < 0) throw_spawn_error("fork", errno);
    if (pid == 0) run_forked_worker(parent, std::move(channel), spec_, work_);
    return pid;
  }

  WorkerSpec const& spec_;
  ForkedWork work_;
  Clock::duration start_cost_{0};
  std::optional<Clock::duration> end_cost_;
};

}  // namespace joblot::detail

#endif
