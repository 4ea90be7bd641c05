// SPDX-License-Identifier: MIT
// The backend without help: the caller runs all tasks, in order. For debugging.
#ifndef JOBLOT_BACKENDS_SEQUENTIAL_HPP
#define JOBLOT_BACKENDS_SEQUENTIAL_HPP

#include <memory>
#include <string_view>

#include <joblot/backend.hpp>

namespace joblot::detail {

class SequentialBackend final : public Backend {
 public:
  [[nodiscard]] std::string_view name() const override { return "SequentialBackend"; }
  [[nodiscard]] int effective_n_jobs(int /*asked*/) const override { return 1; }
  void start(std::shared_ptr<Call> /*call*/) override {}  // the caller does it all
};

}  // namespace joblot::detail

#endif
