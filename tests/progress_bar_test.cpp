// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstddef>
#include <limits>
#include <optional>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <joblot/progress.hpp>
#include <joblot/progress_bar.hpp>

namespace {

using joblot::detail::bar_line;
using joblot::detail::BarCounts;
using joblot::detail::BarState;
using joblot::detail::clock_text;
using joblot::detail::ProgressBar;
using joblot::detail::rate_text;

BarCounts counts(std::size_t completed, std::optional<std::size_t> total, double elapsed) {
  return {.completed = completed, .total = total, .elapsed = elapsed};
}

// A terminal of our own: what is written to `terminal()` can be read back as the screen gets it.
class Pty {
 public:
  explicit Pty(unsigned short columns) : master_(::posix_openpt(O_RDWR | O_NOCTTY)) {
    ::grantpt(master_);
    ::unlockpt(master_);
    terminal_ = ::open(::ptsname(master_), O_RDWR | O_NOCTTY);
    winsize size{};
    size.ws_col = columns;
    size.ws_row = 24;
    ::ioctl(terminal_, TIOCSWINSZ, &size);
  }
  ~Pty() {
    ::close(terminal_);
    ::close(master_);
  }
  Pty(Pty const&) = delete;
  Pty& operator=(Pty const&) = delete;

  int terminal() const { return terminal_; }

  // A pty hands its output over at once, but by a kernel thread of its own.
  std::string output(int wait_ms = 100) const {
    std::string all;
    pollfd entry{.fd = master_, .events = POLLIN, .revents = 0};
    while (::poll(&entry, 1, wait_ms) > 0) {
      char text[4096];
      auto const n = ::read(master_, text, sizeof text);
      if (n <= 0) break;
      all.append(text, static_cast<std::size_t>(n));
    }
    return all;
  }

