// SPDX-License-Identifier: MIT
// Scopes: options in force for all that a thread constructs for a while.
#ifndef JOBLOT_CONFIG_HPP
#define JOBLOT_CONFIG_HPP

#include <optional>
#include <utility>

#include <joblot/checks.hpp>
#include <joblot/options.hpp>
#include <joblot/plan.hpp>

namespace joblot {
inline namespace v1 {

/// Options in force for what this thread constructs until the guard dies. Made by
/// `parallel_config`; stays where it was made, in the thread that made it.
class [[nodiscard]] ParallelConfig {
 public:
  explicit ParallelConfig(Options options) : options_(std::move(options)) {
    detail::check_values(options_);
    detail::if_given(options_.pre_dispatch, detail::check_pre_dispatch);
    detail::check_named_process_backend(options_);
    detail::check_promises(options_, nullptr);
    if (options_.backend.has_value()) {
      auto const backend = detail::make_backend(options_.backend.value());
      detail::check_promises(options_, backend.get());
      detail::check_threads_can(options_, *backend);
    }
    node_ = {&options_, detail::innermost_scope};
    detail::innermost_scope = &node_;
  }
  ParallelConfig(ParallelConfig const&) = delete;
  ParallelConfig& operator=(ParallelConfig const&) = delete;

  /// Guards may die in any order: this one is taken out from wherever it is.
  ~ParallelConfig() {
    for (auto** link = &detail::innermost_scope; *link != nullptr; link = &(*link)->outer) {
      if (*link == &node_) {
        *link = node_.outer;
        return;
      }
    }
  }

 private:
  Options options_;
  detail::ScopeNode node_{};
};

/// Makes `options` the defaults of every `Parallel` that this thread constructs while the guard
/// lives. Scopes nest: an inner one overrides what it sets, and leaves the rest to the outer ones.
/// Not in force inside tasks. Throws `InvalidOption`.
[[nodiscard]] inline ParallelConfig parallel_config(Options options) {
  return ParallelConfig(std::move(options));
}

/// How many workers a call gets that asks for `n_jobs` here; nullopt: for what the scopes say.
inline int effective_n_jobs(std::optional<int> n_jobs = -1) {
  Options options;
  if (n_jobs) options.n_jobs = *n_jobs;
  return detail::resolve(options).n_jobs;
}

}  // namespace v1
}  // namespace joblot

#endif
