// SPDX-License-Identifier: MIT
// How a call tells how far it is: counts in; verbose lines, bar and callback out.
#ifndef JOBLOT_PROGRESS_HPP
#define JOBLOT_PROGRESS_HPP

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include <joblot/progress_bar.hpp>
#include <joblot/terminal.hpp>
#include <joblot/verbose.hpp>

namespace joblot {
inline namespace v1 {

/// How far a call is; what the option `on_progress` receives. All counts are tasks.
/// `completed <= dispatched`, and `<= total` where that is known: for a range that knows its size
/// from the start, for any other once its end has been reached. `remaining` is an estimate from
/// the mean pace so far, there once `total` is known and a task is done.
struct Progress {
  std::size_t completed = 0;
  std::size_t dispatched = 0;
  std::optional<std::size_t> total = std::nullopt;
  std::chrono::duration<double> elapsed{};
  std::optional<std::chrono::duration<double>> remaining = std::nullopt;
};

}  // namespace v1

namespace detail {

struct ProgressSettings {
  int verbose = 0;
  int n_jobs_asked = -1;                             // as printed: `[Parallel(n_jobs=-1)]`
  int n_jobs = 1;                                    // resolved
  std::string backend_name = {};                     // as printed: `ThreadingBackend`
  std::optional<std::size_t> total = std::nullopt;   // of sized ranges
  std::optional<std::size_t> window = std::nullopt;  // of `pre_dispatch`; none = all
  bool bar = false;
  std::function<void(Progress const&)> on_progress = nullptr;

  /// Whether a reporter would ever say anything.
  [[nodiscard]] bool wanted() const noexcept { return verbose > 0 || bar || on_progress; }
};

/// Reports one call. Any thread may call `dispatched`, `exhausted` and `completed`, also side by
/// side and from inside `on_progress`. Only `on_progress` makes them throw (memory apart): a stream
/// that fails is no error. A slow `on_progress` holds up the thread that runs it and no other.
class ProgressReporter {
 public:
  /// Starts the clock; prints the first line and draws the empty bar, where asked for.
  explicit ProgressReporter(ProgressSettings settings)
      : settings_(std::move(settings)),
        active_(settings_.wanted()),
        lines_({.verbose = settings_.verbose,
                .n_jobs_asked = settings_.n_jobs_asked,
                .n_jobs = settings_.n_jobs,
                .total = settings_.total,
                .window = settings_.window}),
        // joblib's rule: below 50 to stderr, from there on to stdout.
        sink_(settings_.verbose < 50 ? stderr_fd : stdout_fd) {
    if (settings_.verbose > 0) print(lines_.started(settings_.backend_name));
    if (settings_.bar) next_draw_ = bar_.emplace().update(bar_counts(0));
  }

  ProgressReporter(ProgressReporter const&) = delete;
  ProgressReporter& operator=(ProgressReporter const&) = delete;

  /// One batch of so many tasks has been claimed; before any of them is `completed`.
  void dispatched(std::size_t tasks) noexcept {
    if (!active_) return;
    dispatched_tasks_ += tasks;
    if (settings_.verbose > 0) ++dispatched_batches_;
  }

  /// The range has come to its end: what is dispatched is all there is.
  void exhausted() noexcept {
    if (active_) exhausted_ = true;
  }

  /// Whether all there is has been completed.
  [[nodiscard]] bool complete() const noexcept {
    if (!settings_.total && !exhausted_) return false;
    return completed_ >= settings_.total.value_or(dispatched_tasks_);
  }

  /// So many tasks have ended. Throws what `on_progress` throws, which is then not called again.
  void completed(std::size_t tasks) {
    if (!active_) return;
    if (settings_.verbose > 0) {
      count_and_print(tasks);
    } else {
      completed_ += tasks;
    }
    double const now = elapsed();
    if (settings_.bar && now >= next_draw_) draw(now);
    if (settings_.on_progress && now >= next_call_) call(now);
  }

  /// Ends the report: end of the bar, last line, last callback, in this order. Once, after the last
  /// `completed` has returned; a second call does nothing. `succeeded` is false for a failed or
  /// cancelled call. If true, throws what `on_progress` throws.
  void finish(bool succeeded) {
    if (!active_) return;
    double const now = elapsed();
    {
      std::lock_guard const lock(output_);
      if (std::exchange(finished_, true)) return;
      if (bar_) bar_->finish(bar_counts(now), succeeded);
      bar_.reset();
      if (succeeded && settings_.verbose > 0) print(lines_.finished(completed_, now));
    }
    if (settings_.on_progress) call_last(now, succeeded);
  }

