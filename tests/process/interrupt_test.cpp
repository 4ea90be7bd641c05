// SPDX-License-Identifier: MIT
#include <joblot/process/interrupt.hpp>

#if defined(__linux__)

#include <csignal>
#include <thread>

#include <gtest/gtest.h>
#include <poll.h>

namespace {

using joblot::detail::Interrupt;

int poll_it(Interrupt const& interrupt, int milliseconds) {
  pollfd watched{interrupt.fd(), POLLIN, 0};
  return ::poll(&watched, 1, milliseconds);
}

TEST(Interrupt, IsNotRaisedAtFirst) {
  Interrupt const interrupt;
  EXPECT_FALSE(interrupt.raised());
  EXPECT_EQ(poll_it(interrupt, 0), 0);
}

TEST(Interrupt, StaysRaisedUntilItIsCleared) {
  Interrupt interrupt;
  interrupt.raise();
  interrupt.raise();
  EXPECT_TRUE(interrupt.raised());
  EXPECT_TRUE(interrupt.raised());
  EXPECT_EQ(poll_it(interrupt, -1), 1);
  interrupt.clear();
  EXPECT_FALSE(interrupt.raised());
  interrupt.clear();  // nothing to clear: does not block
}

TEST(Interrupt, WakesAThreadInPoll) {
  Interrupt interrupt;
  std::jthread const other([&] { interrupt.raise(); });
  EXPECT_EQ(poll_it(interrupt, 30'000), 1);
}

Interrupt* of_the_handler = nullptr;

TEST(Interrupt, IsRaisedBySignalHandlersWithoutTouchingErrno) {
  Interrupt interrupt;
  of_the_handler = &interrupt;
  auto* const before = std::signal(SIGUSR1, [](int) { of_the_handler->raise(); });
  errno = EDOM;
  std::raise(SIGUSR1);
  EXPECT_EQ(errno, EDOM);
  std::signal(SIGUSR1, before);
  EXPECT_TRUE(interrupt.raised());
}

}  // namespace

#endif
