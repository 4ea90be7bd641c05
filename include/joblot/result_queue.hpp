// SPDX-License-Identifier: MIT
// Results on their way from workers to the consumer of a generator: bounded, ordered or not.
#ifndef JOBLOT_RESULT_QUEUE_HPP
#define JOBLOT_RESULT_QUEUE_HPP

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include <joblot/call.hpp>
#include <joblot/claims.hpp>
#include <joblot/failure.hpp>
#include <joblot/job.hpp>
#include <joblot/outcome.hpp>
#include <joblot/source.hpp>

namespace joblot::detail {

enum class Order { submission, completion };

/// The sink of a generator. Workers publish results batch by batch; the consumer takes them, in
/// order of submission or of completion. At most `window` batches are taken from the range and not
/// yet consumed: then workers wait for room, so a paused consumer pauses them.
template <class R>
class ResultQueue {
  struct Batch {
    std::size_t first = 0;
    std::size_t count = 0;
    std::size_t published = 0;  // guarded by the queue's lock
    std::size_t taken = 0;      // by the consumer, which alone uses it
    ItemBuffer<R> results;
  };
  struct Piece {  // results begin .. end-1 of the batch are complete and not yet taken
    std::shared_ptr<Batch> batch;
    std::size_t begin = 0;
    std::size_t end = 0;
  };

 public:
  static constexpr bool ordered = true;
  static constexpr std::size_t granule() noexcept { return 1; }

  ResultQueue(Order order, std::optional<std::size_t> window, int worker_offset)
      : order_(order), window_(window), worker_offset_(worker_offset) {}
  ResultQueue(ResultQueue const&) = delete;
  ResultQueue& operator=(ResultQueue const&) = delete;

  /// Seat 0 of a call whose consumer does not work is empty: then worker 0 sits on seat 1.
  [[nodiscard]] int worker_offset() const noexcept { return worker_offset_; }

  class Writer {
   public:
    explicit Writer(ResultQueue& queue) noexcept : queue_(queue) {}

    template <class Stopped>
    bool wait_for_room(Stopped stopped) {
      std::unique_lock lock(queue_.mutex_);
      queue_.room_.wait(lock, [&] { return stopped() || queue_.has_room(); });
      return !stopped();
    }

    [[nodiscard]] bool has_room() {
      std::lock_guard const lock(queue_.mutex_);
      return queue_.has_room();
    }

    void begin(Claim claim) {
      batch_ = std::make_shared<Batch>();
      batch_->first = claim.first;
      batch_->count = claim.count;
      batch_->results.reserve(claim.count);
      published_ = 0;
      std::lock_guard const lock(queue_.mutex_);
      // In order of submission a batch stands here from the start until it is consumed.
      if (queue_.order_ == Order::submission) queue_.pieces_.push_back({batch_, 0, 0});
      ++queue_.outstanding_;
    }

    template <class Run>
    void strip(std::size_t first, std::size_t last, Run const& run) {
      for (auto i = first; i < last; ++i) {
        batch_->results.emplace_from([&]() -> decltype(auto) { return result(run, i); });
      }
    }

    /// Lets the consumer have the results before index `last`.
    void publish(std::size_t last) {
      auto const end = last - batch_->first;
      if (end == published_) return;
      {
        std::lock_guard const lock(queue_.mutex_);
        batch_->published = end;
        if (queue_.order_ == Order::completion) queue_.pieces_.push_back({batch_, published_, end});
      }
      published_ = end;
      queue_.ready_.notify_one();
    }

    void ended() noexcept {
      {
        std::lock_guard const lock(queue_.mutex_);
        queue_.ended_ = true;
      }
      queue_.ready_.notify_one();
    }

   private:
    template <class Run>
    static decltype(auto) result(Run const& run, std::size_t index) {
      if constexpr (std::is_void_v<decltype(run(index))>) {
        run(index);
        return R();
      } else {
        return run(index);
      }
    }

    ResultQueue& queue_;
    std::shared_ptr<Batch> batch_;
    std::size_t published_ = 0;
  };
  Writer writer() noexcept { return Writer(*this); }

  void wake_all() noexcept {
    // The lock: a thread that has found nothing and is about to wait must not miss this.
    std::lock_guard const lock(mutex_);
    room_.notify_all();
    ready_.notify_all();
  }

  // The consumer's side.

  /// Takes the next result into `value` without waiting, if one is there; its index into `index`.
  bool take(std::optional<R>& value, std::size_t& index) {
    if (current_.begin == current_.end) return false;
    auto& batch = *current_.batch;
    index = batch.first + current_.begin;
    move_result(std::move(batch.results[current_.begin]),
                [&](R&& result) { value.emplace(std::move(result)); });
    ++current_.begin;
    ++delivered_;
    if (++batch.taken == batch.count) finish_batch();
    return true;
  }

  enum class Waited { results, end, nobody_works };

  /// Waits until `take` has something to take, all is taken, `stop_waiting()`, or there is nobody
  /// to wait for; `working` says whether there are workers. In the last two cases: nobody_works.
  template <class StopWaiting>
  Waited wait(bool working, StopWaiting stop_waiting) {
    std::unique_lock lock(mutex_);
    for (;;) {
      if (next_piece()) return Waited::results;
      if (stop_waiting(delivered_)) return Waited::nobody_works;
      if (ended_ && outstanding_ == 0) return Waited::end;
      if (!working || abandoned_) return Waited::nobody_works;
      ready_.wait(lock);
    }
  }

  [[nodiscard]] std::size_t delivered() const noexcept { return delivered_; }

  void abandon() noexcept {
    std::lock_guard const lock(mutex_);
    abandoned_ = true;
    ready_.notify_all();
  }

 private:
  [[nodiscard]] bool has_room() const { return !window_ || outstanding_ < *window_; }

  /// Makes the next complete results the current ones. The lock is held.
  bool next_piece() {
    if (pieces_.empty()) return false;
    if (order_ == Order::completion) {
      current_ = std::move(pieces_.front());
      pieces_.pop_front();
      return true;
    }
    auto const& batch = pieces_.front().batch;
    if (batch->taken == batch->published) return false;
    current_ = {batch, batch->taken, batch->published};
    return true;
  }

  void finish_batch() {
    // What is left of the results is destroyed without the lock: that is the user's code.
    auto const done = std::exchange(current_, {});
    {
      std::lock_guard const lock(mutex_);
      if (order_ == Order::submission) pieces_.pop_front();
      --outstanding_;
    }
    room_.notify_one();
  }

  Order order_;
  std::optional<std::size_t> window_;
  int worker_offset_;

  std::mutex mutex_;
  std::condition_variable room_;
  std::condition_variable ready_;
  std::deque<Piece> pieces_;     // guarded by mutex_, as are these:
  std::size_t outstanding_ = 0;  // batches begun and not yet consumed
  bool ended_ = false;           // the range has come to its end
  bool abandoned_ = false;       // no worker is there or will come

  Piece current_;              // the consumer's alone, as is this:
  std::size_t delivered_ = 0;  // number of results taken
};

}  // namespace joblot::detail

#endif
