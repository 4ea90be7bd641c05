// SPDX-License-Identifier: MIT
// Random calls from several threads at once, compared with the serial loop.
//
// JOBLOT_STRESS_SEED repeats a run (as far as threads can be repeated); JOBLOT_STRESS_SECONDS says
// how long it takes.
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <ranges>
#include <set>
#include <sstream>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <joblot/joblot.hpp>

#include "support/forms.hpp"

namespace {

using joblot::Options;
using joblot::Parallel;
namespace this_task = joblot::this_task;
using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

std::uint64_t number_from_environment(char const* name, std::uint64_t otherwise) {
  auto const* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

// What tasks, ranges and callbacks throw here.
struct TaskError : std::runtime_error {
  explicit TaskError(int i) : std::runtime_error("task " + std::to_string(i)), index(i) {}
  int index;
};
struct RangeError : std::runtime_error {
  RangeError() : std::runtime_error("range") {}
};
struct ProgressError : std::runtime_error {
  ProgressError() : std::runtime_error("progress") {}
};

// A thread for each worker of each call.
class ThreadPerWorker final : public joblot::Backend {
 public:
  [[nodiscard]] std::string_view name() const override { return "ThreadPerWorkerBackend"; }
  void start(std::shared_ptr<joblot::Call> call) override {
    for (int worker = 1; worker < call->n_jobs(); ++worker) {
      std::thread([call, worker] { call->work(worker); }).detach();
    }
  }
};

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : engine_(seed) {}
  int between(int least, int most) {
    return std::uniform_int_distribution<int>(least, most)(engine_);
  }
  bool one_in(int n) { return between(1, n) == 1; }
  template <class T>
  T one_of(std::vector<T> const& all) {
    return all[static_cast<std::size_t>(between(0, static_cast<int>(all.size()) - 1))];
  }
  std::uint64_t seed() { return engine_(); }

 private:
  std::mt19937_64 engine_;
};

// How calls have ended, to see that all ways are taken.
enum class End { results, task_error, range_error, progress_error, cancelled, timed_out, closed };
constexpr std::array<char const*, 7> end_names{
    "results", "task error", "range error", "progress error", "cancelled", "timed out", "closed"};
std::array<std::atomic<long>, end_names.size()> ends{};

void run_trial(Dice& dice, int depth);

// One random call and what is known about it.
class Trial {
 public:
  Trial(Dice& dice, int depth) : depth_(depth) {
    form_ = dice.one_of(forms::all());
    size_ = dice.one_in(10) ? dice.between(0, 2000) : dice.between(0, depth == 0 ? 100 : 20);
    if (depth > 0) size_ = std::min(size_, 20);
    choose_options(dice);
    choose_trouble(dice);
    runs_ = std::vector<std::atomic<int>>(static_cast<std::size_t>(size_));
    seats_ = std::vector<std::atomic<int>>(static_cast<std::size_t>(n_jobs_));
    seed_ = dice.seed();
  }

  void run(Dice& dice) {
    SCOPED_TRACE(describe());
    start_stopper();
    auto const f = forms::Form::function([this](int i) { return task(i); });
    Parallel const parallel = make();
    try {
      if (form_.start_function != nullptr && !dice.one_in(3)) {
        consume(dice, form_.start(parallel, values(), f), parallel);
      } else {
        check_results(form_.run(parallel, values(), f));
        ended(End::results);
        if (!form_.keeps_going) {
          EXPECT_FALSE(parallel.failure());
        }
      }
    } catch (...) {
      check_error(parallel.failure());
    }
    stopper_ = {};
    EXPECT_EQ(inside_, 0) << "a task runs on";
    EXPECT_EQ(f.use_count(), 1) << "a task lives on";
    EXPECT_LE(most_inside_, n_jobs_);
  }

