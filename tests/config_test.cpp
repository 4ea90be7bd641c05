// SPDX-License-Identifier: MIT
// Tests of what options and scopes together mean, and of the values that are refused.
#include <joblot/config.hpp>
// First, because it needs no other.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <ranges>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <joblot/cpu_count.hpp>
#include <joblot/parallel.hpp>

namespace {

using joblot::Backend;
using joblot::Call;
using joblot::cpu_count;
using joblot::effective_n_jobs;
using joblot::InvalidOption;
using joblot::Options;
using joblot::Parallel;
using joblot::parallel_config;
using joblot::ParallelConfig;
using joblot::Prefer;
using joblot::Progress;
using joblot::register_parallel_backend;
using joblot::Require;
using joblot::detail::Plan;
using joblot::detail::resolve;
using namespace std::chrono_literals;

/// A backend that says about itself what a test wants, and lends no threads.
class Pretender final : public Backend {
 public:
  Pretender(std::string name, bool shares_memory, std::optional<int> n_jobs = std::nullopt)
      : name_(std::move(name)), shares_memory_(shares_memory), n_jobs_(n_jobs) {}
  [[nodiscard]] std::string_view name() const override { return name_; }
  [[nodiscard]] bool shares_memory() const override { return shares_memory_; }
  [[nodiscard]] int effective_n_jobs(int asked) const override { return n_jobs_.value_or(asked); }
  void start(std::shared_ptr<Call> /*call*/) override {}

