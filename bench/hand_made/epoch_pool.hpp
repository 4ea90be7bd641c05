// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

#include "hand_made/sleepers.hpp"

namespace bench {

/// Persistent workers, an epoch word, spin then futex. Every worker takes part in every run, so the
/// split can be fixed beforehand; the caller waits also for a worker that has only just been woken.
class EpochPool {
 public:
  explicit EpochPool(int n_jobs) : sleepers_{static_cast<std::size_t>(n_jobs - 1)} {
    for (int id = 1; id < n_jobs; ++id) threads_.emplace_back([this, id] { work(id); });
  }
  ~EpochPool() {
    job_ = nullptr;
    start();
    for (std::thread& thread : threads_) thread.join();
  }
  EpochPool(EpochPool const&) = delete;
  EpochPool& operator=(EpochPool const&) = delete;

  /// Calls `f(id)` on every worker, id 0 in the caller. A nested run calls them all in the caller.
  template <class F>
  void run(F const& f) {
    int const n_jobs = static_cast<int>(threads_.size()) + 1;
    if (inside_) {
      for (int id = 0; id < n_jobs; ++id) f(id);
      return;
    }
    inside_ = true;
    context_ = &f;
    job_ = [](void const* context, int id) { (*static_cast<F const*>(context))(id); };
    start();
    f(0);
    for (int i = 0; running_.load() != 0; ++i) i < caller_pauses ? relax() : void(::sched_yield());
    inside_ = false;
  }

 private:
  void start() {
    // Relaxed: the increment of the epoch publishes it, with the job.
    running_.store(static_cast<std::uint32_t>(threads_.size()), std::memory_order_relaxed);
    epoch_.fetch_add(1);
    sleepers_.wake(epoch_);
  }

  void work(int id) {
    inside_ = true;
    sleepers_.enter(static_cast<std::size_t>(id - 1));
    for (std::uint32_t last = 0;;) {
      for (int steps = 0; epoch_.load() == last;)
        if (!wait_a_little(steps, worker_pauses)) sleepers_.sleep(epoch_, last);
      ++last;
      if (job_ == nullptr) return;
      job_(context_, id);
      running_.fetch_sub(1);
    }
  }

  void (*job_)(void const*, int) = nullptr;
  void const* context_ = nullptr;
  alignas(64) std::atomic<std::uint32_t> epoch_{0};
  alignas(64) std::atomic<std::uint32_t> running_{0};
  Sleepers sleepers_;
  std::vector<std::thread> threads_;
  static inline thread_local bool inside_ = false;
};

}  // namespace bench
