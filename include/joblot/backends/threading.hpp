// SPDX-License-Identifier: MIT
// The backend that works with the threads of the process-wide pool.
#ifndef JOBLOT_BACKENDS_THREADING_HPP
#define JOBLOT_BACKENDS_THREADING_HPP

#include <memory>
#include <string_view>
#include <utility>

#include <joblot/backend.hpp>
#include <joblot/thread_pool.hpp>

namespace joblot::detail {

class ThreadingBackend final : public Backend {
 public:
  [[nodiscard]] std::string_view name() const override { return "ThreadingBackend"; }
  void start(std::shared_ptr<Call> call) override { ThreadPool::instance().offer(std::move(call)); }
};

}  // namespace joblot::detail

#endif
