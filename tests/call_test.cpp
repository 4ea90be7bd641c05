// SPDX-License-Identifier: MIT
#include <algorithm>
#include <atomic>
#include <chrono>
#include <latch>
#include <memory>
#include <mutex>
#include <semaphore>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <joblot/call.hpp>

namespace {

using joblot::Call;
using joblot::detail::current_call;
using joblot::detail::spin_until;
using joblot::detail::Team;
using namespace std::chrono_literals;

// Notes who works.
class Notes final : public joblot::detail::Work {
 public:
  void run(int worker) noexcept override {
    std::lock_guard const lock(mutex_);
    workers_.push_back(worker);
    calls_.push_back(current_call);
  }
  void abandoned() noexcept override { ++abandoned_; }

  std::vector<int> workers() {
    std::lock_guard const lock(mutex_);
    std::ranges::sort(workers_);
    return workers_;
  }
  std::vector<Call*> calls() {
    std::lock_guard const lock(mutex_);
    return calls_;
  }
  [[nodiscard]] int times_abandoned() const { return abandoned_; }

 private:
  std::mutex mutex_;
  std::vector<int> workers_;
  std::vector<Call*> calls_;
  std::atomic<int> abandoned_ = 0;
};

// Works until it is released.
class Long final : public joblot::detail::Work {
 public:
  void run(int) noexcept override {
    inside_.release();
    release_.acquire();
    ended_ = true;
  }
  void wait_until_inside() { inside_.acquire(); }
  void release(int workers = 1) { release_.release(workers); }
  [[nodiscard]] bool ended() const { return ended_; }

