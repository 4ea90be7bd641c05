// SPDX-License-Identifier: MIT
// One parallel call in flight, as backends see it: workers come, work, and leave before it ends.
#ifndef JOBLOT_CALL_HPP
#define JOBLOT_CALL_HPP

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

namespace joblot {
namespace detail {

/// Tells the processor that this thread only waits for a store of another one.
inline void relax_cpu() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
  asm volatile("yield");
#endif
}

/// Longest time that a thread spins for something before it goes to sleep. A wake-up costs about
/// as much, so that spinning at most doubles the price of waiting and never burns a core.
inline constexpr std::chrono::microseconds longest_spin{20};

/// Spins until `done()`, but no longer than `longest_spin`; whether it is done. After the first
/// moments it offers its core to others at every look: the one it waits for may be waiting for it.
template <class Done>
bool spin_until(Done done) noexcept {
  for (int i = 0; i < 200; ++i) {
    if (done()) return true;
    relax_cpu();
  }
  auto const end = std::chrono::steady_clock::now() + longest_spin;
  do {
    if (done()) return true;
    std::this_thread::yield();
  } while (std::chrono::steady_clock::now() < end);
  return done();
}

/// The typed work behind a call: takes tasks and runs them until there is nothing left to take.
class Work {
 public:
  virtual void run(int worker) noexcept = 0;
  /// The backend will bring no more workers, and none of those it brought is still there.
  virtual void abandoned() noexcept {}

 protected:
  ~Work() = default;
};

/// The threads that work for one outermost call and for all calls nested in it.
struct Team {
  int limit = 0;                // as many as the outermost call asked for
  std::atomic<int> engaged{0};  // as many as there are now

  /// Joins if there is a seat. Relaxed: the count only bounds itself, nothing is read through it.
  bool try_join() noexcept {
    auto now = engaged.load(std::memory_order_relaxed);
    while (now < limit) {
      if (engaged.compare_exchange_weak(now, now + 1, std::memory_order_relaxed)) return true;
    }
    return false;
  }
  [[nodiscard]] bool full() const noexcept {
    return engaged.load(std::memory_order_relaxed) >= limit;
  }
};

}  // namespace detail

