// SPDX-License-Identifier: MIT
// The worker processes of this process: started when wanted, kept for the next call.
#ifndef JOBLOT_REMOTE_WORKER_POOL_HPP
#define JOBLOT_REMOTE_WORKER_POOL_HPP

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <joblot/error.hpp>
#include <joblot/fork_local.hpp>
#include <joblot/process/channel.hpp>
#include <joblot/process/spawn.hpp>
#include <joblot/remote/messages.hpp>
#include <joblot/remote/worker.hpp>
#include <joblot/remote/worker_process.hpp>
#include <joblot/remote/worker_spec.hpp>
#include <joblot/serialization/code_identity.hpp>
#include <joblot/serialization/encode.hpp>

namespace joblot::detail {

/// The thread limits of numeric libraries, as environment of a worker. One that the program was
/// started with wins, because somebody wanted it.
inline std::vector<std::string> thread_limits(int threads) {
  std::vector<std::string> environment;
  for (char const* name :
       {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS", "NUMBA_NUM_THREADS", "NUMEXPR_NUM_THREADS"}) {
    if (std::getenv(name) == nullptr) {
      environment.push_back(std::string(name) + '=' + std::to_string(threads));
    }
  }
  return environment;
}

/// Starts a worker process and tells it what it is for. Does not wait until it is ready. Throws
/// `Error` if none can be had.
inline std::unique_ptr<WorkerProcess> start_worker(WorkerSpec const& spec) {
  auto worker = std::make_unique<WorkerProcess>(spec, [&spec](ParentEnd const& channel) {
    return spawn_self(std::array{channel.worker_socket(), channel.memory_fd()},
                      thread_limits(spec.threads));
  });
  OutMessage message;
  encode(message, std::int64_t{spec.idle_timeout ? spec.idle_timeout->count() : 0});
  encode(message, spec.threads);
  encode(message, spec.initializer != nullptr);
  if (spec.initializer != nullptr) {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): its address names it
    identify(reinterpret_cast<void const*>(spec.initializer)).append_to(message.bytes);
  }
  static_cast<void>(worker->channel.try_send({.type = to_number(MessageType::set_up)}, message));
  return worker;
}

/// Idle workers. A forked child has a pool of its own: the workers belong to its parent.
class WorkerPool {
 public:
  static WorkerPool& instance() { return fork_local<WorkerPool>(); }

  /// An idle worker with this spec if there is one, else null.
  std::unique_ptr<WorkerProcess> take(WorkerSpec const& spec) {
    std::unique_ptr<WorkerProcess> found;
    std::vector<std::unique_ptr<WorkerProcess>> dead;  // buried without the lock
    std::lock_guard const lock(mutex_);
    // All of them, not only those that fit: nobody else would ever bury the others.
    for (auto i = idle_.size(); i-- > 0;) {  // the last one first: its cache is warm
      bool const fits = !found && idle_[i]->spec == spec;
      bool const ended = idle_[i]->channel.is_hung_up() || idle_[i]->child.poll_exit().has_value();
      if (!fits && !ended) continue;
      (ended ? dead.emplace_back() : found) = std::move(idle_[i]);
      idle_.erase(idle_.begin() + static_cast<std::ptrdiff_t>(i));
    }
    return found;
  }

  /// `worker` has nothing to do.
  void give_back(std::unique_ptr<WorkerProcess> worker) {
    std::lock_guard const lock(mutex_);
    idle_.push_back(std::move(worker));
  }

  /// Ends the idle workers.
  void clear() noexcept {
    std::vector<std::unique_ptr<WorkerProcess>> ended;
    std::lock_guard const lock(mutex_);
    ended.swap(idle_);
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<WorkerProcess>> idle_;  // guarded by mutex_
};

/// Workers of the pool, or new ones, which go there when they are done.
class PooledWorkers final : public WorkerSource {
 public:
  explicit PooledWorkers(WorkerSpec const& spec) : spec_(spec) {}

  Hired hire() override {
    if (auto worker = WorkerPool::instance().take(spec_)) return {std::move(worker), true};
    return {start_worker(spec_)};
  }
  void dismiss(std::unique_ptr<WorkerProcess> worker) noexcept override {
    try {
      WorkerPool::instance().give_back(std::move(worker));
    } catch (...) {  // no memory to keep it: it ends here
    }
  }

 private:
  WorkerSpec const& spec_;
};

}  // namespace joblot::detail

#endif
