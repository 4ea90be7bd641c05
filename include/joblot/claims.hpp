// SPDX-License-Identifier: MIT
// Who takes which indices of a range that workers read side by side.
#ifndef JOBLOT_CLAIMS_HPP
#define JOBLOT_CLAIMS_HPP

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>

namespace joblot::detail {

/// Consecutive tasks taken by one worker.
struct Claim {
  std::size_t first = 0;
  std::size_t count = 0;
};

/// Hands out the indices 0 .. total-1, each once.
///
/// With one end they go from the first to the last. With two ends the range is cut in the middle:
/// workers with even numbers take from its front, the others from its back, both towards the
/// middle, and who finds his half empty takes from the other one at the middle. So a giant at
/// either end is found at once, where one end would find the last one too late; and two workers
/// that run the same short loop again and again keep the same memory in their caches, and do not
/// touch the same counters until the end.
///
/// A claim first takes its number from what is left of a half, then its place from one side of it.
/// All numbers taken from a half add up to its size at most, so that its two sides cannot cross.
/// Relaxed throughout: the counters only share out numbers, and what the tasks read was there
/// before any worker came.
class IndexClaims {
 public:
  enum class Ends { one, two };

  IndexClaims(std::size_t total, Ends ends) noexcept
      : halves_{Half(0, ends == Ends::two ? total / 2 : total),
                Half(ends == Ends::two ? total / 2 : total, total)},
        ends_(ends) {}

  /// Takes as many as `choose(left, at_home)` says, a number >= 1; less if less is left, 0 at the
  /// end. `left` is of the half it takes from, which is the worker's own if `at_home`.
  template <class Choose>
  Claim take(int worker, Choose choose) noexcept {
    auto const home = static_cast<std::size_t>(ends_ == Ends::two ? worker % 2 : 0);
    bool const upwards = home == 0;
    auto const claim =
        halves_[home].take(upwards, [&](std::size_t left) { return choose(left, true); });
    if (claim.count != 0 || ends_ == Ends::one) return claim;
    return halves_[1 - home].take(upwards, [&](std::size_t left) { return choose(left, false); });
  }

  [[nodiscard]] bool empty() const noexcept { return halves_[0].empty() && halves_[1].empty(); }

 private:
  static constexpr std::size_t cache_line = 64;

  class alignas(cache_line) Half {
   public:
    Half(std::size_t begin, std::size_t end) noexcept
        : left_(end - begin), begin_(begin), end_(end) {}

    template <class Choose>
    Claim take(bool upwards, Choose choose) noexcept {
      auto left = left_.load(std::memory_order_relaxed);
      std::size_t count = 0;
      do {
        if (left == 0) return {};
        count = (std::min)(left, choose(left));
      } while (!left_.compare_exchange_weak(left, left - count, std::memory_order_relaxed));
      if (upwards) return {begin_.fetch_add(count, std::memory_order_relaxed), count};
      return {end_.fetch_sub(count, std::memory_order_relaxed) - count, count};
    }

    [[nodiscard]] bool empty() const noexcept { return left_.load(std::memory_order_relaxed) == 0; }

   private:
    std::atomic<std::size_t> left_;
    std::atomic<std::size_t> begin_;
    std::atomic<std::size_t> end_;
  };

  std::array<Half, 2> halves_;
  Ends ends_;
};

}  // namespace joblot::detail

#endif
