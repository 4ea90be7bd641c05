// SPDX-License-Identifier: MIT
#include <joblot/process/shared_memory.hpp>

#if defined(__linux__)

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <string>
#include <utility>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

bool kernel_has_memfd = true;

}  // namespace

// Takes the place of the C library's, to play a kernel that does not have it.
extern "C" int memfd_create(char const* name, unsigned flags) noexcept {
  if (kernel_has_memfd) return static_cast<int>(::syscall(SYS_memfd_create, name, flags));
  errno = ENOSYS;
  return -1;
}

namespace {

using joblot::Error;
using joblot::detail::FileDescriptor;
using joblot::detail::SharedMemory;

bool closes_on_exec(int fd) { return (::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0; }

nlink_t names_of(int fd) {
  struct stat about {};
  return ::fstat(fd, &about) == 0 ? about.st_nlink : 99;
}

struct SharedMemoryTest : testing::TestWithParam<bool> {
  SharedMemoryTest() { kernel_has_memfd = GetParam(); }
  ~SharedMemoryTest() override { kernel_has_memfd = true; }
};
INSTANTIATE_TEST_SUITE_P(, SharedMemoryTest, testing::Bool(), [](auto const& with_memfd) {
  return with_memfd.param ? "WithMemfd" : "WithoutMemfd";
});

TEST_P(SharedMemoryTest, IsZeroAtFirstAndAsLargeAsAskedFor) {
  SharedMemory const memory(10'000);
  EXPECT_EQ(memory.size(), 10'000U);
  for (std::size_t i = 0; i < memory.size(); ++i) ASSERT_EQ(memory.data()[i], std::byte{0});
}

TEST_P(SharedMemoryTest, IsTheSameMemoryForAllWhoAttach) {
  SharedMemory const memory(5'000);
  auto const other = SharedMemory::attach(memory.fd(), 5'000);
  EXPECT_NE(memory.data(), other.data());
  memory.data()[4'999] = std::byte{7};
  EXPECT_EQ(other.data()[4'999], std::byte{7});
}

TEST_P(SharedMemoryTest, OutlivesTheProcessThatWroteToIt) {
  SharedMemory const memory(4'096);
  pid_t const child = ::fork();
  if (child == 0) {
    auto const mine = SharedMemory::attach(memory.fd(), 4'096);
    mine.data()[17] = std::byte{5};
    ::kill(::getpid(), SIGKILL);
  }
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(memory.data()[17], std::byte{5});
}

TEST_P(SharedMemoryTest, HasNoNameAndIsNotInheritedByOtherPrograms) {
  SharedMemory const memory(4'096);
  EXPECT_EQ(names_of(memory.fd()), 0U);
  EXPECT_TRUE(closes_on_exec(memory.fd()));
}

TEST_P(SharedMemoryTest, StaysMappedWithoutItsDescriptor) {
  SharedMemory memory(4'096);
  memory.close_fd();
  EXPECT_EQ(memory.fd(), -1);
  memory.data()[0] = std::byte{1};
  EXPECT_EQ(memory.data()[0], std::byte{1});
}

TEST_P(SharedMemoryTest, Moves) {
  SharedMemory first(4'096);
  first.data()[3] = std::byte{3};
  SharedMemory second(std::move(first));
  EXPECT_EQ(second.data()[3], std::byte{3});
  SharedMemory third(8'192);
  third = std::move(second);
  EXPECT_EQ(third.size(), 4'096U);
  EXPECT_EQ(third.data()[3], std::byte{3});
}

TEST_P(SharedMemoryTest, SaysWhatFailed) {
  try {
    SharedMemory const none(std::size_t{1} << 62);
    FAIL() << "so much memory";
  } catch (Error const& error) {
    EXPECT_NE(std::string(error.what()).find("4611686018427387904 bytes"), std::string::npos)
        << error.what();
  }
}

TEST(SharedMemoryAttach, RefusesToLookBehindTheEnd) {
  SharedMemory const memory(4'096);
  EXPECT_THROW(SharedMemory::attach(memory.fd(), 4'097), Error);
}

TEST(SharedMemoryAttach, SaysThatThereIsNothing) {
  EXPECT_THROW(SharedMemory::attach(-1, 1), Error);
}

TEST(UnnamedFile, NeverLeavesAName) {
  for (auto open : {joblot::detail::open_unnamed, joblot::detail::open_and_unlink}) {
    FileDescriptor const file = open("/tmp");
    ASSERT_GE(file.get(), 0);
    EXPECT_EQ(names_of(file.get()), 0U);
    EXPECT_TRUE(closes_on_exec(file.get()));
  }
}

TEST(UnnamedFile, IsNoneIfThereIsNoSuchFolder) {
  EXPECT_LT(joblot::detail::open_unnamed("/no/such/folder").get(), 0);
  EXPECT_EQ(errno, ENOENT);
}

}  // namespace

#endif
