// SPDX-License-Identifier: MIT
// Who takes which indices of a range that workers read side by side.
#ifndef JOBLOT_CLAIMS_HPP
#define JOBLOT_CLAIMS_HPP

#include <atomic>
#include <cstddef>

namespace joblot::detail {

/// Consecutive tasks taken by one worker.
struct Claim {
  std::size_t first = 0;
  std::size_t count = 0;
};

/// Hands out the indices 0 .. total-1, each once: from the front, and from the back for workers
/// that ask for that. Two ends keep two workers in memory of their own from call to call, and find
/// a giant at either end at once, where one end would find the last one too late.
///
/// A claim first takes its number from what is left, then its place from one end. All numbers
/// taken add up to `total` at most, so the ends cannot cross. Relaxed throughout: the counters
/// only share out numbers, and what the tasks read was there before any worker came.
class IndexClaims {
 public:
  explicit IndexClaims(std::size_t total) noexcept : left_(total), front_(0), back_(total) {}

  /// Takes as many as `choose(left)` says, a number >= 1; less if less is left, 0 at the end.
  template <class Choose>
  Claim take(bool from_back, Choose choose) noexcept {
    auto left = left_.load(std::memory_order_relaxed);
    std::size_t count = 0;
    do {
      if (left == 0) return {};
      count = choose(left);
      if (count > left) count = left;
    } while (!left_.compare_exchange_weak(left, left - count, std::memory_order_relaxed));
    if (from_back) return {back_.fetch_sub(count, std::memory_order_relaxed) - count, count};
    return {front_.fetch_add(count, std::memory_order_relaxed), count};
  }

  [[nodiscard]] bool empty() const noexcept { return left_.load(std::memory_order_relaxed) == 0; }

 private:
  static constexpr std::size_t cache_line = 64;
  alignas(cache_line) std::atomic<std::size_t> left_;
  alignas(cache_line) std::atomic<std::size_t> front_;
  alignas(cache_line) std::atomic<std::size_t> back_;
};

}  // namespace joblot::detail

#endif
