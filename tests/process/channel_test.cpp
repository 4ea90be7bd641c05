// SPDX-License-Identifier: MIT
#include <joblot/process/channel.hpp>

#if defined(__linux__)

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <numeric>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <joblot/process/interrupt.hpp>

namespace {

using joblot::detail::BadChannel;
using joblot::detail::FileDescriptor;
using joblot::detail::Incoming;
using joblot::detail::InMessage;
using joblot::detail::Interrupt;
using joblot::detail::MessageHeader;
using joblot::detail::OutMessage;
using joblot::detail::ParentEnd;
using joblot::detail::Ready;
using joblot::detail::WorkerEnd;
using Bytes = std::vector<std::byte>;
using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr std::size_t small_ring = 4096;

// Longer than anything takes here; what waits until then hangs.
auto long_enough() { return Clock::now() + 50s; }

Bytes bytes_from(std::uint64_t seed, std::size_t size) {
  Bytes result(size);
  std::uint64_t state = seed * 0x9E37'79B9'7F4A'7C15 + 1;
  for (std::size_t i = 0; i < size; i += 8) {
    state = state * 6364136223846793005 + 1442695040888963407;
    std::memcpy(result.data() + i, &state, (std::min)(size - i, std::size_t{8}));
  }
  return result;
}
Bytes bytes_of(InMessage const& message) { return {message.bytes.begin(), message.bytes.end()}; }

// A message with contents that follow from its number, small or large.
struct Sample {
  explicit Sample(std::uint64_t number, bool large) : header{.type = large, .index = number} {
    std::mt19937_64 random(number);
    auto const size = random() % (large && random() % 2 == 0 ? 300'000 : 900);
    message.bytes = bytes_from(number, size);
    if (!large) return;
    for (auto count = random() % 4 + (size < 200'000 ? 1 : 0); count > 0; --count) {
      blocks.push_back(bytes_from(random(), random() % 400'000));
    }
    for (auto const& block : blocks) message.blocks.push_back({block.data(), block.size()});
  }
  MessageHeader header;
  OutMessage message;
  std::vector<Bytes> blocks;
};

// Room for all blocks of a message.
std::vector<Bytes> ask_for_blocks(InMessage& message) {
  std::vector<Bytes> blocks;
  for (auto const size : message.block_sizes) blocks.emplace_back(size);
  for (auto& block : blocks) message.fills.push_back({block.data(), block.size()});
  message.block_sizes = {};
  return blocks;
}

template <class End, class... Interrupt>
bool is_sample(End& end, Incoming& in, std::uint64_t number, Interrupt const&... interrupt) {
  Sample const expected(number, in.header.type == 1);
  auto const bytes = bytes_of(in.message);
  auto const blocks = ask_for_blocks(in.message);
  static_cast<void>(end.receive_blocks(in.message, interrupt...));
  return in.header.index == number && bytes == expected.message.bytes && blocks == expected.blocks;
}

// A forked worker, killed at the end if it is still there.
class Worker {
 public:
  template <class Body>
  explicit Worker(Body body, std::size_t ring = ParentEnd::default_ring_bytes,
                  bool with_pidfd = true)
      : end(ring) {
    pid = ::fork();
    if (pid == 0) {
      int status = 99;
      try {
        auto mine = std::move(end).turn_into_worker_end();
        status = body(mine);
      } catch (...) {
      }
      ::_exit(status);
    }
    end.close_worker_side();
    if (with_pidfd) pidfd_ = FileDescriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (pidfd_.get() >= 0) {
      end.watch(pidfd_.get());
    } else {
      end.watch(-1, [of = pid] {
        siginfo_t about{};
        return ::waitid(P_PID, static_cast<id_t>(of), &about, WEXITED | WNOHANG | WNOWAIT) != 0 ||
               about.si_pid == of;
      });
    }
  }
  Worker(Worker const&) = delete;
  Worker& operator=(Worker const&) = delete;
  ~Worker() {
    kill();
    if (pid > 0) ::waitpid(pid, nullptr, 0);
  }

  void kill() const {
    if (pid > 0) ::kill(pid, SIGKILL);
  }
  int exit_status() {
    int status = 0;
    ::waitpid(std::exchange(pid, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  // The next message, or why there is none.
  Ready next(Incoming& in) {
    for (;;) {
      auto const got = end.receive(in, interrupt);
      if (got != Ready::nothing) return got;
      auto const ready = end.wait(interrupt, long_enough());
      if (ready != Ready::message) return ready;
    }
  }
  bool send(MessageHeader const& header, OutMessage const& message) {
    return end.try_send(header, message) || end.send(header, message, interrupt);
  }

  ParentEnd end;
  Interrupt interrupt;
  pid_t pid = -1;

 private:
  FileDescriptor pidfd_;
};

// Sends back whatever comes.
int echo(WorkerEnd& end) {
  Incoming in;
  OutMessage out;
  while (end.receive(in) == Ready::message) {
    out.bytes = bytes_of(in.message);
    auto const blocks = ask_for_blocks(in.message);
    if (!end.receive_blocks(in.message)) return 1;
    out.blocks.clear();
    for (auto const& block : blocks) out.blocks.push_back({block.data(), block.size()});
    if (!end.send(in.header, out)) return 2;
  }
  return 0;
}

// Sends samples for ever; one of `every` is large.
auto send_samples(std::uint64_t every) {
  return [every](WorkerEnd& end) {
    for (std::uint64_t i = 0;; ++i) {
      end.slot().task.store(static_cast<std::int64_t>(i));
      Sample const sample(i, i % every == every - 1);
      if (!end.send(sample.header, sample.message)) return 0;
    }
  };
}

// Sleeps until it is killed or its parent is gone.
int do_nothing(WorkerEnd& end) {
  Incoming in;
  while (end.receive(in) == Ready::message) {
  }
  return 0;
}

TEST(Channel, CarriesSmallMessagesBothWays) {
  Worker worker(echo);
  Incoming in;
  for (std::uint64_t i = 0; i < 1'000; ++i) {
    Sample const sample(i, false);
    ASSERT_TRUE(worker.end.try_send(sample.header, sample.message));
    ASSERT_EQ(worker.next(in), Ready::message);
    ASSERT_TRUE(is_sample(worker.end, in, i, worker.interrupt));
  }
}

TEST(Channel, CarriesLargeMessagesBothWays) {
  Worker worker(echo);
  Incoming in;
  for (std::uint64_t i = 0; i < 100; ++i) {
    Sample const sample(i, true);
    ASSERT_TRUE(worker.end.send(sample.header, sample.message, worker.interrupt));
    ASSERT_EQ(worker.next(in), Ready::message);
    ASSERT_TRUE(is_sample(worker.end, in, i, worker.interrupt));
  }
}

TEST(Channel, CarriesManySmallMessagesAtATime) {
  for (auto const ring : {small_ring, ParentEnd::default_ring_bytes}) {
    Worker worker(echo, ring);
    Incoming in;
    std::uint64_t received = 0;
    std::optional<Sample> sample;
    for (std::uint64_t sent = 0; received < 20'000;) {
      if (!sample && sent < 20'000) sample.emplace(sent, false);
      if (sample && worker.end.try_send(sample->header, sample->message)) {
        sample.reset();
        ++sent;
        continue;
      }
      ASSERT_EQ(worker.next(in), Ready::message);
      ASSERT_TRUE(is_sample(worker.end, in, received, worker.interrupt));
      ++received;
    }
  }
}

TEST(Channel, CarriesAMixOfSmallAndLargeMessagesFromAFastWorker) {
  for (auto const ring : {small_ring, ParentEnd::default_ring_bytes}) {
    Worker worker(send_samples(5), ring);
    Incoming in;
    for (std::uint64_t i = 0; i < 500; ++i) {
      ASSERT_EQ(worker.next(in), Ready::message);
      ASSERT_TRUE(is_sample(worker.end, in, i, worker.interrupt));
    }
  }
}

TEST(Channel, CarriesAMixToAWorkerThatSleepsInBetween) {
  Worker worker([](WorkerEnd& end) {
    Incoming in;
    for (std::uint64_t i = 0; i < 200; ++i) {
      if (i % 7 == 0) std::this_thread::sleep_for(1ms);
      if (end.receive(in) != Ready::message || !is_sample(end, in, i)) return 1;
    }
    return 0;
  });
  for (std::uint64_t i = 0; i < 200; ++i) {
    if (i % 11 == 0) std::this_thread::sleep_for(1ms);
    Sample const sample(i, i % 3 == 0);
    ASSERT_TRUE(worker.send(sample.header, sample.message));
  }
  EXPECT_EQ(worker.exit_status(), 0);
}

TEST(Channel, TellsWakingBytesFromBlocksBeforeAndBehindThem) {
  Worker worker([](WorkerEnd& end) {
    std::mt19937 random(1);
    Bytes const block(10, std::byte{1});
    for (std::uint64_t i = 0; i < 5'000; ++i) {
      OutMessage message;
      if (random() % 2 == 0) message.blocks.push_back({block.data(), block.size()});
      if (!end.send({.index = i}, message)) return 1;
      for (auto pause = random() % 5'000; pause > 0; --pause) joblot::detail::relax_cpu();
    }
    return do_nothing(end);
  });
  Incoming in;
  for (std::uint64_t i = 0; i < 5'000; ++i) {
    ASSERT_EQ(worker.next(in), Ready::message);
    ASSERT_EQ(in.header.index, i);
    for (auto const& block : ask_for_blocks(in.message)) {
      ASSERT_EQ(worker.end.receive_blocks(in.message, worker.interrupt), Ready::message);
      ASSERT_EQ(block, Bytes(10, std::byte{1}));
    }
  }
}

TEST(Channel, CarriesEmptyMessagesAndEmptyBlocks) {
  Worker worker(echo);
  Incoming in;
  ASSERT_TRUE(worker.send({.index = 1}, {}));
  ASSERT_EQ(worker.next(in), Ready::message);
  EXPECT_TRUE(in.message.bytes.empty());
  ASSERT_TRUE(worker.send({.index = 2}, {.bytes = {}, .blocks = {{nullptr, 0}, {nullptr, 0}}}));
  ASSERT_EQ(worker.next(in), Ready::message);
  EXPECT_EQ(in.header.index, 2U);
  EXPECT_EQ(in.message.block_sizes.size(), 2U);
}

TEST(Channel, CarriesMoreBlocksThanOneCallOfTheKernelTakes) {
  Worker worker(echo);
  auto const bytes = bytes_from(1, 5'000);
  OutMessage message;
  for (auto const& byte : bytes) message.blocks.push_back({&byte, 1});
  ASSERT_TRUE(worker.send({}, message));
  Incoming in;
  ASSERT_EQ(worker.next(in), Ready::message);
  Bytes got(bytes.size());
  for (auto& byte : got) in.message.fills.push_back({&byte, 1});
  ASSERT_EQ(worker.end.receive_blocks(in.message, worker.interrupt), Ready::message);
  EXPECT_EQ(got, bytes);
  EXPECT_TRUE(in.message.fills.empty());
}

TEST(Channel, KnowsWhatIsSmall) {
  ParentEnd const end(small_ring);
  OutMessage message;
  message.bytes.resize(small_ring / 4 - 32);
  EXPECT_TRUE(end.is_small(message));
  message.bytes.resize(small_ring / 4 - 31);
  EXPECT_FALSE(end.is_small(message));
  message = {.bytes = {}, .blocks = {{nullptr, 0}}};
  EXPECT_FALSE(end.is_small(message));
}

TEST(Channel, TriesButDoesNotWaitForRoom) {
  ParentEnd end(small_ring);
  OutMessage const message{.bytes = Bytes(480), .blocks = {}};
  int sent = 0;
  while (end.try_send({}, message)) ++sent;
  EXPECT_EQ(sent, 8);
  EXPECT_FALSE(end.try_send({}, {.bytes = {}, .blocks = {{nullptr, 0}}})) << "never in the ring";
}

TEST(Channel, DropsBlocksThatNobodyAskedFor) {
  Worker worker(send_samples(2));
  Incoming in;
  for (std::uint64_t i = 0; i < 100; ++i) {
    ASSERT_EQ(worker.next(in), Ready::message);
    ASSERT_EQ(in.header.index, i);
    if (in.header.type == 0 || in.message.block_sizes.size() < 2) continue;
    Bytes first(in.message.block_sizes.front());
    in.message.fills.push_back({first.data(), first.size()});
    ASSERT_EQ(worker.end.receive_blocks(in.message, worker.interrupt), Ready::message);
    ASSERT_EQ(first, Sample(i, true).blocks.front());
  }
}

TEST(Channel, DoesNotFillMoreThanThereIs) {
  Worker worker(echo);
  Bytes const block(100'000);
  ASSERT_TRUE(worker.send({}, {.bytes = {}, .blocks = {{block.data(), block.size()}}}));
  Incoming in;
  ASSERT_EQ(worker.next(in), Ready::message);
  Bytes larger(100'001);
  in.message.fills.push_back({larger.data(), larger.size()});
  EXPECT_THROW(worker.end.receive_blocks(in.message, worker.interrupt), BadChannel);
}

TEST(Channel, ShowsWhatTheWorkerDoesAlsoAfterItsDeath) {
  Worker worker([](WorkerEnd& end) {
    end.slot().since.store(12);
    end.slot().task.store(34);
    return 0;
  });
  EXPECT_EQ(worker.exit_status(), 0);
  EXPECT_EQ(worker.end.slot().task.load(), 34);
  EXPECT_EQ(worker.end.slot().since.load(), 12);
}

TEST(Channel, TimesOut) {
  Worker worker(do_nothing);
  auto const start = Clock::now();
  EXPECT_EQ(worker.end.wait(worker.interrupt, start + 30ms), Ready::timed_out);
  EXPECT_GE(Clock::now() - start, 30ms);
  EXPECT_EQ(worker.end.wait(worker.interrupt, start), Ready::timed_out) << "in the past";
}

TEST(Channel, TimesOutForAWorkerThatIsIdle) {
  Worker worker([](WorkerEnd& end) {
    Incoming in;
    auto const start = Clock::now();
    if (end.receive(in, 30ms) != Ready::timed_out || Clock::now() - start < 30ms) return 1;
    return end.receive(in, 50s) == Ready::message ? 0 : 2;
  });
  std::this_thread::sleep_for(60ms);
  ASSERT_TRUE(worker.end.try_send({}, {}));
  EXPECT_EQ(worker.exit_status(), 0);
}

TEST(Channel, IsInterruptedWhileItWaits) {
  Worker worker(do_nothing);
  std::jthread const other([&] {
    std::this_thread::sleep_for(20ms);
    worker.interrupt.raise();
  });
  EXPECT_EQ(worker.end.wait(worker.interrupt, long_enough()), Ready::interrupted);
  EXPECT_EQ(worker.end.wait(worker.interrupt), Ready::interrupted) << "until it is cleared";
  worker.interrupt.clear();
  EXPECT_EQ(worker.end.wait(worker.interrupt, Clock::now()), Ready::timed_out);
}

TEST(Channel, IsInterruptedWhileItReceivesBlocksAndGoesOnWithTheNextMessage) {
  Worker worker([](WorkerEnd& end) {
    Bytes const block(50'000'000);
    end.send({.index = 1}, {.bytes = {}, .blocks = {{block.data(), block.size()}}});
    end.send({.index = 2}, {});
    return do_nothing(end);
  });
  Incoming in;
  ASSERT_EQ(worker.next(in), Ready::message);
  ::kill(worker.pid, SIGSTOP);  // in the midst of it
  auto const blocks = ask_for_blocks(in.message);
  worker.interrupt.raise();
  EXPECT_EQ(worker.end.receive_blocks(in.message, worker.interrupt), Ready::interrupted);
  EXPECT_EQ(worker.end.receive(in, worker.interrupt), Ready::interrupted) << "still";
  EXPECT_EQ(worker.end.wait(worker.interrupt), Ready::interrupted) << "still";
  worker.interrupt.clear();
  ::kill(worker.pid, SIGCONT);
  ASSERT_EQ(worker.next(in), Ready::message);
  EXPECT_EQ(in.header.index, 2U);
}

TEST(Channel, IsInterruptedWhileItSendsBlocks) {
  Worker worker([](WorkerEnd&) {
    for (;;) ::pause();
    return 0;
  });
  Bytes const block(50'000'000);
  std::jthread const other([&] {
    std::this_thread::sleep_for(20ms);
    worker.interrupt.raise();
  });
  EXPECT_FALSE(worker.end.send({}, {.bytes = {}, .blocks = {{block.data(), block.size()}}},
                               worker.interrupt));
  worker.interrupt.clear();
  EXPECT_FALSE(worker.end.try_send({}, {})) << "the worker would take it for the rest of the block";
  EXPECT_FALSE(worker.end.send({}, {}, worker.interrupt));
}

TEST(Channel, IsInterruptedWhileItWaitsForRoomAndCanSendAfterwards) {
  Worker worker(
      [](WorkerEnd& end) {
        ::raise(SIGSTOP);
        return do_nothing(end);
      },
      small_ring);
  OutMessage const message{.bytes = Bytes(480), .blocks = {}};
  while (worker.end.try_send({}, message)) {
  }
  worker.interrupt.raise();
  EXPECT_FALSE(worker.end.send({}, message, worker.interrupt));
  worker.interrupt.clear();
  int status = 0;
  ASSERT_EQ(::waitpid(worker.pid, &status, WUNTRACED), worker.pid);
  ::kill(worker.pid, SIGCONT);
  EXPECT_TRUE(worker.end.send({}, message, worker.interrupt));
}

// What a death can be noticed by.
struct ChannelDeath : testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(, ChannelDeath, testing::Bool(), [](auto const& with_pidfd) {
  return with_pidfd.param ? "WithPidfd" : "WithoutPidfd";
});

TEST_P(ChannelDeath, EveryMessageSentBeforeIsReceived) {
  Worker worker(
      [](WorkerEnd& end) {
        for (std::uint64_t i = 0; i < 20; ++i) {
          Sample const sample(i, false);
          end.send(sample.header, sample.message);
        }
        ::kill(::getpid(), SIGKILL);
        return 0;
      },
      ParentEnd::default_ring_bytes, GetParam());
  Incoming in;
  for (std::uint64_t i = 0; i < 20; ++i) {
    ASSERT_EQ(worker.next(in), Ready::message);
    ASSERT_TRUE(is_sample(worker.end, in, i, worker.interrupt));
  }
  EXPECT_EQ(worker.next(in), Ready::gone);
  EXPECT_EQ(worker.next(in), Ready::gone);
}

TEST_P(ChannelDeath, IsNoticedAlthoughAnotherProcessHoldsTheSocket) {
  Worker worker(
      [](WorkerEnd& end) {
        OutMessage message;
        auto const grandchild = ::fork();
        if (grandchild == 0) {
          for (;;) ::pause();
        }
        end.send({.index = static_cast<std::uint64_t>(grandchild)}, message);
        ::kill(::getpid(), SIGKILL);
        return 0;
      },
      ParentEnd::default_ring_bytes, GetParam());
  Incoming in;
  ASSERT_EQ(worker.next(in), Ready::message);
  EXPECT_EQ(worker.next(in), Ready::gone);
  ::kill(static_cast<pid_t>(in.header.index), SIGKILL);
}

TEST_P(ChannelDeath, EndsALargeMessageMidwayAlthoughAnotherProcessHoldsTheSocket) {
  Worker worker(
      [](WorkerEnd& end) {
        auto const grandchild = ::fork();
        if (grandchild == 0) {
          for (;;) ::pause();
        }
        Bytes const block(10'000'000);
        end.send({.index = static_cast<std::uint64_t>(grandchild)},
                 {.bytes = {}, .blocks = {{block.data(), block.size()}}});
        return 0;
      },
      ParentEnd::default_ring_bytes, GetParam());
  Incoming in;
  ASSERT_EQ(worker.next(in), Ready::message);
  auto const blocks = ask_for_blocks(in.message);
  worker.kill();
  EXPECT_EQ(worker.end.receive_blocks(in.message, worker.interrupt), Ready::gone);
  EXPECT_EQ(worker.next(in), Ready::gone);
  ::kill(static_cast<pid_t>(in.header.index), SIGKILL);
}

TEST_P(ChannelDeath, AtAnyMomentLosesNoMessageThatWasSent) {
  auto const seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 60; ++round) {
    Worker worker(send_samples(round % 3 == 0 ? 1'000'000 : 3),
                  round % 2 == 0 ? small_ring : ParentEnd::default_ring_bytes, GetParam());
    std::jthread const killer([&worker, after = std::chrono::microseconds(random() % 5'000)] {
      std::this_thread::sleep_for(after);
      worker.kill();
    });
    Incoming in;
    std::int64_t received = 0;
    for (;;) {
      auto const got = worker.next(in);
      if (got == Ready::gone) break;
      ASSERT_EQ(got, Ready::message);
      ASSERT_EQ(in.header.index, static_cast<std::uint64_t>(received));
      auto const bytes = bytes_of(in.message);
      auto const blocks = ask_for_blocks(in.message);
      auto const all = worker.end.receive_blocks(in.message, worker.interrupt);
      if (all == Ready::gone) break;
      ASSERT_EQ(all, Ready::message);
      Sample const expected(static_cast<std::uint64_t>(received), in.header.type == 1);
      ASSERT_EQ(bytes, expected.message.bytes);
      ASSERT_EQ(blocks, expected.blocks);
      ++received;
    }
    // The task it was at is the only one whose message may be missing.
    EXPECT_GE(received, worker.end.slot().task.load());
  }
}

TEST_P(ChannelDeath, EndsSending) {
  auto const seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 20; ++round) {
    Worker worker(do_nothing, small_ring, GetParam());
    std::jthread const killer([&worker, after = std::chrono::microseconds(random() % 3'000)] {
      std::this_thread::sleep_for(after);
      worker.kill();
    });
    Sample const sample(3, round % 2 == 0);
    while (worker.end.send(sample.header, sample.message, worker.interrupt)) {
    }
    Incoming in;
    EXPECT_EQ(worker.next(in), Ready::gone);
  }
}

TEST(ChannelOfAParent, ThatClosesItsEndEndsReceiving) {
  auto worker = std::make_unique<Worker>([](WorkerEnd& end) {
    Incoming in;
    if (end.receive(in) != Ready::message) return 1;
    return end.receive(in, 50s) == Ready::gone ? 0 : 2;
  });
  ASSERT_TRUE(worker->end.try_send({}, {}));
  { ParentEnd const closed = std::move(worker->end); }
  EXPECT_EQ(worker->exit_status(), 0);
}

// A process in between plays the parent and is killed; what its worker saw comes through a pipe.
template <class Body>
char seen_by_worker_of_killed_parent(Body worker_body) {
  int pipe[2];
  EXPECT_EQ(::pipe(pipe), 0);
  pid_t const parent = ::fork();
  if (parent == 0) {
    ParentEnd end(small_ring);
    if (::fork() == 0) {
      auto mine = std::move(end).turn_into_worker_end();
      char const seen = worker_body(mine);
      ::_exit(::write(pipe[1], &seen, 1) == 1 ? 0 : 1);
    }
    end.close_worker_side();
    std::this_thread::sleep_for(20ms);
    ::kill(::getpid(), SIGKILL);
  }
  ::close(pipe[1]);
  ::waitpid(parent, nullptr, 0);
  char seen = '?';
  EXPECT_EQ(::read(pipe[0], &seen, 1), 1);
  ::close(pipe[0]);
  return seen;
}

TEST(ChannelOfAParent, ThatDiesEndsReceiving) {
  EXPECT_EQ(seen_by_worker_of_killed_parent([](WorkerEnd& end) {
              Incoming in;
              return end.receive(in) == Ready::gone ? 'g' : 'x';
            }),
            'g');
}

TEST(ChannelOfAParent, ThatDiesEndsSendingIntoAFullRing) {
  EXPECT_EQ(seen_by_worker_of_killed_parent([](WorkerEnd& end) {
              OutMessage const message{.bytes = Bytes(500), .blocks = {}};
              while (end.send({}, message)) {
              }
              return 'g';
            }),
            'g');
}

TEST(ChannelOfAParent, ThatDiesEndsSendingBlocks) {
  EXPECT_EQ(
      seen_by_worker_of_killed_parent([](WorkerEnd& end) {
        Bytes const block(10'000'000);
        return end.send({}, {.bytes = {}, .blocks = {{block.data(), block.size()}}}) ? 'x' : 'g';
      }),
      'g');
}

TEST(Channel, SurvivesAWorkerThatWritesOverTheSharedMemory) {
  auto const seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  int bad = 0;
  for (int round = 0; round < 200; ++round) {
    Worker worker(send_samples(round % 2 == 0 ? 4 : 1'000'000), small_ring);
    // The same memory as the worker sees it.
    auto* const bytes = reinterpret_cast<std::byte*>(&worker.end.slot());
    auto const size = joblot::detail::ChannelMemory::size_for(small_ring);
    Incoming in;
    auto const end = Clock::now() + 30s;
    try {
      for (int i = 0; i < 50; ++i) {
        for (auto changes = random() % 4; changes > 0; --changes) {
          auto const at = random() % 2 == 0 ? random() % 448 : random() % size;
          bytes[at] = static_cast<std::byte>(random());
        }
        ASSERT_LT(Clock::now(), end);
        auto const ready = worker.end.wait(worker.interrupt, Clock::now() + 5ms);
        if (ready == Ready::gone || ready == Ready::timed_out) break;
        std::jthread watchdog;  // a message may be announced that never comes
        if (worker.end.has_message()) {
          watchdog = std::jthread([&worker](std::stop_token const& stop) {
            for (int ms = 0; ms < 50 && !stop.stop_requested(); ++ms) {
              std::this_thread::sleep_for(1ms);
            }
            if (!stop.stop_requested()) worker.interrupt.raise();
          });
        }
        if (worker.end.receive(in, worker.interrupt) != Ready::message) break;
        static_cast<void>(worker.end.try_send({}, {.bytes = Bytes(random() % 500), .blocks = {}}));
      }
    } catch (BadChannel const&) {
      ++bad;
    }
  }
  EXPECT_GT(bad, 10);
}

TEST(Channel, RefusesMemoryThatIsNoChannel) {
  EXPECT_THROW(ParentEnd(1000), joblot::Error);
  EXPECT_THROW(ParentEnd(512), joblot::Error);
}

}  // namespace

#endif
