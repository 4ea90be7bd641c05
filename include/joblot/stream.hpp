// SPDX-License-Identifier: MIT
// A call whose results its consumer takes while it runs.
#ifndef JOBLOT_STREAM_HPP
#define JOBLOT_STREAM_HPP

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <memory>
#include <optional>
#include <utility>

#if defined(__unix__) || defined(__APPLE__)
#include <unistd.h>
#endif

#include <joblot/backend.hpp>
#include <joblot/call.hpp>
#include <joblot/claims.hpp>
#include <joblot/error.hpp>
#include <joblot/failure.hpp>
#include <joblot/job.hpp>
#include <joblot/loop.hpp>
#include <joblot/outcome.hpp>
#include <joblot/plan.hpp>
#include <joblot/result_queue.hpp>

namespace joblot::detail {

/// A call whose results are streamed: what a `Generator` owns. One thread at a time, the consumer.
template <class R>
class Stream {
 public:
  Stream(Stream const&) = delete;
  Stream& operator=(Stream const&) = delete;
  virtual ~Stream() = default;

  /// Makes the next result `value()`; false at the end. Throws what made the call fail, after which
  /// the stream has ended.
  bool fetch() {
    if (value_) return true;
    if (ended_) return false;
    for (;;) {
      if (closing_) {
        close();
        return false;
      }
      if (job().over()) return conclude();
      if (take()) {
        if (skip_ == 0) return true;
        --skip_;
        value_.reset();
        continue;
      }
      if (inherited()) {
        throw Error("a generator was used in a forked child: its results belong to its parent");
      }
      auto const stop_waiting = [&](std::size_t delivered) { return failed_here(delivered); };
      auto const waited = queue().wait(working_, stop_waiting);
      if (waited == Queue::Waited::results || closing_) continue;
      if (waited == Queue::Waited::end || !may_go_on()) return conclude();
      working_ = false;
      step();
    }
  }

  /// Passes over one result, without waiting for it.
  void pass() noexcept {
    if (value_) {
      value_.reset();
    } else {
      ++skip_;
    }
  }

  /// Drops the result at hand if it has been looked at: then the next one is wanted.
  void drop_seen() noexcept {
    if (std::exchange(seen_, false)) value_.reset();
  }

  /// Cancels what has not started, asks the rest to stop, and waits for it. Any number of times.
  /// One of the call's own tasks, or its `on_progress`, does not wait, which would be for itself:
  /// the consumer does when it comes back.
  void close() noexcept {
    if (runs_here()) {
      closing_ = true;
      job().halt(0);
      return;
    }
    value_.reset();
    if (ended_) return;
    halt();
    job().abandon();
  }

  /// Whether this is a forked child's copy of its parent's stream: the threads that work for it,
  /// or wait for it, are not there.
  [[nodiscard]] bool inherited() const noexcept { return process_ != current_process(); }

  /// The result at hand, to be looked at in place.
  [[nodiscard]] R& look() noexcept {
    seen_ = true;
    index_ = value_index_;
    return *value_;
  }
  /// The result at hand, given away.
  [[nodiscard]] std::optional<R> give() {
    std::optional<R> given;
    std::exception_ptr error;
    try {
      move_result(std::move(*value_), [&](R&& result) { given.emplace(std::move(result)); });
    } catch (...) {
      error = std::current_exception();
    }
    if (error) fail_moving(value_index_, std::move(error));
    value_.reset();
    index_ = value_index_;
    return given;
  }
  [[nodiscard]] std::optional<std::size_t> index() const noexcept { return index_; }
  [[nodiscard]] std::optional<TaskFailure> failure() const noexcept { return failure_; }

 protected:
  using Queue = ResultQueue<R>;
  explicit Stream(std::uint64_t owner, Order order) : owner_(owner), order_(order) {}

  virtual Job& job() noexcept = 0;
  virtual Queue& queue() noexcept = 0;
  /// Runs one batch in the consumer.
  virtual void step() noexcept = 0;

  /// Before what it owns is destroyed.
  void close_for_good() noexcept {
    if (!ended_ && runs_here()) {
      std::fputs("joblot: a generator was destroyed by one of its own tasks\n", stderr);
      std::terminate();
    }
    close();
  }

  /// Workers have been asked for; without a call the consumer does all by itself.
  void started(std::shared_ptr<Call> call) noexcept {
    call_ = std::move(call);
    working_ = true;
  }

