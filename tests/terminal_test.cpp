// SPDX-License-Identifier: MIT
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <joblot/terminal.hpp>

namespace {

using joblot::detail::TextSink;
using joblot::detail::write_text;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

struct Pipe {
  Pipe() {
    if (::pipe(fds) != 0) throw std::runtime_error("pipe");
  }
  ~Pipe() {
    close_reader();
    ::close(fds[1]);
  }
  Pipe(Pipe const&) = delete;
  Pipe& operator=(Pipe const&) = delete;

  void close_reader() {
    if (fds[0] != -1) ::close(fds[0]);
    fds[0] = -1;
  }
  int writer() const { return fds[1]; }
  std::string read_some() const {
    char text[256];
    auto const n = ::read(fds[0], text, sizeof text);
    return n > 0 ? std::string(text, static_cast<std::size_t>(n)) : std::string();
  }

  int fds[2];
};

void make_non_blocking(int fd) { ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK); }

void fill(int fd) {
  make_non_blocking(fd);
  std::string const block(4096, 'x');
  while (::write(fd, block.data(), block.size()) > 0) {
  }
}

bool sigpipe_is(bool (*where)(sigset_t&)) {
  sigset_t set;
  sigemptyset(&set);
  where(set);
  return sigismember(&set, SIGPIPE) == 1;
}
bool pending() {
  return sigpipe_is([](sigset_t& set) { return sigpending(&set) == 0; });
}
bool blocked() {
  return sigpipe_is([](sigset_t& set) { return pthread_sigmask(SIG_BLOCK, nullptr, &set) == 0; });
}

// Runs `body` in a child process; returns how that ended, as waitpid tells it.
template <class Body>
int in_child(Body body) {
  pid_t const child = ::fork();
  if (child == 0) ::_exit(body());
  int status = -1;
  ::waitpid(child, &status, 0);
  return status;
}

TEST(Terminal, WritesTheText) {
  Pipe const pipe;
  EXPECT_TRUE(write_text(pipe.writer(), "one line\n", milliseconds(0)));
  EXPECT_EQ(pipe.read_some(), "one line\n");
}

TEST(Terminal, ReachesGoogleTestsCapture) {
  testing::internal::CaptureStderr();
  write_text(joblot::detail::stderr_fd, "text\n", milliseconds(0));
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "text\n");
}

TEST(Terminal, KeepsTheOrderWithWhatTheProgramPrints) {
  testing::internal::CaptureStdout();
  std::fputs("printed, ", stdout);
  write_text(joblot::detail::stdout_fd, "written, ", milliseconds(0));
  std::fputs("printed\n", stdout);
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "printed, written, printed\n");
}

TEST(Terminal, DropsTextForAClosedStream) {
  int const status = in_child([] {
    ::close(joblot::detail::stderr_fd);
    return write_text(joblot::detail::stderr_fd, "lost\n", milliseconds(0)) ? 1 : 0;
  });
  EXPECT_EQ(status, 0);
}

TEST(Terminal, SurvivesAPipeWithoutReaderWhenSigpipeWouldKill) {
  int const status = in_child([] {
    ::signal(SIGPIPE, SIG_DFL);
    Pipe pipe;
    pipe.close_reader();
    bool const written = write_text(pipe.writer(), "lost\n", milliseconds(0));
    return written || pending() || blocked() ? 1 : 0;
  });
  EXPECT_EQ(status, 0);
}

TEST(Terminal, SurvivesAStdoutWithoutReaderThatStdioHasTextFor) {
  int const status = in_child([] {
    ::signal(SIGPIPE, SIG_DFL);
    Pipe pipe;
    pipe.close_reader();
    ::dup2(pipe.writer(), joblot::detail::stdout_fd);
    std::fputs("buffered\n", stdout);
    write_text(joblot::detail::stdout_fd, "lost\n", milliseconds(0));
    return pending() || blocked() ? 1 : 0;
  });
  EXPECT_EQ(status, 0);
}

TEST(Terminal, LeavesAPendingSigpipeOfTheProgramPending) {
  int const status = in_child([] {
    ::signal(SIGPIPE, SIG_DFL);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    ::raise(SIGPIPE);
    Pipe pipe;
    pipe.close_reader();
    write_text(pipe.writer(), "lost\n", milliseconds(0));
    return pending() && blocked() ? 0 : 1;
  });
  EXPECT_EQ(status, 0);
}

TEST(Terminal, GivesUpOnAFullNonBlockingPipe) {
  Pipe const pipe;
  fill(pipe.writer());
  auto const start = steady_clock::now();
  EXPECT_FALSE(write_text(pipe.writer(), "lost\n", milliseconds(50)));
  EXPECT_GE(steady_clock::now() - start, milliseconds(50));
  EXPECT_LT(steady_clock::now() - start, std::chrono::seconds(10));
}

TEST(Terminal, WaitsForAStuckSinkOnce) {
  Pipe const pipe;
  fill(pipe.writer());
  TextSink sink(pipe.writer());
  auto const start = steady_clock::now();
  for (int i = 0; i < 1000; ++i) sink.write("lost\n");  // 100 s if each of them waited
  EXPECT_LT(steady_clock::now() - start, std::chrono::seconds(20));
}

TEST(Terminal, KeepsErrno) {
  Pipe pipe;
  pipe.close_reader();
  errno = ERANGE;
  write_text(pipe.writer(), "lost\n", milliseconds(0));
  joblot::detail::is_terminal(pipe.writer());
  joblot::detail::terminal_width(pipe.writer());
  EXPECT_EQ(errno, ERANGE);
}

TEST(Terminal, KnowsATerminalAndItsWidth) {
  int const master = ::posix_openpt(O_RDWR | O_NOCTTY);
  ASSERT_GE(master, 0);
  ASSERT_EQ(::grantpt(master), 0);
  ASSERT_EQ(::unlockpt(master), 0);
  int const terminal = ::open(::ptsname(master), O_RDWR | O_NOCTTY);
  ASSERT_GE(terminal, 0);
  EXPECT_TRUE(joblot::detail::is_terminal(terminal));
  EXPECT_EQ(joblot::detail::terminal_width(terminal), 80U);  // a fresh pty says 0 columns
  winsize size{};
  size.ws_col = 43;
  ASSERT_EQ(::ioctl(terminal, TIOCSWINSZ, &size), 0);
  EXPECT_EQ(joblot::detail::terminal_width(terminal), 43U);
  ::close(terminal);
  ::close(master);
}

TEST(Terminal, KnowsWhatIsNoTerminal) {
  Pipe const pipe;
  EXPECT_FALSE(joblot::detail::is_terminal(pipe.writer()));
  EXPECT_EQ(joblot::detail::terminal_width(pipe.writer()), 80U);
}

}  // namespace
