// SPDX-License-Identifier: MIT
// The backend that runs tasks in children forked at the call, which inherit everything.
#ifndef JOBLOT_BACKENDS_MULTIPROCESSING_HPP
#define JOBLOT_BACKENDS_MULTIPROCESSING_HPP

#include <memory>
#include <string_view>
#include <utility>

#include <joblot/backend.hpp>
#include <joblot/call.hpp>
#include <joblot/error.hpp>
#include <joblot/thread_pool.hpp>

namespace joblot::detail {

/// Each seat of a call is a thread of this process that has a forked child run its tasks, and
/// sleeps meanwhile. Where workers read the range side by side a seat has one child for the call;
/// else it has one for each batch, which inherits the elements read for it.
///
/// So tasks may be anything and refer to anything: they see it as it was when their child was
/// forked, and what they write stays in the child. Only results are sent. A lock that another
/// thread holds at the fork is taken in the child for ever: tasks must not need it.
class MultiprocessingBackend final : public Backend {
 public:
#if !defined(__linux__)
  MultiprocessingBackend() {
    throw Error(
        "joblot: the backend \"multiprocessing\" needs fork, which this system does not have, or "
        "joblot does not use it here; use \"threading\"");
  }
#endif
  [[nodiscard]] std::string_view name() const override { return "MultiprocessingBackend"; }
  [[nodiscard]] bool shares_memory() const override { return false; }
  [[nodiscard]] bool runs_in_worker_processes() const override { return true; }
  [[nodiscard]] bool forks_workers() const override { return true; }
  void start(std::shared_ptr<Call> call) override { ThreadPool::instance().offer(std::move(call)); }
};

}  // namespace joblot::detail

#endif
