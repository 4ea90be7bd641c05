// SPDX-License-Identifier: MIT
// What all workers of one call share, whatever the tasks are: stop, failure, time, progress.
#ifndef JOBLOT_JOB_HPP
#define JOBLOT_JOB_HPP

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include <joblot/call.hpp>
#include <joblot/error.hpp>
#include <joblot/failure.hpp>
#include <joblot/plan.hpp>
#include <joblot/progress.hpp>
#include <joblot/watchdog.hpp>

namespace joblot::detail {

class Job;

/// One worker of a call, on its thread's stack while it works: the task it runs, for `this_task`.
class TaskContext {
 public:
  /// A type of its own, which no task can write to: so the compiler may keep the index of a short
  /// loop in a register where the task is inlined and does not look at it.
  enum class Index : std::size_t {};

  TaskContext(Job& job, int worker_id) noexcept;
  TaskContext(TaskContext const&) = delete;
  TaskContext& operator=(TaskContext const&) = delete;
  ~TaskContext();

  [[nodiscard]] std::size_t index() const noexcept { return static_cast<std::size_t>(index_); }
  void set_index(std::size_t index) noexcept { index_ = static_cast<Index>(index); }
  [[nodiscard]] int attempt() const noexcept { return attempt_; }
  void set_attempt(int attempt) noexcept { attempt_ = attempt; }
  [[nodiscard]] int worker_id() const noexcept { return worker_id_; }
  [[nodiscard]] Job& job() const noexcept { return job_; }

  TimedTask timed;  // used if the call has a timeout

 private:
  friend class Job;
  Job& job_;
  int worker_id_;
  Index index_{};
  int attempt_ = 1;
  std::stop_source source_{std::nostopstate};  // guarded by the job's lock, as are these:
  std::size_t source_index_ = 0;               // the task it belongs to
  bool listed_ = false;
  TaskContext* next_ = nullptr;
  TaskContext* const outer_;
  ScopeNode* const outer_scope_;
};

/// The task this thread runs now; null outside of tasks.
constinit inline thread_local TaskContext* current_task = nullptr;

/// The state of a call that does not depend on the type of its tasks. Any thread.
class Job : public Work {
 public:
  /// Whether a failing task lets the tasks before it run, whose results come first.
  enum class OnFailure { stop_all, stop_later };

  Job(Plan const& plan, int workers, OnFailure on_failure)
      : timeout_(plan.workers ? std::nullopt : plan.timeout),  // else the workers' drivers look
        workers_(workers),
        on_failure_(on_failure) {}
  Job(Job const&) = delete;
  Job& operator=(Job const&) = delete;

  /// Begins to watch `stop` and to report progress; before any worker comes.
  void open(Plan const& plan, std::optional<std::size_t> total) {
    bool const verbose = plan.verbose > 0;
    if (verbose || plan.on_progress || plan.progress_bar) {
      reporter_.emplace(ProgressSettings{.verbose = plan.verbose,
                                         .n_jobs_asked = plan.n_jobs_asked,
                                         .n_jobs = plan.n_jobs,
                                         .backend_name = std::string(plan.backend->name()),
                                         .total = total,
                                         .window = plan.window,
                                         .bar = plan.progress_bar,
                                         .on_progress = plan.on_progress});
    }
    one_by_one_ = verbose || timeout_.has_value() || plan.stop.stop_possible();
    if (timeout_ && workers_ > 1) {
      std::lock_guard const lock(mutex_);
      watch();
    }
    // Last: it must not be called while this object dies because something above has thrown.
    if (plan.stop.stop_possible()) on_stop_.emplace(plan.stop, Cancel{this});
  }

  /// Says whose task makes this call, or runs the next step of it: that task does nothing else
  /// meanwhile. Only while no worker is inside.
  void nest_in(TaskContext* task) noexcept {
    on_outer_stop_.reset();
    relayed_ = false;
    enclosing_ = task;
  }

  /// Whether this call is `outer` or nested in one of its tasks.
  [[nodiscard]] bool is_part_of(Job const& outer) const noexcept {
    return this == &outer || (enclosing_ != nullptr && enclosing_->job().is_part_of(outer));
  }