 private:
  static auto current_process() noexcept {
#if defined(__unix__) || defined(__APPLE__)
    return ::getpid();
#else
    return 0;  // cannot fork
#endif
  }

  /// Whether the calling thread is in one of the call's tasks or in its `on_progress`.
  [[nodiscard]] bool runs_here() noexcept {
    return current_task != nullptr && current_task->job().is_part_of(job());
  }

  bool take() {
    std::exception_ptr error;
    try {
      if (!queue().take(value_, value_index_)) return false;
      seen_ = false;
      return true;
    } catch (...) {
      error = std::current_exception();
    }
    return fail_moving(value_index_, std::move(error));
  }

  /// Moving a result threw: that is its task's exception.
  bool fail_moving(std::size_t index, std::exception_ptr error) {
    value_.reset();
    job().fail(index, 0, std::move(error));
    return conclude();
  }

  /// Whether the failure is what comes next: in order of submission at its place, else as soon as
  /// nothing is ready.
  [[nodiscard]] bool failed_here(std::size_t delivered) noexcept {
    auto const place = job().failed_at();
    return closing_ || job().over() ||
           (place && (order_ == Order::completion || *place <= delivered));
  }

  [[nodiscard]] bool may_go_on() noexcept {
    return !job().over() && !failed_here(queue().delivered());
  }

  void halt() noexcept {
    ended_ = true;
    job().halt(0);
    // The consumer is none of the team, so it helps no nested calls: it waits and runs nothing.
    if (call_) call_->close_and_wait([] { return false; });
  }

  bool conclude() {
    halt();
    failure_ = job().failed_task();
    job().conclude(owner_);
    return false;
  }

  std::uint64_t owner_;
  Order order_;
  std::shared_ptr<Call> call_;
  bool working_ = false;
  bool ended_ = false;
  std::atomic<bool> closing_{false};  // closed from within: to be ended by the consumer
  decltype(current_process()) process_ = current_process();
  std::optional<R> value_;  // the result at hand
  std::size_t value_index_ = 0;
  bool seen_ = false;                 // whether it has been looked at
  std::size_t skip_ = 0;              // results to pass over
  std::optional<std::size_t> index_;  // of the result returned last
  std::optional<TaskFailure> failure_;
};

/// The stream of a call whose tasks have these types.
template <class R, class Source, class Body, Failing failing>
class StreamOf final : public Stream<R> {
  using Loop = detail::Loop<Source, Body, ResultQueue<R>, failing>;

 public:
  static void check_can_travel(Plan const& plan) { Loop::check_can_travel(plan); }

  /// `workers` bring results ahead of the consumer; none: the consumer runs the tasks.
  template <class View>
  StreamOf(Plan const& plan, std::uint64_t owner, Order order, int workers, View&& view, Body body)
      : Stream<R>(owner, order),
        backend_(plan.backend),
        in_task_(current_task != nullptr),
        source_(std::forward<View>(view)),
        body_(std::move(body)),
        queue_(order, plan.window, -1),
        loop_(plan, (std::max)(workers, 1),
              order == Order::submission ? Job::OnFailure::stop_later : Job::OnFailure::stop_all,
              IndexClaims::Ends::one, source_, body_, queue_) {
    loop_.open(plan, source_.total());
    if (workers == 0 || source_.total() == 0) return;
    auto const seats = workers_for(plan, source_.total()) + 1;
    auto call = std::make_shared<Call>(loop_, seats, nullptr, Call::Caller::waits);
    this->started(call);
    start(*call);
  }
  StreamOf(StreamOf const&) = delete;
  StreamOf& operator=(StreamOf const&) = delete;
  ~StreamOf() override { this->close_for_good(); }

 private:
  void start(Call& call) {
    try {
      backend_->start(call.handle_for_backend());
    } catch (...) {
      this->close();
      throw;
    }
  }

  Job& job() noexcept override { return loop_; }
  ResultQueue<R>& queue() noexcept override { return queue_; }
  void step() noexcept override {
    // One made in a task is part of that task, which may go on in a task of its own.
    if (in_task_) loop_.nest_in(current_task);
    loop_.step();
    if (in_task_) loop_.nest_in(nullptr);
  }

  std::shared_ptr<Backend> backend_;  // kept as long as its threads may be in the call
  bool in_task_;
  Source source_;
  Body body_;
  ResultQueue<R> queue_;
  Loop loop_;
};

}  // namespace joblot::detail

#endif