 private:
  std::counting_semaphore<> inside_{0};
  std::counting_semaphore<> release_{0};
  std::atomic<bool> ended_ = false;
};

std::shared_ptr<Call> make(joblot::detail::Work& work, int n_jobs,
                           std::shared_ptr<Call> parent = nullptr,
                           Call::Caller caller = Call::Caller::works) {
  return std::make_shared<Call>(work, n_jobs, std::move(parent), caller);
}

void close(Call& call) {
  call.close_and_wait([] { return false; });
}

TEST(SpinUntil, EndsWhenItIsDoneOrSoonAfter) {
  EXPECT_TRUE(spin_until([] { return true; }));
  int looks = 0;
  EXPECT_TRUE(spin_until([&] { return ++looks == 3; }));
  auto const begin = std::chrono::steady_clock::now();
  EXPECT_FALSE(spin_until([] { return false; }));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
}

TEST(Team, LetsInAsManyAsThereAreSeats) {
  Team team;
  team.limit = 2;
  EXPECT_FALSE(team.full());
  EXPECT_TRUE(team.try_join());
  EXPECT_TRUE(team.try_join());
  EXPECT_TRUE(team.full());
  EXPECT_FALSE(team.try_join());
  team.engaged.fetch_sub(1);
  EXPECT_TRUE(team.try_join());
}

TEST(ACall, RunsItsWorkInEveryThreadThatIsLent) {
  Notes work;
  auto const call = make(work, 4);
  {
    std::vector<std::jthread> threads;
    for (int w = 1; w < 4; ++w) threads.emplace_back([&, w] { call->work(w); });
  }
  call->work_as_member(0);
  close(*call);
  EXPECT_EQ(work.workers(), (std::vector<int>{0, 1, 2, 3}));
}

TEST(ACall, HasNoSeatsButItsOwn) {
  Notes work;
  auto const call = make(work, 2);
  for (int const worker : {-1, 0, 2, 3, 1000}) call->work(worker);
  close(*call);
  EXPECT_TRUE(work.workers().empty());
}

TEST(ACall, IsTheCurrentOneOfWhoWorksForIt) {
  Notes outer_work;
  Notes inner_work;
  auto const outer = make(outer_work, 2);
  auto const inner = make(inner_work, 2, outer);
  EXPECT_EQ(current_call, nullptr);
  outer->work(1);
  inner->work(1);
  EXPECT_EQ(outer_work.calls(), std::vector<Call*>{outer.get()});
  EXPECT_EQ(inner_work.calls(), std::vector<Call*>{inner.get()});
  EXPECT_EQ(current_call, nullptr);
  close(*inner);
  close(*outer);
}

TEST(ACall, LetsNobodyInAfterItHasEnded) {
  std::shared_ptr<Call> call;
  {
    Notes work;
    call = make(work, 2);
    EXPECT_FALSE(call->closed());
    close(*call);
  }
  // The work is gone; whoever comes late must not touch it.
  EXPECT_TRUE(call->closed());
  EXPECT_TRUE(call->idle());
  call->work(1);
  call->work_as_member(1);
}

TEST(ACall, EndsWhenEverybodyHasLeft) {
  for (bool const sleeps : {false, true}) {
    Long work;
    auto const call = make(work, 2);
    std::jthread const worker([&] { call->work(1); });
    work.wait_until_inside();
    EXPECT_FALSE(call->idle());
    std::jthread const releaser([&] {
      while (!call->closed()) std::this_thread::yield();
      if (sleeps) std::this_thread::sleep_for(5ms);  // longer than the caller spins
      work.release();
    });
    close(*call);
    EXPECT_TRUE(work.ended());
    EXPECT_TRUE(call->idle());
  }
}

TEST(ACall, RunsNobodyAfterItsEndHoweverManyCome) {
  for (int round = 0; round < 200; ++round) {
    Notes work;
    auto const call = make(work, 4);
    std::latch all_here(4);
    std::vector<std::jthread> threads;
    for (int w = 1; w < 4; ++w) {
      threads.emplace_back([&, call, w] {
        all_here.arrive_and_wait();
        call->work(w);
      });
    }
    all_here.arrive_and_wait();
    close(*call);
    auto const then = work.workers();
    threads.clear();
    EXPECT_EQ(work.workers(), then);
  }
}

TEST(ACall, AsksItsWaitingCallerForHelp) {
  Long work;
  auto const call = make(work, 2);
  EXPECT_FALSE(call->ask_for_help()) << "nobody waits yet";
  std::jthread const worker([&] { call->work(1); });
  work.wait_until_inside();
  std::atomic<int> looks = 0;
  std::jthread const helper([&] {
    while (looks == 0) std::this_thread::yield();  // the caller has begun to wait
    while (looks < 5) {
      call->ask_for_help();
      std::this_thread::yield();
    }
    work.release();
  });
  call->close_and_wait([&] { return ++looks == 3; });  // once it helped
  EXPECT_GE(looks, 5);
  EXPECT_FALSE(call->ask_for_help());
}

TEST(ACall, LooksForMoreToHelpWithAfterItHasHelped) {
  Long work;
  auto const call = make(work, 2);
  std::jthread const worker([&] { call->work(1); });
  work.wait_until_inside();
  int helped = 0;
  call->close_and_wait([&] {
    if (++helped < 10) return true;
    work.release();
    return false;
  });
  EXPECT_GE(helped, 10);
}

TEST(ACall, KnowsItsAncestors) {
  Notes work;
  auto const first = make(work, 2);
  auto const second = make(work, 2, first);
  auto const third = make(work, 2, second);
  auto const other = make(work, 2);
  EXPECT_TRUE(third->descends_from(*second));
  EXPECT_TRUE(third->descends_from(*first));
  EXPECT_FALSE(third->descends_from(*third));
  EXPECT_FALSE(first->descends_from(*third));
  EXPECT_FALSE(third->descends_from(*other));
  EXPECT_EQ(third->parent(), second.get());
  EXPECT_EQ(first->parent(), nullptr);
}

TEST(ACall, SharesTheTeamOfTheOutermostOne) {
  Notes work;
  auto const first = make(work, 3);
  auto const second = make(work, 8, first);
  auto const third = make(work, 8, second);
  ASSERT_NE(first->team(), nullptr);
  EXPECT_EQ(first->team()->limit, 3);
  EXPECT_EQ(first->team()->engaged, 1) << "the caller";
  EXPECT_EQ(second->team(), first->team());
  EXPECT_EQ(third->team(), first->team());
}

TEST(ACall, WithOneJobHasNoTeamAndLeavesItToTheOnesBelow) {
  Notes work;
  auto const first = make(work, 1);
  auto const second = make(work, 5, first);
  EXPECT_EQ(first->team(), nullptr);
  ASSERT_NE(second->team(), nullptr);
  EXPECT_EQ(second->team()->limit, 5);
}

TEST(ACall, WhoseCallerWaitsHasOneSeatMoreThanWorkers) {
  Notes work;
  auto const call = make(work, 4, nullptr, Call::Caller::waits);
  EXPECT_EQ(call->n_jobs(), 4);
  EXPECT_EQ(call->team()->limit, 3);
  EXPECT_EQ(call->team()->engaged, 0);
}

TEST(ACall, CountsWhoWorksForItInItsTeam) {
  Long work;
  auto const call = make(work, 3);
  std::jthread const worker([&] { call->work(1); });
  work.wait_until_inside();
  EXPECT_EQ(call->team()->engaged, 2);
  work.release();
  close(*call);
}

TEST(AHandleForABackend, TellsWhenItsLastCopyIsGone) {
  Notes work;
  auto const call = make(work, 2);
  auto handle = call->handle_for_backend();
  EXPECT_EQ(handle.get(), call.get());
  auto copy = handle;
  handle.reset();
  EXPECT_EQ(work.times_abandoned(), 0);
  copy->work(1);
  copy.reset();
  EXPECT_EQ(work.times_abandoned(), 1);
  EXPECT_EQ(work.workers(), std::vector<int>{1});
  close(*call);
}

TEST(AHandleForABackend, TellsNothingToACallThatHasEnded) {
  std::shared_ptr<Call> handle;
  {
    Notes work;
    auto const call = make(work, 2);
    handle = call->handle_for_backend();
    close(*call);
    EXPECT_EQ(work.times_abandoned(), 0);
  }
  handle->work(1);
  handle.reset();
}

}  // namespace