  // What workers ask.

  /// Tasks with this index and above must not be started any more. Relaxed: it only tells when to
  /// stop; what the caller may read after the end is published by the call's gate.
  [[nodiscard]] std::size_t stop_at() const noexcept {
    return stop_at_.load(std::memory_order_relaxed);
  }
  /// Whether workers look for a stop before every single task.
  [[nodiscard]] bool one_by_one() const noexcept { return one_by_one_; }
  [[nodiscard]] bool timed() const noexcept { return timeout_.has_value(); }
  [[nodiscard]] int workers() const noexcept { return workers_; }

  /// What stops the task that makes a call stops the tasks of the call, too: else one of them that
  /// runs until it is stopped would keep the outer call from ending.
  [[nodiscard]] bool stop_requested(TaskContext const& task) const noexcept {
    return task.index() >= stop_at() || (timeout_ && task.timed.overdue(*timeout_)) ||
           (enclosing_ != nullptr && enclosing_->job().stop_requested(*enclosing_));
  }

  /// The stop token of the task that `task` runs, which is the calling thread's.
  [[nodiscard]] std::stop_token stop_token(TaskContext& task) {
    auto source = stop_source(task);
    // Without a lock, because it may run callbacks. No stop is missed: whoever halts the call
    // either has set `stop_at_` before it took the lock before this did, or sees the source after.
    if (stop_requested(task)) source.request_stop();
    return source.get_token();
  }

  // What workers tell.

  /// A task threw. Of several the lowest index wins; what fails because the call was cancelled from
  /// outside is no failure.
  void fail(std::size_t index, int worker_id, std::exception_ptr error, int attempt = 1) noexcept {
    record({std::move(error), index, worker_id, Origin::task, attempt});
    halt(on_failure_ == OnFailure::stop_later ? index : 0);
  }

  /// The input range threw instead of giving the element `index`.
  void fail_range(std::size_t index, std::exception_ptr error) noexcept {
    record({.error = std::move(error), .index = index, .origin = Origin::range});
    halt(on_failure_ == OnFailure::stop_later ? index : 0);
  }

  void dispatched(std::size_t tasks) noexcept {
    if (reporter_) reporter_->dispatched(tasks);
  }
  void exhausted() noexcept {
    if (reporter_) reporter_->exhausted();
  }
  void completed(std::size_t tasks) noexcept {
    if (!reporter_ || tasks == 0) return;
    std::exception_ptr error;
    try {
      reporter_->completed(tasks);
    } catch (...) {
      error = std::current_exception();
    }
    if (error) fail_report(std::move(error));
  }

  /// The error for a task that has been found to run too long.
  [[nodiscard]] TimeoutError timeout_error(std::size_t index) const {
    auto const seconds = std::chrono::duration<double>(*timeout_).count();
    return {fmt::format("task {} ran longer than timeout = {:g} s", index, seconds), index};
  }
  [[nodiscard]] std::chrono::nanoseconds timeout() const noexcept { return *timeout_; }

  // What the caller does.

  /// Starts no task with this index and above any more and asks the running ones to stop.
  void halt(std::size_t from) noexcept {
    auto now = stop_at_.load(std::memory_order_relaxed);
    while (from < now && !stop_at_.compare_exchange_weak(now, from, std::memory_order_relaxed)) {
    }
    request_stop([from](TaskContext const& task) { return task.source_index_ >= from; });
    on_halt();
  }

  /// Whether no more results are to be delivered, though there may be some: the call has been
  /// cancelled from outside, or `on_progress` threw.
  [[nodiscard]] bool over() const noexcept { return over_.load(); }

  /// The index at which the call failed, if a task or the range did.
  [[nodiscard]] std::optional<std::size_t> failed_at() const noexcept {
    std::lock_guard const lock(mutex_);
    if (failure_.error == nullptr) return std::nullopt;
    return failure_.index;
  }

  /// Ends the call after its last worker has left: last report, then its error if it has one.
  void conclude(std::uint64_t owner) {
    if (auto error = end()) {
      remember_failure(owner, failed_task());
      failure_.error = nullptr;
      std::rethrow_exception(std::move(error));
    }
    remember_failure(owner, std::nullopt);
  }

