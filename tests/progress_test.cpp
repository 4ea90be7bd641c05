// SPDX-License-Identifier: MIT
#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <regex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <joblot/progress.hpp>

namespace {

using joblot::Progress;
using joblot::detail::ProgressReporter;
using joblot::detail::ProgressSettings;
using joblot::detail::verbose_time;
using joblot::detail::VerboseCounts;
using joblot::detail::VerboseLines;
using Counts = std::vector<std::size_t>;

// Runs `body`; returns what it wrote to stderr, with every time replaced by "T".
template <class Body>
std::string stderr_of(Body body) {
  testing::internal::CaptureStderr();
  body();
  return std::regex_replace(testing::internal::GetCapturedStderr(),
                            std::regex("  [ 0-9]{2}[0-9]\\.[0-9]s"), "  T");
}

// A call as joblib runs it: `window` batches of one task ahead, one more for each that ends; the
// end of the range is noticed when there is no next one.
void run_like_joblib(ProgressReporter& reporter, std::size_t tasks, std::size_t window) {
  std::size_t claimed = 0;
  auto const claim = [&] {
    if (claimed == tasks) return reporter.exhausted();
    reporter.dispatched(1);
    ++claimed;
  };
  for (std::size_t i = 0; i < window; ++i) claim();
  for (std::size_t i = 0; i < tasks; ++i) {
    reporter.completed(1);
    claim();
  }
  reporter.finish(true);
}

// The index of joblib's filter at each line of a call that never sees its end.
Counts lines_at(int verbose, std::size_t up_to) {
  VerboseLines lines({.verbose = verbose, .n_jobs = 2, .window = 4});
  Counts at;
  for (std::size_t i = 0; i < up_to; ++i) {
    VerboseCounts const now{.completed = 1, .dispatched_tasks = i, .dispatched_batches = i};
    if (lines.progressed(now, 0)) at.push_back(i + 1);
  }
  return at;
}

TEST(VerboseTime, IsInSecondsUpToAMinute) {
  EXPECT_EQ(verbose_time(0.1), "   0.1s");
  EXPECT_EQ(verbose_time(60.0), "  60.0s");
  EXPECT_EQ(verbose_time(90.0), " 1.5min");
  EXPECT_EQ(verbose_time(36000.0), "600.0min");
}

TEST(VerboseLines, AreJoblibsWhereTheTotalIsUnknown) {
  VerboseLines lines({.verbose = 11, .n_jobs_asked = 2, .n_jobs = 2, .window = 4});
  EXPECT_EQ(lines.started("LokyBackend"),
            "[Parallel(n_jobs=2)]: Using backend LokyBackend with 2 concurrent workers.\n");
  EXPECT_EQ(lines.progressed({.completed = 1, .dispatched_tasks = 4, .dispatched_batches = 4}, 0.1),
            "[Parallel(n_jobs=2)]: Done   1 tasks      | elapsed:    0.1s\n");
  EXPECT_EQ(lines.progressed({.completed = 14, .dispatched_tasks = 18}, 0.14),
            "[Parallel(n_jobs=2)]: Done  14 tasks      | elapsed:    0.1s\n");
  EXPECT_EQ(lines.progressed({.completed = 1234, .dispatched_tasks = 1300}, 75),
            "[Parallel(n_jobs=2)]: Done 1234 tasks      | elapsed:  1.2min\n");
  EXPECT_EQ(lines.finished(1300, 80),
            "[Parallel(n_jobs=2)]: Done 1300 out of 1300 | elapsed:  1.3min finished\n");
}

TEST(VerboseLines, AreJoblibsWhereTheTotalIsKnown) {
  VerboseLines lines({.verbose = 11, .n_jobs_asked = 2, .n_jobs = 2, .total = 40, .window = 4});
  EXPECT_EQ(lines.progressed({.completed = 2, .dispatched_tasks = 6}, 0.1),
            "[Parallel(n_jobs=2)]: Done  2 out of 40 | elapsed:    0.1s\n");
  EXPECT_EQ(lines.progressed({.completed = 37, .dispatched_tasks = 40, .exhausted = true}, 0.4),
            "[Parallel(n_jobs=2)]: Done 37 out of 40 | elapsed:    0.4s remaining:    0.0s\n");
  EXPECT_EQ(lines.finished(40, 0.4),
            "[Parallel(n_jobs=2)]: Done 40 out of 40 | elapsed:    0.4s finished\n");
}

TEST(VerboseLines, KeepTheirWidth) {
  VerboseLines lines({.verbose = 10000, .n_jobs_asked = 2, .n_jobs = 2, .total = 100, .window = 4});
  auto const early = lines.progressed({.completed = 3, .dispatched_tasks = 7}, 1);
  auto const late = lines.progressed({.completed = 99, .dispatched_tasks = 100}, 1);
  EXPECT_EQ(early, "[Parallel(n_jobs=2)]: Done   3 out of 100 | elapsed:    1.0s\n");
  EXPECT_EQ(late->size(), early->size());
}

TEST(VerboseLines, ComeAtJoblibsIntervals) {
  EXPECT_EQ(lines_at(1, 500), (Counts{1, 50, 200, 450}));
  EXPECT_EQ(lines_at(5, 200), (Counts{1, 18, 72, 162}));
  EXPECT_EQ(lines_at(10, 35), (Counts{1, 2, 5, 8, 13, 18, 25, 32}));
  EXPECT_EQ(lines_at(11, 5), (Counts{1, 2, 3, 4, 5}));
  EXPECT_EQ(lines_at(50, 5), (Counts{1, 2, 3, 4, 5}));
  EXPECT_EQ(lines_at(100, 5), (Counts{1, 2, 3, 4, 5}));
}

TEST(VerboseLines, AreNotLostWhereWorkersClaimSideBySide) {
  VerboseLines lines({.verbose = 1, .n_jobs = 2, .window = 4});
  EXPECT_FALSE(lines.progressed({.completed = 1, .dispatched_batches = 40}, 0));
  EXPECT_TRUE(lines.progressed({.completed = 2, .dispatched_batches = 60}, 0));   // passed 49
  EXPECT_FALSE(lines.progressed({.completed = 3, .dispatched_batches = 60}, 0));  // said it
  EXPECT_FALSE(lines.progressed({.completed = 4, .dispatched_batches = 59}, 0));  // read late
  EXPECT_TRUE(lines.progressed({.completed = 5, .dispatched_batches = 199}, 0));
}

TEST(VerboseLines, AreThinnedOutByWhatIsLeftOnceAllIsDispatched) {
  // total // verbose + 1 = 5: where (left + 1 - window) is a multiple of 5, but not at the last.
  VerboseLines lines({.verbose = 10, .n_jobs = 2, .total = 40, .window = 20});
  Counts at;
  for (std::size_t done = 0; done <= 40; ++done) {
    VerboseCounts const now{.completed = done, .dispatched_tasks = 40, .exhausted = true};
    if (lines.progressed(now, 1)) at.push_back(done);
  }
  EXPECT_EQ(at, (Counts{0, 1, 6, 11, 16, 21, 26, 31, 36}));
}

TEST(VerboseLines, EstimateTheRestFromTheMeanPace) {
  VerboseLines lines({.verbose = 50, .n_jobs_asked = 4, .n_jobs = 4, .window = 8});
  EXPECT_EQ(lines.progressed({.completed = 10, .dispatched_tasks = 18, .exhausted = true}, 100),
            "[Parallel(n_jobs=4)]: Done  10 out of  18 | elapsed:  1.7min remaining:  1.3min\n");
  EXPECT_EQ(lines.progressed({.completed = 0, .dispatched_tasks = 8, .exhausted = true}, 2),
            "[Parallel(n_jobs=4)]: Done   0 out of   8 | elapsed:    2.0s remaining:   16.0s\n");
}

TEST(VerboseLines, KnowTheEndFromTheStartWithoutAWindow) {
  VerboseLines lines({.verbose = 50, .n_jobs = 2, .total = 8});
  EXPECT_EQ(lines.progressed({.completed = 2, .dispatched_tasks = 3}, 1),
            "[Parallel(n_jobs=-1)]: Done 2 out of 8 | elapsed:    1.0s remaining:    3.0s\n");
}

TEST(ProgressReporter, PrintsACallFromStartToEnd) {
  auto const text = stderr_of([] {
    ProgressReporter reporter({.verbose = 10,
                               .n_jobs_asked = 2,
                               .n_jobs = 2,
                               .backend_name = "ThreadingBackend",
                               .total = 12,
                               .window = 4});
    run_like_joblib(reporter, 12, 4);
  });
  EXPECT_EQ(text,
            "[Parallel(n_jobs=2)]: Using backend ThreadingBackend with 2 concurrent workers.\n"
            "[Parallel(n_jobs=2)]: Done  1 out of 12 | elapsed:  T\n"
            "[Parallel(n_jobs=2)]: Done  4 out of 12 | elapsed:  T\n"
            "[Parallel(n_jobs=2)]: Done  9 out of 12 | elapsed:  T\n"
            "[Parallel(n_jobs=2)]: Done 12 out of 12 | elapsed:  T finished\n");
}

TEST(ProgressReporter, CountsTheTasksOfEachBatch) {
  auto const text = stderr_of([] {
    ProgressReporter reporter(
        {.verbose = 11, .n_jobs_asked = 2, .n_jobs = 2, .backend_name = "B", .window = 4});
    for (int i = 0; i < 3; ++i) reporter.dispatched(5);
    reporter.completed(5);
    reporter.completed(5);
    reporter.exhausted();
    reporter.completed(2);
    reporter.completed(3);
    reporter.finish(true);
  });
  // 15 // 11 + 1 = 2, and 15 - 12 + 1 - 4 = 0.
  EXPECT_EQ(text,
            "[Parallel(n_jobs=2)]: Using backend B with 2 concurrent workers.\n"
            "[Parallel(n_jobs=2)]: Done   5 tasks      | elapsed:  T\n"
            "[Parallel(n_jobs=2)]: Done  10 tasks      | elapsed:  T\n"
            "[Parallel(n_jobs=2)]: Done  12 out of  15 | elapsed:  T remaining:  T\n"
            "[Parallel(n_jobs=2)]: Done  15 out of  15 | elapsed:  T finished\n");
}

TEST(ProgressReporter, PrintsOneWorkerByTheTaskAndWithoutABackend) {
  auto const text = stderr_of([] {
    ProgressReporter reporter({.verbose = 10, .n_jobs_asked = 1, .n_jobs = 1, .window = 2});
    run_like_joblib(reporter, 8, 1);
  });
  EXPECT_EQ(text,
            "[Parallel(n_jobs=1)]: Done   1 tasks      | elapsed:  T\n"
            "[Parallel(n_jobs=1)]: Done   4 tasks      | elapsed:  T\n"
            "[Parallel(n_jobs=1)]: Done   7 tasks      | elapsed:  T\n"
            "[Parallel(n_jobs=1)]: Done   8 out of   8 | elapsed:  T finished\n");
}

TEST(ProgressReporter, PrintsForOneWorkerAtTheSameTasksWhateverTheBatches) {
  auto const lines = [](std::size_t batch) {
    return stderr_of([&] {
      ProgressReporter reporter({.verbose = 1, .n_jobs_asked = 1, .n_jobs = 1, .total = 1000});
      for (std::size_t done = 0; done < 1000; done += batch) {
        reporter.dispatched(batch);
        reporter.completed(batch);
      }
      reporter.finish(true);
    });
  };
  EXPECT_EQ(lines(1),
            "[Parallel(n_jobs=1)]: Done   49 out of 1000 | elapsed:  T\n"
            "[Parallel(n_jobs=1)]: Done  199 out of 1000 | elapsed:  T\n"
            "[Parallel(n_jobs=1)]: Done  449 out of 1000 | elapsed:  T\n"
            "[Parallel(n_jobs=1)]: Done  799 out of 1000 | elapsed:  T\n"
            "[Parallel(n_jobs=1)]: Done 1000 out of 1000 | elapsed:  T finished\n");
  EXPECT_EQ(lines(50),
            "[Parallel(n_jobs=1)]: Done   50 out of 1000 | elapsed:  T\n"
            "[Parallel(n_jobs=1)]: Done  200 out of 1000 | elapsed:  T\n"
            "[Parallel(n_jobs=1)]: Done  450 out of 1000 | elapsed:  T\n"
            "[Parallel(n_jobs=1)]: Done  800 out of 1000 | elapsed:  T\n"
            "[Parallel(n_jobs=1)]: Done 1000 out of 1000 | elapsed:  T finished\n");
}

TEST(ProgressReporter, PrintsAnEmptyCallAsJoblibDoes) {
  auto const empty = [](int n_jobs) {
    return stderr_of([&] {
      ProgressReporter reporter({.verbose = 1,
                                 .n_jobs_asked = n_jobs,
                                 .n_jobs = n_jobs,
                                 .backend_name = "B",
                                 .total = 0});
      reporter.exhausted();
      reporter.finish(true);
    });
  };
  EXPECT_EQ(empty(1), "[Parallel(n_jobs=1)]: Done   0 out of   0 | elapsed:  T finished\n");
  EXPECT_EQ(empty(2), "[Parallel(n_jobs=2)]: Using backend B with 2 concurrent workers.\n");
}

TEST(ProgressReporter, SaysNothingAboutTheEndOfAFailedCall) {
  auto const text = stderr_of([] {
    ProgressReporter reporter({.verbose = 11, .n_jobs_asked = 1, .n_jobs = 1});
    reporter.dispatched(1);
    reporter.completed(1);
    reporter.finish(false);
    reporter.completed(1);
  });
  EXPECT_EQ(text, "[Parallel(n_jobs=1)]: Done   1 tasks      | elapsed:  T\n");
}

TEST(ProgressReporter, IsSilentUnlessAsked) {
  EXPECT_FALSE(ProgressSettings{}.wanted());
  auto const text = stderr_of([] {
    ProgressReporter reporter({.n_jobs = 2, .backend_name = "B", .total = 100});
    run_like_joblib(reporter, 100, 4);
  });
  EXPECT_EQ(text, "");
}

TEST(ProgressReporter, WritesToStdoutFromVerboseFiftyOn) {
  for (int const verbose : {49, 50, 100}) {
    testing::internal::CaptureStdout();
    auto const on_stderr = stderr_of([&] {
      ProgressReporter reporter({.verbose = verbose, .n_jobs_asked = 1, .n_jobs = 1});
      run_like_joblib(reporter, 2, 1);
    });
    auto const on_stdout = testing::internal::GetCapturedStdout();
    EXPECT_EQ(on_stderr.empty(), verbose >= 50);
    EXPECT_EQ(on_stdout.empty(), verbose < 50);
  }
}

TEST(ProgressReporter, OutlivesABrokenPipe) {
  pid_t const child = ::fork();
  if (child == 0) {
    int fds[2];
    if (::pipe(fds) != 0) ::_exit(1);
    ::close(fds[0]);
    ::dup2(fds[1], 2);
    ::signal(SIGPIPE, SIG_DFL);
    ProgressReporter reporter({.verbose = 49, .n_jobs = 2, .total = 100, .window = 4, .bar = true});
    run_like_joblib(reporter, 100, 4);
    ::_exit(0);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

// Collects what on_progress is told; not synchronised: calls must come one at a time.
struct Calls {
  std::vector<Progress> seen;
  std::function<void(Progress const&)> callback() {
    return [this](Progress const& progress) { seen.push_back(progress); };
  }
};

TEST(ProgressCallback, IsCalledOnceAtTheEndWithEverything) {
  Calls calls;
  ProgressReporter reporter({.total = 3, .on_progress = calls.callback()});
  run_like_joblib(reporter, 3, 1);
  ASSERT_FALSE(calls.seen.empty());
  EXPECT_EQ(calls.seen.back().completed, 3U);
  EXPECT_EQ(calls.seen.back().dispatched, 3U);
  EXPECT_EQ(calls.seen.back().total, 3U);
  ASSERT_TRUE(calls.seen.back().remaining);
  EXPECT_EQ(calls.seen.back().remaining->count(), 0);
  reporter.finish(true);  // a second finish does nothing
  EXPECT_EQ(std::count_if(calls.seen.begin(), calls.seen.end(),
                          [](Progress const& p) { return p.completed == p.total; }),
            1);
}

TEST(ProgressCallback, IsCalledForNoTasksAndForOne) {
  for (std::size_t const tasks : {0U, 1U}) {
    Calls calls;
    ProgressReporter reporter({.total = tasks, .on_progress = calls.callback()});
    run_like_joblib(reporter, tasks, 1);
    ASSERT_EQ(calls.seen.size(), 1U);
    EXPECT_EQ(calls.seen[0].completed, tasks);
    EXPECT_EQ(calls.seen[0].total, tasks);
  }
}

TEST(ProgressCallback, IsCalledAtMostTwentyTimesASecond) {
  Calls calls;
  ProgressReporter reporter({.total = std::nullopt, .on_progress = calls.callback()});
  auto const start = std::chrono::steady_clock::now();
  while (std::chrono::steady_clock::now() - start < std::chrono::milliseconds(300)) {
    reporter.dispatched(1);
    reporter.completed(1);
  }
  reporter.finish(true);
  auto const took = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  EXPECT_GE(calls.seen.size(), 2U);
  EXPECT_LE(static_cast<double>(calls.seen.size()), took * 20 + 2);
  for (std::size_t i = 1; i + 1 < calls.seen.size(); ++i) {
    EXPECT_GE((calls.seen[i].elapsed - calls.seen[i - 1].elapsed).count(), 0.05);
  }
}

TEST(ProgressCallback, LearnsTheTotalWhenTheRangeHasEnded) {
  Calls calls;
  ProgressReporter reporter({.on_progress = calls.callback()});
  reporter.dispatched(4);
  reporter.exhausted();
  reporter.completed(1);
  ASSERT_EQ(calls.seen.size(), 1U);
  EXPECT_EQ(calls.seen[0].total, 4U);
  ASSERT_TRUE(calls.seen[0].remaining);
  EXPECT_DOUBLE_EQ(calls.seen[0].remaining->count(), calls.seen[0].elapsed.count() * 3);
}

TEST(ProgressCallback, HasNoTotalBefore) {
  Calls calls;
  ProgressReporter reporter({.on_progress = calls.callback()});
  reporter.dispatched(1);
  reporter.completed(1);
  reporter.finish(true);
  ASSERT_EQ(calls.seen.size(), 2U);
  EXPECT_FALSE(calls.seen[0].total);
  EXPECT_FALSE(calls.seen[0].remaining);
  EXPECT_EQ(calls.seen[1].total, 1U);
}

TEST(ProgressCallback, ThatThrowsFailsTheCallAndIsNotCalledAgain) {
  testing::internal::CaptureStderr();
  int called = 0;
  ProgressReporter reporter({.verbose = 11,
                             .n_jobs_asked = 1,
                             .total = 3,
                             .bar = true,
                             .on_progress = [&](Progress const&) {
                               ++called;
                               throw std::runtime_error("enough");
                             }});
  reporter.dispatched(3);
  EXPECT_THROW(reporter.completed(1), std::runtime_error);
  reporter.completed(1);
  reporter.finish(false);
  testing::internal::GetCapturedStderr();
  EXPECT_EQ(called, 1);
}

TEST(ProgressCallback, ThatThrowsAtTheEndFailsASuccessfulCall) {
  ProgressReporter reporter(
      {.total = 1, .on_progress = [](Progress const&) { throw std::runtime_error("no"); }});
  reporter.dispatched(1);
  reporter.completed(1);
  EXPECT_THROW(reporter.finish(true), std::runtime_error);
  reporter.finish(false);
}

TEST(ProgressCallback, IsCalledAtTheEndOfAFailedCallAndCannotReplaceItsError) {
  std::size_t completed = 0;
  ProgressReporter reporter({.total = 9, .on_progress = [&](Progress const& progress) {
                               completed = progress.completed;
                               if (completed == 2) throw std::runtime_error("ignored");
                             }});
  reporter.dispatched(9);
  reporter.completed(1);
  reporter.completed(1);
  EXPECT_NO_THROW(reporter.finish(false));
  EXPECT_EQ(completed, 2U);
}

TEST(ProgressCallback, ThatIsSlowHoldsUpNoOtherWorker) {
  std::barrier<> met(2);
  std::atomic<int> calls = 0;
  ProgressReporter reporter({.total = 1000, .on_progress = [&](Progress const&) {
                               if (++calls > 1) return;
                               met.arrive_and_wait();  // inside
                               met.arrive_and_wait();  // the other worker is through
                             }});
  reporter.dispatched(1000);
  std::thread slow([&] { reporter.completed(1); });
  met.arrive_and_wait();
  for (int i = 0; i < 998; ++i) reporter.completed(1);  // would hang here
  met.arrive_and_wait();
  slow.join();
  reporter.completed(1);
  reporter.finish(true);
  EXPECT_GE(calls, 2);
}

TEST(ProgressCallback, MayEndTasksOfItsOwnCall) {
  testing::internal::CaptureStderr();
  int calls = 0;
  ProgressReporter* reporter_of_call = nullptr;
  ProgressReporter reporter({.verbose = 11,
                             .n_jobs_asked = 2,
                             .n_jobs = 2,
                             .backend_name = "B",
                             .on_progress = [&](Progress const&) {
                               if (++calls == 1) reporter_of_call->completed(1);
                             }});
  reporter_of_call = &reporter;
  reporter.dispatched(2);
  reporter.completed(1);
  reporter.finish(true);
  testing::internal::GetCapturedStderr();
  EXPECT_EQ(calls, 2);
}

TEST(ProgressReporter, CountsRightWithManyWorkers) {
  for (int const verbose : {0, 1, 20}) {
    constexpr int workers = 4;
    constexpr std::size_t each = 500;
    std::vector<Progress> seen;
    std::atomic<int> inside = 0;
    bool overlapped = false;
    auto const text = stderr_of([&] {
      ProgressReporter reporter({.verbose = verbose,
                                 .n_jobs_asked = workers,
                                 .n_jobs = workers,
                                 .backend_name = "B",
                                 .total = workers * each,
                                 .window = 2 * workers,
                                 .bar = true,
                                 .on_progress = [&](Progress const& progress) {
                                   overlapped = overlapped || ++inside != 1;
                                   seen.push_back(progress);
                                   --inside;
                                 }});
      std::vector<std::thread> threads;
      for (int w = 0; w < workers; ++w) {
        threads.emplace_back([&] {
          for (std::size_t i = 0; i < each; ++i) {
            reporter.dispatched(1);
            reporter.completed(1);
          }
          reporter.exhausted();
        });
      }
      for (auto& thread : threads) thread.join();
      reporter.finish(true);
    });
    EXPECT_FALSE(overlapped);
    ASSERT_FALSE(seen.empty());
    for (std::size_t i = 0; i < seen.size(); ++i) {
      bool const last = i + 1 == seen.size();
      EXPECT_LE(seen[i].completed, seen[i].dispatched);
      EXPECT_EQ(seen[i].completed == seen[i].total, last);
      EXPECT_TRUE(last || seen[i].completed <= seen[i + 1].completed);
    }
    EXPECT_EQ(text.find("Done 2000 out of 2000 | elapsed:  T finished\n") != std::string::npos,
              verbose > 0);
    EXPECT_NE(text.find("100%  2000/2000"), std::string::npos);
  }
}

}  // namespace
