// SPDX-License-Identifier: MIT
#include <algorithm>
#include <atomic>
#include <cstdint>

#include "for_each/workloads.hpp"
#include "hand_made/claim_pool.hpp"
#include "hand_made/epoch_pool.hpp"

namespace bench {
namespace {

std::size_t workers() { return static_cast<std::size_t>(settings().n_jobs); }

EpochPool& epoch_pool() {
  static EpochPool pool{settings().n_jobs};
  return pool;
}

ClaimPool& claim_pool() {
  static ClaimPool pool{settings().n_jobs};
  return pool;
}

/// Blocks of an eighth of what would be left for each worker, down to one index.
class Guided {
 public:
  Guided(std::size_t n, std::size_t workers) : n_{n}, divisor_{8 * workers} {}

  template <class F>
  void work(F const& f) {
    std::size_t begin = next_.load(std::memory_order_relaxed);
    while (begin < n_) {
      std::size_t const end = begin + (std::max)(std::size_t{1}, (n_ - begin) / divisor_);
      // Relaxed: the indices carry no data, start and end of a run order everything else.
      if (!next_.compare_exchange_weak(begin, end, std::memory_order_relaxed)) continue;
      for (std::size_t i = begin; i < end; ++i) f(i);
      begin = next_.load(std::memory_order_relaxed);
    }
  }

 private:
  alignas(64) std::atomic<std::size_t> next_{0};
  std::size_t n_;
  std::size_t divisor_;
};

struct PoolStatic {
  static constexpr char const* name = "pool-static";
  static constexpr bool suits_tiny_bodies = true;

  template <class F>
  static void for_each(std::size_t n, F const& f) {
    epoch_pool().run([&](int id) {
      auto const worker = static_cast<std::size_t>(id);
      std::size_t const end = n * (worker + 1) / workers();
      for (std::size_t i = n * worker / workers(); i < end; ++i) f(i);
    });
  }
};

struct PoolGuided {
  static constexpr char const* name = "pool-guided";
  static constexpr bool suits_tiny_bodies = true;

  template <class F>
  static void for_each(std::size_t n, F const& f) {
    Guided loop{n, workers()};
    epoch_pool().run([&](int) { loop.work(f); });
  }
};

struct PoolDynamic {
  static constexpr char const* name = "pool-dyn1";
  static constexpr bool suits_tiny_bodies = false;

  template <class F>
  static void for_each(std::size_t n, F const& f) {
    alignas(64) std::atomic<std::size_t> next{0};
    // Relaxed: as in Guided.
    epoch_pool().run([&](int) {
      for (std::size_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < n;) f(i);
    });
  }
};

struct PoolClaim {
  static constexpr char const* name = "pool-claim";
  static constexpr bool suits_tiny_bodies = true;

  template <class F>
  static void for_each(std::size_t n, F const& f) {
    Guided loop{n, workers()};
    claim_pool().run([&](int) { loop.work(f); });
  }
};

/// Even workers take single indices from the front, odd ones from the back: a giant at either end
/// starts at once.
struct PoolTwoEnded {
  static constexpr char const* name = "pool-two-ended";
  static constexpr bool suits_tiny_bodies = false;

  template <class F>
  static void for_each(std::size_t n, F const& f) {
    // Both ends in one word, or they could cross: begin in the upper half, end in the lower.
    alignas(64) std::atomic<std::uint64_t> range{n};
    claim_pool().run([&](int id) {
      bool const front = id % 2 == 0;
      // Relaxed: as in Guided.
      std::uint64_t seen = range.load(std::memory_order_relaxed);
      for (;;) {
        std::uint64_t const begin = seen >> 32;
        std::uint64_t const end = seen & 0xffffffff;
        if (begin == end) return;
        std::uint64_t const left = front ? seen + (std::uint64_t{1} << 32) : seen - 1;
        if (!range.compare_exchange_weak(seen, left, std::memory_order_relaxed)) continue;
        f(static_cast<std::size_t>(front ? begin : end - 1));
        seen = range.load(std::memory_order_relaxed);
      }
    });
  }
};

}  // namespace

void add_hand_made(Comparison& comparison) {
  add_peer<PoolStatic>(comparison, Kind::hand_made);
  add_peer<PoolGuided>(comparison, Kind::hand_made);
  add_peer<PoolDynamic>(comparison, Kind::hand_made);
  add_peer<PoolClaim>(comparison, Kind::hand_made);
  add_peer<PoolTwoEnded>(comparison, Kind::hand_made);
}

}  // namespace bench
