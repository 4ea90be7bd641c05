// SPDX-License-Identifier: MIT
#include <atomic>
#include <cstdlib>
#include <latch>
#include <set>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <joblot/fork_local.hpp>

namespace {

using joblot::detail::fork_local;

// Runs `body` in a child; it returns whether all is well.
template <class Body>
bool holds_in_child(Body body) {
  pid_t const child = ::fork();
  if (child == 0) ::_exit(body() ? 0 : 1);
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(ForkLocal, IsTheSameObjectForAllThreads) {
  struct Value {
    int number = 5;
  };
  auto* const mine = &fork_local<Value>();
  std::jthread([&] { EXPECT_EQ(&fork_local<Value>(), mine); }).join();
  EXPECT_EQ(mine->number, 5);
}

TEST(ForkLocal, IsAnotherObjectForAnotherType) {
  struct First {
    int number = 1;
  };
  struct Second {
    int number = 2;
  };
  EXPECT_EQ(fork_local<First>().number, 1);
  EXPECT_EQ(fork_local<Second>().number, 2);
}

TEST(ForkLocal, KeepsOneObjectIfManyThreadsAreTheFirst) {
  struct Value {
    Value() { ++existing(); }
    ~Value() { --existing(); }
    Value(Value const&) = delete;
    Value& operator=(Value const&) = delete;
    static std::atomic<int>& existing() {
      static std::atomic<int> count = 0;
      return count;
    }
  };
  std::latch all_here(8);
  std::vector<Value*> seen(8);
  {
    std::vector<std::jthread> threads;
    for (auto& object : seen) {
      threads.emplace_back([&] {
        all_here.arrive_and_wait();
        object = &fork_local<Value>();
      });
    }
  }
  EXPECT_EQ(std::set(seen.begin(), seen.end()).size(), 1U);
  EXPECT_EQ(Value::existing(), 1);
}

TEST(ForkLocal, StartsAfreshInAChildAndStaysInTheParent) {
  struct Value {
    int number = 0;
  };
  fork_local<Value>().number = 7;
  EXPECT_TRUE(holds_in_child([] {
    if (fork_local<Value>().number != 0) return false;
    fork_local<Value>().number = 8;
    bool const grandchild = holds_in_child([] { return fork_local<Value>().number == 0; });
    return grandchild && fork_local<Value>().number == 8;
  }));
  EXPECT_EQ(fork_local<Value>().number, 7);
}

TEST(ForkLocal, IsNotDestroyedWithTheProgram) {
  // A static object's destructor runs after main; what it uses must still be there.
  struct Value {
    ~Value() { std::_Exit(9); }
    Value() = default;
    Value(Value const&) = delete;
    Value& operator=(Value const&) = delete;
    int number = 3;
  };
  struct User {
    ~User() {
      if (fork_local<Value>().number != 3) std::_Exit(8);
    }
    User() = default;
    User(User const&) = delete;
    User& operator=(User const&) = delete;
  };
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  auto const use_and_exit = [] {
    static User const user;
    static_cast<void>(fork_local<Value>().number);
    std::exit(0);
  };
  EXPECT_EXIT(use_and_exit(), testing::ExitedWithCode(0), "^$");
}

}  // namespace