 private:
  void choose_options(Dice& dice) {
    n_jobs_ = dice.between(1, 6);
    options_.n_jobs = n_jobs_;
    sequential_ = n_jobs_ == 1;
    if (dice.one_in(8)) {
      options_.backend = "sequential";
      n_jobs_ = 1;
      sequential_ = true;
    } else if (dice.one_in(8)) {
      options_.backend = std::make_shared<ThreadPerWorker>();
    }
    if (dice.one_in(2)) {
      batch_size_ = dice.one_in(2) ? 1 : dice.between(2, 9);
      options_.batch_size = *batch_size_;
    }
    window_ = 2 * n_jobs_;
    if (dice.one_in(3)) {
      window_ = dice.between(1, 12);
      options_.pre_dispatch = *window_;
    } else if (dice.one_in(6)) {
      window_ = std::nullopt;
      options_.pre_dispatch = "all";
    }
    one_by_one_ = dice.one_in(2);
  }

  void choose_trouble(Dice& dice) {
    if (size_ > 0 && dice.one_in(3)) {
      for (int n = dice.between(1, 3); n > 0; --n) failing_.insert(dice.between(0, size_ - 1));
    }
    if (one_by_one_ && dice.one_in(6)) range_fails_at_ = dice.between(0, size_);
    if (dice.one_in(6)) {
      options_.stop = source_.get_token();
      if (size_ > 0 && dice.one_in(2)) {
        stops_at_ = dice.between(0, size_ - 1);
      } else if (dice.one_in(4)) {
        source_.request_stop();
      } else {
        stops_after_ = std::chrono::microseconds(dice.between(0, 500));
      }
    }
    if (dice.one_in(8)) {
      options_.timeout = 1h;
    } else if (size_ > 0 && dice.one_in(20)) {
      options_.timeout = 5ms;
      timed_ = true;
      waits_at_ = dice.between(0, size_ - 1);
    }
    if (dice.one_in(6)) {
      progress_fails_ = dice.one_in(4);
      options_.on_progress = [this](joblot::Progress const& progress) { note(progress); };
    }
    nests_ = depth_ < 2 && dice.one_in(6);
    pace_ = dice.between(0, 3);
  }

  Parallel make() const {
    // Some options through a scope.
    Options outer;
    Options own = options_;
    outer.n_jobs = 7;
    if (size_ % 2 == 0) {
      outer.n_jobs = std::exchange(own.n_jobs, {});
      outer.stop = std::exchange(own.stop, {});
    }
    auto const scope = joblot::parallel_config(outer);
    return Parallel(own);
  }

  void start_stopper() {
    if (!stops_after_) return;
    stopper_ = std::jthread([this] {
      std::this_thread::sleep_for(*stops_after_);
      source_.request_stop();
    });
  }

  forms::Values values() {
    if (!one_by_one_) return forms::Numbers{size_};
    return WatchedRange(size_, [this](Step step, int position) {
      if (step == Step::look) {
        EXPECT_EQ(read_, position) << "each is read once, in order";
        ++read_;
      }
      if (step == Step::compare && range_fails_at_ == position) {
        range_failed_ = true;
        throw RangeError();
      }
    });
  }

  [[nodiscard]] int value(int i) const { return i * 31 + size_; }

  class Inside {
   public:
    Inside(Trial& trial, int worker) : trial_(trial), worker_(static_cast<std::size_t>(worker)) {
      EXPECT_LT(worker, trial_.n_jobs_);
      EXPECT_EQ(trial_.seats_.at(worker_)++, 0) << "two tasks share a worker";
      int const now = ++trial_.inside_;
      for (int most = trial_.most_inside_;
           now > most && !trial_.most_inside_.compare_exchange_weak(most, now);) {
      }
    }
    Inside(Inside const&) = delete;
    Inside& operator=(Inside const&) = delete;
    ~Inside() {
      --trial_.inside_;
      --trial_.seats_.at(worker_);
    }

   private:
    Trial& trial_;
    std::size_t worker_;
  };