 private:
  int master_;
  int terminal_ = -1;
};

// What a terminal without line wrap shows after `output`, line by line joined by '\n',
// right-trimmed.
std::string screen(std::string const& output) {
  std::string shown, line;
  std::size_t column = 0;
  auto const end_line = [&] {
    line.erase(line.find_last_not_of(' ') + 1);
    shown += line;
    line.clear();
  };
  for (char const c : output) {
    if (c == '\r') {
      column = 0;
    } else if (c == '\n') {
      end_line();
      shown += '\n';
      column = 0;
    } else {
      line.resize((std::max)(line.size(), column + 1), ' ');
      line[column++] = c;
    }
  }
  end_line();
  return shown;
}

TEST(ProgressBarText, ShowsShareCountRateElapsedAndEta) {
  EXPECT_EQ(bar_line(counts(420, 1000, 12), 120, BarState::running),
            " 42% [############..................]   420/1000  35.0/s  elapsed 0:12  ETA 0:16");
}

TEST(ProgressBarText, FitsAnyWidth) {
  for (std::size_t columns = 1; columns < 130; ++columns) {
    for (auto const state : {BarState::running, BarState::finished, BarState::stopped}) {
      for (auto const total : {std::optional<std::size_t>(1000), std::optional<std::size_t>()}) {
        EXPECT_LE(bar_line(counts(420, total, 12), columns, state).size(), columns);
      }
    }
  }
}

TEST(ProgressBarText, DropsPartsWhereTheTerminalIsNarrow) {
  auto const at = [](std::size_t columns) {
    return bar_line(counts(420, 1000, 12), columns, BarState::running);
  };
  EXPECT_EQ(at(60), " 42% [####......]   420/1000  35.0/s  elapsed 0:12  ETA 0:16");
  EXPECT_EQ(at(50), " 42%   420/1000  35.0/s  elapsed 0:12  ETA 0:16");
  EXPECT_EQ(at(40), " 42%   420/1000  35.0/s  ETA 0:16");
  EXPECT_EQ(at(25), " 42%   420/1000  ETA 0:16");
  EXPECT_EQ(at(20), " 420/1000  ETA 0:16");
  EXPECT_EQ(at(12), " 420/1000");
  EXPECT_EQ(at(4), " 420");
}

TEST(ProgressBarText, SaysHundredPercentOnlyWhenAllIsDone) {
  EXPECT_EQ(bar_line(counts(999999, 1000000, 5), 200, BarState::running).substr(0, 4), " 99%");
  EXPECT_EQ(bar_line(counts(1000000, 1000000, 5), 200, BarState::finished).substr(0, 4), "100%");
  EXPECT_EQ(bar_line(counts(0, 0, 0), 200, BarState::finished).substr(0, 4), "100%");
}

TEST(ProgressBarText, HasNoEtaAtTheEnd) {
  EXPECT_EQ(bar_line(counts(8, 8, 2), 200, BarState::finished),
            "100% [##############################]  8/8  4.0/s  elapsed 0:02");
  EXPECT_EQ(bar_line(counts(4, 8, 2), 200, BarState::stopped),
            " 50% [###############...............]  4/8  2.0/s  elapsed 0:02  stopped");
}

TEST(ProgressBarText, PromisesNothingBeforeTheFirstTaskHasEnded) {
  EXPECT_EQ(bar_line(counts(0, 8, 0), 50, BarState::running, 0, false),
            "  0%  0/8  elapsed 0:00  ETA --:--");
}

TEST(ProgressBarText, SpinsWhereTheTotalIsUnknown) {
  EXPECT_EQ(bar_line(counts(3, {}, 2), 80, BarState::running, 0), "|  3 done  1.5/s  elapsed 0:02");
  EXPECT_EQ(bar_line(counts(3, {}, 2), 80, BarState::running, 5), "/  3 done  1.5/s  elapsed 0:02");
  EXPECT_EQ(bar_line(counts(3, {}, 2), 80, BarState::finished), "3 done  1.5/s  elapsed 0:02");
  EXPECT_EQ(bar_line(counts(3, {}, 2), 80, BarState::stopped),
            "3 done  1.5/s  elapsed 0:02  stopped");
}

TEST(ProgressBarText, WritesTimesAsAClock) {
  EXPECT_EQ(clock_text(0), "0:00");
  EXPECT_EQ(clock_text(-1), "0:00");
  EXPECT_EQ(clock_text(67.9), "1:07");
  EXPECT_EQ(clock_text(3600 + 62), "1:01:02");
  EXPECT_EQ(clock_text(3 * 86400 + 3723), "3d 01:02:03");
  EXPECT_EQ(clock_text(std::numeric_limits<double>::infinity()), "--:--");
  EXPECT_EQ(clock_text(std::numeric_limits<double>::quiet_NaN()), "--:--");
}

TEST(ProgressBarText, WritesRatesInTheUnitThatFits) {
  EXPECT_EQ(rate_text(counts(0, 5, 3)), "");
  EXPECT_EQ(rate_text(counts(5, 5, 0)), "");
  EXPECT_EQ(rate_text(counts(2, 5, 25)), "12.5 s/task");
  EXPECT_EQ(rate_text(counts(30, 50, 2)), "15.0/s");
  EXPECT_EQ(rate_text(counts(30000, 50000, 2)), "15.0k/s");
  EXPECT_EQ(rate_text(counts(30000000, 50000000, 2)), "15.0M/s");
}

TEST(ProgressBar, RedrawsOneLineOnATerminal) {
  Pty const pty(70);
  ProgressBar bar(pty.terminal());
  EXPECT_DOUBLE_EQ(bar.update(counts(0, 1000, 0)), 0.1);
  EXPECT_DOUBLE_EQ(bar.update(counts(10, 1000, 2)), 2.1);
  auto const output = pty.output();
  EXPECT_EQ(std::count(output.begin(), output.end(), '\r'), 2);
  EXPECT_EQ(output.find('\n'), std::string::npos);
  EXPECT_EQ(screen(output),
            "  1% [....................]    10/1000  5.0/s  elapsed 0:02  ETA 3:18");
}

TEST(ProgressBar, EndsItsLineAtTheEnd) {
  Pty const pty(60);
  ProgressBar bar(pty.terminal());
  bar.update(counts(10, 1000, 2));
  bar.finish(counts(1000, 1000, 10), true);
  EXPECT_EQ(screen(pty.output()), "100% [##################]  1000/1000  100.0/s  elapsed 0:10\n");
}

TEST(ProgressBar, LeavesACleanLineForTheTextOfAnError) {
  Pty const pty(60);
  ProgressBar bar(pty.terminal());
  bar.update(counts(990, 1000, 2));
  bar.finish(counts(991, 1000, 3), false);
  EXPECT_EQ(::write(pty.terminal(), "what(): x\n", 10), 10);
  EXPECT_EQ(screen(pty.output()),
            " 99% [########.]   991/1000  330.3/s  elapsed 0:03  stopped\nwhat(): x\n");
}

TEST(ProgressBar, NeverReachesTheLastColumn) {
  for (unsigned short columns = 1; columns < 90; ++columns) {
    Pty const pty(columns);
    ProgressBar bar(pty.terminal());
    bar.update(counts(1, {}, 2));
    bar.update(counts(10, 1000, 2));
    auto const limit = (std::max<std::size_t>)(columns, 2) - 1;
    auto const output = pty.output(10);
    std::size_t run = 0;
    for (char const c : output) {
      run = c == '\r' || c == '\n' ? 0 : run + 1;
      ASSERT_LE(run, limit) << "at " << columns << " columns";
    }
  }
}

TEST(ProgressBar, MakesRoomForOtherText) {
  Pty const pty(60);
  ProgressBar bar(pty.terminal());
  bar.update(counts(10, 1000, 2));
  bar.erase();
  EXPECT_EQ(::write(pty.terminal(), "line\n", 5), 5);
  bar.update(counts(20, {}, 4));
  EXPECT_EQ(screen(pty.output()), "line\n/  20 done  5.0/s  elapsed 0:04");
}

TEST(ProgressBar, WritesFewPlainLinesWhereThereIsNoTerminal) {
  testing::internal::CaptureStderr();
  ProgressBar bar;
  double due = bar.update(counts(0, 1000, 0));
  EXPECT_DOUBLE_EQ(due, 5);
  bar.update(counts(1, 1000, 1));
  due = bar.update(counts(10, 1000, 5));
  EXPECT_DOUBLE_EQ(due, 10);
  due = bar.update(counts(20, 1000, 10));
  EXPECT_DOUBLE_EQ(due, 17.5);
  bar.erase();
  bar.finish(counts(1000, 1000, 20), true);
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "  1%    10/1000  2.0/s  elapsed 0:05  ETA 8:15\n"
            "  2%    20/1000  2.0/s  elapsed 0:10  ETA 8:10\n"
            "100%  1000/1000  50.0/s  elapsed 0:20\n");
}