 private:
  std::string name_;
  bool shares_memory_;
  std::optional<int> n_jobs_;
};

std::shared_ptr<Backend> sharing() { return std::make_shared<Pretender>("Sharing", true); }
std::shared_ptr<Backend> separate() { return std::make_shared<Pretender>("Separate", false); }

std::string backend_of(Options const& options) {
  return std::string(resolve(options).backend->name());
}

/// The text of the InvalidOption thrown by the constructor, "" if there is none.
std::string refusal(Options const& options) {
  try {
    Parallel const parallel(options);
  } catch (InvalidOption const& error) {
    return error.what();
  }
  return "";
}
std::string scope_refusal(Options const& options) {
  try {
    auto const scope = parallel_config(options);
  } catch (InvalidOption const& error) {
    return error.what();
  }
  return "";
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// The constructor refuses the options, and the text names the option, the value and what is
/// allowed.
void expect_refused(Options const& options, std::string_view option, std::string_view value,
                    std::string_view allowed) {
  auto const text = refusal(options);
  EXPECT_TRUE(contains(text, option)) << text;
  EXPECT_TRUE(contains(text, value)) << text;
  EXPECT_TRUE(contains(text, allowed)) << text;
  EXPECT_FALSE(contains(text, "\n")) << text;
}

int n_jobs_of(Options const& options) { return Parallel(options).n_jobs(); }

// --- n_jobs -------------------------------------------------------------------------------------

TEST(NJobs, AreAsManyAsAskedForWhateverTheNumberOfCpus) {
  for (int const n : {1, 2, 7, 1000}) {
    EXPECT_EQ(Parallel(n).n_jobs(), n);
    EXPECT_EQ(n_jobs_of({.n_jobs = n}), n);
  }
  constexpr auto most = std::numeric_limits<int>::max();
  EXPECT_EQ(Parallel(most).n_jobs(), most);
}

TEST(NJobs, AreAllCpusByDefault) {
  EXPECT_EQ(Parallel().n_jobs(), cpu_count());
  EXPECT_EQ(Parallel(Options{}).n_jobs(), cpu_count());
  EXPECT_EQ(n_jobs_of({.n_jobs = std::nullopt}), cpu_count());
}

TEST(NJobs, CountBackFromAllCpusWhenNegative) {
  for (int k = 1; k <= cpu_count() + 3; ++k) {
    EXPECT_EQ(Parallel(-k).n_jobs(), std::max(cpu_count() + 1 - k, 1));
  }
  EXPECT_EQ(Parallel(-1'000'000).n_jobs(), 1);
  EXPECT_EQ(Parallel(std::numeric_limits<int>::min()).n_jobs(), 1);
}

TEST(NJobs, AreOfAnyIntegerType) {
  EXPECT_EQ(n_jobs_of({.n_jobs = 3U}), 3);
  EXPECT_EQ(n_jobs_of({.n_jobs = std::int64_t{3}}), 3);
  EXPECT_EQ(n_jobs_of({.n_jobs = std::uint8_t{255}}), 255);
  EXPECT_EQ(n_jobs_of({.n_jobs = std::int8_t{-128}}), std::max(cpu_count() - 127, 1));
  EXPECT_EQ(n_jobs_of({.n_jobs = std::size_t{3}}), 3);
}

TEST(NJobs, AreNeverZeroAndNeverNarrowed) {
  expect_refused({.n_jobs = 0}, "n_jobs", " 0 ", "-1 for all CPUs");
  expect_refused({.n_jobs = std::size_t{0}}, "n_jobs", " 0 ", "-1 for all CPUs");
  expect_refused({.n_jobs = std::int64_t{1} << 32}, "n_jobs", "4294967296", "up to 2147483647");
  expect_refused({.n_jobs = 2147483648U}, "n_jobs", "2147483648", "up to 2147483647");
  expect_refused({.n_jobs = std::numeric_limits<std::size_t>::max()}, "n_jobs",
                 "18446744073709551615", "up to 2147483647");
  expect_refused({.n_jobs = std::numeric_limits<std::int64_t>::min()}, "n_jobs",
                 "-9223372036854775808", "-1 for all CPUs");
  EXPECT_THROW(Parallel(0), InvalidOption);
}

TEST(NJobs, AreWhatTheBackendMakesOfThem) {
  EXPECT_EQ(n_jobs_of({.n_jobs = 4, .backend = "sequential"}), 1);
  auto const three = std::make_shared<Pretender>("Three", true, 3);
  EXPECT_EQ(n_jobs_of({.n_jobs = 8, .backend = three}), 3);
  EXPECT_EQ(effective_n_jobs(-1), cpu_count());
  auto const scope = parallel_config({.backend = three});
  EXPECT_EQ(effective_n_jobs(8), 3);
}

TEST(NJobs, OfABackendWithoutWorkersAreAnError) {
  for (int const n : {0, -1}) {
    auto const none = std::make_shared<Pretender>("Nobody", true, n);
    try {
      Parallel const parallel{{.n_jobs = 2, .backend = none}};
      FAIL() << "nothing was thrown";
    } catch (joblot::Error const& error) {
      EXPECT_TRUE(contains(error.what(), "Nobody has no active worker")) << error.what();
    }
  }
}

TEST(EffectiveNJobs, AreThoseOfACallMadeHere) {
  EXPECT_EQ(effective_n_jobs(), cpu_count());
  EXPECT_EQ(effective_n_jobs(1), 1);
  EXPECT_EQ(effective_n_jobs(5), 5);
  EXPECT_EQ(effective_n_jobs(-100'000), 1);
  EXPECT_EQ(effective_n_jobs(std::nullopt), cpu_count());
  EXPECT_THROW(static_cast<void>(effective_n_jobs(0)), InvalidOption);
}

TEST(EffectiveNJobs, OfNulloptAreTheScopes) {
  {
    auto const scope = parallel_config({.n_jobs = 3});
    EXPECT_EQ(effective_n_jobs(std::nullopt), 3);
    EXPECT_EQ(effective_n_jobs(), cpu_count());
    EXPECT_EQ(effective_n_jobs(7), 7);
  }
  {
    auto const scope = parallel_config({.n_jobs = -1});
    EXPECT_EQ(effective_n_jobs(std::nullopt), cpu_count());
  }
  auto const scope = parallel_config({.n_jobs = 3, .backend = "sequential"});
  EXPECT_EQ(effective_n_jobs(std::nullopt), 1);
  EXPECT_EQ(effective_n_jobs(7), 1);
}

// --- values that are refused --------------------------------------------------------------------

TEST(InvalidOption, IsAnInvalidArgument) {
  EXPECT_THROW(Parallel({.n_jobs = 0}), std::invalid_argument);
}

TEST(InvalidOption, NamesTheOptionTheValueAndWhatIsAllowed) {
  expect_refused({.backend = "threds"}, "backend", "\"threds\"", "\"threading\"");
  expect_refused({.backend = std::shared_ptr<Backend>()}, "backend", "null", "a backend object");
  expect_refused({.verbose = -1}, "verbose", "-1", "0 or more");
  expect_refused({.verbose = 1LL << 40}, "verbose", "1099511627776", "up to 2147483647");
  expect_refused({.timeout = 0s}, "timeout", "0.0", "longer than zero");
  expect_refused({.timeout = -1s}, "timeout", "-1.0", "longer than zero");
  expect_refused(
      {.timeout = std::chrono::duration<double>(std::numeric_limits<double>::quiet_NaN())},
      "timeout", "nan", "longer than zero");
  expect_refused({.batch_size = 0}, "batch_size", " 0 ", "from 1 on");
  expect_refused({.batch_size = -1}, "batch_size", "-1", "from 1 on");
  expect_refused({.batch_size = "3"}, "batch_size", "\"3\"", "\"auto\"");
  expect_refused({.batch_size = "Auto"}, "batch_size", "\"Auto\"", "\"auto\"");
  expect_refused({.batch_size = ""}, "batch_size", "\"\"", "\"auto\"");
  expect_refused({.retries = -1}, "retries", "-1", "0 or more");
  expect_refused({.max_nbytes = -1}, "max_nbytes", "-1", "0 on");
  expect_refused({.max_nbytes = "1Q"}, "max_nbytes", "1Q", "1.4M");
  expect_refused({.inner_max_num_threads = 0}, "inner_max_num_threads", " 0 ", "1 or more");
  expect_refused({.max_tasks_per_child = 0}, "max_tasks_per_child", " 0 ", "1 or more");
  expect_refused({.idle_worker_timeout = 0s}, "idle_worker_timeout", "0.0", "longer than zero");
}

TEST(InvalidOption, IsThrownByScopesToo) {
  EXPECT_TRUE(contains(scope_refusal({.n_jobs = 0}), "n_jobs"));
  EXPECT_TRUE(contains(scope_refusal({.backend = "threds"}), "\"threds\""));
  EXPECT_TRUE(contains(scope_refusal({.verbose = -1}), "verbose"));
  EXPECT_TRUE(contains(scope_refusal({.timeout = 0s}), "timeout"));
  EXPECT_TRUE(contains(scope_refusal({.pre_dispatch = 0}), "pre_dispatch"));
  EXPECT_TRUE(contains(scope_refusal({.pre_dispatch = "foo("}), "foo("));
  // Right for some numbers of workers.
  EXPECT_EQ(scope_refusal({.pre_dispatch = "6 // (n_jobs - 1)"}), "");
  EXPECT_TRUE(contains(scope_refusal({.batch_size = 0}), "batch_size"));
  EXPECT_TRUE(contains(scope_refusal({.max_nbytes = "1Q"}), "max_nbytes"));
  EXPECT_TRUE(contains(scope_refusal({.prefer = Prefer::processes, .require = Require::sharedmem}),
                       "require"));
  EXPECT_TRUE(
      contains(scope_refusal({.backend = "loky", .require = Require::sharedmem}), "require"));
  // What is refused is not in force.
  EXPECT_EQ(Parallel().n_jobs(), cpu_count());
}

TEST(InvalidOption, IsThrownBeforeAnyTaskRuns) {
  bool ran = false;
  auto const task = [&ran] { ran = true; };
  EXPECT_THROW(Parallel({.n_jobs = 2, .pre_dispatch = "0.4 * n_jobs"})(task), InvalidOption);
  EXPECT_THROW(Parallel({.batch_size = -5})(task), InvalidOption);
  EXPECT_FALSE(ran);
}

TEST(Values, AtTheEndsOfTheirRangesAreTaken) {
  EXPECT_EQ(refusal({.verbose = 0}), "");
  EXPECT_EQ(refusal({.timeout = 1ns}), "");
  EXPECT_EQ(refusal({.timeout = std::chrono::duration<double>(1e-30)}), "");
  EXPECT_EQ(refusal({.timeout = std::chrono::hours::max()}), "");
  EXPECT_EQ(
      refusal({.timeout = std::chrono::duration<double>(std::numeric_limits<double>::infinity())}),
      "");
  EXPECT_EQ(refusal({.batch_size = std::numeric_limits<std::size_t>::max()}), "");
  EXPECT_EQ(refusal({.pre_dispatch = std::numeric_limits<std::size_t>::max()}), "");
  EXPECT_EQ(refusal({.retries = 0}), "");
  EXPECT_EQ(refusal({.max_nbytes = 0}), "");
  EXPECT_EQ(refusal({.max_nbytes = "1.4M"}), "");
  EXPECT_EQ(refusal({.temp_folder = "/nowhere"}), "");
  EXPECT_EQ(refusal({.idle_worker_timeout = 1ms}), "");
}

TEST(Values, MayAllBeNone) {
  EXPECT_EQ(refusal({.n_jobs = std::nullopt,
                     .backend = std::nullopt,
                     .verbose = std::nullopt,
                     .timeout = std::nullopt,
                     .pre_dispatch = std::nullopt,
                     .batch_size = std::nullopt,
                     .prefer = std::nullopt,
                     .require = std::nullopt,
                     .retries = std::nullopt,
                     .max_nbytes = std::nullopt,
                     .mmap_mode = std::nullopt,
                     .temp_folder = std::nullopt,
                     .inner_max_num_threads = std::nullopt,
                     .initializer = std::nullopt,
                     .max_tasks_per_child = std::nullopt,
                     .idle_worker_timeout = std::nullopt,
                     .on_progress = std::nullopt,
                     .progress_bar = std::nullopt,
                     .stop = std::nullopt}),
            "");
}

// --- pre_dispatch and batch_size ----------------------------------------------------------------

TEST(PreDispatch, IsTwiceTheWorkersByDefault) {
  EXPECT_EQ(resolve({.n_jobs = 3}).window, 6U);
  EXPECT_FALSE(resolve({.n_jobs = 3}).window_given);
  EXPECT_EQ(resolve({.n_jobs = 3, .pre_dispatch = std::nullopt}).window, 6U);
  EXPECT_EQ(resolve({.n_jobs = 3, .backend = "sequential"}).window, 2U);
}

TEST(PreDispatch, IsANumberATextOrAll) {
  EXPECT_EQ(resolve({.n_jobs = 3, .pre_dispatch = 7}).window, 7U);
  EXPECT_EQ(resolve({.n_jobs = 3, .pre_dispatch = "7"}).window, 7U);
  EXPECT_EQ(resolve({.n_jobs = 3, .pre_dispatch = "n_jobs"}).window, 3U);
  EXPECT_EQ(resolve({.n_jobs = 3, .pre_dispatch = "1.5 * n_jobs"}).window, 4U);
  EXPECT_EQ(resolve({.n_jobs = 3, .pre_dispatch = "2**n_jobs - 1"}).window, 7U);
  EXPECT_EQ(resolve({.n_jobs = 3, .pre_dispatch = "all"}).window, std::nullopt);
  EXPECT_TRUE(resolve({.pre_dispatch = "all"}).window_given);
}

TEST(PreDispatch, CountsTheWorkersThereReallyAre) {
  auto const three = std::make_shared<Pretender>("Three", true, 3);
  EXPECT_EQ(resolve({.n_jobs = 50, .backend = three, .pre_dispatch = "4*n_jobs"}).window, 12U);
  EXPECT_EQ(resolve({.n_jobs = -1, .pre_dispatch = "n_jobs"}).window,
            static_cast<std::size_t>(cpu_count()));
}

TEST(PreDispatch, BelowOneIsRefused) {
  expect_refused({.pre_dispatch = 0}, "pre_dispatch", " 0 ", "\"all\"");
  expect_refused({.pre_dispatch = -2}, "pre_dispatch", "-2", "\"all\"");
  expect_refused({.n_jobs = 2, .pre_dispatch = "0"}, "pre_dispatch", "\"0\"", "at least 1");
  expect_refused({.n_jobs = 2, .pre_dispatch = "0.4 * n_jobs"}, "pre_dispatch", "0.8",
                 "at least 1");
  expect_refused({.n_jobs = 2, .pre_dispatch = "-n_jobs"}, "pre_dispatch", "-2", "at least 1");
  EXPECT_EQ(refusal({.n_jobs = 3, .pre_dispatch = "0.4 * n_jobs"}), "");
}

TEST(PreDispatch, ThatIsNoArithmeticIsRefused) {
  for (auto const* text : {"", "al", "ALL", "n_job", "2 n_jobs", "2 * n_jobs;", "f(2)", "1 ^ 1",
                           "1 // 0", "1 % 0", "' ' * 10", "__import__('os')", "9**9**9"}) {
    expect_refused({.n_jobs = 2, .pre_dispatch = text}, "pre_dispatch", text, "\"all\"");
  }
}

TEST(BatchSize, IsAutomaticUnlessANumberIsGiven) {
  EXPECT_EQ(resolve({}).batch_size, std::nullopt);
  EXPECT_EQ(resolve({.batch_size = "auto"}).batch_size, std::nullopt);
  EXPECT_EQ(resolve({.batch_size = 1}).batch_size, 1U);
  EXPECT_EQ(resolve({.batch_size = 1ULL << 40}).batch_size, std::size_t{1} << 40);
}

// --- which backend ------------------------------------------------------------------------------

TEST(BackendChoice, IsThreadsByDefault) {
  EXPECT_EQ(backend_of({}), "ThreadingBackend");
  EXPECT_EQ(backend_of({.backend = std::nullopt}), "ThreadingBackend");
  EXPECT_EQ(backend_of({.n_jobs = 1}), "ThreadingBackend");
}

TEST(BackendChoice, IsTheNameOrTheObjectGiven) {
  EXPECT_EQ(backend_of({.backend = "threading"}), "ThreadingBackend");
  EXPECT_EQ(backend_of({.backend = "sequential"}), "SequentialBackend");
  EXPECT_EQ(backend_of({.backend = "loky"}), "LokyBackend");
  EXPECT_EQ(backend_of({.backend = "multiprocessing"}), "MultiprocessingBackend");
  auto const mine = sharing();
  EXPECT_EQ(resolve({.backend = mine}).backend, mine);
  register_parallel_backend("config.mine", sharing);
  EXPECT_EQ(backend_of({.backend = "config.mine"}), "Sharing");
}

TEST(BackendChoice, OfAFactoryThatMakesNothingIsRefused) {
  register_parallel_backend("config.null", [] { return std::shared_ptr<Backend>(); });
  EXPECT_TRUE(contains(refusal({.backend = "config.null"}), "\"config.null\""));
}

TEST(BackendChoice, IsTheDefaultThatWasRegistered) {
  register_parallel_backend("config.default", separate, true);
  auto const restore = std::shared_ptr<void>(nullptr, [](void*) {
    register_parallel_backend(
        "threading", [] { return joblot::detail::threading_backend(); }, true);
  });
  EXPECT_EQ(backend_of({}), "Separate");
  EXPECT_EQ(backend_of({.prefer = Prefer::processes}), "Separate");
  EXPECT_EQ(backend_of({.backend = "sequential"}), "SequentialBackend");
  // Where memory has to be or should be shared, a default that does not share it is passed over.
  EXPECT_EQ(backend_of({.require = Require::sharedmem}), "ThreadingBackend");
  EXPECT_EQ(backend_of({.prefer = Prefer::threads}), "ThreadingBackend");
  auto const scope = parallel_config({.prefer = Prefer::threads});
  EXPECT_EQ(backend_of({}), "ThreadingBackend");
  EXPECT_EQ(backend_of({.prefer = std::nullopt}), "Separate");
}

TEST(Prefer, IsOnlyAHint) {
  for (int const n_jobs : {1, 2}) {
    for (auto const prefer : {Prefer::threads, Prefer::processes}) {
      EXPECT_NO_THROW(Parallel({.n_jobs = n_jobs, .prefer = prefer}));
      auto const scope = parallel_config({.prefer = prefer});
      EXPECT_NO_THROW(Parallel{n_jobs});
      EXPECT_EQ(backend_of({.n_jobs = n_jobs, .backend = "sequential"}), "SequentialBackend");
    }
  }
  EXPECT_EQ(backend_of({.prefer = Prefer::processes}), "LokyBackend");
  EXPECT_EQ(backend_of({.prefer = Prefer::threads}), "ThreadingBackend");
  EXPECT_EQ(backend_of({.backend = separate(), .prefer = Prefer::threads}), "Separate");
  EXPECT_EQ(backend_of({.backend = "threading", .prefer = Prefer::processes}), "ThreadingBackend");
  auto const scope = parallel_config({.backend = separate()});
  EXPECT_EQ(backend_of({.prefer = Prefer::threads}), "Separate");
}

TEST(Require, IsMetByAnyBackendThatSharesMemory) {
  EXPECT_EQ(backend_of({.require = Require::sharedmem}), "ThreadingBackend");
  EXPECT_EQ(backend_of({.backend = "sequential", .require = Require::sharedmem}),
            "SequentialBackend");
  EXPECT_EQ(backend_of({.backend = sharing(), .require = Require::sharedmem}), "Sharing");
  EXPECT_EQ(backend_of({.prefer = Prefer::threads, .require = Require::sharedmem}),
            "ThreadingBackend");
}

TEST(Require, ContradictsAProcessBackendInTheSameOptions) {
  expect_refused({.backend = separate(), .require = Require::sharedmem}, "require", "sharedmem",
                 "Separate");
  expect_refused({.backend = "loky", .require = Require::sharedmem}, "require", "sharedmem",
                 "\"loky\"");
  expect_refused({.prefer = Prefer::processes, .require = Require::sharedmem}, "require",
                 "sharedmem", "Prefer");
}

TEST(Require, OverridesAScopesProcessBackendAndKeepsItsNJobs) {
  auto const scope = parallel_config({.n_jobs = 5, .backend = separate()});
  EXPECT_EQ(backend_of({}), "Separate");
  EXPECT_EQ(backend_of({.require = Require::sharedmem}), "ThreadingBackend");
  EXPECT_EQ(n_jobs_of({.require = Require::sharedmem}), 5);
  EXPECT_EQ(n_jobs_of({.n_jobs = 3, .require = Require::sharedmem}), 3);
  auto const inner = parallel_config({.backend = sharing()});
  EXPECT_EQ(backend_of({.require = Require::sharedmem}), "Sharing");
}

TEST(Require, SaysWhichBackendItPassesOver) {
  auto const printed = [](Options const& options) {
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    Parallel const parallel(options);
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
    return testing::internal::GetCapturedStdout();
  };
  auto const scope = parallel_config({.backend = separate()});
  EXPECT_EQ(printed({.verbose = 10, .require = Require::sharedmem}),
            "Using ThreadingBackend as joblot backend instead of Separate as the latter does not "
            "provide shared memory semantics.\n");
  EXPECT_EQ(printed({.verbose = 9, .require = Require::sharedmem}), "");
  EXPECT_EQ(printed({.verbose = 10}), "");
  EXPECT_EQ(printed({.backend = sharing(), .verbose = 10, .require = Require::sharedmem}), "");
}

TEST(Require, OfAScopeIsAHardConstraintToo) {
  auto const scope = parallel_config({.require = Require::sharedmem});
  EXPECT_EQ(backend_of({.backend = separate()}), "ThreadingBackend");
  EXPECT_EQ(backend_of({.backend = separate(), .require = std::nullopt}), "Separate");
  EXPECT_EQ(backend_of({.prefer = Prefer::processes}), "ThreadingBackend");
}

TEST(ProcessOptions, OnThreadsAreRefusedInTheSameOptions) {
  expect_refused({.inner_max_num_threads = 2}, "inner_max_num_threads", "2", "ThreadingBackend");
  expect_refused({.backend = "threading", .max_tasks_per_child = 3}, "max_tasks_per_child", "3",
                 "ThreadingBackend");
  expect_refused({.backend = "sequential", .inner_max_num_threads = 2}, "inner_max_num_threads",
                 "2", "SequentialBackend");
  EXPECT_EQ(refusal({.backend = separate(), .inner_max_num_threads = 2}), "");
  EXPECT_TRUE(contains(scope_refusal({.backend = "threading", .inner_max_num_threads = 2}),
                       "inner_max_num_threads"));
}

TEST(ProcessOptions, OnThreadsAreIgnoredWhenTheyComeFromAScope) {
  auto const scope = parallel_config({.inner_max_num_threads = 2, .max_tasks_per_child = 3});
  EXPECT_EQ(backend_of({}), "ThreadingBackend");
  EXPECT_EQ(backend_of({.backend = "sequential"}), "SequentialBackend");
}

TEST(ProcessOptions, ThatHaveNothingToDoOnThreadsAreIgnored) {
  EXPECT_EQ(refusal({.n_jobs = 2,
                     .backend = "threading",
                     .retries = 3,
                     .max_nbytes = "1K",
                     .mmap_mode = joblot::MmapMode::c,
                     .temp_folder = "/tmp",
                     .idle_worker_timeout = 1s}),
            "");
}

// --- scopes -------------------------------------------------------------------------------------

TEST(Scope, IsInForceWhileItsGuardLives) {
  {
    auto const scope = parallel_config({.n_jobs = 3});
    EXPECT_EQ(Parallel().n_jobs(), 3);
    EXPECT_EQ(Parallel(5).n_jobs(), 5);
  }
  EXPECT_EQ(Parallel().n_jobs(), cpu_count());
}

TEST(Scope, IsReadWhenAParallelIsMade) {
  std::optional<Parallel> inside;
  Parallel const outside;
  {
    auto const scope = parallel_config({.n_jobs = 3});
    inside.emplace();
    EXPECT_EQ(outside.n_jobs(), cpu_count());
  }
  EXPECT_EQ(inside->n_jobs(), 3);
}

TEST(Scope, IsInheritedByInnerOnesWhereTheySetNothing) {
  auto const outer = parallel_config({.n_jobs = 3, .backend = "sequential", .verbose = 7});
  {
    auto const inner = parallel_config({.backend = "threading", .pre_dispatch = "5 * n_jobs"});
    auto const plan = resolve({.batch_size = 4});
    EXPECT_EQ(plan.n_jobs, 3);
    EXPECT_EQ(plan.backend->name(), "ThreadingBackend");
    EXPECT_EQ(plan.verbose, 7);
    EXPECT_EQ(plan.window, 15U);
    EXPECT_EQ(plan.batch_size, 4U);
  }
  EXPECT_EQ(resolve({}).n_jobs, 1);
  EXPECT_EQ(resolve({}).window, 2U);
}

TEST(Scope, GivesEveryOption) {
  std::stop_source source;
  int reports = 0;
  auto const scope = parallel_config({.n_jobs = 3,
                                      .verbose = 4,
                                      .timeout = 5s,
                                      .pre_dispatch = 6,
                                      .batch_size = 7,
                                      .initializer = [] {},
                                      .on_progress = [&](Progress const&) { ++reports; },
                                      .progress_bar = true,
                                      .stop = source.get_token()});
  auto const plan = resolve({});
  EXPECT_EQ(plan.n_jobs_asked, 3);
  EXPECT_EQ(plan.verbose, 4);
  EXPECT_EQ(plan.timeout, 5s);
  EXPECT_EQ(plan.window, 6U);
  EXPECT_EQ(plan.batch_size, 7U);
  EXPECT_NE(plan.initializer, nullptr);
  plan.on_progress({});
  EXPECT_EQ(reports, 1);
  EXPECT_TRUE(plan.progress_bar);
  EXPECT_EQ(plan.stop, source.get_token());
}

TEST(Scope, IsOverriddenByNone) {
  std::stop_source source;
  auto const scope = parallel_config({.n_jobs = 3,
                                      .backend = "sequential",
                                      .verbose = 4,
                                      .timeout = 5s,
                                      .pre_dispatch = 6,
                                      .batch_size = 7,
                                      .initializer = [] {},
                                      .on_progress = [](Progress const&) {},
                                      .progress_bar = true,
                                      .stop = source.get_token()});
  Options const none{.n_jobs = std::nullopt,
                     .backend = std::nullopt,
                     .verbose = std::nullopt,
                     .timeout = std::nullopt,
                     .pre_dispatch = std::nullopt,
                     .batch_size = std::nullopt,
                     .initializer = std::nullopt,
                     .on_progress = std::nullopt,
                     .progress_bar = std::nullopt,
                     .stop = std::nullopt};
  auto const expect_defaults = [](Plan const& plan) {
    EXPECT_EQ(plan.n_jobs, cpu_count());
    EXPECT_EQ(plan.n_jobs_asked, -1);
    EXPECT_EQ(plan.backend->name(), "ThreadingBackend");
    EXPECT_EQ(plan.verbose, 0);
    EXPECT_EQ(plan.timeout, std::nullopt);
    EXPECT_EQ(plan.window, 2 * static_cast<std::size_t>(cpu_count()));
    EXPECT_FALSE(plan.window_given);
    EXPECT_EQ(plan.batch_size, std::nullopt);
    EXPECT_EQ(plan.initializer, nullptr);
    EXPECT_FALSE(plan.on_progress);
    EXPECT_FALSE(plan.progress_bar);
    EXPECT_FALSE(plan.stop.stop_possible());
  };
  expect_defaults(resolve(none));
  auto const inner = parallel_config(none);
  expect_defaults(resolve({}));
}

TEST(Scope, IsOfItsThread) {
  auto const scope = parallel_config({.n_jobs = 3});
  int elsewhere = 0;
  int own = 0;
  int after = 0;
  std::thread([&] {
    elsewhere = Parallel().n_jobs();
    {
      auto const there = parallel_config({.n_jobs = 7});
      own = Parallel().n_jobs();
    }
    after = Parallel().n_jobs();
  }).join();
  EXPECT_EQ(elsewhere, cpu_count());
  EXPECT_EQ(own, 7);
  EXPECT_EQ(after, cpu_count());
  EXPECT_EQ(Parallel().n_jobs(), 3);
}

TEST(Scope, MayEndInAnyOrder) {
  auto first = std::make_unique<ParallelConfig>(Options{.n_jobs = 3, .batch_size = 30});
  auto second = std::make_unique<ParallelConfig>(Options{.n_jobs = 4});
  auto third = std::make_unique<ParallelConfig>(Options{.n_jobs = 5});
  second.reset();
  EXPECT_EQ(resolve({}).n_jobs, 5);
  EXPECT_EQ(resolve({}).batch_size, 30U);
  first.reset();
  EXPECT_EQ(resolve({}).n_jobs, 5);
  EXPECT_EQ(resolve({}).batch_size, std::nullopt);
  auto fourth = std::make_unique<ParallelConfig>(Options{.n_jobs = 6});
  third.reset();
  EXPECT_EQ(resolve({}).n_jobs, 6);
  fourth.reset();
  EXPECT_EQ(resolve({}).n_jobs, cpu_count());
}

TEST(Scope, ThatIsRefusedChangesNothing) {
  auto const scope = parallel_config({.n_jobs = 3});
  EXPECT_NE(scope_refusal({.n_jobs = 4, .batch_size = 0}), "");
  EXPECT_EQ(Parallel().n_jobs(), 3);
  EXPECT_EQ(resolve({}).batch_size, std::nullopt);
}

TEST(Scope, HoldsTheBackendThatItWasGiven) {
  auto const mine = sharing();
  auto const scope = parallel_config({.backend = mine});
  EXPECT_EQ(resolve({}).backend, mine);
  EXPECT_EQ(resolve({.n_jobs = 2}).backend, mine);
}

// --- scopes and tasks ---------------------------------------------------------------------------

/// What a task sees of the scopes around it, for each way to run one.
template <class Check>
void in_every_kind_of_task(Check check) {
  for (auto const* backend : {"threading", "sequential"}) {
    for (int const n_jobs : {1, 3}) {
      Parallel const parallel{{.n_jobs = n_jobs, .backend = backend}};
      std::vector<std::function<int()>> const tasks(20, check);
      for (int const seen : parallel(tasks)) ASSERT_EQ(seen, cpu_count());
      for (int const seen : parallel.map(tasks, [](auto& task) { return task(); })) {
        ASSERT_EQ(seen, cpu_count());
      }
      for (auto const& outcome : parallel.outcomes(tasks)) ASSERT_EQ(outcome.value(), cpu_count());
      for (int const seen : parallel.generator(tasks)) ASSERT_EQ(seen, cpu_count());
      for (int const seen : parallel.generator_unordered(tasks)) ASSERT_EQ(seen, cpu_count());
      auto const [a, b] = parallel(check, check);
      ASSERT_EQ(a + b, 2 * cpu_count());
    }
  }
}

TEST(ScopeAroundTasks, IsNotInForceInThem) {
  auto const scope = parallel_config({.n_jobs = cpu_count() + 3});
  in_every_kind_of_task([] { return Parallel().n_jobs(); });
  in_every_kind_of_task([] { return effective_n_jobs(std::nullopt); });
  EXPECT_EQ(Parallel().n_jobs(), cpu_count() + 3);
}

TEST(ScopeAroundTasks, IsNotInForceInTasksOfNestedCalls) {
  auto const scope = parallel_config({.n_jobs = cpu_count() + 3});
  in_every_kind_of_task([] {
    auto const inner = parallel_config({.n_jobs = cpu_count() + 5});
    auto const nested =
        Parallel(2).map(std::views::iota(0, 4), [](int) { return Parallel().n_jobs(); });
    return *std::max_element(nested.begin(), nested.end());
  });
}

TEST(ScopeInATask, IsInForceInItAndEndsWithIt) {
  auto const scope = parallel_config({.n_jobs = cpu_count() + 3});
  in_every_kind_of_task([] {
    auto const before = Parallel().n_jobs();
    {
      auto const own = parallel_config({.n_jobs = cpu_count() + 7});
      if (Parallel().n_jobs() != cpu_count() + 7) return -1;
    }
    return Parallel().n_jobs() == before ? before : -2;
  });
}

TEST(ScopeAroundTasks, IsInForceAgainAfterACallThatThrew) {
  auto const scope = parallel_config({.n_jobs = 3});
  for (int const n_jobs : {1, 2}) {
    EXPECT_THROW(Parallel(n_jobs).for_each(std::views::iota(0, 9),
                                           [](int) {
                                             auto const own = parallel_config({.n_jobs = 9});
                                             throw std::runtime_error("task");
                                           }),
                 std::runtime_error);
    EXPECT_EQ(Parallel().n_jobs(), 3);
  }
}

}  // namespace
