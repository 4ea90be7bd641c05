// SPDX-License-Identifier: MIT
// The option `initializer`, where tasks run in this process: once, before the first of them.
#ifndef JOBLOT_INITIALIZER_HPP
#define JOBLOT_INITIALIZER_HPP

#include <mutex>
#include <set>

#include <joblot/fork_local.hpp>
#include <joblot/options.hpp>

namespace joblot::detail {

/// Which initializers this process has run. The lock is held while one runs, so that no task that
/// needs it starts before it is done; recursive, because it may itself make a parallel call.
struct Initializers {
  std::recursive_mutex mutex;
  std::set<Initializer> run;
};

/// Runs `initializer`, unless it is null or has been run in this process. If it throws, so does
/// this, and it is run again next time.
inline void initialize_process(Initializer initializer) {
  if (initializer == nullptr) return;
  auto& initializers = fork_local<Initializers>();
  std::lock_guard const lock(initializers.mutex);
  if (!initializers.run.insert(initializer).second) return;
  try {
    initializer();
  } catch (...) {
    initializers.run.erase(initializer);
    throw;
  }
}

}  // namespace joblot::detail

#endif
