// SPDX-License-Identifier: MIT
// Time limits of tasks: when each began, and a thread that looks whether one runs too long.
#ifndef JOBLOT_WATCHDOG_HPP
#define JOBLOT_WATCHDOG_HPP

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

namespace joblot::detail {

/// The running task of one worker and its start, written by the worker, read by the watchdog.
class TimedTask {
 public:
  using Clock = std::chrono::steady_clock;

  void begin(std::size_t index) noexcept {
    index_.store(index, std::memory_order_relaxed);
    begun_.store(ticks(Clock::now()), std::memory_order_release);  // read in find_overdue
  }

  /// Ends the task, if it has not been ended; whether it has run longer than `limit`.
  bool end(std::chrono::nanoseconds limit) noexcept {
    // acquire: if the watchdog has marked it, the next begin comes after its look at the index.
    auto const begun = begun_.exchange(none, std::memory_order_acquire);
    return begun < 0 || (begun != none && ticks(Clock::now()) - begun > limit.count());
  }

  /// Whether the running task has run longer than `limit`; for its own thread.
  [[nodiscard]] bool overdue(std::chrono::nanoseconds limit) const noexcept {
    auto const begun = begun_.load(std::memory_order_relaxed);
    return begun < 0 || (begun != none && ticks(Clock::now()) - begun > limit.count());
  }

  /// The index of the running task if it has become overdue since the last look: each once.
  std::optional<std::size_t> find_overdue(std::chrono::nanoseconds limit) noexcept {
    auto begun = begun_.load(std::memory_order_acquire);  // pairs with begin: the index is its
    if (begun == none || begun < 0 || ticks(Clock::now()) - begun <= limit.count()) return {};
    auto const index = index_.load(std::memory_order_relaxed);
    // The sign marks it. It fails if that very task has ended in the meantime, so that the index
    // read above is the marked task's: release, read in end, keeps it above.
    if (!begun_.compare_exchange_strong(begun, -begun, std::memory_order_release,
                                        std::memory_order_relaxed)) {
      return {};
    }
    return index;
  }

  /// When the running task becomes overdue, if one runs that is not yet.
  [[nodiscard]] std::optional<Clock::time_point> deadline(
      std::chrono::nanoseconds limit) const noexcept {
    auto const begun = begun_.load(std::memory_order_relaxed);
    if (begun == none || begun < 0) return std::nullopt;
    return Clock::time_point(std::chrono::nanoseconds(begun)) + limit;
  }

 private:
  static constexpr std::int64_t none = 0;
  static std::int64_t ticks(Clock::time_point time) noexcept {
    return std::chrono::nanoseconds(time.time_since_epoch()).count();
  }

  std::atomic<std::size_t> index_{0};
  std::atomic<std::int64_t> begun_{none};  // negative: found overdue
};

/// A thread that looks when it is time to, for as long as the object lives. Where no thread can be
/// made there is none: then time limits are noticed when a task ends.
class Watchdog {
 public:
  using Look = std::function<std::chrono::steady_clock::time_point()>;  // returns when to look next

  explicit Watchdog(Look look) : look_(std::move(look)) {
    try {
      thread_ = std::thread([this] { serve(); });
    } catch (std::system_error const&) {  // see above
    }
  }
  Watchdog(Watchdog const&) = delete;
  Watchdog& operator=(Watchdog const&) = delete;
  ~Watchdog() {
    {
      std::lock_guard const lock(mutex_);
      done_ = true;
    }
    wake_up_.notify_one();
    if (thread_.joinable()) thread_.join();
  }

 private:
  void serve() {
    std::unique_lock lock(mutex_);
    while (!done_) {
      lock.unlock();
      auto const next = look_();
      lock.lock();
      wake_up_.wait_until(lock, next, [this] { return done_; });
    }
  }

  Look look_;
  std::mutex mutex_;
  std::condition_variable wake_up_;
  bool done_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace joblot::detail

#endif
