// SPDX-License-Identifier: MIT
#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <limits>
#include <optional>
#include <semaphore>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include <joblot/config.hpp>
#include <joblot/job.hpp>

namespace {

using joblot::CancelledError;
using joblot::last_failure;
using joblot::Options;
using joblot::TimeoutError;
using joblot::detail::current_task;
using joblot::detail::Job;
using joblot::detail::Plan;
using joblot::detail::resolve;
using joblot::detail::TaskContext;
using namespace std::chrono_literals;

constexpr auto no_limit = std::numeric_limits<std::size_t>::max();

// A call without tasks of its own: the test plays its workers.
class TestJob final : public Job {
 public:
  explicit TestJob(Options const& options = {}, OnFailure on_failure = OnFailure::stop_all)
      : TestJob(resolve(options), on_failure) {}
  TestJob(Plan const& plan, OnFailure on_failure, int workers = 2)
      : Job(plan, workers, on_failure) {
    open(plan, 10);
  }
  void run(int) noexcept override {}
  [[nodiscard]] int halts() const { return halts_; }

 private:
  void on_halt() noexcept override { ++halts_; }
  std::atomic<int> halts_ = 0;
};

std::exception_ptr error(std::string const& text) {
  return std::make_exception_ptr(std::domain_error(text));
}

// What the call throws at its end.
std::string end_of(Job& job) {
  try {
    job.conclude(1);
  } catch (std::exception const& thrown) {
    return thrown.what();
  }
  return "no error";
}

TEST(AJob, EndsWithoutAnErrorIfThereWasNone) {
  TestJob job;
  EXPECT_EQ(job.stop_at(), no_limit);
  EXPECT_FALSE(job.over());
  EXPECT_FALSE(job.failed_at());
  EXPECT_FALSE(job.timed());
  EXPECT_FALSE(job.one_by_one());
  joblot::detail::remember_failure(1, joblot::TaskFailure{});
  EXPECT_EQ(end_of(job), "no error");
  EXPECT_FALSE(last_failure());
}

TEST(AJob, KeepsTheFailureOfTheLowestIndex) {
  TestJob job;
  job.fail(5, 1, error("five"));
  job.fail(7, 0, error("seven"));
  job.fail(3, 2, error("three"));
  job.fail(4, 0, error("four"));
  EXPECT_EQ(job.failed_at(), 3U);
  EXPECT_EQ(end_of(job), "three");
  ASSERT_TRUE(last_failure());
  EXPECT_EQ(last_failure()->index, 3U);
  EXPECT_EQ(last_failure()->worker_id, 2);
  EXPECT_EQ(last_failure()->attempt, 1);
}

TEST(AJob, KeepsTheFirstOfTwoFailuresWithOneIndex) {
  TestJob job;
  job.fail(5, 1, error("first"));
  job.fail(5, 1, error("second"));
  EXPECT_EQ(end_of(job), "first");
}

TEST(AJob, BlamesNoTaskForTheRange) {
  TestJob job;
  job.fail_range(5, error("range"));
  EXPECT_EQ(job.failed_at(), 5U);
  EXPECT_FALSE(job.failed_task());
  EXPECT_EQ(end_of(job), "range");
  EXPECT_FALSE(last_failure());
}

TEST(AJob, PrefersATaskBeforeThePlaceWhereTheRangeFailed) {
  TestJob before;
  before.fail_range(5, error("range"));
  before.fail(4, 0, error("task"));
  EXPECT_EQ(end_of(before), "task");
  TestJob after;
  after.fail(6, 0, error("task"));
  after.fail_range(5, error("range"));
  EXPECT_EQ(end_of(after), "range");
}

TEST(AJob, StopsAllTasksAfterAFailure) {
  TestJob job;
  job.fail(5, 0, error("five"));
  EXPECT_EQ(job.stop_at(), 0U);
  EXPECT_EQ(job.halts(), 1);
}

TEST(AJob, StopsOnlyTheTasksBehindAFailureIfResultsComeInOrder) {
  TestJob job(Options{}, Job::OnFailure::stop_later);
  job.fail(5, 0, error("five"));
  EXPECT_EQ(job.stop_at(), 5U);
  job.fail_range(9, error("range"));
  EXPECT_EQ(job.stop_at(), 5U);
  job.fail(2, 0, error("two"));
  EXPECT_EQ(job.stop_at(), 2U);
  TaskContext task(job, 0);
  task.set_index(1);
  EXPECT_FALSE(job.stop_requested(task));
  task.set_index(2);
  EXPECT_TRUE(job.stop_requested(task));
}

TEST(AJob, IsCancelledByItsStopToken) {
  std::stop_source source;
  Options options;
  options.stop = source.get_token();
  TestJob job(options);
  EXPECT_TRUE(job.one_by_one());
  EXPECT_FALSE(job.over());
  source.request_stop();
  EXPECT_TRUE(job.over());
  EXPECT_EQ(job.stop_at(), 0U);
  job.fail(3, 0, error("because it was asked to stop"));
  EXPECT_NE(end_of(job).find("stop was requested"), std::string::npos);
  EXPECT_FALSE(last_failure());
}

TEST(AJob, IsCancelledAtOnceByATokenThatIsStoppedAlready) {
  std::stop_source source;
  source.request_stop();
  Options options;
  options.stop = source.get_token();
  TestJob job(options);
  EXPECT_TRUE(job.over());
  EXPECT_EQ(job.stop_at(), 0U);
  EXPECT_THROW(job.conclude(1), CancelledError);
}

TEST(AJob, KeepsAFailureFromBeforeItWasCancelled) {
  std::stop_source source;
  Options options;
  options.stop = source.get_token();
  TestJob job(options);
  job.fail(3, 0, error("three"));
  source.request_stop();
  EXPECT_EQ(end_of(job), "three");
}

TEST(AJob, IsNotCancelledAnyMoreWhenItHasEnded) {
  std::stop_source source;
  Options options;
  options.stop = source.get_token();
  {
    TestJob job(options);
    EXPECT_EQ(end_of(job), "no error");
    source.request_stop();
    EXPECT_FALSE(job.over());
  }
}

TEST(AJob, FailsByWhatOnProgressThrows) {
  Options options;
  options.on_progress = [](joblot::Progress const&) { throw std::domain_error("progress"); };
  TestJob job(options);
  job.dispatched(2);
  job.completed(0);
  EXPECT_FALSE(job.over()) << "nothing to report";
  job.completed(1);
  EXPECT_TRUE(job.over());
  EXPECT_EQ(job.stop_at(), 0U);
  job.fail(0, 0, error("a task that fails because of it"));
  EXPECT_EQ(end_of(job), "progress");
  EXPECT_FALSE(last_failure());
}

TEST(AJob, FailsByWhatOnProgressThrowsAtTheEnd) {
  int calls = 0;
  Options options;
  options.on_progress = [&](joblot::Progress const&) {
    ++calls;
    throw std::domain_error("end");
  };
  TestJob job(options);
  EXPECT_EQ(end_of(job), "end");
  EXPECT_EQ(calls, 1);
}

TEST(AJob, DropsItsErrorsWhenNobodyWantsItsResults) {
  Options options;
  options.on_progress = [](joblot::Progress const&) { throw std::domain_error("end"); };
  TestJob job(options);
  job.fail(3, 0, error("three"));
  job.abandon();
  SUCCEED();
}

TEST(AContext, MakesATaskKnownToItsThread) {
  TestJob outer;
  TestJob inner;
  EXPECT_EQ(current_task, nullptr);
  {
    TaskContext const first(outer, 3);
    EXPECT_EQ(current_task, &first);
    EXPECT_EQ(first.worker_id(), 3);
    {
      TaskContext const second(inner, 1);
      EXPECT_EQ(current_task, &second);
      EXPECT_EQ(&second.job(), &inner);
    }
    EXPECT_EQ(current_task, &first);
  }
  EXPECT_EQ(current_task, nullptr);
}

TEST(AContext, SuspendsTheScopesOfTheCaller) {
  Options options;
  options.n_jobs = 7;
  auto const scope = joblot::parallel_config(options);
  TestJob job;
  {
    TaskContext const task(job, 0);
    EXPECT_EQ(resolve({}).n_jobs_asked, -1);
  }
  EXPECT_EQ(resolve({}).n_jobs_asked, 7);
}

TEST(ATokenOfAJob, IsStoppedWithTheTasksFromAnIndexOn) {
  TestJob job(Options{}, Job::OnFailure::stop_later);
  TaskContext first(job, 0);
  first.set_index(2);
  TaskContext second(job, 1);
  second.set_index(3);
  auto const of_first = job.stop_token(first);
  auto const of_second = job.stop_token(second);
  job.fail(3, 0, error("three"));
  EXPECT_FALSE(of_first.stop_requested());
  EXPECT_TRUE(of_second.stop_requested());
  job.halt(0);
  EXPECT_TRUE(of_first.stop_requested());
}

TEST(ATokenOfAJob, IsOfOneTask) {
  TestJob job;
  TaskContext task(job, 0);
  task.set_index(1);
  auto const first = job.stop_token(task);
  EXPECT_EQ(job.stop_token(task), first);
  task.set_index(2);
  auto const second = job.stop_token(task);
  EXPECT_NE(first, second);
  job.halt(0);
  EXPECT_FALSE(first.stop_requested()) << "its task has ended";
  EXPECT_TRUE(second.stop_requested());
  task.set_index(3);
  EXPECT_TRUE(job.stop_token(task).stop_requested()) << "it comes too late";
}

TEST(ATokenOfAJob, IsForgottenWithItsWorker) {
  // A worker that has come, asked for its token, and stays until it may leave.
  class Worker {
   public:
    explicit Worker(Job& job)
        : thread_([this, &job] {
            TaskContext task(job, 0);
            token_ = job.stop_token(task);
            there_.release();
            leave_.acquire();
          }) {
      there_.acquire();
    }
    ~Worker() { leave_.release(); }
    Worker(Worker const&) = delete;
    Worker& operator=(Worker const&) = delete;
    [[nodiscard]] std::stop_token token() const { return token_; }

   private:
    std::stop_token token_;
    std::binary_semaphore there_{0};
    std::binary_semaphore leave_{0};
    std::jthread thread_;
  };
  TestJob job;
  Worker const first(job);
  std::optional<Worker> second(job);
  Worker const third(job);
  auto const of_second = second->token();
  second.reset();
  job.halt(0);
  EXPECT_TRUE(first.token().stop_requested());
  EXPECT_FALSE(of_second.stop_requested());
  EXPECT_TRUE(third.token().stop_requested());
}

TEST(ATokenOfAJob, MayStopOtherJobs) {
  // A callback is the user's: it may do whatever it likes, so no lock is held while it runs.
  TestJob job;
  TestJob other;
  TaskContext task(job, 0);
  std::stop_callback const callback(job.stop_token(task), [&] {
    other.halt(0);
    static_cast<void>(job.stop_token(task));
  });
  job.halt(0);
  EXPECT_EQ(other.stop_at(), 0U);
}

TEST(ATimedJob, FailsByATaskThatRunsTooLongWhileItRuns) {
  Options options;
  options.timeout = 5ms;
  TestJob job(options);
  EXPECT_TRUE(job.timed());
  EXPECT_TRUE(job.one_by_one());
  TaskContext task(job, 1);
  task.set_index(4);
  task.timed.begin(4);
  while (!job.failed_at()) std::this_thread::sleep_for(1ms);
  EXPECT_TRUE(job.stop_requested(task));
  EXPECT_TRUE(job.stop_token(task).stop_requested());
  EXPECT_TRUE(task.timed.end(job.timeout()));
  try {
    job.conclude(1);
    FAIL() << "nothing was thrown";
  } catch (TimeoutError const& late) {
    EXPECT_EQ(late.index(), 4U);
    EXPECT_STREQ(late.what(), "task 4 ran longer than timeout = 0.005 s");
  }
  EXPECT_EQ(last_failure()->index, 4U);
  EXPECT_EQ(last_failure()->worker_id, 1);
}

TEST(ATimedJob, LooksAtTheClockForTokensAlsoWithOneWorker) {
  Options options;
  options.timeout = 5ms;
  TestJob job(resolve(options), Job::OnFailure::stop_all, 1);
  TaskContext task(job, 0);
  task.timed.begin(0);
  auto const token = job.stop_token(task);
  while (!token.stop_requested()) std::this_thread::sleep_for(1ms);
  EXPECT_TRUE(job.stop_requested(task));
  job.abandon();
}

TEST(ATimedJob, NamesTheLimitInItsError) {
  Options options;
  options.timeout = 90s;
  TestJob job(options);
  EXPECT_STREQ(job.timeout_error(2).what(), "task 2 ran longer than timeout = 90 s");
  EXPECT_EQ(job.timeout_error(2).index(), 2U);
}

}  // namespace
