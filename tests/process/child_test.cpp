// SPDX-License-Identifier: MIT
#include <cerrno>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <joblot/process/child.hpp>

namespace {

using joblot::detail::Child;
using joblot::detail::ExitStatus;

// A child that runs `body`.
template <class Body>
Child start(Body body) {
  pid_t const pid = ::fork();
  if (pid == 0) {
    body();
    ::_exit(0);
  }
  return Child(pid);
}

void sleep_for_ever() {
  for (;;) ::pause();
}

bool exists(pid_t pid) { return ::kill(pid, 0) == 0; }

TEST(ExitStatus, DescribesItselfInWords) {
  EXPECT_EQ((ExitStatus{.signal = SIGSEGV, .exit_status = {}}).describe(),
            "was killed by signal 11 (Segmentation fault)");
  EXPECT_EQ((ExitStatus{.signal = {}, .exit_status = 3}).describe(), "exited with status 3");
  EXPECT_EQ(ExitStatus{}.describe(),
            "ended with a status that is not known (reaped by the program)");
  EXPECT_EQ((ExitStatus{.signal = 999, .exit_status = {}}).describe(), "was killed by signal 999");
}

TEST(Child, TellsItsExitStatus) {
  auto child = start([] { ::_exit(7); });
  EXPECT_EQ(child.wait(), (ExitStatus{.signal = {}, .exit_status = 7}));
  EXPECT_EQ(child.wait().exit_status, 7);  // remembered
  EXPECT_EQ(child.poll_exit()->exit_status, 7);
}

TEST(Child, TellsTheSignalThatKilledIt) {
  auto child = start(sleep_for_ever);
  EXPECT_FALSE(child.poll_exit());
  child.kill();
  EXPECT_EQ(child.wait(), (ExitStatus{.signal = SIGKILL, .exit_status = {}}));
}

TEST(Child, TakesOtherSignals) {
  auto child = start(sleep_for_ever);
  child.kill(SIGTERM);
  EXPECT_EQ(child.wait().signal, SIGTERM);
  child.kill();  // to nobody
}

TEST(Child, ShowsItsEndToPoll) {
  auto child = start([] {});
  if (child.pidfd() < 0) GTEST_SKIP() << "no pidfd here";
  EXPECT_NE(::fcntl(child.pidfd(), F_GETFD) & FD_CLOEXEC, 0);
  pollfd entry{.fd = child.pidfd(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&entry, 1, 60'000), 1);
  EXPECT_EQ(child.poll_exit(), (ExitStatus{.signal = {}, .exit_status = 0}));
}

TEST(Child, IsKilledAndReapedAtTheEndOfItsObject) {
  pid_t pid = 0;
  {
    auto const child = start(sleep_for_ever);
    pid = child.pid();
    EXPECT_TRUE(exists(pid));
  }
  EXPECT_FALSE(exists(pid));
}

TEST(Child, MovesWithItsProcess) {
  auto first = start(sleep_for_ever);
  pid_t const pid = first.pid();
  auto second = std::move(first);
  EXPECT_EQ(first.pid(), -1);  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(second.pid(), pid);
  auto third = start(sleep_for_ever);
  pid_t const other = third.pid();
  third = std::move(second);
  EXPECT_EQ(third.pid(), pid);
  EXPECT_TRUE(exists(pid));
  EXPECT_FALSE(exists(other));
}

TEST(Child, IsUnknownIfTheProgramReapedIt) {
  auto child = start([] { ::_exit(3); });
  EXPECT_EQ(::waitpid(child.pid(), nullptr, 0), child.pid());
  EXPECT_EQ(child.poll_exit(), ExitStatus{});
  EXPECT_EQ(child.wait(), ExitStatus{});
}

TEST(Child, IsUnknownIfTheProgramIgnoresItsChildren) {
  auto* const handler = ::signal(SIGCHLD, SIG_IGN);
  auto child = start([] { ::_exit(3); });
  EXPECT_EQ(child.wait(), ExitStatus{});
  ::signal(SIGCHLD, handler);
}

TEST(Child, IsLeftAloneByACopyInAForkedProcess) {
  auto child = start(sleep_for_ever);
  auto other = start([&] {
    child.kill();
    Child const gone = std::move(child);  // and destroyed
  });
  EXPECT_EQ(other.wait().exit_status, 0);
  EXPECT_FALSE(child.poll_exit());
  EXPECT_TRUE(exists(child.pid()));
}

}  // namespace