  int task(int i) {
    Inside const inside(*this, this_task::worker_id());
    EXPECT_EQ(this_task::index(), static_cast<std::size_t>(i));
    EXPECT_EQ(++runs_.at(static_cast<std::size_t>(i)), 1) << "a task runs twice";
    if (pace_ == 1) std::this_thread::yield();
    if (pace_ == 2 && i % 16 == 0) std::this_thread::sleep_for(std::chrono::microseconds(i % 300));
    if (stops_at_ == i) {
      source_.request_stop();
      EXPECT_TRUE(this_task::stop_requested());
    }
    if (waits_at_ == i) {
      while (!this_task::stop_token().stop_requested()) std::this_thread::yield();
    }
    if (nests_ && i % 8 == 3) {
      Dice dice(seed_ + static_cast<std::uint64_t>(i));
      run_trial(dice, depth_ + 1);
      EXPECT_EQ(this_task::index(), static_cast<std::size_t>(i));
    }
    if (failing_.contains(i)) {
      std::lock_guard const lock(mutex_);
      failed_.insert(i);
      throw TaskError(i);
    }
    return value(i);
  }

  void note(joblot::Progress const& progress) {
    std::lock_guard const lock(mutex_);
    EXPECT_GE(progress.completed, last_progress_);
    EXPECT_LE(progress.completed, progress.dispatched);
    last_progress_ = progress.completed;
    if (progress_fails_) {
      progress_failed_ = true;
      throw ProgressError();
    }
  }

  // A generator: some pauses, some ends before their time, some change of threads.
  void consume(Dice& dice, std::unique_ptr<forms::Stream> stream, Parallel const& parallel) {
    int const wanted = dice.one_in(3) ? dice.between(0, size_) : size_ + 1;
    int const leaves_thread_at = dice.one_in(4) ? dice.between(0, size_) : -1;
    std::map<int, std::optional<int>> seen;  // empty: an outcome that is an error
    auto const take = [&] { return take_one(*stream, seen); };
    bool more = true;
    while (more && static_cast<int>(seen.size()) < wanted) {
      if (leaves_thread_at == static_cast<int>(seen.size())) {
        // What the other thread throws comes with it.
        std::exception_ptr error;
        std::jthread([&] {
          try {
            more = take();
          } catch (...) {
            error = std::current_exception();
          }
        }).join();
        if (error) std::rethrow_exception(std::exchange(error, nullptr));
      } else {
        if (pace_ == 3 && dice.one_in(30)) std::this_thread::sleep_for(200us);
        more = take();
      }
    }
    check_seen(seen);
    if (more) {
      ended(End::closed);
      if (dice.one_in(2)) stream->close();
      stream.reset();
      return;
    }
    EXPECT_EQ(static_cast<int>(seen.size()), size_);
    EXPECT_FALSE(stream->failure());
    EXPECT_FALSE(parallel.failure());
    check_all_ran();
    ended(End::results);
  }

  // False at the end. Throws what ends the call, after a check of what came before.
  bool take_one(forms::Stream& stream, std::map<int, std::optional<int>>& seen) {
    std::optional<int> result;
    bool failed = false;
    try {
      // Not `result = stream.next()`: g++ 12 then takes it for set after an exception, too.
      if (auto const next = stream.next()) result.emplace(*next);
    } catch (TaskError const& error) {
      if (!form_.keeps_going) {
        check_seen(seen);
        check_place(seen, error.index);
        EXPECT_EQ(stream.failure()->index, static_cast<std::size_t>(error.index));
        throw;
      }
      EXPECT_EQ(stream.index(), static_cast<std::size_t>(error.index));
      EXPECT_TRUE(failing_.contains(error.index));
      failed = true;
    } catch (joblot::TimeoutError const& error) {
      if (!form_.keeps_going) throw;
      EXPECT_TRUE(timed_);
      EXPECT_EQ(stream.index(), error.index());
      failed = true;
    } catch (RangeError const&) {
      check_seen(seen);
      check_place(seen, *range_fails_at_);
      EXPECT_FALSE(stream.failure());
      EXPECT_FALSE(stream.next());
      throw;
    }
    if (!result && !failed) return false;
    auto const index = static_cast<int>(stream.index());
    EXPECT_TRUE(seen.emplace(index, result).second) << "a result comes twice";
    if (form_.in_order) {
      EXPECT_EQ(index, static_cast<int>(seen.size()) - 1);
    }
    if (one_by_one_ && batch_size_ && window_) {
      auto const taken = static_cast<int>(seen.size());
      EXPECT_LE(read_, taken + *window_ * *batch_size_) << "read ahead of the window";
    }
    return true;
  }

