// SPDX-License-Identifier: MIT
#include <csignal>
#include <cstring>

#include <gtest/gtest.h>

#include <joblot/signal_text.hpp>

namespace {

using joblot::detail::signal_description;
using joblot::detail::signal_text;

TEST(SignalText, GivesNumberAndName) {
  EXPECT_EQ(signal_text(SIGKILL), "signal 9 (Killed)");
  EXPECT_EQ(signal_text(SIGSEGV), "signal 11 (Segmentation fault)");
}

TEST(SignalText, GivesOnlyTheNumberOfOneWithoutName) {
  EXPECT_EQ(signal_text(0), "signal 0");
  EXPECT_EQ(signal_text(-1), "signal -1");
  EXPECT_EQ(signal_text(4711), "signal 4711");
}

#if defined(__GLIBC__)
#if __GLIBC_PREREQ(2, 32)
TEST(SignalText, SaysWhatGlibcSays) {
  for (int signal = 1; signal < 32; ++signal) {
    if (auto const* description = signal_description(signal)) {
      EXPECT_STREQ(description, sigdescr_np(signal));
    }
  }
}
#endif
#endif

}  // namespace
