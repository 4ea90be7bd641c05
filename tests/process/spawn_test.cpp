// SPDX-License-Identifier: MIT
// The workers of these tests are this program, started once more.
#include <array>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <joblot/error.hpp>
#include <joblot/process/spawn.hpp>
#include <joblot/process/worker_start.hpp>

#include "toy_worker.hpp"

namespace {

using joblot::detail::ExitStatus;
using joblot::detail::in_worker_process;
using toy::Worker;

std::map<std::string, long> const table = {{"forty", 40}, {"two", 2}};
bool main_was_run = false;

// Runs only where there is a main.
class SetsMark : public testing::Environment {
 public:
  void SetUp() override { main_was_run = true; }
};
auto* const environment = testing::AddGlobalTestEnvironment(new SetsMark);

long add_table(long x) { return x + table.at("forty") + table.at("two"); }
long kind(long) { return (in_worker_process() ? 1 : 0) + (main_was_run ? 10 : 0); }
long has_worker_variable(long) {
  return std::getenv(joblot::detail::worker_variable) != nullptr ? 1 : 0;
}

TEST(SpawnSelf, StartsThisProgramWithoutItsMain) {
  Worker worker;
  EXPECT_EQ(worker.call<&add_table>(1000), 1042);
  EXPECT_EQ(worker.call<&kind>(0), 1);
  EXPECT_EQ(kind(0), 10);
  EXPECT_EQ(worker.finish(), (ExitStatus{.signal = {}, .exit_status = 0}));
}

TEST(SpawnSelf, StartsSeveral) {
  std::array<Worker, 3> workers;
  for (auto& worker : workers) worker.send<&add_table>(1);
  for (auto& worker : workers) EXPECT_EQ(worker.call<&add_table>(1), 43);
}

TEST(SpawnSelf, LeavesNoTraceInTheEnvironmentOfTheWorker) {
  Worker worker;
  EXPECT_EQ(worker.call<&has_worker_variable>(0), 0);
}

long is_replaced(long) {
  long entries = 0;
  for (char** entry = ::environ; *entry != nullptr; ++entry) {
    entries += std::string_view(*entry).starts_with("JOBLOT_TEST_A=") ? 1 : 0;
  }
  auto const is = [](char const* name, std::string_view text) {
    auto const* const value = std::getenv(name);
    return value != nullptr && value == text;
  };
  return entries == 1 && is("JOBLOT_TEST_A", "2") && is("JOBLOT_TEST_AB", "kept") &&
                 is("JOBLOT_TEST_NEW", "")
             ? 1
             : 0;
}

TEST(SpawnSelf, ReplacesAndAddsVariables) {
  ::setenv("JOBLOT_TEST_A", "1", 1);
  ::setenv("JOBLOT_TEST_AB", "kept", 1);
  Worker worker({"JOBLOT_TEST_A=2", "JOBLOT_TEST_NEW="});
  EXPECT_EQ(worker.call<&is_replaced>(0), 1);
}

long open_files(long) {
  using Files = std::filesystem::directory_iterator;
  return std::distance(Files("/proc/self/fd"), Files()) - 1;  // one is that of the count
}

TEST(SpawnSelf, PassesNoFilesButThoseGiven) {
  int const leaky = ::dup(0);  // without O_CLOEXEC
  ASSERT_GE(leaky, 0);
  Worker worker;
  Worker with_two({}, {leaky, leaky});
  EXPECT_EQ(with_two.call<&open_files>(0), worker.call<&open_files>(0) + 2);
#if __GLIBC_PREREQ(2, 34)
  EXPECT_LE(worker.call<&open_files>(0), 4);
#endif
  ::close(leaky);
}

long write_to(long fd) { return ::write(static_cast<int>(fd), "x", 1); }

TEST(SpawnSelf, PassesFilesWhoseNumbersAreThoseOfOthersInTheWorker) {
  // The socket comes to be 3 there, and the pipe 4, which is what others are here.
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  std::vector<int> copies(8);
  for (int& copy : copies) copy = ::fcntl(ends[1], F_DUPFD_CLOEXEC, 3);
  Worker worker({}, copies);
  for (long fd = 4; fd < 12; ++fd) EXPECT_EQ(worker.call<&write_to>(fd), 1) << fd;
  std::array<char, 16> buffer{};
  EXPECT_EQ(::read(ends[0], buffer.data(), buffer.size()), 8);
  copies.insert(copies.end(), ends.begin(), ends.end());
  for (int const fd : copies) ::close(fd);
}

long signals_are_default(long) {
  sigset_t blocked;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
  struct sigaction action {};
  ::sigaction(SIGPIPE, nullptr, &action);
  return sigismember(&blocked, SIGTERM) == 0 && action.sa_handler == SIG_DFL ? 1 : 0;
}

TEST(SpawnSelf, GivesTheWorkerDefaultSignals) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigset_t before;
  ::pthread_sigmask(SIG_BLOCK, &set, &before);
  auto* const handler = ::signal(SIGPIPE, SIG_IGN);
  Worker worker;
  EXPECT_EQ(worker.call<&signals_are_default>(0), 1);
  ::signal(SIGPIPE, handler);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TEST(SpawnSelf, SaysWhatFailed) {
  std::array<int, 1> const fds{-1};
  try {
    static_cast<void>(joblot::detail::spawn_self(fds, {}));
    FAIL();
  } catch (joblot::Error const& error) {
    EXPECT_NE(std::string_view(error.what()).find("file descriptor -1 could not be duplicated"),
              std::string_view::npos)
        << error.what();
  }
  EXPECT_THROW(static_cast<void>(joblot::detail::spawn_self({}, {})), joblot::Error);
}

[[noreturn]] long crash(long) { ::raise(SIGKILL), std::abort(); }

TEST(SpawnSelf, LeavesTheStatusOfACrashToTheParent) {
  Worker worker;
  EXPECT_EQ((worker.call<&crash>(0)), -1);
  EXPECT_EQ(worker.finish().signal, SIGKILL);
}

TEST(OrphanGuard, LetsAWorkerLiveWhenTheThreadThatStartedItEnds) {
  std::unique_ptr<Worker> worker;
  std::jthread([&] {
    worker = std::make_unique<Worker>();
    EXPECT_EQ(worker->call<&add_table>(1), 43);  // so that it is on guard by now
  }).join();
  EXPECT_EQ(worker->call<&add_table>(2), 44);
  EXPECT_EQ(worker->call<&add_table>(3), 45);
}

[[noreturn]] long wait_for_ever(long fd) {
  static_cast<void>(write_to(fd));
  for (;;) ::pause();
}

TEST(OrphanGuard, EndsAWorkerThatIsBusyWhenItsProgramIsKilled) {
  // A child of this process gets a worker and is killed; the worker then becomes a child of ours.
  ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  pid_t const program = ::fork();
  if (program == 0) {
    Worker worker({}, {ends[1]});
    pid_t const pid = worker.child().pid();
    worker.send<&wait_for_ever>(4);
    static_cast<void>(!::write(ends[1], &pid, sizeof pid));
    for (;;) ::pause();
  }
  ::close(ends[1]);
  std::array<char, sizeof(pid_t) + 1> buffer{};
  std::size_t size = 0;
  while (size < buffer.size()) {  // the number and the sign of life come in any order
    auto const more = ::read(ends[0], buffer.data() + size, buffer.size() - size);
    ASSERT_GT(more, 0);
    size += static_cast<std::size_t>(more);
  }
  ::kill(program, SIGKILL);
  ASSERT_EQ(::waitpid(program, nullptr, 0), program);
  int status = 0;
  ASSERT_GT(::waitpid(-1, &status, 0), 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_EQ(::read(ends[0], buffer.data(), 1), 0);  // nobody has the other end any more
  ::close(ends[0]);
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
}

}  // namespace