  // In order everything before the error has come, unless something else has ended the call.
  void check_place(std::map<int, std::optional<int>> const& seen, int place) const {
    if (form_.in_order && !timed_ && !progress_failed_ && !source_.stop_requested()) {
      EXPECT_EQ(static_cast<int>(seen.size()), place);
    }
  }

  void check_seen(std::map<int, std::optional<int>> const& seen) const {
    for (auto const& [index, result] : seen) {
      if (result) {
        EXPECT_EQ(*result, value(index));
      }
      if (!timed_) {
        EXPECT_EQ(result.has_value(), !failing_.contains(index));
      }
    }
  }

  void check_results(std::vector<int> const& results) const {
    EXPECT_TRUE(failing_.empty());
    ASSERT_EQ(results.size(), static_cast<std::size_t>(size_));
    for (int i = 0; i < size_; ++i) EXPECT_EQ(results[static_cast<std::size_t>(i)], value(i));
    check_all_ran();
  }

  void check_all_ran() const {
    EXPECT_FALSE(range_fails_at_);
    EXPECT_FALSE(stops_at_);
    for (auto const& count : runs_) EXPECT_EQ(count, 1);
  }

  // The error that is being handled must be one that may come.
  void check_error(std::optional<joblot::TaskFailure> const& failure) {
    try {
      throw;
    } catch (TaskError const& error) {
      ended(End::task_error);
      EXPECT_TRUE(failed_.contains(error.index));
      // What fails after the call was stopped from outside does not count.
      bool const stopped = source_.stop_requested();
      EXPECT_TRUE(stopped || error.index == *failed_.begin()) << "not the lowest that failed";
      bool const serial = sequential_ || (form_.in_order && form_.start_function != nullptr);
      if (serial && !stopped) {
        EXPECT_EQ(error.index, *failing_.begin());
      }
      if (!form_.keeps_going && failure) {
        EXPECT_EQ(failure->index, static_cast<std::size_t>(error.index));
      }
    } catch (RangeError const&) {
      ended(End::range_error);
      EXPECT_TRUE(range_failed_);
    } catch (ProgressError const&) {
      ended(End::progress_error);
      EXPECT_TRUE(progress_failed_);
    } catch (joblot::CancelledError const&) {
      ended(End::cancelled);
      EXPECT_TRUE(source_.stop_requested());
    } catch (joblot::TimeoutError const& error) {
      ended(End::timed_out);
      EXPECT_TRUE(timed_);
      EXPECT_LT(error.index(), static_cast<std::size_t>(size_));
    }
  }

  static void ended(End end) { ++ends.at(static_cast<std::size_t>(end)); }

  [[nodiscard]] std::string describe() const {
    std::ostringstream text;
    text << form_.name << " of " << size_ << (one_by_one_ ? " read one by one" : "") << ", depth "
         << depth_ << ", n_jobs " << n_jobs_ << ", batch_size " << batch_size_.value_or(0)
         << ", window " << window_.value_or(0) << ", pace " << pace_;
    if (!failing_.empty()) text << ", fails from " << *failing_.begin() << " on";
    if (range_fails_at_) text << ", range fails at " << *range_fails_at_;
    if (stops_at_) text << ", stops at " << *stops_at_;
    if (stops_after_) text << ", stops after " << stops_after_->count() << " us";
    if (timed_) text << ", too long at " << *waits_at_;
    if (progress_fails_) text << ", on_progress fails";
    if (nests_) text << ", nests";
    return text.str();
  }

