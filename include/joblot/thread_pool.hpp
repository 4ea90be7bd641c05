// SPDX-License-Identifier: MIT
// The threads of the program that lend themselves to calls: lazy, kept, asleep when idle.
#ifndef JOBLOT_THREAD_POOL_HPP
#define JOBLOT_THREAD_POOL_HPP

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <joblot/call.hpp>
#include <joblot/fork_local.hpp>

namespace joblot::detail {

/// A call offers seats; idle threads take them. Nothing is queued but the offers, and nothing
/// depends on a seat being taken: the caller can always finish by itself. So it is no error when
/// no thread can be made, and two pools in one program (one for each shared library with hidden
/// visibility) do not disturb each other.
///
/// One wake-up an offer: whoever takes a seat first passes the word on while seats are left. The
/// pool is never destroyed, so that static destructors may use it, and a forked child starts with
/// a new one, because threads do not survive a fork.
class ThreadPool {
 public:
  /// The pool of this process.
  static ThreadPool& instance() { return fork_local<ThreadPool>(); }

  ThreadPool() = default;
  ThreadPool(ThreadPool const&) = delete;
  ThreadPool& operator=(ThreadPool const&) = delete;
  ~ThreadPool() = default;

  /// Offers the seats 1 .. n_jobs-1 of `call` to idle threads and returns without waiting. The
  /// offer ends when the seats are taken, or is forgotten some time after the call has ended.
  void offer(std::shared_ptr<Call> call) {
    auto* const parent = call->parent();
    {
      auto lock = lock_soon();
      // Under the lock: who leaves the team later than this looks at the offers after this one.
      bool const wake = !call->team()->full();
      std::erase_if(offers_, [](Offer const& old) { return old.call->closed(); });
      auto const end = call->n_jobs();
      offers_.push_back({std::move(call), 1, end});
      if (wake) summon(1, lock);
    }
    // Without the lock, or the thread that sees it would run into the lock and fall asleep there.
    // It looks at the offers after it has spun, whether or not it has seen this. Relaxed: what it
    // sees then it sees under the lock.
    version_.fetch_add(1, std::memory_order_relaxed);
    for (auto* waiting = parent; waiting != nullptr; waiting = waiting->parent()) {
      if (waiting->ask_for_help()) break;
    }
  }

  /// Lends the calling thread, which waits for its own call `ancestor`, to a call nested in it.
  /// It would wait for that one anyway, so it cannot get stuck in anything else. Whether it did.
  bool help_descendants(Call const& ancestor) {
    Seat seat;
    {
      auto const lock = lock_soon();
      seat = take_seat([&](Call& call) { return call.descends_from(ancestor); });
    }
    if (!seat.call) return false;
    seat.call->work_as_member(seat.worker);
    return true;
  }

 private:
  struct Offer {
    std::shared_ptr<Call> call;
    int next;  // seats next .. end-1 are free
    int end;
  };
  struct Seat {
    std::shared_ptr<Call> call;
    int worker = 0;
  };
  struct Sleeper {  // on the stack of its thread: falling asleep must not need memory
    std::condition_variable wake_up;
    bool woken = false;
    Sleeper* next = nullptr;
  };

  /// The lock is held for some ten nanoseconds: whoever finds it taken spins for that long, and
  /// only then sleeps, which would cost a thousand times as much.
  std::unique_lock<std::mutex> lock_soon() {
    std::unique_lock lock(mutex_, std::try_to_lock);
    for (int i = 0; i < 100 && !lock.owns_lock(); ++i) {
      relax_cpu();
      static_cast<void>(lock.try_lock());
    }
    if (!lock.owns_lock()) lock.lock();
    return lock;
  }

  /// Takes a free seat of the oldest call that `wanted` accepts.
  template <class Wanted>
  Seat take_seat(Wanted wanted) {
    for (auto offer = offers_.begin(); offer != offers_.end(); ++offer) {
      if (offer->call->closed() || !wanted(*offer->call)) continue;
      Seat seat{offer->call, offer->next++};
      if (offer->next == offer->end) offers_.erase(offer);
      return seat;
    }
    return {};
  }