  /// The same for a call whose results nobody wants any more.
  void abandon() noexcept { end(!reporter_ || reporter_->complete()); }

  /// The task whose exception is the call's error.
  [[nodiscard]] std::optional<TaskFailure> failed_task() const noexcept {
    if (failure_.error == nullptr || failure_.origin != Origin::task) return std::nullopt;
    return TaskFailure{failure_.index, failure_.worker_id, failure_.attempt};
  }

 protected:
  ~Job() = default;

  /// Sees to it that nobody outside touches this call any more: before anything of it is destroyed.
  void let_go() noexcept {
    watchdog_.reset();
    on_stop_.reset();
    on_outer_stop_.reset();
  }

  /// Wakes workers and consumers that wait; after every halt.
  virtual void on_halt() noexcept {}

  /// Whether a task that runs too long fails the call while it still runs.
  virtual bool overdue_task_fails() const noexcept { return true; }

 private:
  friend class TaskContext;

  enum class Origin { task, range, report };
  struct Failure {
    std::exception_ptr error;
    std::size_t index = 0;
    int worker_id = 0;
    Origin origin = Origin::task;
    int attempt = 1;
  };
  struct Cancel {
    Job* job;
    void operator()() const noexcept {
      {
        std::lock_guard const lock(job->mutex_);
        job->cancelled_ = true;
      }
      job->over_.store(true);
      job->halt(0);
    }
  };

  struct Relay {
    Job* job;
    void operator()() const noexcept {
      job->request_stop([](TaskContext const&) { return true; });
    }
  };

  void fail_report(std::exception_ptr error) noexcept {
    record({.error = std::move(error), .origin = Origin::report});
    over_.store(true);
    halt(0);
  }

  /// Keeps the failure of the lowest index. One of `on_progress` has no index: it is kept if it is
  /// the first, because what fails after it may fail because of it.
  void record(Failure failure) noexcept {
    std::lock_guard const lock(mutex_);
    if (cancelled_) return;
    if (failure_.error != nullptr &&
        (failure_.origin == Origin::report || failure.origin == Origin::report ||
         failure_.index <= failure.index)) {
      return;
    }
    std::swap(failure_, failure);
  }

  /// What stops the token of the task that `task` runs. Runs no callbacks: a call nested in the
  /// task asks for it, too, once for all its workers, and they might ask that call for a token.
  std::stop_source stop_source(TaskContext& task) {
    std::unique_lock lock(mutex_);
    list(task);
    if (!task.source_.stop_possible() || task.source_index_ != task.index()) {
      task.source_ = std::stop_source();
      task.source_index_ = task.index();
    }
    if (timeout_) watch();
    auto source = task.source_;
    bool const relay = enclosing_ != nullptr && !std::exchange(relayed_, true);
    lock.unlock();
    // Nobody waits for the one who does this: when it is done, every source of this call is stopped
    // if the outer one has been.
    if (relay) {
      auto const outer = enclosing_->job().stop_source(*enclosing_);
      on_outer_stop_.emplace(outer.get_token(), Relay{this});
    }
    return source;
  }

  /// Makes a task known to halt() and the watchdog. The lock is held.
  void list(TaskContext& task) noexcept {
    if (std::exchange(task.listed_, true)) return;
    task.next_ = std::exchange(listed_, &task);
  }
  void unlist(TaskContext& task) noexcept {
    std::lock_guard const lock(mutex_);
    for (auto** link = &listed_; *link != nullptr; link = &(*link)->next_) {
      if (*link == &task) {
        *link = task.next_;
        return;
      }
    }
  }

  /// Stops the tokens of the listed tasks that `which` accepts; without the lock, because what
  /// their callbacks do is the user's.
  template <class Which>
  void request_stop(Which which) noexcept {
    auto const next = [&] {
      std::lock_guard const lock(mutex_);
      for (auto* task = listed_; task != nullptr; task = task->next_) {
        auto const& source = task->source_;
        if (source.stop_possible() && !source.stop_requested() && which(*task)) return source;
      }
      return std::stop_source(std::nostopstate);
    };
    for (auto source = next(); source.stop_possible(); source = next()) source.request_stop();
  }

