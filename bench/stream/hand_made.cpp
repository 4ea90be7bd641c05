// SPDX-License-Identifier: MIT
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "stream/stream.hpp"

namespace bench {
namespace {

/// A bounded queue of batches: the smallest program that streams in bounded memory. The tasks are
/// all alike and known beforehand, so it needs none of a generator's care.
class Batches {
 public:
  using Batch = std::vector<std::uint64_t>;

  void push(Batch batch) {
    std::unique_lock lock{mutex_};
    room_.wait(lock, [&] { return queue_.size() < 16; });
    queue_.push_back(std::move(batch));
    filled_.notify_one();
  }

  Batch pop() {
    std::unique_lock lock{mutex_};
    filled_.wait(lock, [&] { return !queue_.empty(); });
    Batch batch = std::move(queue_.front());
    queue_.pop_front();
    room_.notify_one();
    return batch;
  }

 private:
  std::mutex mutex_;
  std::condition_variable room_;
  std::condition_variable filled_;
  std::deque<Batch> queue_;
};

Sample batched() {
  constexpr std::size_t batch_size = 1000;
  std::size_t const n = settings().quick ? 100'000 : 10'000'000;
  Consumer consumer;
  Batches batches;
  std::atomic<std::size_t> next{0};
  std::vector<std::jthread> workers;
  for (int id = 0; id < settings().n_jobs; ++id)
    workers.emplace_back([&] {
      for (std::size_t begin; (begin = next.fetch_add(batch_size)) < n;) {
        Batches::Batch batch(batch_size);
        for (std::size_t i = 0; i < batch_size; ++i) batch[i] = mix(begin + i);
        batches.push(std::move(batch));
      }
    });
  for (std::size_t seen = 0; seen < n; seen += batch_size)
    for (std::uint64_t const result : batches.pop()) consumer(result);
  return consumer.finish(n);
}

}  // namespace

void add_hand_made(Comparison& comparison) {
  comparison.add("stream", "batch-queue", Kind::hand_made, batched);
}

}  // namespace bench
