// SPDX-License-Identifier: MIT
// The backend that runs tasks in a pool of worker processes: this program, started again.
#ifndef JOBLOT_BACKENDS_LOKY_HPP
#define JOBLOT_BACKENDS_LOKY_HPP

#include <memory>
#include <string_view>
#include <utility>

#include <joblot/backend.hpp>
#include <joblot/call.hpp>
#include <joblot/thread_pool.hpp>

namespace joblot::detail {

/// Each seat of a call is a thread of this process that has one worker process run its tasks, and
/// sleeps meanwhile: so calls nest, stop and stream as they do on threads.
class LokyBackend final : public Backend {
 public:
  [[nodiscard]] std::string_view name() const override { return "LokyBackend"; }
  [[nodiscard]] bool shares_memory() const override { return false; }
  [[nodiscard]] bool runs_in_worker_processes() const override { return true; }
  void start(std::shared_ptr<Call> call) override { ThreadPool::instance().offer(std::move(call)); }
};

}  // namespace joblot::detail

#endif
