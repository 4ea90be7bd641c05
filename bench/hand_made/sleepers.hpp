// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "hand_made/waiting.hpp"

namespace bench {

/// Workers that sleep on a word. Waking costs the caller one load when nobody sleeps.
class Sleepers {
 public:
  explicit Sleepers(std::size_t n) : threads_(n) {}

  /// Called by worker `i` before it first sleeps.
  void enter(std::size_t i) { threads_[i].store(static_cast<std::uint32_t>(::gettid())); }

  /// Sleeps unless `word` has changed since `seen` was read from it.
  void sleep(std::atomic<std::uint32_t>& word, std::uint32_t seen) {
    // Either the waker, which writes the word and then reads the flag, finds the flag set, or this
    // thread finds the word changed.
    asleep_.store(1);
    if (word.load() != seen) return;
    futex_wait(word, seen);
    placement_.anywhere();
  }

  /// Called after a write to `word`.
  void wake(std::atomic<std::uint32_t>& word) {
    if (asleep_.load() == 0 || asleep_.exchange(0) == 0) return;
    for (auto const& thread : threads_)
      if (auto const id = thread.load(); id != 0)
        placement_.away_from_here(static_cast<::pid_t>(id));
    futex_wake_all(word);
  }

 private:
  alignas(64) std::atomic<std::uint32_t> asleep_{0};
  std::vector<std::atomic<std::uint32_t>> threads_;
  Placement placement_;
};

}  // namespace bench
