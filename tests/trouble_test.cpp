// SPDX-License-Identifier: MIT
// What a program may run into: no more threads, a broken stderr, a fork or an exit in the middle.
#include <atomic>
#include <barrier>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <latch>
#include <mutex>
#include <numeric>
#include <optional>
#include <ranges>
#include <set>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <dlfcn.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <joblot/joblot.hpp>

#include "support/forms.hpp"

namespace {

constexpr int any_number = -1;
std::atomic<int> threads_allowed = any_number;  // how many more may be made

bool refuses_a_thread() {
  auto left = threads_allowed.load();
  while (left != any_number) {
    if (left == 0) return true;
    if (threads_allowed.compare_exchange_weak(left, left - 1)) return false;
  }
  return false;
}

using Create = int (*)(pthread_t*, pthread_attr_t const*, void* (*)(void*), void*);

}  // namespace

// A sanitizer of clang has its own, which must be called, too, and which dlsym would pass over.
extern "C" int __interceptor_pthread_create(pthread_t*, pthread_attr_t const*, void* (*)(void*),
                                            void*) __attribute__((weak));

extern "C" int pthread_create(pthread_t* thread, pthread_attr_t const* attributes,
                              void* (*start)(void*), void* argument) noexcept {
  if (refuses_a_thread()) return EAGAIN;
  static auto const create = __interceptor_pthread_create != nullptr
                                 ? __interceptor_pthread_create
                                 : reinterpret_cast<Create>(dlsym(RTLD_NEXT, "pthread_create"));
  return create(thread, attributes, start, argument);
}