 private:
  static constexpr double call_interval = 0.05;  // seconds: at most 20 calls in one

  /// Opens the gate again, however the callback ends.
  struct GateOpener {
    std::atomic<bool>& busy;
    ~GateOpener() {
      busy = false;
      busy.notify_all();
    }
  };

  [[nodiscard]] double elapsed() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

  void count_and_print(std::size_t tasks) {
    std::lock_guard const lock(output_);  // around the count, too, so that lines count upwards
    completed_ += tasks;
    if (finished_) return;
    print(lines_.progressed({.completed = completed_,
                             .dispatched_tasks = dispatched_tasks_,
                             .dispatched_batches = dispatched_batches_,
                             .exhausted = exhausted_},
                            elapsed()));
  }

  void print(std::optional<std::string> const& line) {
    if (!line) return;
    if (bar_) {
      bar_->erase();
      next_draw_ = 0;  // it comes back at once
    }
    sink_.write(*line);
  }

  void draw(double now) {
    std::unique_lock const lock(output_, std::try_to_lock);
    if (!lock || !bar_ || now < next_draw_) return;
    next_draw_ = bar_->update(bar_counts(now));
  }

  /// A flag, not a mutex: a callback that starts a parallel call may find itself running a task of
  /// this one, and its thread must then pass by like any other.
  void call(double now) {
    if (busy_.exchange(true)) return;
    GateOpener const opener{busy_};
    if (muted_ || now < next_call_) return;
    Progress const progress = snapshot(now);
    bool const complete =
        progress.completed == progress.dispatched && progress.completed == progress.total;
    if (complete) return;  // only the last call says that
    muted_ = true;         // stays so if the callback throws
    settings_.on_progress(progress);
    muted_ = false;
    next_call_ = elapsed() + call_interval;
  }

  void call_last(double now, bool succeeded) {
    while (busy_.exchange(true)) busy_.wait(true);  // stays busy: no call comes after the last
    if (muted_) return;
    Progress progress = snapshot(now);
    if (succeeded && !progress.total) progress.total = progress.completed;
    if (succeeded) {
      settings_.on_progress(progress);
      return;
    }
    try {
      settings_.on_progress(progress);
    } catch (...) {  // the call has its error already, and that one counts
    }
  }

  [[nodiscard]] BarCounts bar_counts(double now) const {
    BarCounts counts{.completed = completed_, .total = settings_.total, .elapsed = now};
    if (!counts.total && exhausted_) counts.total = dispatched_tasks_.load();
    return counts;
  }

  [[nodiscard]] Progress snapshot(double now) const {
    BarCounts const counts = bar_counts(now);  // completed is read before dispatched: never above
    Progress progress{.completed = counts.completed,
                      .dispatched = dispatched_tasks_,
                      .total = counts.total,
                      .elapsed = std::chrono::duration<double>(now),
                      .remaining = std::nullopt};
    if (auto const left = estimate_remaining(counts)) progress.remaining.emplace(*left);
    return progress;
  }

  ProgressSettings const settings_;
  bool const active_;
  std::chrono::steady_clock::time_point const start_ = std::chrono::steady_clock::now();

  std::atomic<std::size_t> dispatched_tasks_ = 0;
  std::atomic<std::size_t> dispatched_batches_ = 0;
  std::atomic<std::size_t> completed_ = 0;
  std::atomic<bool> exhausted_ = false;

  std::mutex output_;  // guards the five below; never held while user code runs
  VerboseLines lines_;
  TextSink sink_;
  std::optional<ProgressBar> bar_;
  bool finished_ = false;
  std::atomic<double> next_draw_ = 0;  // seconds since start_; written under output_, read anywhere

  std::atomic<bool> busy_ = false;     // the gate of the callback; guards the two below
  bool muted_ = false;                 // it threw, or is running
  std::atomic<double> next_call_ = 0;  // seconds since start_; read anywhere
};

}  // namespace detail
}  // namespace joblot

#endif
