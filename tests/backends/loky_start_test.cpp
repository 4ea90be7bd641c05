// SPDX-License-Identifier: MIT
// Workers that cannot be started, or only in another way than usual.
#include <joblot/backends/loky.hpp>
// First, because it needs no other.
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdarg>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <ranges>
#include <string>
#include <thread>
#include <vector>

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <joblot/joblot.hpp>

// What the library asks of the system, which may say no.

namespace {
std::atomic<int> spawn_error{0};
std::atomic<int> spawns{0};
std::atomic<bool> is_old_kernel{false};
bool is_old_kernel_for_workers() {
  return is_old_kernel || std::getenv("JOBLOT_TEST_OLD_KERNEL") != nullptr;
}
}  // namespace

// NOLINTBEGIN: the signatures are the system's
extern "C" int posix_spawn(pid_t* pid, char const* path, posix_spawn_file_actions_t const* actions,
                           posix_spawnattr_t const* attributes, char* const arguments[],
                           char* const environment[]) {
  ++spawns;
  if (spawn_error != 0) return spawn_error;
  static auto const real =
      reinterpret_cast<decltype(&::posix_spawn)>(::dlsym(RTLD_NEXT, "posix_spawn"));
  return real(pid, path, actions, attributes, arguments, environment);
}

extern "C" int memfd_create(char const* name, unsigned flags) noexcept {
  if (is_old_kernel_for_workers()) {
    errno = ENOSYS;
    return -1;
  }
  static auto const real =
      reinterpret_cast<decltype(&::memfd_create)>(::dlsym(RTLD_NEXT, "memfd_create"));
  return real(name, flags);
}

extern "C" long syscall(long number, ...) noexcept {
  static auto const real = reinterpret_cast<decltype(&::syscall)>(::dlsym(RTLD_NEXT, "syscall"));
  if (number == SYS_pidfd_open && is_old_kernel_for_workers()) {
    errno = ENOSYS;
    return -1;
  }
  va_list list;
  va_start(list, number);
  auto const a = va_arg(list, long);
  auto const b = va_arg(list, long);
  auto const c = va_arg(list, long);
  auto const d = va_arg(list, long);
  auto const e = va_arg(list, long);
  auto const f = va_arg(list, long);
  va_end(list);
  return real(number, a, b, c, d, e, f);
}
// NOLINTEND

