// SPDX-License-Identifier: MIT
// The loop every worker of a call is in: take some tasks, run them, hand over the results, again.
#ifndef JOBLOT_LOOP_HPP
#define JOBLOT_LOOP_HPP

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <limits>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include <joblot/batching.hpp>
#include <joblot/claims.hpp>
#include <joblot/error.hpp>
#include <joblot/job.hpp>
#include <joblot/outcome.hpp>
#include <joblot/plan.hpp>
#include <joblot/remote/seat.hpp>
#include <joblot/source.hpp>
#include <joblot/task.hpp>

namespace joblot::detail {

/// Runs a task under a time limit: throws `TimeoutError` if it ran too long, whatever it returned
/// or threw, because what it did after its time is up it may have done because it was asked to
/// stop.
template <class Run>
auto run_timed(TaskContext& task, Run&& run) -> decltype(run()) {
  using Result = decltype(run());
  using Kept = std::conditional_t<std::is_lvalue_reference_v<Result>,
                                  std::reference_wrapper<std::remove_reference_t<Result>>, Result>;
  task.timed.begin(task.index());
  auto const limit = task.job().timeout();
  std::exception_ptr error;
  try {
    if constexpr (std::is_void_v<Result>) {
      run();
      if (!task.timed.end(limit)) return;
    } else {
      Kept result = run();
      if (!task.timed.end(limit)) return result;
    }
  } catch (...) {
    error = std::current_exception();
  }
  if (error && !task.timed.end(limit)) std::rethrow_exception(std::move(error));
  throw task.job().timeout_error(task.index());
}

/// The result of a task as an outcome, whatever happens.
template <class T, class Run>
Outcome<T> outcome_of(std::size_t index, Run&& run) {
  std::exception_ptr error;
  try {
    if constexpr (std::is_void_v<T>) {
      run();
      return Outcome<T>(index, 1, std::in_place);
    } else {
      return Outcome<T>(index, 1, std::in_place, run());
    }
  } catch (...) {
    error = std::current_exception();
  }
  return Outcome<T>(index, 1, std::move(error));
}

/// Whether a failing task is an outcome like any other or ends the call.
enum class Failing { ends_call, is_outcome };

template <class Source, class Body>
using result_of_t = std::invoke_result_t<Body const&, typename Source::Reference>;

/// The typed part of a call. `Source` gives elements, `Body` runs one, `Sink` keeps results.
///
/// A sink has `Writer writer()`, one for each worker. A writer has
///   bool wait_for_room(stopped)    waits until a batch may be taken; false if stopped()
///   void begin(Claim)              before the first task of a batch; in order of claims if
///   `ordered` void strip(first, last, run)   calls run(i) for each i in order, and keeps what it
///   returns void publish(last)             the results before index `last` of the batch are
///   complete
/// and a sink says `ordered` (claims are made known one at a time, in order) and how many tasks
/// cannot be split among claims, `granule()`.
template <class Source, class Body, class Sink, Failing failing>
class Loop final : public Job {
 public:
  using Items = typename Source::Items;
  using Writer = typename Sink::Writer;
  using Reference = typename Source::Reference;
  using Result = result_of_t<Source, Body>;
  using Parcels = detail::Parcels<Reference, Body, Result>;
  static constexpr bool reads_side_by_side = Source::concurrent;
  static constexpr bool outcomes = failing == Failing::is_outcome;
  using Outcomes = Outcome<std::conditional_t<std::is_void_v<Result>, void, std::decay_t<Result>>>;

  Loop(Plan const& plan, int workers, OnFailure on_failure, IndexClaims::Ends ends, Source& source,
       Body const& body, Sink& sink)
      : Job(plan, workers, on_failure),
        source_(source),
        body_(body),
        sink_(sink),
        batch_size_(plan.batch_size),
        workers_(plan.workers),
        remote_settings_{.timeout = plan.timeout, .retries = plan.retries},
        neighbours_(ends == IndexClaims::Ends::two ? (workers + 1) / 2 : workers),
        claims_(Source::concurrent ? granules(source.total().value_or(0)) : 0, ends) {}
  Loop(Loop const&) = delete;
  Loop& operator=(Loop const&) = delete;
  ~Loop() { this->let_go(); }

  /// Throws `NotShippableError` if tasks are to run in worker processes and their types cannot go
  /// there.
  static void check_can_travel(Plan const& plan) {
    if (!plan.workers) return;
    if constexpr (!Parcels::possible_forked) {
      if (plan.workers->forked) throw NotShippableError(Parcels::why_not_forked());
    }
    if constexpr (!Parcels::possible) {
      if (!plan.workers->forked) throw NotShippableError(Parcels::why_not());
    }
  }

  /// Takes and runs tasks until there are none left.
  void run(int worker) noexcept override {
    if (workers_) {
      remote(worker, [this](auto& seat) { seat.run(remote_settings_); });
      return;
    }
    Worker self(*this, worker, worker + sink_.worker_offset());
    while (run_batch(self)) {
    }
  }