  /// Looks for tasks that run too long; returns when to look next. For the watchdog.
  std::chrono::steady_clock::time_point look_at_clock() noexcept {
    auto const find = [this]() -> std::pair<std::optional<std::size_t>, int> {
      std::lock_guard const lock(mutex_);
      for (auto* task = listed_; task != nullptr; task = task->next_) {
        if (auto index = task->timed.find_overdue(*timeout_)) return {index, task->worker_id()};
      }
      return {std::nullopt, 0};
    };
    for (auto [index, worker] = find(); index; std::tie(index, worker) = find()) {
      auto const overdue = *index;
      if (overdue_task_fails()) {
        fail(overdue, worker, error_of([&] { return timeout_error(overdue); }));
      }
      request_stop([&](TaskContext const& task) { return task.source_index_ == overdue; });
    }
    std::lock_guard const lock(mutex_);
    // A task that begins later has its deadline later, too.
    auto earliest = std::chrono::steady_clock::now() + *timeout_;
    for (auto const* task = listed_; task != nullptr; task = task->next_) {
      if (auto const deadline = task->timed.deadline(*timeout_)) {
        earliest = (std::min)(earliest, *deadline + std::chrono::microseconds(1));
      }
    }
    return earliest;
  }

  /// The error that `make` returns, or the one that keeps it from doing so: there is no memory.
  template <class Make>
  static std::exception_ptr error_of(Make make) noexcept {
    try {
      return std::make_exception_ptr(make());
    } catch (...) {
      return std::current_exception();
    }
  }

  /// `complete`: if there is no error, all has been done.
  std::exception_ptr end(bool complete = true) noexcept {
    let_go();
    if (reporter_) {
      std::exception_ptr error;
      try {
        reporter_->finish(complete && failure_.error == nullptr && !cancelled_);
      } catch (...) {
        error = std::current_exception();
      }
      if (error) record({.error = std::move(error), .origin = Origin::report});
    }
    if (failure_.error == nullptr && cancelled_) {
      return error_of([] { return CancelledError("the call was cancelled: stop was requested"); });
    }
    return failure_.error;
  }

  /// Starts the watchdog if it is not there. The lock is held.
  void watch() {
    if (!watchdog_) watchdog_.emplace([this] { return look_at_clock(); });
  }

  std::optional<std::chrono::nanoseconds> timeout_;
  int workers_;
  OnFailure on_failure_;
  bool one_by_one_ = false;
  std::atomic<bool> over_{false};
  std::atomic<std::size_t> stop_at_{(std::numeric_limits<std::size_t>::max)()};

  mutable std::mutex mutex_;
  Failure failure_;                // guarded by mutex_ while workers may be inside, as are these:
  bool cancelled_ = false;         // `stop` was requested
  TaskContext* listed_ = nullptr;  // workers with a stop token or a time limit
  std::optional<Watchdog> watchdog_;

  std::optional<ProgressReporter> reporter_;
  std::optional<std::stop_callback<Cancel>> on_stop_;

  TaskContext* enclosing_ = nullptr;
  bool relayed_ = false;  // guarded by mutex_; for tokens, made only if a task asks for one:
  std::optional<std::stop_callback<Relay>> on_outer_stop_;  // written by the one who set it
};

/// Inside a task the caller's scopes are not in force.
inline TaskContext::TaskContext(Job& job, int worker_id) noexcept
    : job_(job),
      worker_id_(worker_id),
      outer_(std::exchange(current_task, this)),
      outer_scope_(std::exchange(innermost_scope, nullptr)) {
  if (!job.timed()) return;
  std::lock_guard const lock(job.mutex_);
  job.list(*this);
}

inline TaskContext::~TaskContext() {
  // Unlocked: only this thread lists this object, or workers of a nested call, which has ended.
  if (listed_) job_.unlist(*this);
  current_task = outer_;
  innermost_scope = outer_scope_;
}

}  // namespace joblot::detail

#endif