namespace {

using forms::Numbers;
using joblot::CancelledError;
using joblot::Generator;
using joblot::Options;
using joblot::Parallel;
using joblot::TimeoutError;
namespace this_task = joblot::this_task;
using namespace std::chrono_literals;

std::vector<int> iota(int size) {
  std::vector<int> values(static_cast<std::size_t>(size));
  std::iota(values.begin(), values.end(), 0);
  return values;
}

template <class F>
auto tasks_of(int size, F f) {
  return std::views::iota(0, size) |
         std::views::transform([f](int i) { return [f, i] { return f(i); }; });
}

int identity(int i) { return i; }

void wait_for_stop() {
  while (!this_task::stop_requested()) std::this_thread::yield();
}

// The allocators of sanitizers are not locked by fork: a thread on its way back to the pool, which
// may be inside one, gets time to arrive.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr auto time_to_arrive = 20ms;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
constexpr auto time_to_arrive = 20ms;
#else
constexpr auto time_to_arrive = 0ms;
#endif
#else
constexpr auto time_to_arrive = 0ms;
#endif

// Runs `body` in a child, which has no threads of ours to begin with.
template <class Body>
void expect_in_child(Body body) {
  std::this_thread::sleep_for(time_to_arrive);
  std::fflush(nullptr);
  pid_t const child = ::fork();
  ASSERT_NE(child, -1);
  if (child == 0) {
    body();
    std::fflush(nullptr);
    ::_exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << "status " << status;
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

// Runs `body` where no threads can be made but so many.
template <class Body>
void with_threads(int allowed, Body body) {
  expect_in_child([&] {
    threads_allowed = allowed;
    body();
  });
}

class CallsInTrouble : public testing::TestWithParam<forms::Form> {};
INSTANTIATE_TEST_SUITE_P(, CallsInTrouble, testing::ValuesIn(forms::all()), forms::name);

// No more threads.

TEST_P(CallsInTrouble, CompleteInTheCallerWithoutThreads) {
  with_threads(0, [] {
    std::set<std::thread::id> threads;
    auto const f = [&](int i) {
      threads.insert(std::this_thread::get_id());
      return i;
    };
    for (int const batch_size : {1, 3}) {
      Parallel const parallel{{.n_jobs = 4, .batch_size = batch_size}};
      EXPECT_EQ(GetParam().run(parallel, Numbers{100}, f), iota(100));
      auto const range = WatchedRange(100, [](Step, int) {});
      EXPECT_EQ(GetParam().run(parallel, range, f), iota(100));
    }
    EXPECT_EQ(threads, std::set<std::thread::id>{std::this_thread::get_id()});
  });
}

TEST_P(CallsInTrouble, CompleteWithTheThreadsThereAre) {
  with_threads(2, [] {
    std::barrier three_in(3);
    Parallel const parallel{{.n_jobs = 8, .batch_size = 1}};
    if (GetParam().start_function == nullptr) {
      auto const f = [&](int i) {
        if (i < 3) three_in.arrive_and_wait();
        return i;
      };
      EXPECT_EQ(GetParam().run(parallel, Numbers{20}, f), iota(20));
      return;
    }
    // The consumer does not work, but it can meet those who do.
    auto const f = [&](int i) {
      if (i < 2) three_in.arrive_and_wait();
      return i;
    };
    auto const results = GetParam().start(parallel, Numbers{20}, f);
    three_in.arrive_and_wait();
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(results->next());
    EXPECT_FALSE(results->next());
  });
}

TEST_P(CallsInTrouble, NestWithoutThreads) {
  with_threads(0, [] {
    auto const f = [&](int i) {
      auto const inner = GetParam().run(Parallel(3), Numbers{i}, [](int) { return 1; });
      return std::accumulate(inner.begin(), inner.end(), 0);
    };
    EXPECT_EQ(GetParam().run(Parallel(3), Numbers{10}, f), iota(10));
  });
}

TEST_P(CallsInTrouble, ThrowErrorsWithoutThreads) {
  with_threads(0, [] {
    auto const f = [](int i) { return i == 5 ? throw std::domain_error("five") : i; };
    EXPECT_THROW(GetParam().run(Parallel(3), Numbers{10}, f), std::domain_error);
  });
}

TEST_P(CallsInTrouble, NoticeATimeLimitAtTheEndOfATaskWithoutThreads) {
  with_threads(0, [] {
    Parallel const parallel{{.n_jobs = 3, .timeout = 100ms}};
    bool ended = false;
    auto const f = [&](int i) {
      if (i == 2) {
        wait_for_stop();  // this is known without a thread that looks at the clock
        ended = true;
      }
      return i;
    };
    try {
      GetParam().run(parallel, Numbers{5}, f);
      FAIL() << "nothing was thrown";
    } catch (TimeoutError const& error) {
      EXPECT_EQ(error.index(), 2U);
    }
    EXPECT_TRUE(ended);
  });
}

TEST_P(CallsInTrouble, CanBeStoppedWithoutThreads) {
  with_threads(0, [] {
    std::stop_source source;
    Parallel const parallel{{.n_jobs = 3, .stop = source.get_token()}};
    auto const f = [&](int i) {
      if (i == 5) source.request_stop();
      return i;
    };
    EXPECT_THROW(GetParam().run(parallel, Numbers{1000}, f), CancelledError);
  });
}

TEST_P(CallsInTrouble, GetThreadsAgainAsSoonAsThereAreSome) {
  with_threads(0, [] {
    EXPECT_EQ(GetParam().run(Parallel(4), Numbers{4}, identity), iota(4));
    threads_allowed = any_number;
    std::barrier all_in(4);
    auto const f = [&](int i) {
      all_in.arrive_and_wait();
      return i;
    };
    Parallel const parallel{{.n_jobs = 4, .batch_size = 1}};
    EXPECT_EQ(GetParam().run(parallel, Numbers{4}, f), iota(4));
  });
}

TEST(AGenerator, MadeWithoutThreadsIsLazy) {
  with_threads(0, [] {
    std::atomic<int> ran = 0;
    auto results = Parallel{{.n_jobs = 4, .batch_size = 1}}.generator(tasks_of(10, [&](int i) {
      ++ran;
      return i;
    }));
    EXPECT_EQ(ran, 0);
    EXPECT_EQ(results.next(), 0);
    EXPECT_EQ(ran, 1);
    EXPECT_EQ(results.next(), 1);
    results.close();
    EXPECT_EQ(ran, 2);
  });
}

TEST(AStopToken, MayBeAskedForByItsOwnCallback) {
  // Without a thread that looks at the clock, it is the second question that stops the token.
  with_threads(0, [] {
    Parallel const parallel{{.n_jobs = 2, .timeout = 1ms}};
    bool stopped = false;
    EXPECT_THROW(parallel.for_each(std::views::iota(0, 1),
                                   [&](int) {
                                     std::stop_callback const callback(
                                         this_task::stop_token(), [&] {
                                           stopped = this_task::stop_token().stop_requested();
                                         });
                                     wait_for_stop();
                                     EXPECT_TRUE(this_task::stop_token().stop_requested());
                                   }),
                 TimeoutError);
    EXPECT_TRUE(stopped);
  });
}

// A broken stderr.

// Puts something else in the place of a file descriptor.
class Replaced {
 public:
  explicit Replaced(int fd) : fd_(fd), kept_(::fcntl(fd, F_DUPFD_CLOEXEC, 10)) {
    std::fflush(nullptr);
  }
  Replaced(Replaced const&) = delete;
  Replaced& operator=(Replaced const&) = delete;
  ~Replaced() {
    ::dup2(kept_, fd_);
    ::close(kept_);
  }
  void by_nothing() const { ::close(fd_); }
  void by_a_pipe_that_nobody_reads() const {
    int ends[2] = {-1, -1};
    ASSERT_EQ(::pipe(ends), 0);
    ::close(ends[0]);
    ::dup2(ends[1], fd_);
    ::close(ends[1]);
  }
  void by_a_full_disk() const {
    int const full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
    ASSERT_GE(full, 0);
    ::dup2(full, fd_);
    ::close(full);
  }

 private:
  int fd_;
  int kept_;
};

TEST_P(CallsInTrouble, DoNotCareWhatBecomesOfTheirOutput) {
  ASSERT_NE(::signal(SIGPIPE, SIG_DFL), SIG_ERR);
  for (int const n_jobs : {1, 3}) {
    for (auto const break_it : {&Replaced::by_nothing, &Replaced::by_a_pipe_that_nobody_reads,
                                &Replaced::by_a_full_disk}) {
      for (int const verbose : {11, 100}) {
        Parallel const parallel{{.n_jobs = n_jobs, .verbose = verbose, .progress_bar = true}};
        std::vector<int> results;
        {
          Replaced const err(STDERR_FILENO);
          Replaced const out(STDOUT_FILENO);
          (err.*break_it)();
          (out.*break_it)();
          results = GetParam().run(parallel, Numbers{100}, identity);
        }
        EXPECT_EQ(results, iota(100));
        auto const f = [](int i) { return i == 50 ? throw std::domain_error("fifty") : i; };
        Replaced const err(STDERR_FILENO);
        Replaced const out(STDOUT_FILENO);
        (err.*break_it)();
        (out.*break_it)();
        EXPECT_THROW(GetParam().run(parallel, Numbers{100}, f), std::domain_error);
      }
    }
  }
}

// A fork in the middle.

TEST_P(CallsInTrouble, WorkInAChildAndThenInTheParent) {
  std::barrier all_in(4);
  auto const use = [&] {
    auto const f = [&](int i) {
      all_in.arrive_and_wait();
      return i;
    };
    Parallel const parallel{{.n_jobs = 4, .batch_size = 1}};
    EXPECT_EQ(GetParam().run(parallel, Numbers{8}, f), iota(8));
  };
  use();
  expect_in_child(use);
  use();
  expect_in_child([&] {
    expect_in_child(use);
    use();
  });
}

TEST(AFork, WhileAGeneratorIsAtWorkDisturbsNeitherSide) {
  std::latch all_in(3);
  std::latch release(1);
  auto results = Parallel{{.n_jobs = 3, .batch_size = 1}}.generator(tasks_of(20, [&](int i) {
    if (i < 3) {
      all_in.count_down();
      release.wait();
    }
    return i;
  }));
  all_in.wait();
  expect_in_child([] {
    std::barrier both_in(2);
    Parallel const parallel{{.n_jobs = 2, .batch_size = 1}};
    parallel.for_each(std::views::iota(0, 2), [&](int) { both_in.arrive_and_wait(); });
    EXPECT_EQ(parallel(tasks_of(50, identity)), iota(50));
  });
  release.count_down();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(results.next(), i);
}

TEST(AFork, InsideATaskLeavesTheChildACopyOfTheWorker) {
  Parallel const parallel{{.n_jobs = 2, .batch_size = 1}};
  std::barrier both_in(2);
  parallel.for_each(std::views::iota(0, 2), [&](int i) {
    both_in.arrive_and_wait();
    if (i == 0) {
      expect_in_child([] {
        EXPECT_EQ(this_task::index(), 0U);
        EXPECT_EQ(Parallel(4).map(std::views::iota(0, 50), identity), iota(50));
        EXPECT_EQ(Parallel(4)(tasks_of(50, identity)), iota(50));
      });
    }
    both_in.arrive_and_wait();
  });
}

// An exit in the middle. (A suite of this name is run before all others.)

void exit_while_threads_sleep() {
  std::barrier all_in(4);
  Parallel const parallel{{.n_jobs = 4, .batch_size = 1}};
  parallel.for_each(std::views::iota(0, 4), [&](int) { all_in.arrive_and_wait(); });
  std::exit(3);
}

void exit_while_a_generator_is_paused() {
  auto results = Parallel(4).generator(tasks_of(1000000, identity));
  static_cast<void>(results.next());
  std::exit(4);
}

void exit_in_a_task() {
  std::barrier all_in(2);
  Parallel const parallel{{.n_jobs = 2, .batch_size = 1}};
  auto const caller = std::this_thread::get_id();
  parallel.for_each(std::views::iota(0, 2), [&](int) {
    all_in.arrive_and_wait();
    if (std::this_thread::get_id() != caller) std::exit(5);
  });
  for (;;) ::pause();  // the caller may come this far
}

TEST(ExitDeathTest, WorksWhileThreadsSleepOrAreAtWork) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(exit_while_threads_sleep(), testing::ExitedWithCode(3), "^$");
  EXPECT_EXIT(exit_while_a_generator_is_paused(), testing::ExitedWithCode(4), "^$");
  EXPECT_EXIT(exit_in_a_task(), testing::ExitedWithCode(5), "^$");
}

}  // namespace
