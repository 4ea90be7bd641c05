// SPDX-License-Identifier: MIT
#include <atomic>
#include <chrono>
#include <semaphore>
#include <thread>

#include <gtest/gtest.h>

#include <joblot/watchdog.hpp>

namespace {

using joblot::detail::TimedTask;
using joblot::detail::Watchdog;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

TEST(TimedTask, IsNotOverdueBeforeItBegins) {
  TimedTask const task;
  EXPECT_FALSE(task.overdue(0ns));
  EXPECT_FALSE(task.deadline(0ns));
  TimedTask other;
  EXPECT_FALSE(other.find_overdue(0ns));
  EXPECT_FALSE(other.end(0ns)) << "what has not begun has not run too long";
}

TEST(TimedTask, IsOverdueAfterItsTime) {
  TimedTask task;
  task.begin(3);
  EXPECT_FALSE(task.overdue(1h));
  std::this_thread::sleep_for(2ms);
  EXPECT_TRUE(task.overdue(1ms));
  EXPECT_TRUE(task.end(1ms));
  EXPECT_FALSE(task.overdue(1ms));
}

TEST(TimedTask, EndsInTime) {
  TimedTask task;
  task.begin(3);
  EXPECT_FALSE(task.end(1h));
  EXPECT_FALSE(task.end(0ns)) << "it has ended already";
}

TEST(TimedTask, IsFoundOverdueOnceByIndex) {
  TimedTask task;
  task.begin(3);
  std::this_thread::sleep_for(2ms);
  EXPECT_FALSE(task.find_overdue(1h));
  EXPECT_EQ(task.find_overdue(1ms), 3U);
  EXPECT_FALSE(task.find_overdue(1ms));
  EXPECT_FALSE(task.deadline(1ms)) << "there is nothing more to look for";
  EXPECT_TRUE(task.overdue(1h)) << "what has been found stays found";
  EXPECT_TRUE(task.end(1h));
}

TEST(TimedTask, BeginsAnewWithTheNextTask) {
  TimedTask task;
  task.begin(3);
  std::this_thread::sleep_for(2ms);
  EXPECT_TRUE(task.find_overdue(1ms));
  EXPECT_TRUE(task.end(1ms));
  task.begin(4);
  EXPECT_FALSE(task.overdue(1h));
  EXPECT_FALSE(task.find_overdue(1h));
  EXPECT_FALSE(task.end(1h));
}

TEST(TimedTask, KnowsItsDeadline) {
  TimedTask task;
  auto const before = Clock::now();
  task.begin(0);
  auto const after = Clock::now();
  auto const deadline = task.deadline(5s);
  ASSERT_TRUE(deadline);
  EXPECT_GE(*deadline, before + 5s);
  EXPECT_LE(*deadline, after + 5s);
}

TEST(TimedTask, CanBeLookedAtWhileItsWorkerGoesOn) {
  // Whoever is found overdue is the task that was running at that moment: its worker learns it.
  TimedTask task;
  std::atomic<bool> done = false;
  std::atomic<long> found = 0;
  std::jthread const looker([&] {
    while (!done) {
      if (task.find_overdue(1us)) ++found;
      std::this_thread::yield();
    }
  });
  long overdue = 0;
  for (std::size_t i = 0; i < 300; ++i) {
    task.begin(i);
    std::this_thread::yield();
    if (task.end(1h)) ++overdue;  // only what has been found can be
  }
  done = true;
  EXPECT_EQ(overdue, found);
}

TEST(Watchdog, LooksAtOnceAndAgainWhenItIsTimeTo) {
  std::counting_semaphore<> looks(0);
  Watchdog const watchdog([&] {
    looks.release();
    return Clock::now() + 1ms;
  });
  for (int i = 0; i < 5; ++i) looks.acquire();
  SUCCEED();
}

TEST(Watchdog, EndsAtOnceThoughItsNextLookIsFarAway) {
  auto const begin = Clock::now();
  {
    std::binary_semaphore looked(0);
    Watchdog const watchdog([&] {
      looked.release();
      return Clock::now() + 1h;
    });
    looked.acquire();
  }
  EXPECT_LT(Clock::now() - begin, 30s);
}

TEST(Watchdog, IsNotLookingAnyMoreWhenItIsGone) {
  std::atomic<bool> gone = false;
  std::atomic<int> late = 0;
  for (int i = 0; i < 20; ++i) {
    {
      Watchdog const watchdog([&] {
        if (gone) ++late;
        return Clock::now();
      });
      std::this_thread::yield();
    }
    gone = true;
    std::this_thread::yield();
    gone = false;
  }
  EXPECT_EQ(late, 0);
}

}  // namespace
