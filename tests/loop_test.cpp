// SPDX-License-Identifier: MIT
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <iterator>
#include <latch>
#include <memory>
#include <mutex>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <joblot/loop.hpp>
#include <joblot/parallel.hpp>
#include <joblot/results.hpp>

#include "support/watched_range.hpp"

namespace {

using joblot::Options;
using joblot::Outcome;
using joblot::Parallel;
using joblot::TimeoutError;
using joblot::detail::Claim;
using joblot::detail::Failing;
using joblot::detail::IndexClaims;
using joblot::detail::IndexedSource;
using joblot::detail::Job;
using joblot::detail::Loop;
using joblot::detail::outcome_of;
using joblot::detail::resolve;
using joblot::detail::run_timed;
using joblot::detail::SequentialSource;
using joblot::detail::SinkBase;
using joblot::detail::TaskContext;
using namespace std::chrono_literals;

// A sink that notes what its writers are told, and checks that it makes sense.
template <bool in_order>
class Notes : public SinkBase {
 public:
  static constexpr bool ordered = in_order;

  class Writer : public SinkBase::WriterBase {
   public:
    explicit Writer(Notes& all) : all_(all) {}

    template <class Stopped>
    bool wait_for_room(Stopped stopped) {
      ++all_.asked_for_room;
      return !stopped();
    }
    void begin(Claim claim) {
      claim_ = claim;
      next_ = claim.first;
      published_ = claim.first;
      std::lock_guard const lock(all_.mutex_);
      all_.claims.push_back(claim);
    }
    template <class Run>
    void strip(std::size_t first, std::size_t last, Run const& run) {
      EXPECT_EQ(first, next_) << "strips follow each other";
      EXPECT_LE(last, claim_.first + claim_.count);
      for (auto i = first; i < last; ++i) {
        auto const result = run(i);
        std::lock_guard const lock(all_.mutex_);
        all_.results.emplace_back(i, result);
      }
      next_ = last;
    }
    void publish(std::size_t last) {
      EXPECT_GE(last, published_);
      EXPECT_LE(last, claim_.first + claim_.count);
      published_ = last;
      std::lock_guard const lock(all_.mutex_);
      all_.published.push_back(last);
    }
    void ended() noexcept { ++all_.ended; }

   private:
    Notes& all_;
    Claim claim_;
    std::size_t next_ = 0;
    std::size_t published_ = 0;
  };
  Writer writer() { return Writer(*this); }
  void wake_all() { ++woken; }
  void abandon() { ++abandoned; }

  // What was noted, sorted by index.
  std::vector<int> all_results() {
    std::ranges::sort(results);
    std::vector<int> values;
    for (std::size_t i = 0; i < results.size(); ++i) {
      EXPECT_EQ(results[i].first, i) << "each task runs once";
      values.push_back(results[i].second);
    }
    return values;
  }
  void check_claims(std::size_t total) {
    if (!in_order) std::ranges::sort(claims, {}, &Claim::first);
    std::size_t next = 0;
    for (auto const& claim : claims) {
      EXPECT_EQ(claim.first, next);
      EXPECT_GT(claim.count, 0U);
      next = claim.first + claim.count;
    }
    EXPECT_EQ(next, total);
  }

  std::vector<Claim> claims;
  std::vector<std::pair<std::size_t, int>> results;
  std::vector<std::size_t> published;
  std::atomic<int> asked_for_room = 0;
  std::atomic<int> ended = 0;
  std::atomic<int> woken = 0;
  std::atomic<int> abandoned = 0;