namespace {

using joblot::delayed;
using joblot::Options;
using joblot::Parallel;
using namespace std::chrono_literals;

/// Each test has workers of its own kind, and so starts them.
Options own_options() {
  static int kinds = 0;
  return {.n_jobs = 2, .backend = "loky", .idle_worker_timeout = 10s + ++kinds * 1ms};
}

void expect_works(Parallel const& parallel) {
  auto const squares = parallel.map(std::views::iota(0, 50), [](int i) { return i * i; });
  ASSERT_EQ(squares.size(), 50U);
  for (int i = 0; i < 50; ++i) ASSERT_EQ(squares[static_cast<std::size_t>(i)], i * i);
}

template <class Error = joblot::Error>
std::string error_of(Parallel const& parallel) {
  try {
    parallel.for_each(std::views::iota(0, 50), [](int) {});
  } catch (Error const& error) {
    return error.what();
  }
  ADD_FAILURE() << "it was ignored";
  return {};
}

TEST(LokyStart, ThatIsRefusedIsAnErrorAndTheNextCallWorks) {
  Parallel const parallel(own_options());
  spawn_error = EAGAIN;
  auto const text = error_of(parallel);
  EXPECT_NE(text.find("could not be started"), std::string::npos) << text;
  EXPECT_NE(text.find("limit of processes"), std::string::npos) << text;
  EXPECT_THROW(static_cast<void>(parallel.outcomes(std::vector(3, delayed([] {})()))),
               joblot::Error);
  auto generator = parallel.generator(std::vector(3, delayed([] { return 1; })()));
  EXPECT_THROW(static_cast<void>(generator.next()), joblot::Error);
  spawn_error = 0;
  expect_works(parallel);
}

TEST(LokyStart, WithoutFilesIsAnErrorAndTheNextCallWorks) {
  Parallel const parallel(own_options());
  expect_works(Parallel({.n_jobs = 2}));  // has its threads
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  auto const files = static_cast<rlim_t>(std::distance(
      std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator()));
  for (rlim_t more = 0; more < 24; ++more) {
    Parallel const another(own_options());
    auto const limit = rlimit{files + more, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
    std::string text = "none";
    try {
      another.for_each(std::views::iota(0, 50), [](int) {});
    } catch (joblot::Error const& error) {
      text = error.what();
    }
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    EXPECT_TRUE(text == "none" || text.find("open files") != std::string::npos)
        << more << ": " << text;
    if (more < 2) {
      EXPECT_NE(text, "none");
    }
  }
  expect_works(parallel);
}

void leave() { ::_exit(3); }
void fall() {
  ::signal(SIGABRT, SIG_DFL);
  std::abort();
}

TEST(LokyStart, ThatEndsInTheInitializerIsNotTriedForEver) {
  for (auto const initializer : {&leave, &fall}) {
    auto options = own_options();
    options.initializer = initializer;
    auto const before = spawns.load();
    auto const text = error_of<joblot::WorkerInitError>(Parallel(options));
    EXPECT_NE(text.find(initializer == &leave ? "status 3" : "signal 6"), std::string::npos)
        << text;
    EXPECT_LE(spawns - before, 10);
  }
}

/// Ends workers before they are ready.
[[maybe_unused]] int const dies_early = [] {
  if (std::getenv("JOBLOT_TEST_DIE_EARLY") != nullptr && joblot::detail::in_worker_process()) {
    ::_exit(9);
  }
  return 0;
}();

TEST(LokyStart, ThatEndsBeforeItBeganIsNotTriedForEver) {
  Parallel const parallel(own_options());
  ::setenv("JOBLOT_TEST_DIE_EARLY", "1", 1);
  auto const before = spawns.load();
  auto const text = error_of<joblot::TerminatedWorkerError>(parallel);
  EXPECT_NE(text.find("status 9"), std::string::npos) << text;
  EXPECT_LE(spawns - before, 10);
  ::unsetenv("JOBLOT_TEST_DIE_EARLY");
  expect_works(parallel);
}

void be_slow() { std::this_thread::sleep_for(30ms); }

TEST(LokyStart, IsTriedAgainIfWorkersAreKilledAsTheyStart) {
  auto options = own_options();
  options.initializer = be_slow;
  options.retries = 1000;
  std::atomic<int> kills = 0;
  std::jthread const killer([&](std::stop_token const& stop) {
    while (!stop.stop_requested() && kills < 60) {
      std::this_thread::sleep_for(5ms);
      for (auto const& task : std::filesystem::directory_iterator("/proc/self/task")) {
        std::FILE* const file = std::fopen((task.path() / "children").c_str(), "r");
        if (file == nullptr) continue;
        for (int pid = 0; std::fscanf(file, "%d", &pid) == 1;) {
          kills += ::kill(pid, SIGKILL) == 0 ? 1 : 0;
        }
        std::fclose(file);
      }
    }
  });
  expect_works(Parallel(options));
  EXPECT_GE(kills, 1);
}

/// Makes the end of a worker last.
struct SlowAtExit {
  ~SlowAtExit() {
    if (joblot::detail::in_worker_process() && std::getenv("JOBLOT_TEST_SLOW_EXIT") != nullptr) {
      std::this_thread::sleep_for(1h);
    }
  }
} const slow_at_exit;

TEST(LokyStart, IsNotPutOffByWorkersThatTakeLongToLeave) {
  ::setenv("JOBLOT_TEST_SLOW_EXIT", "1", 1);
  auto options = own_options();
  options.idle_worker_timeout = 20ms;
  auto const begun = std::chrono::steady_clock::now();
  for (int round = 0; round < 5; ++round) {
    expect_works(Parallel(options));
    std::this_thread::sleep_for(60ms);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 30s);
  ::unsetenv("JOBLOT_TEST_SLOW_EXIT");
}

TEST(LokyStart, NeedsNeitherPidfdsNorMemfds) {
  is_old_kernel = true;
  ::setenv("JOBLOT_TEST_OLD_KERNEL", "1", 1);
  Parallel const parallel(own_options());
  expect_works(parallel);
  auto const outcomes =
      parallel.outcomes(std::views::iota(0, 20) | std::views::transform([](int i) {
                          return delayed([](int n) {
                            if (n == 7) ::_exit(1);
                            if (n == 11) {
                              if (::fork() == 0) {
                                ::alarm(5);
                                for (;;) ::pause();
                              }
                              ::raise(SIGKILL);
                            }
                          })(i);
                        }));
  for (std::size_t i = 0; i < 20; ++i) EXPECT_EQ(outcomes[i].has_value(), i != 7 && i != 11) << i;
  ::unsetenv("JOBLOT_TEST_OLD_KERNEL");
  is_old_kernel = false;
}

TEST(LokyStart, WorksInAProgramThatIgnoresItsChildren) {
  ::signal(SIGCHLD, SIG_IGN);
  Parallel const parallel(own_options());
  expect_works(parallel);
  auto const outcomes =
      parallel.outcomes(std::views::iota(0, 20) | std::views::transform([](int i) {
                          return delayed([](int n) {
                            if (n == 7) ::_exit(1);
                          })(i);
                        }));
  for (std::size_t i = 0; i < 20; ++i) EXPECT_EQ(outcomes[i].has_value(), i != 7) << i;
  expect_works(parallel);
  ::signal(SIGCHLD, SIG_DFL);
}

TEST(LokyStart, WorksInAProgramThatWaitsForAnyChild) {
  std::jthread const thief([](std::stop_token const& stop) {
    while (!stop.stop_requested()) {
      if (::waitpid(-1, nullptr, WNOHANG) <= 0) std::this_thread::sleep_for(50us);
    }
  });
  Parallel const parallel(own_options());
  for (int round = 0; round < 10; ++round) {
    auto const outcomes =
        parallel.outcomes(std::views::iota(0, 20) | std::views::transform([](int i) {
                            return delayed([](int n) {
                              if (n == 7) ::_exit(1);
                            })(i);
                          }));
    for (std::size_t i = 0; i < 20; ++i) EXPECT_EQ(outcomes[i].has_value(), i != 7) << i;
  }
}

TEST(LokyStart, WorksInAProgramWhoseFileIsGone) {
  if (std::getenv("JOBLOT_TEST_GONE") != nullptr) {  // the copy: the last test of its life
    std::filesystem::remove(std::getenv("JOBLOT_TEST_GONE"));
    expect_works(Parallel(own_options()));
    auto const nested = Parallel(own_options()).map(std::views::iota(0, 2), [](int i) {
      return Parallel{{.n_jobs = 2, .backend = "loky"}}
                 .map(std::views::iota(0, 3), [](int j) { return j; })
                 .size() +
             static_cast<std::size_t>(i);
    });
    EXPECT_EQ(nested, (std::vector<std::size_t>{3, 4}));
    return;
  }
  auto const copy = std::filesystem::temp_directory_path() /
                    ("loky_start_test_copy_" + std::to_string(::getpid()));
  std::filesystem::copy_file("/proc/self/exe", copy);
  ::setenv("JOBLOT_TEST_GONE", copy.c_str(), 1);
  auto const command = copy.string() + " --gtest_filter=LokyStart.WorksInAProgramWhoseFileIsGone";
  EXPECT_EQ(std::system(command.c_str()), 0);
  ::unsetenv("JOBLOT_TEST_GONE");
  EXPECT_FALSE(std::filesystem::exists(copy));
}

}  // namespace
