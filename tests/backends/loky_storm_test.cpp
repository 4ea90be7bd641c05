// SPDX-License-Identifier: MIT
// Calls whose workers are killed at random moments, again and again.
//
//   JOBLOT_STORM_TASKS=10000 JOBLOT_STORM_ROUNDS=50 JOBLOT_STORM_SEED=… loky_storm_test
#include <joblot/backends/loky.hpp>
// First, because it needs no other.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <numeric>
#include <optional>
#include <random>
#include <ranges>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <joblot/joblot.hpp>

namespace {

using joblot::delayed;
using joblot::Options;
using joblot::Parallel;
using namespace std::chrono_literals;

int number_from(char const* variable, int otherwise) {
  auto const* const text = std::getenv(variable);
  return text != nullptr ? std::atoi(text) : otherwise;
}

int tasks() { return number_from("JOBLOT_STORM_TASKS", 1500); }
int rounds() { return number_from("JOBLOT_STORM_ROUNDS", 1); }

unsigned next_seed() {
  static auto seed = static_cast<unsigned>(
      number_from("JOBLOT_STORM_SEED", static_cast<int>(std::random_device()() % 1'000'000)));
  return seed++;
}

/// The processes that this one has started, by the state that the kernel gives them.
std::vector<pid_t> children(std::string const& states) {
  std::vector<pid_t> result;
  std::error_code none;  // threads and processes go while they are looked at
  for (auto const& task : std::filesystem::directory_iterator("/proc/self/task", none)) {
    std::ifstream file(task.path() / "children");
    for (pid_t pid = 0; file >> pid;) {
      std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
      std::string text;
      std::getline(stat, text);
      auto const place = text.rfind(')');
      if (place != std::string::npos && states.find(text[place + 2]) != std::string::npos) {
        result.push_back(pid);
      }
    }
  }
  return result;
}
auto living() { return children("RSDTt"); }

/// Kills a random child every so often for as long as it lives.
class Storm {
 public:
  explicit Storm(unsigned seed, std::chrono::microseconds pause = 20ms)
      : thread_([this, seed, pause](std::stop_token const& stop) {
          std::mt19937 random(seed);
          while (!stop.stop_requested()) {
            std::this_thread::sleep_for(pause);
            auto const all = living();
            if (all.empty()) continue;
            std::uniform_int_distribution<std::size_t> pick(0, all.size() - 1);
            // Not reaped in between, or at worst a number that is nobody's yet.
            if (::kill(all[pick(random)], SIGKILL) == 0) ++kills_;
          }
        }) {}

  int kills() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
    return kills_;
  }

 private:
  std::atomic<int> kills_ = 0;
  std::jthread thread_;
};

std::size_t entries(char const* folder, std::string const& name) {
  std::error_code none;
  return static_cast<std::size_t>(std::ranges::count_if(
      std::filesystem::directory_iterator(folder, none),
      [&](auto const& entry) { return entry.path().filename().string().starts_with(name); }));
}

std::size_t open_files() {
  return static_cast<std::size_t>(std::distance(
      std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator()));
}

constexpr auto wait_a_little = [](int i) {
  std::this_thread::sleep_for(1ms);
  return i * 3;
};
auto calls(int count) {
  return std::views::iota(0, count) |
         std::views::transform([](int i) { return delayed(wait_a_little)(i); });
}

constexpr auto turn = [](std::vector<int> values) {
  std::ranges::reverse(values);
  return values;
};

struct Form {
  char const* name;
  std::vector<int> (*run)(Parallel const&, int);
};

std::vector<int> plain(Parallel const& parallel, int count) { return parallel(calls(count)); }
std::vector<int> streamed(Parallel const& parallel, int count) {
  std::vector<int> results;
  for (int const value : parallel.generator(calls(count))) results.push_back(value);
  return results;
}
std::vector<int> unordered(Parallel const& parallel, int count) {
  std::vector<int> results;
  for (int const value : parallel.generator_unordered(calls(count))) results.push_back(value);
  std::ranges::sort(results);
  return results;
}
std::vector<int> outcomes(Parallel const& parallel, int count) {
  std::vector<int> results;
  for (auto& outcome : parallel.outcomes(calls(count))) results.push_back(outcome.value());
  return results;
}
std::vector<int> reduced(Parallel const& parallel, int count) {
  auto const last = parallel.reduce(
      std::views::iota(0, count), 0LL, [](long long a, long long b) { return a + b; },
      [](int i) { return static_cast<long long>(wait_a_little(i)); });
  EXPECT_EQ(last, 3LL * count * (count - 1) / 2);
  std::vector<int> all(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) all[static_cast<std::size_t>(i)] = 3 * i;
  return all;
}
/// Large values both ways, so that workers die amid messages.
std::vector<int> bulky(Parallel const& parallel, int count) {
  std::vector<std::vector<int>> in;
  for (int i = 0; i < count / 10; ++i) {
    in.emplace_back(i % 3 == 0 ? 100'000 : 1'000);
    std::iota(in.back().begin(), in.back().end(), i);
  }
  std::vector<int> results;
  for (auto const& out : parallel.map(in, turn)) {
    auto const first = static_cast<int>(results.size() / 10);
    auto const size = static_cast<int>(out.size());
    bool right = size == (first % 3 == 0 ? 100'000 : 1'000);
    for (int i = 0; i < size; ++i) {
      right = right && out[static_cast<std::size_t>(i)] == first + size - 1 - i;
    }
    for (int i = 0; i < 10; ++i) results.push_back(right ? 3 * (first * 10 + i) : -1);
  }
  return results;
}

