// SPDX-License-Identifier: MIT
// Checks of what a backend promises by itself, without any tasks.
#ifndef JOBLOT_TESTING_CONTRACT_HPP
#define JOBLOT_TESTING_CONTRACT_HPP

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <joblot/call.hpp>
#include <joblot/config.hpp>
#include <joblot/testing/subject.hpp>
#include <joblot/thread_pool.hpp>

namespace joblot::detail::conformance {

template <class Front>
void check_properties(Subject<Front> const& subject) {
  expect(!subject.backend->name().empty(), "name() is empty");
  for (auto const asked : {1, 2, resolve_n_jobs(subject.n_jobs)}) {
    auto const n_jobs = subject.backend->effective_n_jobs(asked);
    expect(n_jobs >= 1, "effective_n_jobs({}) is {}; allowed: 1 or more", asked, n_jobs);
  }
}

/// Work that keeps every worker until it is told to let them go, and remembers who came.
class Doorkeeper final : public Work {
 public:
  explicit Doorkeeper(milliseconds patience) : patience_(patience) {}

  void run(int worker) noexcept override {
    std::unique_lock lock(mutex_);
    came_.push_back(worker);
    changed_.notify_all();
    if (std::this_thread::get_id() == caller_) {
      caller_came_ = true;  // must not wait for itself
    } else if (!changed_.wait_for(lock, patience_, [this] { return open_; })) {
      kept_too_long_ = true;
    }
  }

  /// Gives those who come the time to do so, then lets all go.
  void wait_and_open(std::size_t workers) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, milliseconds(250), [&] { return came_.size() >= workers; });
    open_ = true;
    changed_.notify_all();
  }

  /// After the call has ended.
  void judge() {
    expect(!caller_came_, "start() works for the call itself; it has to leave that to threads");
    expect(!kept_too_long_, "start() waits for its workers; it has to return without waiting");
    std::ranges::sort(came_);
    auto const twice = std::ranges::adjacent_find(came_);
    if (twice != came_.end()) {
      expect(false, "work({}) was called more than once for one call", *twice);
    }
  }

 private:
  milliseconds patience_;
  std::thread::id caller_ = std::this_thread::get_id();
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<int> came_;  // guarded by mutex_ until the call has ended, as are these:
  bool caller_came_ = false;
  bool kept_too_long_ = false;
  bool open_ = false;
};

template <class Front>
void check_start(Subject<Front> const& subject) {
  auto const n_jobs = subject.front().n_jobs();
  if (n_jobs == 1) return;                         // then nobody calls it
  for (auto const seats : {n_jobs, n_jobs + 1}) {  // the second as for a generator
    Doorkeeper keeper(subject.patience);
    auto const call = std::make_shared<Call>(keeper, seats, nullptr, Call::Caller::works);
    try {
      subject.backend->start(call);
    } catch (...) {
      keeper.wait_and_open(0);
      close_and_wait(*call);
      throw;
    }
    keeper.wait_and_open(static_cast<std::size_t>(seats) - 1);
    close_and_wait(*call);
    keeper.judge();
  }
}

}  // namespace joblot::detail::conformance

#endif
