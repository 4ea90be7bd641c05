// SPDX-License-Identifier: MIT
// Tests of how many tasks a worker takes at a time.
#include <joblot/batching.hpp>
// First, because it needs no other.
#include <chrono>
#include <cstddef>
#include <limits>
#include <optional>

#include <gtest/gtest.h>

namespace {

using joblot::detail::BatchSizer;
using namespace std::chrono_literals;

constexpr auto endless = std::numeric_limits<std::size_t>::max();

/// The batch size after `batches` batches of tasks that all run for `task`.
std::size_t settled(BatchSizer& sizer, BatchSizer::Nanoseconds task, int batches = 20) {
  for (int i = 0; i < batches; ++i) {
    auto const tasks = sizer.next(endless);
    sizer.ran(tasks, task * static_cast<double>(tasks));
  }
  return sizer.next(endless);
}

BatchSizer automatic(int workers = 1) { return {std::nullopt, workers, workers, endless}; }

TEST(BatchSizer, BeginsWithOneTask) {
  EXPECT_EQ(automatic().next(endless), 1U);
  EXPECT_EQ(automatic(8).next(1'000'000), 1U);
}

TEST(BatchSizer, GrowsStepByStepToItsTargetOfRunTime) {
  auto sizer = automatic();
  auto last = sizer.next(endless);
  for (int i = 0; i < 20; ++i) {
    sizer.ran(last, 10ns * static_cast<double>(last));
    auto const size = sizer.next(endless);
    EXPECT_LE(size, last * BatchSizer::growth);
    EXPECT_GE(size, last);
    last = size;
  }
  EXPECT_EQ(last, static_cast<std::size_t>(BatchSizer::target / 10ns));
}

TEST(BatchSizer, StaysWellBelowAMillisecondAtATime) {
  EXPECT_LE(BatchSizer::target, 1ms);
  for (auto const task : {10ns, 1000ns, 77'000ns}) {
    auto sizer = automatic();
    EXPECT_LE(task * static_cast<double>(settled(sizer, task)), 1ms);
  }
}

TEST(BatchSizer, OutweighsWhatABatchCosts) {
  auto sizer = automatic();
  auto size = sizer.next(endless);
  for (int i = 0; i < 20; ++i) {
    sizer.ran(size, 1000ns * static_cast<double>(size), 1ms);
    size = sizer.next(endless);
  }
  EXPECT_EQ(size, 20'000U);
  EXPECT_GE(sizer.next(1000), 1000U) << "so many cost less than one more batch";
}

TEST(BatchSizer, TakesLongTasksOneByOne) {
  auto sizer = automatic();
  EXPECT_EQ(settled(sizer, 1ms), 1U);
  EXPECT_EQ(settled(sizer, 1h), 1U);
}

TEST(BatchSizer, ShrinksAtOnceWhenTasksGetLong) {
  auto sizer = automatic();
  auto const tasks = settled(sizer, 100ns);
  EXPECT_GT(tasks, 100U);
  sizer.ran(tasks, 1ms * static_cast<double>(tasks));
  EXPECT_EQ(sizer.next(endless), 1U);
}

TEST(BatchSizer, TakesAShareOfWhatIsLeftNearTheEnd) {
  auto sizer = automatic(4);
  settled(sizer, 1us);
  auto const half = sizer.next(40);
  EXPECT_LT(half, 10U);
  EXPECT_GE(half, 1U);
  EXPECT_LE(sizer.next(8), half);
  EXPECT_EQ(sizer.next(1), 1U);
}

TEST(BatchSizer, DoesNotCutTinyTasksIntoBatchesThatAreNotWorthTaking) {
  auto sizer = automatic(4);
  settled(sizer, 1ns);
  EXPECT_GE(sizer.next(100), 100U);
}

TEST(BatchSizer, KeepsASizeThatWasAskedFor) {
  BatchSizer sizer(7, 4, 4, endless);
  EXPECT_EQ(sizer.next(endless), 7U);
  EXPECT_EQ(settled(sizer, 1ns), 7U);
  EXPECT_EQ(settled(sizer, 1s), 7U);
  EXPECT_EQ(sizer.next(2), 7U);
}

TEST(BatchSizer, NeverTakesMoreThanThereIsRoomFor) {
  BatchSizer sizer(std::nullopt, 1, 1, 1024);
  EXPECT_EQ(settled(sizer, 0.01ns), 1024U);
}

TEST(BatchSizer, IsNotUpsetByTasksThatTakeNoTime) {
  auto sizer = automatic();
  auto const size = settled(sizer, 0ns);
  EXPECT_GT(size, 1000U);
  EXPECT_LT(size, endless);
}

TEST(BatchSizer, LooksForAStopAfterAFewMicrosecondsOfTasks) {
  auto sizer = automatic();
  EXPECT_EQ(sizer.strip(), 1U);
  settled(sizer, 1ms);
  EXPECT_EQ(sizer.strip(), 1U);
  settled(sizer, 100ns);
  EXPECT_EQ(sizer.strip(), static_cast<std::size_t>(BatchSizer::strip_target / 100ns));
  settled(sizer, 0.1ns);
  EXPECT_EQ(sizer.strip(), BatchSizer::longest_strip);
}

}  // namespace
