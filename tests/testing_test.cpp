// SPDX-License-Identifier: MIT
// The public checks of backends: what is right passes, and each rule, broken, fails its check.
#include <algorithm>
#include <any>
#include <atomic>
#include <chrono>
#include <concepts>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <iterator>
#include <latch>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <ranges>
#include <set>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <joblot/joblot.hpp>
#include <joblot/testing.hpp>

namespace {

using joblot::Backend;
using joblot::Call;
using joblot::Generator;
using joblot::Options;
using joblot::Parallel;
using joblot::testing::check_backend;
using joblot::testing::CheckOptions;
using joblot::testing::Report;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Names = std::set<std::string>;

Names failed(Report const& report) {
  Names names;
  for (auto const& check : report.checks) {
    if (!check.passed) names.insert(check.name);
  }
  return names;
}

std::string detail(Report const& report, std::string_view name) {
  auto const check = std::ranges::find(report.checks, name, &joblot::testing::Check::name);
  return check == report.checks.end() ? "there is no such check" : check->detail;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// Backends that keep the rules.

/// One thread for each worker of each call. Late: they come after many calls have ended.
class OwnThreads final : public Backend {
 public:
  explicit OwnThreads(milliseconds late = milliseconds(0)) : late_(late) {}

  [[nodiscard]] std::string_view name() const override { return "OwnThreads"; }

  void start(std::shared_ptr<Call> call) override {
    std::lock_guard const lock(mutex_);
    threads_.remove_if([](Worker const& worker) { return worker.done->load(); });
    for (int w = 1; w < call->n_jobs(); ++w) {
      auto done = std::make_shared<std::atomic<bool>>(false);
      threads_.push_back({done, std::jthread([call, w, done, late = late_] {
                            std::this_thread::sleep_for(late);
                            call->work(w);
                            *done = true;
                          })});
    }
  }

 private:
  struct Worker {
    std::shared_ptr<std::atomic<bool>> done;
    std::jthread thread;
  };
  milliseconds late_;
  std::mutex mutex_;
  std::list<Worker> threads_;
};

/// Brings nobody: all is left to the caller.
class Nobody final : public Backend {
 public:
  [[nodiscard]] std::string_view name() const override { return "Nobody"; }
  void start(std::shared_ptr<Call> /*call*/) override {}
};

// Backends that break them. In most of them `work` runs on a thread left alone, so that nothing
// but the rule in question is broken.

class Broken : public Backend {
 public:
  [[nodiscard]] std::string_view name() const override { return "Broken"; }
  void start(std::shared_ptr<Call> call) override {
    for (int w = 1; w < call->n_jobs(); ++w) work_apart(call, w);
  }

 protected:
  static std::thread thread_for(std::shared_ptr<Call> call, int worker) {
    return std::thread([call = std::move(call), worker] { call->work(worker); });
  }
  static void work_apart(std::shared_ptr<Call> call, int worker) {
    thread_for(std::move(call), worker).detach();
  }
};

class Nameless final : public Broken {
  [[nodiscard]] std::string_view name() const override { return ""; }
};

class NoWorkers final : public Broken {
  [[nodiscard]] int effective_n_jobs(int /*asked*/) const override { return 0; }
};

class OneNumberForAll final : public Broken {
  void start(std::shared_ptr<Call> call) override {
    for (int w = 1; w < call->n_jobs(); ++w) work_apart(call, 1);
  }
};

/// Does not bring anybody to a generator, because that would hang.
class WorksInStart final : public Broken {
  void start(std::shared_ptr<Call> call) override {
    if (call->n_jobs() <= 4) call->work(1);
  }
};

/// Neither does this.
class WaitsForWorkers final : public Broken {
  void start(std::shared_ptr<Call> call) override {
    if (call->n_jobs() <= 4) thread_for(call, 1).join();
  }
};

/// Has four threads, and `start` waits until as many as it needs are free: a nested call waits for
/// threads that wait for it.
class FourThreads final : public Broken {
 public:
  struct Threads {
    std::mutex mutex;
    std::condition_variable changed;
    int free = 4;
    bool open = false;
  };

  explicit FourThreads(std::shared_ptr<Threads> threads) : threads_(std::move(threads)) {}

  void start(std::shared_ptr<Call> call) override {
    auto const wanted = call->n_jobs() - 1;
    std::unique_lock lock(threads_->mutex);
    threads_->changed.wait(lock, [&] { return threads_->free >= wanted || threads_->open; });
    if (threads_->open) return;
    threads_->free -= wanted;
    for (int w = 1; w <= wanted; ++w) {
      std::thread([threads = threads_, call, w]() mutable {
        call->work(w);
        call.reset();
        std::lock_guard const again(threads->mutex);
        ++threads->free;
        threads->changed.notify_all();
      }).detach();
    }
  }

 private:
  std::shared_ptr<Threads> threads_;
};

// Fronts that break rules which no backend can break. Each hides one member of Parallel.

template <class R>
constexpr bool holds_tasks =
    std::same_as<std::remove_cvref_t<R>, std::vector<std::function<int()>>>;

struct SwapsResults : Parallel {
  using Parallel::Parallel;
  template <std::ranges::input_range R>
  auto operator()(R&& tasks) const {
    auto results = Parallel::operator()(std::forward<R>(tasks));
    if (results.size() > 1) std::swap(results.front(), results.back());
    return results;
  }
};

/// All but its own.
struct LosesErrors : Parallel {
  using Parallel::Parallel;
  template <std::ranges::input_range R>
  auto operator()(R&& tasks) const -> std::vector<int> {
    try {
      return Parallel::operator()(std::forward<R>(tasks));
    } catch (joblot::Error const&) {
      throw;
    } catch (...) {
      return {};
    }
  }
};

/// Returns from for_each while the second half of the range is still being worked on.
struct LeavesTasksRunning : Parallel {
  using Parallel::Parallel;
  template <class R, class F>
  void for_each(R&& range, F f) const {
    auto const size = static_cast<std::ptrdiff_t>(std::ranges::size(range));
    std::vector const rest(range.begin() + size / 2, range.end());
    Parallel::for_each(range | std::views::take(size / 2), f);
    auto const begun = std::make_shared<std::latch>(1);
    std::thread([rest, f, begun] {
      begun->count_down();
      for (auto const& element : rest) f(element);
    }).detach();
    begun->wait();
  }
};

struct LosesTheLastTask : Parallel {
  using Parallel::Parallel;
  template <class R, class F>
  auto map(R&& range, F f) const {
    auto const size = static_cast<std::ptrdiff_t>(std::ranges::size(range));
    return Parallel::map(range | std::views::take(size - 1), f);
  }
};

struct RunsATaskTwice : Parallel {
  using Parallel::Parallel;
  template <class R, class F>
  auto map(R&& range, F f) const {
    f(*std::ranges::begin(range));
    return Parallel::map(std::forward<R>(range), f);
  }
};

struct ReadsAllAhead : Parallel {
  using Parallel::Parallel;
  template <std::ranges::input_range R>
  auto generator(R&& tasks) const {
    std::vector<std::ranges::range_value_t<R>> all;
    std::ranges::copy(tasks, std::back_inserter(all));
    return Parallel::generator(std::move(all));
  }
};

struct IgnoresClose : Parallel {
  using Parallel::Parallel;
  struct Stubborn {
    Generator<int> inner;
    std::optional<int> next() { return inner.next(); }
    void close() {}
  };
  template <class R>
  auto generator(R&& tasks) const {
    return Stubborn{Parallel::generator(std::forward<R>(tasks))};
  }
};

/// Generators that are dropped go on until `left_behind` is cleared.
struct IgnoresDestruction : Parallel {
  using Parallel::Parallel;
  inline static std::mutex mutex;
  inline static std::list<Generator<int>> left_behind;

  struct Immortal {
    std::optional<Generator<int>> inner;
    explicit Immortal(Generator<int> generator) : inner(std::move(generator)) {}
    Immortal(Immortal&& other) noexcept : inner(std::exchange(other.inner, std::nullopt)) {}
    Immortal& operator=(Immortal&&) = delete;
    ~Immortal() {
      if (!inner) return;
      std::lock_guard const lock(mutex);
      left_behind.push_back(std::move(*inner));
    }
    std::optional<int> next() { return inner->next(); }
    void close() { inner->close(); }
  };
  template <class R>
  auto generator(R&& tasks) const {
    return Immortal(Parallel::generator(std::forward<R>(tasks)));
  }
};

struct IgnoresStop : Parallel {
  explicit IgnoresStop(Options options) : Parallel(without_stop(std::move(options))) {}
  static Options without_stop(Options options) {
    options.stop = std::nullopt;
    return options;
  }
};

/// Until `kept` is cleared.
struct KeepsTasks : Parallel {
  using Parallel::Parallel;
  inline static std::mutex mutex;
  inline static std::vector<std::any> kept;

  template <std::ranges::input_range R>
  auto operator()(R&& tasks) const {
    if constexpr (holds_tasks<R>) {
      std::lock_guard const lock(mutex);
      kept.emplace_back(tasks);
    }
    return Parallel::operator()(std::forward<R>(tasks));
  }
};

struct IsUselessAfterAnError : Parallel {
  using Parallel::Parallel;
  template <std::ranges::input_range R>
  auto operator()(R&& tasks) const {
    if (useless_) throw std::logic_error("useless");
    try {
      return Parallel::operator()(std::forward<R>(tasks));
    } catch (...) {
      useless_ = true;
      throw;
    }
  }

 private:
  mutable std::atomic<bool> useless_{false};
};

struct StopsAtAFailure : Parallel {
  using Parallel::Parallel;
  template <class R>
  auto outcomes(R&& tasks) const {
    auto all = Parallel::outcomes(std::forward<R>(tasks));
    auto const failure = std::ranges::find_if(all, [](auto const& one) { return !one; });
    all.erase(failure, all.end());
    return all;
  }
};

struct GivesSomethingForNothing : Parallel {
  using Parallel::Parallel;
  template <std::ranges::input_range R>
  auto generator_unordered(R&& tasks) const {
    if constexpr (std::ranges::sized_range<R>) {
      if (std::ranges::empty(tasks)) {
        return Parallel::generator_unordered(std::vector{std::function<int()>([] { return 0; })});
      }
    }
    return Parallel::generator_unordered(std::forward<R>(tasks));
  }
};

/// With time enough for a busy machine; a check that hangs is waited for no longer than this.
CheckOptions const with_patience{.time_limit = seconds(40)};

template <class Front>
Report check_front() {
  return check_backend<Front>("threading", with_patience);
}

// What keeps the rules.

TEST(CheckBackend, PassesOnThreads) {
  auto const report = check_backend("threading", with_patience);
  EXPECT_TRUE(report.passed()) << report.text();
  EXPECT_GE(report.checks.size(), 15U);
}

TEST(CheckBackend, PassesOnThreadsWithAnyNumberOfWorkers) {
  for (auto const n_jobs : {1, 2, 16}) {
    auto const report =
        check_backend("threading", {.n_jobs = n_jobs, .time_limit = with_patience.time_limit});
    EXPECT_TRUE(report.passed()) << "n_jobs = " << n_jobs << '\n' << report.text();
  }
}

TEST(CheckBackend, PassesOnSequential) {
  auto const report = check_backend("sequential", with_patience);
  EXPECT_TRUE(report.passed()) << report.text();
}

TEST(CheckBackend, PassesOnAThreadForEachWorker) {
  auto const report = check_backend(std::make_shared<OwnThreads>(), with_patience);
  EXPECT_TRUE(report.passed()) << report.text();
}

TEST(CheckBackend, PassesWhenWorkersComeTooLate) {
  auto const report = check_backend(std::make_shared<OwnThreads>(milliseconds(20)), with_patience);
  EXPECT_TRUE(report.passed()) << report.text();
}

TEST(CheckBackend, PassesWhenNoWorkersCome) {
  auto const report = check_backend(std::make_shared<Nobody>(), with_patience);
  EXPECT_TRUE(report.passed()) << report.text();
}

TEST(CheckBackend, DoesNotLookAtTheScopesOfItsCaller) {
  auto const scope = joblot::parallel_config({.backend = "sequential", .batch_size = 400});
  auto const report = check_backend(std::make_shared<OwnThreads>(), with_patience);
  EXPECT_TRUE(report.passed()) << report.text();
}

// Broken backends.

TEST(CheckBackend, FindsABackendWithoutAName) {
  auto const report = check_backend(std::make_shared<Nameless>(), with_patience);
  EXPECT_EQ(failed(report), Names{"properties"});
}

// Nothing works without workers.
TEST(CheckBackend, FindsABackendWithoutWorkers) {
  auto const report = check_backend(std::make_shared<NoWorkers>(), with_patience);
  EXPECT_EQ(detail(report, "properties"), "effective_n_jobs(1) is 0; allowed: 1 or more");
  EXPECT_EQ(failed(report).size(), report.checks.size());
}

// A number used twice shows as two tasks of one worker that overlap.
TEST(CheckBackend, FindsWorkersWithTheSameNumber) {
  auto const report = check_backend(std::make_shared<OneNumberForAll>(), with_patience);
  EXPECT_EQ(detail(report, "start"), "work(1) was called more than once for one call");
  EXPECT_EQ(failed(report), (Names{"start", "worker ids"})) << report.text();
}

TEST(CheckBackend, FindsAStartThatWorksItself) {
  auto const report = check_backend(std::make_shared<WorksInStart>(), with_patience);
  EXPECT_TRUE(contains(detail(report, "start"), "works for the call itself")) << report.text();
  EXPECT_EQ(failed(report), Names{"start"}) << report.text();
}

TEST(CheckBackend, FindsAStartThatWaitsForItsWorkers) {
  auto const report =
      check_backend(std::make_shared<WaitsForWorkers>(), {.time_limit = seconds(12)});
  EXPECT_TRUE(contains(detail(report, "start"), "waits for its workers")) << report.text();
  EXPECT_EQ(failed(report), Names{"start"}) << report.text();
}

TEST(CheckBackend, FindsADeadlockWhenNestedAndGoesOn) {
  std::vector<std::shared_ptr<FourThreads::Threads>> all;
  std::vector<std::weak_ptr<Backend>> backends;
  std::mutex mutex;
  joblot::register_parallel_backend("four threads", [&] {
    std::lock_guard const lock(mutex);
    all.push_back(std::make_shared<FourThreads::Threads>());
    auto backend = std::make_shared<FourThreads>(all.back());
    backends.push_back(backend);
    return backend;
  });
  auto const report = check_backend("four threads", {.time_limit = seconds(10)});
  EXPECT_TRUE(contains(detail(report, "nesting"), "did not end within 10000 ms")) << report.text();
  EXPECT_EQ(failed(report), Names{"nesting"}) << report.text();

  // What hangs uses nothing of what is gone by now: let it go on to its end.
  for (auto const& threads : all) {
    std::lock_guard const lock(threads->mutex);
    threads->open = true;
    threads->changed.notify_all();
  }
  auto const gone = [&] {
    return std::ranges::all_of(backends, [](auto const& backend) { return backend.expired(); });
  };
  EXPECT_TRUE(joblot::detail::conformance::eventually(seconds(30), gone));
}

TEST(CheckBackend, RefusesABackendThatDoesNotShareMemory) {
  class Apart final : public Broken {
    [[nodiscard]] bool shares_memory() const override { return false; }
  };
  EXPECT_THROW(static_cast<void>(check_backend(std::make_shared<Apart>())), joblot::InvalidOption);
}

// Broken fronts.

TEST(CheckBackend, FindsResultsOutOfOrder) {
  auto const report = check_front<SwapsResults>();
  EXPECT_EQ(failed(report), Names{"order"}) << report.text();
}

TEST(CheckBackend, FindsALostError) {
  auto const report = check_front<LosesErrors>();
  EXPECT_EQ(detail(report, "errors"), "operator(): tasks threw, but no error arrived");
  EXPECT_EQ(failed(report), Names{"errors"}) << report.text();
}

TEST(CheckBackend, FindsTasksLeftRunning) {
  auto const report = check_front<LeavesTasksRunning>();
  EXPECT_EQ(failed(report), Names{"nothing runs on"}) << report.text();
}

TEST(CheckBackend, FindsALostTask) {
  auto const report = check_front<LosesTheLastTask>();
  EXPECT_EQ(detail(report, "each task once"), "map: task 499 of 500 ran 0 times");
  EXPECT_EQ(failed(report), Names{"each task once"}) << report.text();
}

TEST(CheckBackend, FindsATaskThatRunsTwice) {
  auto const report = check_front<RunsATaskTwice>();
  EXPECT_EQ(detail(report, "each task once"), "map: task 0 of 500 ran 2 times");
  EXPECT_EQ(failed(report), Names{"each task once"}) << report.text();
}

TEST(CheckBackend, FindsAGreedyReader) {
  auto const report = check_front<ReadsAllAhead>();
  EXPECT_EQ(failed(report), Names{"window"}) << report.text();
}

TEST(CheckBackend, FindsAnIgnoredClose) {
  auto const report = check_front<IgnoresClose>();
  EXPECT_EQ(failed(report), Names{"close"}) << report.text();
}

// Dropped generators still hold their arguments.
TEST(CheckBackend, FindsAnIgnoredDestruction) {
  auto const report = check_front<IgnoresDestruction>();
  EXPECT_EQ(failed(report), (Names{"arguments", "destruction"})) << report.text();
  IgnoresDestruction::left_behind.clear();
}

TEST(CheckBackend, FindsAnIgnoredStop) {
  auto const report = check_backend<IgnoresStop>("threading", {.time_limit = seconds(12)});
  EXPECT_EQ(failed(report), Names{"stop"}) << report.text();
}

TEST(CheckBackend, FindsArgumentsThatLiveOn) {
  auto const report = check_front<KeepsTasks>();
  EXPECT_EQ(failed(report), Names{"arguments"}) << report.text();
  KeepsTasks::kept.clear();
}

// Some of the concurrent calls fail, and the others use the same object.
TEST(CheckBackend, FindsAnObjectThatIsUselessAfterAnError) {
  auto const report = check_front<IsUselessAfterAnError>();
  EXPECT_EQ(detail(report, "reuse"), "unexpected error: useless");
  EXPECT_EQ(failed(report), (Names{"concurrent calls", "reuse"})) << report.text();
}

TEST(CheckBackend, FindsOutcomesThatEndAtAFailure) {
  auto const report = check_front<StopsAtAFailure>();
  EXPECT_EQ(failed(report), Names{"outcomes"}) << report.text();
}

TEST(CheckBackend, FindsResultsOfNoTasks) {
  auto const report = check_front<GivesSomethingForNothing>();
  EXPECT_EQ(failed(report), Names{"no task"}) << report.text();
}

// The report.

TEST(Report, IsATextWithALineForEachCheck) {
  Report const report{{{"order", true, ""}, {"errors", false, "an error got lost"}}};
  EXPECT_FALSE(report.passed());
  EXPECT_EQ(report.text(),
            "passed  order\n"
            "FAILED  errors: an error got lost\n"
            "1 of 2 checks passed\n");
}

TEST(Report, HasPassedWhenAllChecksHave) {
  EXPECT_TRUE((Report{{{"order", true, ""}, {"errors", true, ""}}}.passed()));
}

}  // namespace