class Storms : public testing::TestWithParam<std::tuple<Form, std::optional<int>>> {};

TEST_P(Storms, LoseNothing) {
  auto const& [form, batch_size] = GetParam();
  for (int round = 0; round < rounds(); ++round) {
    auto const seed = next_seed();
    SCOPED_TRACE("JOBLOT_STORM_SEED=" + std::to_string(seed));
    auto const shm = entries("/dev/shm", "joblot");
    auto const tmp = entries("/tmp", "joblot-");
    Options options{.n_jobs = 2, .backend = "loky", .retries = 1000};
    if (batch_size) options.batch_size = *batch_size;
    Parallel const parallel(options);
    int const count = tasks() / 10 * 10;
    static_cast<void>(parallel.map(std::views::iota(0, 4), wait_a_little));
    auto const files = open_files();
    Storm storm(seed);
    auto const results = form.run(parallel, count);
    auto const kills = storm.kills();
    std::printf("seed %u: %d kills\n", seed, kills);
    ASSERT_EQ(results.size(), static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < results.size(); ++i) {
      ASSERT_EQ(results[i], static_cast<int>(i) * 3) << i;
    }
    // The last one killed may be dying yet, and then is buried by the call after the next.
    for (int call = 0; call == 0 || (call < 100 && !children("Z").empty()); ++call) {
      static_cast<void>(parallel.map(std::views::iota(0, 4), wait_a_little));
    }
    EXPECT_TRUE(children("Z").empty());
    EXPECT_LE(living().size(), 2U);
    EXPECT_LE(open_files(), files + 2U * 4U);
    EXPECT_EQ(entries("/dev/shm", "joblot"), shm);
    EXPECT_EQ(entries("/tmp", "joblot-"), tmp);
  }
}

std::string name_of(testing::TestParamInfo<Storms::ParamType> const& test) {
  auto const& [form, batch_size] = test.param;
  return std::string(form.name) + "_batches_of_" +
         (batch_size ? std::to_string(*batch_size) : "any");
}

INSTANTIATE_TEST_SUITE_P(
    , Storms,
    testing::Combine(testing::Values(Form{"plain", plain}, Form{"streamed", streamed},
                                     Form{"unordered", unordered}, Form{"outcomes", outcomes},
                                     Form{"reduced", reduced}, Form{"bulky", bulky}),
                     testing::Values(std::optional<int>(), std::optional<int>(1),
                                     std::optional<int>(7))),
    name_of);

TEST(Storm, OverTwoCallsAtOnceLosesNothing) {
  auto const seed = next_seed();
  SCOPED_TRACE("JOBLOT_STORM_SEED=" + std::to_string(seed));
  Storm storm(seed, 10ms);
  std::atomic<int> right = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 2; ++t) {
      threads.emplace_back([&] {
        try {
          Parallel const parallel{{.n_jobs = 2, .backend = "loky", .retries = 1000}};
          for (int call = 0; call < 10; ++call) {
            auto const results = plain(parallel, tasks() / 20);
            bool all = true;
            for (std::size_t i = 0; i < results.size(); ++i) {
              all = all && results[i] == static_cast<int>(i) * 3;
            }
            right += all ? 1 : 0;
          }
        } catch (std::exception const& error) {
          ADD_FAILURE() << error.what();
        }
      });
    }
  }
  std::printf("seed %u: %d kills\n", seed, storm.kills());
  EXPECT_EQ(right, 20);
}

TEST(Storm, BlamesNoTaskForTheTimeOfAnother) {
  auto const seed = next_seed();
  SCOPED_TRACE("JOBLOT_STORM_SEED=" + std::to_string(seed));
  Storm storm(seed, 150ms);  // longer than it takes to kill task 77 for its time
  Parallel const parallel{{.n_jobs = 2, .backend = "loky", .timeout = 100ms, .retries = 1000}};
  auto outcomes = parallel.outcomes(std::views::iota(0, tasks()) | std::views::transform([](int i) {
                                      return delayed([](int n) {
                                        do {
                                          std::this_thread::sleep_for(1ms);
                                        } while (n == 77);
                                        return n;
                                      })(i);
                                    }));
  std::printf("seed %u: %d kills\n", seed, storm.kills());
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    EXPECT_EQ(outcomes[i].has_value(), i != 77) << i;
  }
}

/// Each of its tasks is a call of its own, whose workers nobody kills; those who make it die.
TEST(Storm, OverNestedCallsLosesNothing) {
  auto const seed = next_seed();
  SCOPED_TRACE("JOBLOT_STORM_SEED=" + std::to_string(seed));
  Storm storm(seed, 200ms);
  auto const sums =
      Parallel{{.n_jobs = 2, .backend = "loky", .batch_size = 1, .retries = 1000}}.map(
          std::views::iota(0, tasks() / 50), [](int i) {
            auto const values = Parallel{{.n_jobs = 2, .backend = "loky"}}.map(
                std::views::iota(0, 10), [](int j) { return wait_a_little(j); });
            return std::accumulate(values.begin(), values.end(), i);
          });
  std::printf("seed %u: %d kills\n", seed, storm.kills());
  for (std::size_t i = 0; i < sums.size(); ++i) EXPECT_EQ(sums[i], 135 + static_cast<int>(i));
}

}  // namespace