  int depth_;
  forms::Form form_{};
  int size_ = 0;
  int n_jobs_ = 1;
  bool sequential_ = false;
  bool one_by_one_ = false;
  std::optional<int> batch_size_;
  std::optional<int> window_;
  Options options_;
  std::set<int> failing_;
  std::optional<int> range_fails_at_;
  std::optional<int> stops_at_;
  std::optional<std::chrono::microseconds> stops_after_;
  std::optional<int> waits_at_;
  bool timed_ = false;
  bool progress_fails_ = false;
  bool nests_ = false;
  int pace_ = 0;
  std::uint64_t seed_ = 0;

  std::stop_source source_;
  std::vector<std::atomic<int>> runs_;
  std::vector<std::atomic<int>> seats_;
  std::atomic<int> inside_ = 0;
  std::atomic<int> most_inside_ = 0;
  std::atomic<int> read_ = 0;
  std::atomic<bool> range_failed_ = false;
  std::mutex mutex_;
  std::set<int> failed_;  // guarded by mutex_ while tasks run, as are these:
  std::size_t last_progress_ = 0;
  bool progress_failed_ = false;
  std::jthread stopper_;
};

void run_trial(Dice& dice, int depth) {
  Trial trial(dice, depth);
  trial.run(dice);
}

// Calls on one object that all threads share.
void use_shared(Parallel const& shared, Dice& dice) {
  auto const form = dice.one_of(forms::all());
  int const size = dice.between(0, 50);
  auto const failing = dice.one_in(3) ? dice.between(0, 50) : -1;
  auto const f = [&](int i) { return i == failing ? throw TaskError(i) : 3 * i; };
  try {
    auto const results = form.run(shared, forms::Numbers{size}, f);
    EXPECT_TRUE(failing < 0 || failing >= size);
    EXPECT_EQ(results.size(), static_cast<std::size_t>(size));
    for (std::size_t i = 0; i < results.size(); ++i) EXPECT_EQ(results[i], 3 * static_cast<int>(i));
    EXPECT_FALSE(shared.failure());
  } catch (TaskError const& error) {
    EXPECT_EQ(error.index, failing);
    EXPECT_LT(failing, size);
    if (!form.keeps_going) {
      EXPECT_EQ(shared.failure()->index, static_cast<std::size_t>(failing));
    }
  }
}

TEST(RandomCalls, GiveWhatTheSerialLoopGives) {
  auto const seed = number_from_environment("JOBLOT_STRESS_SEED", std::random_device{}());
  auto const seconds = number_from_environment("JOBLOT_STRESS_SECONDS", 3);
  std::cout << "JOBLOT_STRESS_SEED=" << seed << " JOBLOT_STRESS_SECONDS=" << seconds << std::endl;
  auto const end = Clock::now() + std::chrono::seconds(seconds);
  Parallel const shared(3);
  std::atomic<long> trials = 0;
  {
    std::vector<std::jthread> threads;
    for (std::uint64_t t = 0; t < 3; ++t) {
      threads.emplace_back([&, t] {
        Dice dice(seed * 1000 + t);
        while (Clock::now() < end && !testing::Test::HasFailure()) {
          run_trial(dice, 0);
          if (dice.one_in(4)) use_shared(shared, dice);
          ++trials;
        }
      });
    }
  }
  std::cout << trials << " calls";
  for (std::size_t i = 0; i < ends.size(); ++i) std::cout << ", " << ends[i] << " " << end_names[i];
  std::cout << std::endl;
  EXPECT_GT(trials, 0);
}

}  // namespace