  [[nodiscard]] bool seats_left() const {
    return std::any_of(offers_.begin(), offers_.end(), [](Offer const& offer) {
      return !offer.call->closed() && !offer.call->team()->full();
    });
  }

  /// Sees to it that at least `wanted` threads will look at the offers soon. One that spins will
  /// anyway, as will one that has been woken or made, or comes from a call, and is not there yet:
  /// so many short calls in a row do not wake many threads. Else one that sleeps is woken, else one
  /// is made.
  void summon(int wanted, std::unique_lock<std::mutex>& lock) {
    while (coming_ + returning_.load() < wanted) {
      ++coming_;
      if (sleepers_ != nullptr) {
        auto* const sleeper = std::exchange(sleepers_, sleepers_->next);
        sleeper->woken = true;
        sleeper->wake_up.notify_one();
      } else if (!make_thread(lock)) {
        --coming_;
        // Whoever works for a call already goes on without help. A call with nobody yet learns
        // from the end of its offer that it may have to do without threads.
        std::erase_if(offers_, [](Offer const& offer) {
          return offer.call->team()->engaged.load(std::memory_order_relaxed) == 0;
        });
        return;
      }
    }
  }

  /// Releases the lock for the time it takes.
  bool make_thread(std::unique_lock<std::mutex>& lock) {
    lock.unlock();
    bool made = true;
    try {
      std::thread([this] { serve(); }).detach();
    } catch (std::exception const&) {  // no thread, or no memory for one
      made = false;
    }
    lock.lock();
    return made;
  }

  /// The life of a pool thread.
  void serve() {
    std::unique_lock lock(mutex_);
    --coming_;
    for (bool spun = false;;) {
      if (auto seat = take_seat([](Call& call) { return call.team()->try_join(); }); seat.call) {
        if (seats_left()) summon(2, lock);  // each two, so that all are there soon
        lock.unlock();
        auto& team = *seat.call->team();
        seat.call->work_as_member(seat.worker, [this] { returning_.fetch_add(1); });
        team.engaged.fetch_sub(1, std::memory_order_relaxed);
        seat.call.reset();
        lock = lock_soon();
        returning_.fetch_sub(1);
        spun = false;
      } else if (!spun && coming_ < max_spinners_) {
        spin(lock);
        spun = true;
      } else {
        sleep(lock);
        spun = false;
      }
    }
  }

  /// Waits a little for the next offer: calls made one after another need no wake-up.
  void spin(std::unique_lock<std::mutex>& lock) {
    ++coming_;
    auto const seen = version_.load(std::memory_order_relaxed);
    lock.unlock();
    spin_until([&] { return version_.load(std::memory_order_relaxed) != seen; });
    lock = lock_soon();
    --coming_;
  }

  void sleep(std::unique_lock<std::mutex>& lock) {
    Sleeper self;
    self.next = std::exchange(sleepers_, &self);
    self.wake_up.wait(lock, [&] { return self.woken; });
    --coming_;
  }

  std::mutex mutex_;
  std::vector<Offer> offers_;      // all below are guarded by mutex_, but atomics
  Sleeper* sleepers_ = nullptr;    // the last to fall asleep is woken first: its cache is warm
  int coming_ = 0;                 // threads that will look at the offers soon
  std::atomic<int> returning_{0};  // threads on their way from a call: they will, too
  // One core at least must be free for those who work.
  int max_spinners_ = static_cast<int>((std::min)(std::thread::hardware_concurrency(), 5U)) - 1;
  std::atomic<std::uint64_t> version_{0};  // number of offers ever made
};

/// Ends a call from its caller's thread: nobody comes in any more, everybody has left.
inline void close_and_wait(Call& call) noexcept {
  call.close_and_wait([&] { return ThreadPool::instance().help_descendants(call); });
}

}  // namespace joblot::detail

#endif
