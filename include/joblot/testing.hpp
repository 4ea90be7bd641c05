// SPDX-License-Identifier: MIT
// Checks whether a backend keeps the rules of the library. For the tests of those who write one.
#ifndef JOBLOT_TESTING_HPP
#define JOBLOT_TESTING_HPP

#include <algorithm>
#include <chrono>
#include <concepts>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <joblot/backend.hpp>
#include <joblot/config.hpp>
#include <joblot/error.hpp>
#include <joblot/options.hpp>
#include <joblot/parallel.hpp>
#include <joblot/testing/contract.hpp>
#include <joblot/testing/endings.hpp>
#include <joblot/testing/errors.hpp>
#include <joblot/testing/results.hpp>
#include <joblot/testing/side_by_side.hpp>
#include <joblot/testing/subject.hpp>

namespace joblot {
inline namespace v1 {

/// Needs no test framework. In GoogleTest, for example:
///
///     auto const report = joblot::testing::check_backend(std::make_shared<MyBackend>());
///     EXPECT_TRUE(report.passed()) << report.text();
namespace testing {

/// One rule and whether it was kept.
struct Check {
  std::string name;
  bool passed = false;
  std::string detail;  // what was wrong; empty if it passed
};

/// What became of all checks, in the order in which they were made.
struct Report {
  std::vector<Check> checks;

  [[nodiscard]] bool passed() const { return std::ranges::all_of(checks, &Check::passed); }

  /// A line for each check and one with their number.
  [[nodiscard]] std::string text() const {
    std::string lines;
    for (auto const& [name, passed, detail] : checks) {
      lines += passed ? fmt::format("passed  {}\n", name)
                      : fmt::format("FAILED  {}: {}\n", name, detail);
    }
    return lines + fmt::format("{} of {} checks passed\n",
                               std::ranges::count(checks, true, &Check::passed), checks.size());
  }
};

/// How to check.
struct CheckOptions {
  /// Workers asked for: k >= 1, or as `Options::n_jobs`.
  int n_jobs = 4;
  /// For each check; one that takes longer has failed. Stretch it for sanitizers and slow machines.
  std::chrono::milliseconds time_limit{20'000};
};

}  // namespace testing
}  // namespace v1

namespace detail::conformance {

/// Runs `check(subject)` on a thread of its own. One that does not end in time is left behind,
/// with all that it uses: it shares nothing with anyone but `backend`.
template <class Front>
v1::testing::Check run_check(std::string name, void (*check)(Subject<Front> const&),
                             BackendChoice const& choice, v1::testing::CheckOptions options) {
  struct Verdict {
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<std::string> broken;  // guarded by mutex; empty text: passed
  };
  auto const verdict = std::make_shared<Verdict>();
  std::thread thread([verdict, check, choice, options] {
    std::string broken;
    try {
      check({make_backend(choice), options.n_jobs, options.time_limit / 4});
    } catch (Broken const& error) {
      broken = error.what();
    } catch (std::exception const& error) {
      broken = fmt::format("unexpected error: {}", error.what());
    } catch (...) {
      broken = "unexpected error, which is no std::exception";
    }
    std::lock_guard const lock(verdict->mutex);
    verdict->broken = std::move(broken);
    verdict->changed.notify_all();
  });
  std::unique_lock lock(verdict->mutex);
  bool const ended = verdict->changed.wait_for(lock, options.time_limit,
                                               [&] { return verdict->broken.has_value(); });
  lock.unlock();
  if (!ended) {
    thread.detach();
    return {std::move(name), false,
            fmt::format("did not end within {} ms; is it a deadlock?", options.time_limit.count())};
  }
  thread.join();
  return {std::move(name), verdict->broken->empty(), *verdict->broken};
}

}  // namespace detail::conformance

inline namespace v1 {
namespace testing {

/// Checks that calls on a backend keep the rules of the library. `backend` is what
/// `Options::backend` takes: an object, which all checks use, or a name, by which each check makes
/// its own. Its workers must share memory, else `InvalidOption`: the tasks tell what they see
/// through it. A backend that brings fewer workers than asked for, or none, passes, too.
///
/// - "properties": a name; `effective_n_jobs` is 1 or more
/// - "start": `Backend::start` brings each worker at most once, on another thread; does not wait
/// - "no task", "one task": give the results that they should
/// - "each task once": of many more tasks than workers none is lost, none runs twice
/// - "order": results come in order of submission, where that is promised
/// - "errors": that of the lowest task that failed arrives, or the range's; the rest is cancelled
/// - "outcomes": a failing task does not stop the others
/// - "nothing runs on": once a call has returned or thrown, none of its tasks runs or begins
/// - "arguments": are destroyed by then
/// - "nesting": calls in calls end, and so do generators in them
/// - "stop": the option `stop` cancels a call
/// - "close", "destruction": end a generator whose tasks run, and ask these to stop
/// - "window": the range is read no further ahead than `pre_dispatch` allows
/// - "worker ids": are below `n_jobs()`; two tasks with the same one do not overlap
/// - "concurrent calls": of several threads on one object do not disturb each other
/// - "reuse": an object can be used again after an error
///
/// Some of these rules no backend can break. `Front` is what the calls are made on: `Parallel`, or
/// a class with its members that is made from `Options`: so each check can be shown to fail, and
/// what wraps `Parallel` can be checked, too.
///
/// Takes about two seconds. Each check runs on a thread of its own, so the caller's
/// `parallel_config` is not in force. After a check that hangs, its thread, its tasks and its share
/// in the backend stay behind; later checks on the same object may fail for that.
template <class Front = Parallel>
requires std::constructible_from<Front, Options>
[[nodiscard]] Report check_backend(detail::BackendChoice const& backend,
                                   CheckOptions options = {}) {
  namespace rules = detail::conformance;
  if (auto const made = detail::make_backend(backend); !made->shares_memory()) {
    detail::reject("backend", std::string(made->name()),
                   "in check_backend, a backend whose workers share memory");
  }
  Report report;
  auto const run = [&](char const* name, void (*check)(rules::Subject<Front> const&)) {
    report.checks.push_back(rules::run_check(name, check, backend, options));
  };
  run("properties", rules::check_properties);
  run("start", rules::check_start);
  run("no task", rules::check_no_task);
  run("one task", rules::check_one_task);
  run("each task once", rules::check_each_task_once);
  run("order", rules::check_order);
  run("errors", rules::check_errors);
  run("outcomes", rules::check_outcomes);
  run("nothing runs on", rules::check_nothing_runs_on);
  run("arguments", rules::check_arguments);
  run("nesting", rules::check_nesting);
  run("stop", rules::check_stop);
  run("close", rules::check_close);
  run("destruction", rules::check_destruction);
  run("window", rules::check_window);
  run("worker ids", rules::check_worker_ids);
  run("concurrent calls", rules::check_concurrent_calls);
  run("reuse", rules::check_reuse);
  return report;
}

}  // namespace testing
}  // namespace v1
}  // namespace joblot

#endif
