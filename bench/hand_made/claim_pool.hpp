// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

#include "hand_made/sleepers.hpp"

namespace bench {

/// The lowest latency known here: a worker joins a run by itself if it comes in time, and the
/// caller, once it finds nothing left to do, closes the run and waits only for those that have
/// joined. Everything is in one word: epoch, open, caller asleep, number of workers inside.
class ClaimPool {
 public:
  explicit ClaimPool(int n_jobs) : sleepers_{static_cast<std::size_t>(n_jobs - 1)} {
    for (int id = 1; id < n_jobs; ++id) threads_.emplace_back([this, id] { work(id); });
  }
  ~ClaimPool() {
    state_.store(stop);
    futex_wake_all(state_);
    for (std::thread& thread : threads_) thread.join();
  }
  ClaimPool(ClaimPool const&) = delete;
  ClaimPool& operator=(ClaimPool const&) = delete;

  /// Calls `f(0)` in the caller and, at the same time, `f(id)` on the workers that come in time.
  /// `f` must return only when nothing is left to claim. A nested run is the caller's alone.
  template <class F>
  void run(F const& f) {
    if (inside_) {
      f(0);
      return;
    }
    inside_ = true;
    context_ = &f;
    job_ = [](void const* context, int id) { (*static_cast<F const*>(context))(id); };
    // Closed and empty: nobody else writes the word now.
    std::uint32_t const epoch = (state_.load(std::memory_order_relaxed) & epochs) + one_epoch;
    state_.store((epoch & epochs) | open);
    sleepers_.wake(state_);
    f(0);
    finish();
    inside_ = false;
  }

 private:
  static constexpr std::uint32_t inside_mask = 0x1fff;
  static constexpr std::uint32_t caller_waits = 0x2000;
  static constexpr std::uint32_t stop = 0x4000;
  static constexpr std::uint32_t open = 0x8000;
  static constexpr std::uint32_t one_epoch = 0x10000;
  static constexpr std::uint32_t epochs = 0xffff0000;

  void finish() {
    std::uint32_t seen = state_.fetch_and(~open) & ~open;
    for (int steps = 0; (seen & inside_mask) != 0 && wait_a_little(steps, caller_pauses);)
      seen = state_.load();
    if ((seen & inside_mask) == 0) return;
    seen = state_.fetch_or(caller_waits) | caller_waits;
    while ((seen & inside_mask) != 0) {
      futex_wait(state_, seen);
      seen = state_.load();
    }
  }

  void work(int id) {
    inside_ = true;
    sleepers_.enter(static_cast<std::size_t>(id - 1));
    std::uint32_t last = 0;
    for (int steps = 0;;) {
      std::uint32_t seen = state_.load();
      if (seen == stop) return;
      if ((seen & open) != 0 && (seen & epochs) != last) {
        if (!state_.compare_exchange_weak(seen, seen + 1)) continue;
        last = seen & epochs;
        job_(context_, id);
        // The wake may also reach idle workers, which go back to sleep.
        std::uint32_t const before = state_.fetch_sub(1);
        if ((before & inside_mask) == 1 && (before & caller_waits) != 0) futex_wake_all(state_);
        steps = 0;
      } else if (!wait_a_little(steps, worker_pauses)) {
        sleepers_.sleep(state_, seen);
        steps = 0;
      }
    }
  }

  void (*job_)(void const*, int) = nullptr;
  void const* context_ = nullptr;
  alignas(64) std::atomic<std::uint32_t> state_{0};
  Sleepers sleepers_;
  std::vector<std::thread> threads_;
  static inline thread_local bool inside_ = false;
};

}  // namespace bench