TEST(ProgressBar, WritesALineAMinuteInTheLongRun) {
  testing::internal::CaptureStderr();
  ProgressBar bar;
  double due = 0;
  int lines = 0;
  for (; due < 3600; ++lines) due = bar.update(counts(1, 2, due));
  EXPECT_LT(lines, 70);
  testing::internal::GetCapturedStderr();
}

// The whole way: a reporter whose stderr is a terminal.
std::string reported(bool succeeded, std::string const& after, int verbose = 0) {
  Pty const pty(70);
  int const stderr_before = ::dup(2);
  ::dup2(pty.terminal(), 2);
  {
    joblot::detail::ProgressReporter reporter({.verbose = verbose, .total = 4, .bar = true});
    for (int i = 0; i < 3; ++i) {
      reporter.dispatched(1);
      reporter.completed(1);
    }
    reporter.dispatched(1);
    if (succeeded) reporter.completed(1);
    reporter.finish(succeeded);
  }
  EXPECT_EQ(::write(2, after.data(), after.size()), static_cast<ssize_t>(after.size()));
  ::dup2(stderr_before, 2);
  ::close(stderr_before);
  return screen(pty.output());
}

TEST(ProgressBar, IsDrawnByAReporter) {
  auto const shown = reported(true, "after\n");
  EXPECT_EQ(shown.substr(0, 4), "100%") << shown;
  EXPECT_NE(shown.find("  4/4  "), std::string::npos) << shown;
  EXPECT_NE(shown.find("elapsed 0:00\nafter\n"), std::string::npos) << shown;
}

TEST(ProgressBar, OfAFailedCallSaysHowFarItGot) {
  auto const shown = reported(false, "terminate called\n");
  EXPECT_EQ(shown.substr(0, 4), " 75%") << shown;
  EXPECT_NE(shown.find("stopped\nterminate called\n"), std::string::npos) << shown;
}

TEST(ProgressBar, StaysBelowTheVerboseLines) {
  auto const shown = reported(true, "", 20);
  EXPECT_EQ(std::count(shown.begin(), shown.end(), '\n'), 6) << shown;
  EXPECT_EQ(shown.find("[Parallel(n_jobs=-1)]: Done 1 out of 4 | elapsed:    0.0s\n"), 0U) << shown;
  EXPECT_NE(shown.find("0.0s\n100% ["), std::string::npos) << shown;
}

}  // namespace
