// SPDX-License-Identifier: MIT
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <semaphore>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include <joblot/result_queue.hpp>

namespace {

using joblot::detail::Claim;
using joblot::detail::Order;
using joblot::detail::ResultQueue;
using Queue = ResultQueue<int>;
using Waited = Queue::Waited;
using Pairs = std::vector<std::pair<std::size_t, int>>;

constexpr auto never = [](std::size_t) { return false; };
constexpr auto not_stopped = [] { return false; };

// A result is ten times its index.
constexpr auto tenfold = [](std::size_t index) { return static_cast<int>(10 * index); };

// Runs the tasks of `claim` and publishes their results, as a worker does.
void work(Queue::Writer& writer, Claim claim) {
  writer.begin(claim);
  writer.strip(claim.first, claim.first + claim.count, tenfold);
  writer.publish(claim.first + claim.count);
}

// What is there to take: index and result.
Pairs take_all(Queue& queue) {
  Pairs taken;
  std::optional<int> value;
  std::size_t index = 0;
  do {
    while (queue.take(value, index)) taken.emplace_back(index, *value);
  } while (queue.wait(false, never) == Waited::results);
  return taken;
}

TEST(AResultQueue, GivesResultsInOrderOfSubmission) {
  Queue queue(Order::submission, std::nullopt, 0);
  auto first = queue.writer();
  auto second = queue.writer();
  first.begin({0, 2});
  second.begin({2, 2});
  second.strip(2, 4, tenfold);
  second.publish(4);
  EXPECT_TRUE(take_all(queue).empty()) << "those before are not there";
  first.strip(0, 1, tenfold);
  first.publish(1);
  EXPECT_EQ(take_all(queue), (Pairs{{0, 0}}));
  first.strip(1, 2, tenfold);
  first.publish(2);
  EXPECT_EQ(take_all(queue), (Pairs{{1, 10}, {2, 20}, {3, 30}}));
  EXPECT_EQ(queue.delivered(), 4U);
}

TEST(AResultQueue, GivesResultsInOrderOfCompletion) {
  Queue queue(Order::completion, std::nullopt, 0);
  auto first = queue.writer();
  auto second = queue.writer();
  first.begin({0, 2});
  second.begin({2, 2});
  second.strip(2, 3, tenfold);
  second.publish(3);
  EXPECT_EQ(take_all(queue), (Pairs{{2, 20}}));
  first.strip(0, 2, tenfold);
  first.publish(2);
  second.strip(3, 4, tenfold);
  second.publish(4);
  EXPECT_EQ(take_all(queue), (Pairs{{0, 0}, {1, 10}, {3, 30}}));
}

TEST(AResultQueue, HasNothingBeforeItIsPublished) {
  for (auto const order : {Order::submission, Order::completion}) {
    Queue queue(order, std::nullopt, 0);
    auto writer = queue.writer();
    writer.begin({0, 3});
    writer.strip(0, 2, tenfold);
    EXPECT_TRUE(take_all(queue).empty());
    writer.publish(0);
    EXPECT_TRUE(take_all(queue).empty()) << "nothing was published";
    writer.publish(2);
    writer.publish(2);
    EXPECT_EQ(take_all(queue), (Pairs{{0, 0}, {1, 10}})) << "once";
  }
}

TEST(AResultQueue, HasRoomForAsManyBatchesAsItsWindow) {
  for (auto const order : {Order::submission, Order::completion}) {
    Queue queue(order, 2, 0);
    auto writer = queue.writer();
    EXPECT_TRUE(writer.wait_for_room(not_stopped));
    work(writer, {0, 3});
    EXPECT_TRUE(writer.wait_for_room(not_stopped));
    work(writer, {3, 3});
    std::atomic<bool> has_room = false;
    std::jthread const waiting([&] {
      auto other = queue.writer();
      EXPECT_TRUE(other.wait_for_room(not_stopped));
      has_room = true;
    });
    std::optional<int> value;
    std::size_t index = 0;
    EXPECT_EQ(queue.wait(true, never), Waited::results);
    EXPECT_TRUE(queue.take(value, index));
    EXPECT_TRUE(queue.take(value, index));
    EXPECT_FALSE(has_room) << "a batch is consumed when all of it is";
    EXPECT_TRUE(queue.take(value, index));
    while (!has_room) std::this_thread::yield();
  }
}

TEST(AResultQueue, WakesWhoWaitsForRoomWhenTheCallIsStopped) {
  Queue queue(Order::submission, 1, 0);
  auto writer = queue.writer();
  work(writer, {0, 1});
  std::atomic<bool> stopped = false;
  std::jthread const waiting([&] {
    auto other = queue.writer();
    EXPECT_FALSE(other.wait_for_room([&] { return stopped.load(); }));
  });
  stopped = true;
  queue.wake_all();
}

TEST(AResultQueue, TellsItsConsumerWhyItWaitsNoMore) {
  Queue queue(Order::completion, std::nullopt, 0);
  EXPECT_EQ(queue.wait(false, never), Waited::nobody_works) << "there are no workers";
  EXPECT_EQ(queue.wait(true, [](std::size_t) { return true; }), Waited::nobody_works);
  auto writer = queue.writer();
  work(writer, {0, 1});
  EXPECT_EQ(queue.wait(true, [](std::size_t) { return true; }), Waited::results)
      << "what is there comes first";
  writer.ended();
  std::optional<int> value;
  std::size_t index = 0;
  EXPECT_TRUE(queue.take(value, index));
  EXPECT_EQ(queue.wait(true, never), Waited::end);
}

TEST(AResultQueue, DoesNotEndBeforeTheLastBatchHas) {
  for (auto const order : {Order::submission, Order::completion}) {
    Queue queue(order, std::nullopt, 0);
    auto writer = queue.writer();
    writer.begin({0, 1});
    writer.ended();
    EXPECT_EQ(queue.wait(false, never), Waited::nobody_works);
    std::jthread const worker([&] {
      writer.strip(0, 1, tenfold);
      writer.publish(1);
    });
    EXPECT_EQ(queue.wait(true, never), Waited::results);
  }
}

TEST(AResultQueue, WakesItsConsumerForEachReason) {
  enum class Reason { result, end, stop, abandoned };
  for (auto const reason : {Reason::result, Reason::end, Reason::stop, Reason::abandoned}) {
    Queue queue(Order::submission, std::nullopt, 0);
    std::atomic<bool> stopped = false;
    std::counting_semaphore<> waits(0);
    std::jthread const other([&] {
      auto writer = queue.writer();
      waits.acquire();
      switch (reason) {
        case Reason::result:
          work(writer, {0, 1});
          break;
        case Reason::end:
          writer.ended();
          break;
        case Reason::stop:
          stopped = true;
          queue.wake_all();
          break;
        case Reason::abandoned:
          queue.abandon();
          break;
      }
    });
    auto const waited = queue.wait(true, [&](std::size_t) {
      waits.release();
      return stopped.load();
    });
    EXPECT_EQ(waited, reason == Reason::result ? Waited::results
                      : reason == Reason::end  ? Waited::end
                                               : Waited::nobody_works);
  }
}

TEST(AResultQueue, TellsHowManyResultsHaveBeenDelivered) {
  Queue queue(Order::submission, std::nullopt, 0);
  auto writer = queue.writer();
  work(writer, {0, 5});
  static_cast<void>(take_all(queue));
  std::size_t told = 0;
  static_cast<void>(queue.wait(true, [&](std::size_t delivered) {
    told = delivered;
    return true;
  }));
  EXPECT_EQ(told, 5U);
}

TEST(AResultQueue, KeepsMoveOnlyResultsAndResultsOfTasksWithoutAny) {
  ResultQueue<std::unique_ptr<int>> pointers(Order::submission, std::nullopt, 0);
  auto pointer_writer = pointers.writer();
  pointer_writer.begin({0, 1});
  pointer_writer.strip(0, 1, [](std::size_t) { return std::make_unique<int>(7); });
  pointer_writer.publish(1);
  std::optional<std::unique_ptr<int>> pointer;
  std::size_t index = 9;
  ASSERT_EQ(pointers.wait(false, never), ResultQueue<std::unique_ptr<int>>::Waited::results);
  ASSERT_TRUE(pointers.take(pointer, index));
  EXPECT_EQ(**pointer, 7);
  EXPECT_EQ(index, 0U);

  ResultQueue<std::monostate> nothing(Order::submission, std::nullopt, 0);
  auto writer = nothing.writer();
  int ran = 0;
  writer.begin({0, 2});
  writer.strip(0, 2, [&](std::size_t) { ++ran; });
  writer.publish(2);
  EXPECT_EQ(ran, 2);
  std::optional<std::monostate> empty;
  ASSERT_EQ(nothing.wait(false, never), ResultQueue<std::monostate>::Waited::results);
  EXPECT_TRUE(nothing.take(empty, index));
  EXPECT_TRUE(nothing.take(empty, index));
  EXPECT_FALSE(nothing.take(empty, index));
}

TEST(AResultQueue, DestroysWhatNobodyTakes) {
  auto const use = std::make_shared<int>(0);
  {
    ResultQueue<std::shared_ptr<int>> queue(Order::completion, std::nullopt, 0);
    auto writer = queue.writer();
    writer.begin({0, 10});
    writer.strip(0, 7, [&](std::size_t) { return use; });
    writer.publish(5);
    EXPECT_EQ(use.use_count(), 8);
  }
  EXPECT_EQ(use.use_count(), 1);
}

TEST(AResultQueue, CarriesResultsFromManyWorkersToOneConsumer) {
  for (auto const order : {Order::submission, Order::completion}) {
    constexpr int workers = 4;
    constexpr std::size_t total = 3000;
    Queue queue(order, 8, 0);
    std::mutex reading;
    std::size_t next = 0;
    std::vector<std::jthread> threads;
    for (int w = 0; w < workers; ++w) {
      threads.emplace_back([&] {
        auto writer = queue.writer();
        for (;;) {
          Claim claim;
          {
            std::lock_guard const lock(reading);
            if (next == total || !writer.wait_for_room(not_stopped)) return;
            claim = {next, std::min<std::size_t>(1 + next % 7, total - next)};
            next += claim.count;
            writer.begin(claim);
            if (next == total) writer.ended();
          }
          for (auto i = claim.first; i < claim.first + claim.count; ++i) {
            writer.strip(i, i + 1, tenfold);
            writer.publish(i + 1);
          }
        }
      });
    }
    std::vector<bool> seen(total);
    std::optional<int> value;
    std::size_t index = 0;
    std::size_t count = 0;
    while (queue.wait(true, never) == Waited::results) {
      while (queue.take(value, index)) {
        EXPECT_EQ(*value, tenfold(index));
        EXPECT_FALSE(seen.at(index));
        if (order == Order::submission) {
          EXPECT_EQ(index, count);
        }
        seen[index] = true;
        ++count;
      }
    }
    EXPECT_EQ(count, total);
  }
}

}  // namespace