  void abandoned() noexcept override { sink_.abandon(); }

  /// Takes and runs one batch; false if there was none left. For a consumer that runs the tasks.
  bool step() noexcept {
    if (workers_) {
      bool ran = false;
      remote(0, [&](auto& seat) { ran = seat.step(remote_settings_); });
      return ran;
    }
    Worker self(*this, 0, 0);
    self.sizer = BatchSizer(batch_size_.value_or(1), 1, 1, 1);
    return run_batch(self);
  }

 private:
  template <class L>
  friend class RemoteSeat;
  template <class L>
  friend class InheritedCall;

  using Clock = std::chrono::steady_clock;
  /// Lets `use` work with a seat whose tasks run in a worker process.
  template <class Use>
  void remote(int worker, Use use) noexcept {
    if constexpr (Parcels::possible_forked) {
      std::exception_ptr error;
      try {
        RemoteSeat<Loop> seat(*this, worker, worker + sink_.worker_offset(), *workers_);
        use(seat);
        return;
      } catch (...) {
        error = std::current_exception();
      }
      fail_range(0, std::move(error));
    }
  }

  /// A batch on its way: its elements, and where its results go.
  struct Batch {
    explicit Batch(Loop& loop) : writer(loop.sink_.writer()) {}

    Items items;
    Writer writer;
  };

  /// What one worker needs while it works.
  struct Worker {
    Worker(Loop& loop, int seat_number, int worker_id)
        : context(loop, worker_id),
          batch(loop),
          sizer(loop.batch_size_, loop.workers(), loop.neighbours_, loop.most_at_once()),
          seat(seat_number) {}

    TaskContext context;
    Batch batch;
    BatchSizer sizer;
    int seat;
    bool range_failed = false;                    // the error thrown is the range's
    std::optional<Clock::time_point> free_since;  // end of the last batch, if nothing waited since
  };

  /// Elements of other ranges are kept in a buffer until they run. A batch that has to pay for a
  /// fork may be larger.
  [[nodiscard]] std::size_t most_at_once() const noexcept {
    if (Source::concurrent && !Sink::ordered) return (std::numeric_limits<std::size_t>::max)();
    return !Source::concurrent && workers_ && workers_->forked ? 65536 : 1024;
  }

  [[nodiscard]] std::size_t granules(std::size_t tasks) const noexcept {
    auto const granule = sink_.granule();
    return tasks / granule + (tasks % granule != 0 ? 1 : 0);
  }

  bool run_batch(Worker& self) noexcept {
    auto const claim = take(self, self.batch);
    if (claim.count == 0) return false;
    auto const begun = self.free_since ? *self.free_since : Clock::now();
    run_claim(self, claim);
    // Not when the next ones are read: the range may wait for what the old ones hold.
    self.batch.items.clear();
    auto const ended = Clock::now();
    self.sizer.ran(claim.count, ended - begun);
    if constexpr (Source::concurrent && !Sink::ordered) self.free_since = ended;
    return true;
  }

  /// Whether a worker that has another batch under way takes one more: then it must not wait for
  /// anything, because that may be what others wait for.
  enum class Patience { waits, does_not_wait };

  /// Takes the next batch; none if there are none left, or none without waiting.
  Claim take(Worker& self, Batch& batch, Patience patience = Patience::waits) noexcept {
    std::exception_ptr error;
    try {
      if constexpr (Source::concurrent && !Sink::ordered) {
        return take_side_by_side(self, batch);
      } else {
        return take_in_turn(self, batch, patience, error);
      }
    } catch (...) {
      error = std::current_exception();
    }
    // Nothing but memory for the results can be missing here.
    fail(self.context.index(), self.context.worker_id(), std::move(error));
    return {};
  }

  Claim take_side_by_side(Worker& self, Batch& batch) {
    if (stop_at() == 0) return {};
    auto const granule = sink_.granule();
    auto claim = claims_.take(self.seat, [&](std::size_t left, bool at_home) {
      return (std::max<std::size_t>)(self.sizer.next(left * granule, at_home) / granule, 1);
    });
    if (claim.count == 0) return {};
    claim = in_tasks(claim);
    dispatched(claim.count);
    if (claims_.empty()) exhausted();
    self.context.set_index(claim.first);
    batch.writer.begin(claim);
    return claim;
  }

  [[nodiscard]] Claim in_tasks(Claim granules) const noexcept {
    auto const granule = sink_.granule();
    auto const first = granules.first * granule;
    return {first, (std::min)(granules.count * granule, *source_.total() - first)};
  }

