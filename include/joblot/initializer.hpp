// SPDX-License-Identifier: MIT
// The option `initializer`, where tasks run in this process: once, before the first of them.
#ifndef JOBLOT_INITIALIZER_HPP
#define JOBLOT_INITIALIZER_HPP

#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include <joblot/fork_local.hpp>
#include <joblot/options.hpp>

namespace joblot::detail {

/// Which initializers this process runs or has run. The lock is not held while one runs: its own
/// tasks may need other ones.
struct Initializers {
  struct State {
    std::thread::id runner;
    bool done = false;
  };
  std::mutex mutex;
  std::condition_variable ended;
  std::map<Initializer, State> states;
};

/// Runs `initializer`, unless it is null or has been run in this process; waits while another
/// thread runs it, so that no task that needs it starts before it is done. If it throws, so does
/// this, and it is run again next time. Calls that it makes itself do not wait for it; parallel
/// tasks of its own must not ask for it.
inline void initialize_process(Initializer initializer) {
  if (initializer == nullptr) return;
  auto& initializers = fork_local<Initializers>();
  auto const self = std::this_thread::get_id();
  std::unique_lock lock(initializers.mutex);
  for (;;) {
    auto const [entry, fresh] = initializers.states.try_emplace(initializer);
    auto& state = entry->second;
    if (fresh) {
      state.runner = self;
      break;
    }
    if (state.done || state.runner == self) return;
    initializers.ended.wait(lock);
  }
  lock.unlock();
  try {
    initializer();
  } catch (...) {
    lock.lock();
    initializers.states.erase(initializer);
    initializers.ended.notify_all();
    throw;
  }
  lock.lock();
  initializers.states[initializer].done = true;
  initializers.ended.notify_all();
}

}  // namespace joblot::detail

#endif
