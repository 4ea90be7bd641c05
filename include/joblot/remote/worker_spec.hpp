// SPDX-License-Identifier: MIT
// What a worker process is set up for.
#ifndef JOBLOT_REMOTE_WORKER_SPEC_HPP
#define JOBLOT_REMOTE_WORKER_SPEC_HPP

#include <chrono>
#include <optional>

#include <joblot/options.hpp>

namespace joblot::detail {

/// Calls whose specs are equal may use the same workers, one after another.
struct WorkerSpec {
  Initializer initializer = nullptr;  // run before the first task
  int threads = 1;                    // limit of numeric libraries and of parallel calls in it
  std::optional<std::chrono::nanoseconds> idle_timeout = std::chrono::seconds(300);
  bool forked = false;  // from the call, whose memory it inherits; no other call may use it

  friend bool operator==(WorkerSpec const&, WorkerSpec const&) = default;
};

/// In a worker process: what it was set up with.
struct WorkerShare {
  int threads = 0;  // 0: this is no worker process
};
constinit inline WorkerShare worker_share{};

}  // namespace joblot::detail

#endif