  /// One worker at a time: waits for room, reads, and makes the claim known, in order.
  Claim take_in_turn(Worker& self, Batch& batch, Patience patience, std::exception_ptr& error) {
    std::unique_lock lock(reading_, std::defer_lock);
    if (patience == Patience::waits) {
      lock.lock();
      if (!batch.writer.wait_for_room([this] { return stop_at() <= claimed_; })) return {};
    } else if (!Source::concurrent || !lock.try_lock() || stop_at() <= claimed_ ||
               !batch.writer.has_room()) {
      return {};
    }
    Claim claim;
    auto const total = source_.total();
    if constexpr (Source::concurrent) {
      claim =
          in_tasks(claims_.take(0, [&](std::size_t left, bool) { return self.sizer.next(left); }));
    } else {
      claim = read(self, batch, error);
    }
    auto const end = claim.first + claim.count;
    if (claim.count > 0) {
      claimed_ = end;
      dispatched(claim.count);
      self.context.set_index(claim.first);
      batch.writer.begin(claim);
    }
    if (error) {
      fail_range(end, std::exchange(error, nullptr));
    } else if (claim.count == 0 || (total && end == *total)) {
      exhausted();
      batch.writer.ended();
    }
    return claim;
  }

  Claim read(Worker& self, Batch& batch, std::exception_ptr& error) {
    auto const first = source_.position();
    auto const total = source_.total();
    auto const left =
        total ? *total - (std::min)(first, *total) : (std::numeric_limits<std::size_t>::max)();
    if (left == 0) return {first, 0};  // a step past the last element may wait for one more
    auto const granule = sink_.granule();
    auto const wanted = (std::max<std::size_t>)(self.sizer.next(left) / granule, 1) * granule;
    try {
      source_.read(batch.items, (std::min)(wanted, left));
    } catch (...) {
      error = std::current_exception();
    }
    return {first, source_.position() - first};
  }

  void run_claim(Worker& self, Claim claim) noexcept {
    auto const end = claim.first + claim.count;
    auto const strip = one_by_one() ? 1 : self.sizer.strip();
    auto begin = claim.first;
    std::exception_ptr error;
    try {
      while (begin < end && begin < stop_at()) {
        auto const last = end - begin > strip ? begin + strip : end;
        if (timed()) {
          run_strip<true>(self, begin, last);
        } else {
          run_strip<false>(self, begin, last);
        }
        self.batch.writer.publish(last);
        completed(last - begin);
        begin = last;
      }
    } catch (...) {
      error = std::current_exception();
    }
    if (error) failed(self, begin, std::move(error));
  }

  /// The element at `index`. What the range throws now is no task's error.
  template <class Elements>
  static decltype(auto) read_item(Worker& self, Elements const& element, std::size_t index) {
    try {
      return element(index);
    } catch (...) {
      self.range_failed = true;
      throw;
    }
  }

  /// A function of its own, not a part of `run`: where a body takes a nanosecond, a loop with all
  /// registers to itself is a tenth faster.
  template <bool timed>
  [[gnu::noinline]] void run_strip(Worker& self, std::size_t first, std::size_t last) {
    // A reference may refer to the element, which may be a temporary of this function.
    constexpr bool may_dangle =
        std::is_rvalue_reference_v<Result> ||
        (std::is_reference_v<Result> && !std::is_lvalue_reference_v<typename Source::Reference>);
    using Returned = std::conditional_t<may_dangle, std::decay_t<Result>, Result>;
    auto const element = source_.elements(self.batch.items);
    auto const& body = body_;
    self.batch.writer.strip(first, last, [&](std::size_t index) -> decltype(auto) {
      self.context.set_index(index);
      auto&& item = read_item(self, element, index);
      using Item = decltype(item);
      auto const run = [&]() -> Returned {
        if constexpr (timed) {
          return run_timed(self.context,
                           [&]() -> Returned { return body(static_cast<Item>(item)); });
        } else {
          return body(static_cast<Item>(item));
        }
      };
      if constexpr (failing == Failing::is_outcome) {
        using Value = std::conditional_t<std::is_void_v<Result>, void, std::decay_t<Result>>;
        return outcome_of<Value>(index, run);
      } else {
        return run();
      }
    });
  }

  /// The task of the current index or its element threw, or its result could not be kept.
  void failed(Worker& self, std::size_t begin, std::exception_ptr error) noexcept {
    auto const index = self.context.index();
    try {
      self.batch.writer.publish(index);
    } catch (...) {  // there is an error to report already
    }
    if (self.range_failed) {
      fail_range(index, std::move(error));
    } else {
      fail(index, self.context.worker_id(), std::move(error));
    }
    if (index > begin) completed(index - begin);
  }

  void on_halt() noexcept override {
    sink_.wake_all();
    std::lock_guard const lock(leases_lock_);
    for (auto* lease : leases_) lease->wake(stop_at() == 0);
  }
  bool overdue_task_fails() const noexcept override { return failing == Failing::ends_call; }

  Source& source_;
  Body const& body_;
  Sink& sink_;
  std::optional<std::size_t> batch_size_;
  std::optional<WorkerSpec> workers_;  // tasks run in worker processes
  RemoteSettings remote_settings_;
  std::mutex leases_lock_;
  std::vector<WorkerLease*> leases_;  // to be woken by a halt; guarded by leases_lock_
  int neighbours_;
  IndexClaims claims_;
  std::mutex reading_;
  std::size_t claimed_ = 0;  // guarded by reading_: end of the last claim in turn
};

}  // namespace joblot::detail

#endif