 private:
  friend class Writer;
  std::mutex mutex_;
};

using Numbers = IndexedSource<std::ranges::iota_view<int, int>>;
using Watched = SequentialSource<WatchedRange>;
using Body = std::function<int(int)>;

template <class Source, bool in_order, Failing failing = Failing::ends_call>
using LoopOf = Loop<Source, Body, Notes<in_order>, failing>;

Options with_batch_size(int size) {
  Options options;
  options.batch_size = size;
  return options;
}

// Lets `workers` threads run the loop to its end.
template <class AnyLoop>
void run(AnyLoop& loop, int workers) {
  std::latch all_here(workers);
  std::vector<std::jthread> threads;
  for (int w = 0; w < workers; ++w) {
    threads.emplace_back([&, w] {
      all_here.arrive_and_wait();
      loop.run(w);
    });
  }
}

std::vector<int> doubled(int size) {
  std::vector<int> values;
  for (int i = 0; i < size; ++i) values.push_back(2 * i);
  return values;
}

template <class Source, bool in_order>
void check_that_all_tasks_run(Options const& options, int workers, IndexClaims::Ends ends,
                              auto const& view) {
  Source source(view);
  Body const body = [](int i) { return 2 * i; };
  Notes<in_order> sink;
  LoopOf<Source, in_order> loop(resolve(options), workers, Job::OnFailure::stop_all, ends, source,
                                body, sink);
  loop.open(resolve(options), source.total());
  run(loop, workers);
  EXPECT_NO_THROW(loop.conclude(0));
  EXPECT_EQ(sink.all_results(), doubled(500));
  sink.check_claims(500);
  if (in_order) {
    EXPECT_GE(sink.ended, 1);
  }
}

TEST(ALoop, RunsEachTaskOnceInWhateverWayItTakesThem) {
  auto const numbers = std::views::iota(0, 500);
  auto const watched = WatchedRange(500, [](Step, int) {});
  for (int const workers : {1, 2, 3, 8}) {
    for (auto const& options : {Options(), with_batch_size(1), with_batch_size(7)}) {
      for (auto const ends : {IndexClaims::Ends::one, IndexClaims::Ends::two}) {
        check_that_all_tasks_run<Numbers, false>(options, workers, ends, numbers);
      }
      check_that_all_tasks_run<Numbers, true>(options, workers, IndexClaims::Ends::one, numbers);
      check_that_all_tasks_run<Watched, false>(options, workers, IndexClaims::Ends::one, watched);
      check_that_all_tasks_run<Watched, true>(options, workers, IndexClaims::Ends::one, watched);
    }
  }
}

TEST(ALoop, KeepsAnExplicitBatchSizeButForTheLastBatch) {
  for (int const size : {1, 4, 7, 500, 1000}) {
    Watched source(WatchedRange(500, [](Step, int) {}));
    Body const body = [](int i) { return i; };
    Notes<true> sink;
    LoopOf<Watched, true> loop(resolve(with_batch_size(size)), 3, Job::OnFailure::stop_all,
                               IndexClaims::Ends::one, source, body, sink);
    run(loop, 3);
    sink.check_claims(500);
    auto const batch = static_cast<std::size_t>(size);
    for (std::size_t i = 0; i + 1 < sink.claims.size(); ++i) {
      EXPECT_EQ(sink.claims[i].count, batch);
    }
    loop.abandon();
  }
}

TEST(ALoop, BeginsWithBatchesOfOneTask) {
  Numbers source(std::views::iota(0, 10000));
  Body const body = [](int i) { return i; };
  Notes<false> sink;
  LoopOf<Numbers, false> loop(resolve({}), 1, Job::OnFailure::stop_all, IndexClaims::Ends::one,
                              source, body, sink);
  loop.run(0);
  EXPECT_EQ(sink.claims.at(0).count, 1U);
  EXPECT_LT(sink.claims.size(), 5000U) << "later ones are larger";
  loop.abandon();
}

TEST(ALoop, PublishesResultsUpToTheOneThatFails) {
  Numbers source(std::views::iota(0, 10));
  Body const body = [](int i) { return i == 5 ? throw std::domain_error("five") : i; };
  Notes<true> sink;
  LoopOf<Numbers, true> loop(resolve(with_batch_size(8)), 1, Job::OnFailure::stop_later,
                             IndexClaims::Ends::one, source, body, sink);
  loop.run(0);
  EXPECT_EQ(sink.results.size(), 5U);
  EXPECT_EQ(sink.published.back(), 5U);
  EXPECT_EQ(loop.failed_at(), 5U);
  EXPECT_EQ(sink.woken, 1);
  EXPECT_EQ(sink.claims.size(), 1U) << "nothing is taken after a failure";
  EXPECT_THROW(loop.conclude(0), std::domain_error);
}

TEST(ALoop, RunsWhatItHasReadBeforeTheRangeThrew) {
  Watched source(WatchedRange(10, [](Step step, int position) {
    if (step == Step::look && position == 3) throw std::domain_error("range");
  }));
  Body const body = [](int i) { return i; };
  Notes<true> sink;
  LoopOf<Watched, true> loop(resolve(with_batch_size(8)), 1, Job::OnFailure::stop_later,
                             IndexClaims::Ends::one, source, body, sink);
  loop.run(0);
  EXPECT_EQ(sink.all_results(), (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(loop.failed_at(), 3U);
  EXPECT_FALSE(loop.failed_task());
  EXPECT_THROW(loop.conclude(0), std::domain_error);
}

TEST(ALoop, TakesNothingMoreWhenItIsHalted) {
  Numbers source(std::views::iota(0, 1000));
  Notes<false> sink;
  LoopOf<Numbers, false>* all = nullptr;
  Body const body = [&](int i) {
    if (i == 3) all->halt(0);
    return i;
  };
  LoopOf<Numbers, false> loop(resolve(with_batch_size(1)), 1, Job::OnFailure::stop_all,
                              IndexClaims::Ends::one, source, body, sink);
  all = &loop;
  loop.run(0);
  EXPECT_EQ(sink.results.size(), 4U);
  loop.abandon();
}

TEST(ALoop, CanBeRunBatchByBatch) {
  Watched source(WatchedRange(5, [](Step, int) {}));
  Body const body = [](int i) { return i; };
  Notes<true> sink;
  LoopOf<Watched, true> loop(resolve(with_batch_size(2)), 1, Job::OnFailure::stop_all,
                             IndexClaims::Ends::one, source, body, sink);
  EXPECT_TRUE(loop.step());
  EXPECT_EQ(sink.results.size(), 2U);
  EXPECT_TRUE(loop.step());
  EXPECT_TRUE(loop.step());
  EXPECT_EQ(sink.results.size(), 5U);
  EXPECT_FALSE(loop.step());
  EXPECT_GE(sink.ended, 1);
  loop.abandon();
}

TEST(ALoop, TellsItsSinkThatNobodyWillCome) {
  Numbers source(std::views::iota(0, 1));
  Body const body = [](int i) { return i; };
  Notes<true> sink;
  LoopOf<Numbers, true> loop(resolve({}), 2, Job::OnFailure::stop_all, IndexClaims::Ends::one,
                             source, body, sink);
  loop.abandoned();
  EXPECT_EQ(sink.abandoned, 1);
  loop.abandon();
}

// The numbers 0 .. size-1 of a range that knows its size.
class SizedRange : public WatchedRange {
 public:
  SizedRange(std::size_t size, Hook hook)
      : WatchedRange(static_cast<int>(size), std::move(hook)), size_(size) {}
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  std::size_t size_;
};
static_assert(std::ranges::sized_range<SizedRange>);

TEST(ALoop, DoesNotStepPastTheEndOfARangeThatKnowsIt) {
  // As with std::views::counted of a stream: the step would wait for one element more.
  for (int const n_jobs : {1, 2}) {
    for (bool const streams : {false, true}) {
      SizedRange const range(5, [](Step step, int position) {
        if (step == Step::next && position > 4) throw std::domain_error("stepped past the end");
      });
      Parallel const parallel{{.n_jobs = n_jobs, .batch_size = 2}};
      auto const square = [](int i) { return i * i; };
      if (!streams) {
        EXPECT_EQ(parallel.map(range, square), (std::vector<int>{0, 1, 4, 9, 16}));
        continue;
      }
      auto results = parallel.generator(
          range | std::views::transform([](int i) { return [i] { return i; }; }));
      for (int i = 0; i < 5; ++i) EXPECT_EQ(results.next(), i);
      EXPECT_FALSE(results.next());
    }
  }
}

// One task.

// A call with a time limit, one of whose tasks runs here.
class TimedCall {
 public:
  explicit TimedCall(std::chrono::nanoseconds limit)
      : source_(std::views::iota(0, 10)),
        loop_(resolve(with(limit)), 1, Job::OnFailure::stop_all, IndexClaims::Ends::one, source_,
              body_, sink_),
        task(loop_, 0) {
    task.set_index(4);
  }
  TimedCall(TimedCall const&) = delete;
  TimedCall& operator=(TimedCall const&) = delete;
  ~TimedCall() { loop_.abandon(); }

 private:
  static Options with(std::chrono::nanoseconds limit) {
    Options options;
    options.timeout = limit;
    return options;
  }
  Numbers source_;
  Body body_;
  Notes<false> sink_;
  LoopOf<Numbers, false> loop_;

 public:
  TaskContext task;
};

void outlast(TaskContext const& task) {
  while (!task.job().stop_requested(task)) std::this_thread::yield();
}

TEST(RunTimed, ReturnsWhatATaskInTimeReturns) {
  TimedCall call(1h);
  int value = 3;
  EXPECT_EQ(run_timed(call.task, [] { return 5; }), 5);
  EXPECT_EQ(&run_timed(call.task, [&]() -> int& { return value; }), &value);
  EXPECT_EQ(*run_timed(call.task, [] { return std::make_unique<int>(7); }), 7);
  run_timed(call.task, [&] { value = 4; });
  EXPECT_EQ(value, 4);
}

TEST(RunTimed, ThrowsWhatATaskInTimeThrows) {
  TimedCall call(1h);
  EXPECT_THROW(run_timed(call.task, []() -> int { throw std::domain_error("task"); }),
               std::domain_error);
  EXPECT_THROW(run_timed(call.task, []() { throw std::domain_error("task"); }), std::domain_error);
}

TEST(RunTimed, ThrowsATimeoutErrorForATaskThatRanTooLongWhateverItDid) {
  TimedCall call(1ms);
  auto const expect_timeout = [&](auto const& run) {
    try {
      static_cast<void>(run_timed(call.task, run));
      FAIL() << "nothing was thrown";
    } catch (TimeoutError const& error) {
      EXPECT_EQ(error.index(), 4U);
    }
  };
  expect_timeout([&] {
    outlast(call.task);
    return 5;
  });
  expect_timeout([&] { outlast(call.task); });
  expect_timeout([&]() -> int {
    outlast(call.task);
    throw std::domain_error("task");
  });
}

TEST(OutcomeOf, IsAValueOrAnError) {
  auto const value = outcome_of<int>(3, [] { return 5; });
  EXPECT_EQ(value.index(), 3U);
  EXPECT_EQ(value.attempts(), 1);
  EXPECT_EQ(value.value(), 5);

  auto const error = outcome_of<int>(4, []() -> int { throw std::domain_error("task"); });
  EXPECT_EQ(error.index(), 4U);
  EXPECT_THROW(static_cast<void>(error.value()), std::domain_error);

  auto const nothing = outcome_of<void>(5, [] {});
  EXPECT_TRUE(nothing.has_value());
  auto const no_exception = outcome_of<void>(6, [] { throw 42; });
  EXPECT_THROW(no_exception.value(), int);

  auto const moved = outcome_of<std::unique_ptr<int>>(7, [] { return std::make_unique<int>(7); });
  EXPECT_EQ(*moved.value(), 7);
}

}  // namespace
