// SPDX-License-Identifier: MIT
#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <ctime>
#include <memory>
#include <mutex>
#include <semaphore>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <joblot/thread_pool.hpp>

namespace {

using joblot::Call;
using joblot::detail::close_and_wait;
using joblot::detail::ThreadPool;
using joblot::detail::Work;
using namespace std::chrono_literals;

// Notes who works, and in which thread; as many as `together` wait for each other inside.
class Notes final : public Work {
 public:
  explicit Notes(int together = 1) : all_in_(together) {}
  void run(int worker) noexcept override {
    {
      std::lock_guard const lock(mutex_);
      workers_.push_back(worker);
      threads_.insert(std::this_thread::get_id());
    }
    all_in_.arrive_and_wait();
    done_.release();
  }
  void wait_for(int workers) {
    for (int i = 0; i < workers; ++i) done_.acquire();
  }
  std::vector<int> workers() {
    std::lock_guard const lock(mutex_);
    std::ranges::sort(workers_);
    return workers_;
  }
  std::set<std::thread::id> threads() {
    std::lock_guard const lock(mutex_);
    return threads_;
  }

 private:
  std::mutex mutex_;
  std::vector<int> workers_;
  std::set<std::thread::id> threads_;
  std::barrier<> all_in_;
  std::counting_semaphore<> done_{0};
};

std::shared_ptr<Call> make(Work& work, int n_jobs, std::shared_ptr<Call> parent = nullptr) {
  return std::make_shared<Call>(work, n_jobs, std::move(parent), Call::Caller::works);
}

TEST(ThreadPool, IsOneForTheProcess) {
  auto* const pool = &ThreadPool::instance();
  std::jthread([&] { EXPECT_EQ(&ThreadPool::instance(), pool); }).join();
}

TEST(ThreadPool, GivesEachSeatToAThreadOfItsOwn) {
  for (int round = 0; round < 20; ++round) {
    Notes work(7);
    auto const call = make(work, 8);
    ThreadPool::instance().offer(call);
    work.wait_for(7);
    close_and_wait(*call);
    EXPECT_EQ(work.workers(), (std::vector<int>{1, 2, 3, 4, 5, 6, 7}));
    EXPECT_EQ(work.threads().size(), 7U);
    EXPECT_FALSE(work.threads().contains(std::this_thread::get_id()));
  }
}

TEST(ThreadPool, KeepsItsThreads) {
  std::set<std::thread::id> threads;
  for (int round = 0; round < 100; ++round) {
    Notes work(3);
    auto const call = make(work, 4);
    ThreadPool::instance().offer(call);
    work.wait_for(3);
    close_and_wait(*call);
    threads.merge(work.threads());
  }
  // New ones are made only while old ones are still on their way back.
  EXPECT_LE(threads.size(), 20U);
}

TEST(ThreadPool, ServesSeveralCallsAtOnce) {
  Notes first(2);
  Notes second(2);
  auto const one = make(first, 3);
  auto const other = make(second, 3);
  ThreadPool::instance().offer(one);
  ThreadPool::instance().offer(other);
  first.wait_for(2);
  second.wait_for(2);
  close_and_wait(*one);
  close_and_wait(*other);
  EXPECT_EQ(first.workers(), (std::vector<int>{1, 2}));
  EXPECT_EQ(second.workers(), (std::vector<int>{1, 2}));
}

TEST(ThreadPool, ForgetsTheOfferOfACallThatHasEnded) {
  std::weak_ptr<Call> forgotten;
  {
    Notes work;
    auto const call = make(work, 1000);
    forgotten = call;
    ThreadPool::instance().offer(call);
    close_and_wait(*call);
  }
  Notes work;
  auto const call = make(work, 2);
  ThreadPool::instance().offer(call);
  work.wait_for(1);
  close_and_wait(*call);
  // Threads that have taken a seat let go of it when they find the gate closed.
  while (!forgotten.expired()) std::this_thread::sleep_for(1ms);
  SUCCEED();
}

TEST(ThreadPool, LetsNoMoreThreadsIntoATeamThanItsLimit) {
  class Busy final : public Work {
   public:
    void run(int) noexcept override {
      int const now = ++inside;
      for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
      }
      for (int i = 0; i < 20; ++i) std::this_thread::yield();
      --inside;
      ++ran;
    }
    std::atomic<int> inside = 0;
    std::atomic<int> most = 0;
    std::atomic<int> ran = 0;
  };
  Notes outer_work;
  auto const outer = make(outer_work, 3);  // its caller and two more
  Busy work;
  auto const inner = make(work, 50, outer);
  ThreadPool::instance().offer(inner);
  while (work.ran < 49) std::this_thread::yield();
  close_and_wait(*inner);
  EXPECT_LE(work.most, 2);
  close_and_wait(*outer);
}

TEST(ThreadPool, LendsAWaitingCallerToCallsNestedInItsOwnOnly) {
  Notes outer_work;
  Notes inner_work;
  Notes other_work;
  auto const outer = make(outer_work, 2);
  auto const inner = make(inner_work, 3, outer);
  auto const other = make(other_work, 3);
  // All teams are full, so that no thread of the pool comes.
  outer->team()->engaged = outer->team()->limit;
  other->team()->engaged = other->team()->limit;
  auto& pool = ThreadPool::instance();
  pool.offer(other);
  EXPECT_FALSE(pool.help_descendants(*outer)) << "there is nothing below it";
  pool.offer(inner);
  EXPECT_TRUE(pool.help_descendants(*outer));
  EXPECT_TRUE(pool.help_descendants(*outer));
  EXPECT_FALSE(pool.help_descendants(*outer)) << "all seats are taken";
  EXPECT_EQ(inner_work.workers(), (std::vector<int>{1, 2}));
  EXPECT_EQ(inner_work.threads(), std::set<std::thread::id>{std::this_thread::get_id()});
  EXPECT_TRUE(other_work.workers().empty());
  close_and_wait(*inner);
  close_and_wait(*outer);
  close_and_wait(*other);
}

TEST(ThreadPool, SleepsWhenThereIsNothingToDo) {
  Notes work(7);
  auto const call = make(work, 8);
  ThreadPool::instance().offer(call);
  work.wait_for(7);
  close_and_wait(*call);
  std::this_thread::sleep_for(20ms);  // until they have fallen asleep
  auto const before = std::clock();
  std::this_thread::sleep_for(200ms);
  auto const used = static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
  EXPECT_LT(used, 0.1) << "seconds of processor time in 0.2 s of idleness";
}

TEST(ThreadPool, IsAnotherOneInAChild) {
  auto* const pool = &ThreadPool::instance();
  pid_t const child = ::fork();
  if (child == 0) {
    Notes work(3);
    auto const call = make(work, 4);
    ThreadPool::instance().offer(call);
    work.wait_for(3);
    close_and_wait(*call);
    ::_exit(&ThreadPool::instance() != pool && work.workers().size() == 3 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

}  // namespace