inline namespace v1 {

/// A parallel call in flight. A backend gets it in `Backend::start` and lends it threads; it may
/// keep the pointer as long as it likes: a call that has ended lets nobody in any more.
///
/// The work itself lives with the caller (or the generator). It is touched only by threads inside
/// the gate, and the caller leaves only after it has closed the gate and everybody is out: so no
/// task can run on after its call, whatever a backend does and however late its threads come.
class Call : public std::enable_shared_from_this<Call> {
 public:
  /// Number of workers the call wants, the caller included: `work(w)` for w in 1 .. n_jobs()-1.
  [[nodiscard]] int n_jobs() const noexcept { return n_jobs_; }

  /// Lends the calling thread to the call as worker `worker`, each number at most once. Returns
  /// when there is nothing left to take; at once if the call has ended. Any thread.
  void work(int worker) noexcept {
    if (worker < 1 || worker >= n_jobs_) return;  // no such seat
    if (team_ != nullptr) team_->engaged.fetch_add(1, std::memory_order_relaxed);
    work_as_member(worker);
    if (team_ != nullptr) team_->engaged.fetch_sub(1, std::memory_order_relaxed);
  }

  // The rest is for the library's own rooms and may change.

  /// Whether the calling thread is one of the workers.
  enum class Caller { works, waits };

  /// `parent`: the call whose task makes this one, if any. A caller that only waits leaves seat 0
  /// empty, so its call has one seat more than workers.
  Call(detail::Work& work, int n_jobs, std::shared_ptr<Call> parent, Caller caller)
      : work_(&work), n_jobs_(n_jobs), parent_(std::move(parent)) {
    team_ = parent_ ? parent_->team_ : nullptr;
    if (team_ == nullptr && n_jobs > 1) {
      bool const works = caller == Caller::works;
      own_team_.limit = works ? n_jobs : n_jobs - 1;
      own_team_.engaged.store(works ? 1 : 0, std::memory_order_relaxed);  // nobody knows it yet
      team_ = &own_team_;
    }
  }
  Call(Call const&) = delete;
  Call& operator=(Call const&) = delete;
  ~Call() = default;

  /// For a thread that is counted in the team already. Calls `leaving()` while the caller still
  /// waits for it.
  template <class Leaving>
  void work_as_member(int worker, Leaving leaving) noexcept;
  void work_as_member(int worker) noexcept {
    work_as_member(worker, [] {});
  }

  /// A pointer to this call for the backend, which tells when the last copy of it is gone.
  [[nodiscard]] std::shared_ptr<Call> handle_for_backend() {
    struct Handle {
      std::shared_ptr<Call> call;
      explicit Handle(std::shared_ptr<Call> of) : call(std::move(of)) {}
      Handle(Handle const&) = delete;
      Handle& operator=(Handle const&) = delete;
      ~Handle() {
        if (!call->enter()) return;
        call->work_->abandoned();
        call->leave();
      }
    };
    auto handle = std::make_shared<Handle>(shared_from_this());
    return {std::move(handle), this};
  }

  [[nodiscard]] detail::Team* team() const noexcept { return team_; }
  [[nodiscard]] Call* parent() const noexcept { return parent_.get(); }
  [[nodiscard]] bool closed() const noexcept { return (gate_.load() & closed_bit) != 0; }
  [[nodiscard]] bool idle() const noexcept { return gate_.load() < one_inside; }
  [[nodiscard]] bool descends_from(Call const& ancestor) const noexcept {
    for (auto const* call = parent(); call != nullptr; call = call->parent()) {
      if (call == &ancestor) return true;
    }
    return false;
  }

  /// Lets nobody in any more and waits until everybody is out. While it waits the thread calls
  /// `help()`, which may run tasks of calls nested in this one and says whether it did.
  template <class Help>
  void close_and_wait(Help help) noexcept {
    gate_.fetch_or(closed_bit);
    if (idle() || detail::spin_until([this] { return idle(); })) return;
    std::unique_lock lock(mutex_);
    waiting_.store(true);
    while (!idle()) {
      help_wanted_ = false;
      lock.unlock();
      bool const helped = help();
      lock.lock();
      if (helped) continue;
      changed_.wait(lock, [this] { return help_wanted_ || idle(); });
    }
    waiting_.store(false);
  }

  /// Wakes the caller if it waits for its last workers: a call nested in this one has work.
  /// No wake-up is lost: the waiting caller sets `waiting_` before it looks for nested calls, and
  /// this is called after a nested call has been made known, both under the pool's lock between.
  bool ask_for_help() noexcept {
    if (!waiting_.load()) return false;
    std::lock_guard const lock(mutex_);
    help_wanted_ = true;
    changed_.notify_all();
    return true;
  }

 private:
  static constexpr std::uint32_t closed_bit = 1;
  static constexpr std::uint32_t one_inside = 2;

  bool enter() noexcept {
    auto now = gate_.load();
    do {
      if ((now & closed_bit) != 0) return false;
    } while (!gate_.compare_exchange_weak(now, now + one_inside));
    return true;
  }

  void leave() noexcept {
    if (gate_.fetch_sub(one_inside) != (one_inside | closed_bit)) return;
    if (!waiting_.load()) return;  // a caller that is yet to set it will see the gate empty
    std::lock_guard const lock(mutex_);
    changed_.notify_all();
  }

  detail::Work* work_;  // valid only inside the gate
  int n_jobs_;
  std::shared_ptr<Call> parent_;
  detail::Team own_team_;
  detail::Team* team_ = nullptr;
  std::atomic<std::uint32_t> gate_{0};  // closed_bit + one_inside * threads inside
  std::atomic<bool> waiting_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  bool help_wanted_ = false;  // guarded by mutex_
};

}  // namespace v1

namespace detail {

/// The call whose task this thread runs now.
constinit inline thread_local Call* current_call = nullptr;

}  // namespace detail

template <class Leaving>
void v1::Call::work_as_member(int worker, Leaving leaving) noexcept {
  if (!enter()) {
    leaving();
    return;
  }
  auto* const outer = std::exchange(detail::current_call, this);
  work_->run(worker);
  detail::current_call = outer;
  leaving();
  leave();
}

}  // namespace joblot

#endif
