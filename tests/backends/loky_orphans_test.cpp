// SPDX-License-Identifier: MIT
// No worker outlives the program that started it, however that ends.
//
//   JOBLOT_ORPHANS_ROUNDS=100 JOBLOT_ORPHANS_SEED=… loky_orphans_test
#include <joblot/backends/loky.hpp>
// First, because it needs no other.
#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <ranges>
#include <string>
#include <system_error>
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
using joblot::Parallel;
using namespace std::chrono_literals;

int number_from(char const* variable, int otherwise) {
  auto const* const text = std::getenv(variable);
  return text != nullptr ? std::atoi(text) : otherwise;
}

/// Makes a worker's static initialisation take its time.
[[maybe_unused]] int const start_up = [] {
  if (auto const slow = number_from("JOBLOT_ORPHANS_SLOW_START", 0); slow > 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(slow));
  }
  return 0;
}();

constexpr char mark[] = "JOBLOT_ORPHANS_MARK";

/// The living processes that were started with this entry in their environment.
std::vector<pid_t> processes_with(std::string const& entry) {
  std::vector<pid_t> result;
  std::error_code none;
  for (auto const& process : std::filesystem::directory_iterator("/proc", none)) {
    auto const name = process.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream file(process.path() / "environ", std::ios::binary);
    std::string const environment{std::istreambuf_iterator<char>(file), {}};
    if (environment.find(entry) != std::string::npos) result.push_back(std::atoi(name.c_str()));
  }
  return result;
}

/// What a program does when it is killed. It calls `ready` when it is time.
using Program = void (*)(void (*ready)());

void for_ever() {
  for (;;) ::pause();
}
void sleep_for_an_hour() { std::this_thread::sleep_for(1h); }

Parallel loky() { return Parallel{{.n_jobs = 2, .backend = "loky", .batch_size = 1}}; }
auto hours() {
  return std::vector(4, delayed([] { sleep_for_an_hour(); })());
}

void starts_workers(void (*ready)()) {
  ready();
  loky()(hours());
}
void starts_slow_workers(void (*ready)()) {
  ::setenv("JOBLOT_ORPHANS_SLOW_START", "200", 1);
  ready();
  loky()(hours());
}
void initializes_workers(void (*ready)()) {
  ready();
  Parallel{{.n_jobs = 2, .backend = "loky", .initializer = sleep_for_an_hour}}(hours());
}
void has_idle_workers(void (*ready)()) {
  loky().for_each(std::views::iota(0, 10), [](int) {});
  ready();
  for_ever();
}
void runs_tasks(void (*ready)()) {
  loky().for_each(std::views::iota(0, 10), [](int) {});
  ready();
  loky()(hours());
}
void moves_large_values(void (*ready)()) {
  std::vector<std::vector<double>> const values(20, std::vector<double>(2'000'000, 1.0));
  loky().for_each(std::views::iota(0, 10), [](int) {});
  ready();
  for (;;) {
    static_cast<void>(loky().map(values, [](std::vector<double> const& one) { return one; }));
  }
}
void pauses_a_generator(void (*ready)()) {
  auto numbers = loky().generator(std::views::iota(0) | std::views::transform([](int i) {
                                    return delayed([](int n) { return n; })(i);
                                  }));
  static_cast<void>(numbers.next());
  ready();
  for_ever();
}
void nests_calls(void (*ready)()) {
  ready();
  loky().for_each(std::views::iota(0, 2), [](int) { loky()(hours()); });
}

struct Case {
  char const* name;
  Program program;
  int latest;  // ms after it was ready, at which it is killed
};

int signal_fd = -1;
void say_ready() { static_cast<void>(!::write(signal_fd, "!", 1)); }

class Orphans : public testing::TestWithParam<Case> {};

TEST_P(Orphans, EndWithinTwoSeconds) {
  static auto seed = static_cast<unsigned>(
      number_from("JOBLOT_ORPHANS_SEED", static_cast<int>(std::random_device()() % 1'000'000)));
  int found = 0;
  for (int round = 0; round < number_from("JOBLOT_ORPHANS_ROUNDS", 5); ++round) {
    SCOPED_TRACE("JOBLOT_ORPHANS_SEED=" + std::to_string(seed));
    std::mt19937 random(seed++);
    auto const value =
        std::to_string(::getpid()) + '_' + std::to_string(seed) + '_' + GetParam().name;
    std::array<int, 2> pipe{};
    ASSERT_EQ(::pipe(pipe.data()), 0);
    pid_t const program = ::fork();
    ASSERT_NE(program, -1);
    if (program == 0) {
      ::close(pipe[0]);
      signal_fd = pipe[1];
      ::setenv(mark, value.c_str(), 1);
      GetParam().program(&say_ready);
      ::_exit(0);
    }
    ::close(pipe[1]);
    char byte = 0;
    EXPECT_EQ(::read(pipe[0], &byte, 1), 1);
    std::uniform_int_distribution<int> wait(0, GetParam().latest * 1000);
    std::this_thread::sleep_for(std::chrono::microseconds(wait(random)));
    auto const entry = std::string(mark) + '=' + value;
    found += static_cast<int>(processes_with(entry).size());
    ::kill(program, SIGKILL);
    ::waitpid(program, nullptr, 0);
    auto const until = std::chrono::steady_clock::now() + 2s;
    while (!processes_with(entry).empty() && std::chrono::steady_clock::now() < until) {
      std::this_thread::sleep_for(1ms);
    }
    for (pid_t const orphan : processes_with(entry)) {
      ADD_FAILURE() << "process " << orphan << " has outlived its program";
      ::kill(orphan, SIGKILL);
    }
    // Nobody but the program had the other end: not its workers, who would keep a reader waiting.
    EXPECT_EQ(::read(pipe[0], &byte, 1), 0);
    ::close(pipe[0]);
  }
  std::printf("%d workers were alive\n", found);
}

INSTANTIATE_TEST_SUITE_P(, Orphans,
                         testing::Values(Case{"starting", starts_workers, 20},
                                         Case{"starting_slowly", starts_slow_workers, 250},
                                         Case{"initializing", initializes_workers, 30},
                                         Case{"idle", has_idle_workers, 1},
                                         Case{"running", runs_tasks, 5},
                                         Case{"amid_large_values", moves_large_values, 100},
                                         Case{"with_a_paused_generator", pauses_a_generator, 5},
                                         Case{"nested", nests_calls, 50}),
                         [](auto const& test) { return std::string(test.param.name); });

}  // namespace
