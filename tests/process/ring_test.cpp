// SPDX-License-Identifier: MIT
#include <joblot/process/ring.hpp>

#if defined(__linux__)

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <new>
#include <random>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace {

using joblot::detail::BadChannel;
using joblot::detail::MessageHeader;
using joblot::detail::RecordHead;
using joblot::detail::RingIndices;
using joblot::detail::RingMemory;
using joblot::detail::RingReader;
using joblot::detail::RingWriter;
using Bytes = std::vector<std::byte>;
constexpr auto message = RecordHead::Kind::message;

// Both ends in one process.
struct Ring {
  explicit Ring(std::size_t bytes) : data(bytes / 16), capacity(bytes) {}

  struct alignas(16) Sixteen {
    std::byte bytes[16] = {};
  };
  RingIndices indices;
  std::vector<Sixteen> data;
  std::size_t capacity;
  RingMemory memory{&indices, data.front().bytes, capacity};
  RingWriter writer{memory};
  RingReader reader{memory};
};

Bytes bytes_from(std::uint64_t seed, std::size_t size) {
  Bytes result(size);
  for (std::size_t i = 0; i < size; ++i) result[i] = static_cast<std::byte>(seed * 7 + i);
  return result;
}

TEST(Ring, IsEmptyAtFirst) {
  Ring ring(1024);
  EXPECT_FALSE(ring.reader.ready());
  EXPECT_FALSE(ring.reader.read());
}

TEST(Ring, GivesBackWhatWasWritten) {
  Ring ring(1024);
  ASSERT_TRUE(ring.writer.try_write(message, {1, 2, 3, 4}, bytes_from(5, 100)));
  auto const record = ring.reader.read();
  ASSERT_TRUE(record);
  EXPECT_EQ(record->kind, message);
  EXPECT_EQ(record->header.type, 1U);
  EXPECT_EQ(record->header.count, 2U);
  EXPECT_EQ(record->header.index, 3U);
  EXPECT_EQ(record->header.extra, 4U);
  EXPECT_EQ(Bytes(record->payload.begin(), record->payload.end()), bytes_from(5, 100));
  EXPECT_FALSE(ring.reader.read());
}

TEST(Ring, RefusesWhatHasNoRoomUntilSpaceIsFreed) {
  Ring ring(1024);
  int written = 0;
  while (ring.writer.try_write(message, {}, bytes_from(0, 96))) ++written;
  EXPECT_EQ(written, 8);
  ASSERT_TRUE(ring.reader.read());
  EXPECT_FALSE(ring.writer.try_write(message, {}, bytes_from(0, 96))) << "not freed";
  EXPECT_FALSE(ring.reader.free_if_much());
  EXPECT_TRUE(ring.reader.free_all());
  EXPECT_FALSE(ring.reader.free_all());
  EXPECT_TRUE(ring.writer.try_write(message, {}, bytes_from(0, 96)));
  EXPECT_FALSE(ring.writer.try_write(message, {}, bytes_from(0, 96)));
}

TEST(Ring, TakesItsLargestRecordWhereverItBegins) {
  for (std::size_t before = 0; before < 1024; before += 16) {
    Ring ring(1024);
    for (std::size_t at = 0; at < before;) {  // small ones up to there
      ASSERT_TRUE(ring.writer.try_write(message, {}, {}));
      at += 32;
      ASSERT_TRUE(ring.reader.read());
      ring.reader.free_all();
    }
    ASSERT_TRUE(
        ring.writer.try_write(message, {}, bytes_from(before, ring.writer.largest_payload())));
    auto const record = ring.reader.read();
    ASSERT_TRUE(record);
    EXPECT_EQ(Bytes(record->payload.begin(), record->payload.end()),
              bytes_from(before, ring.writer.largest_payload()));
  }
}

TEST(Ring, KeepsOrderAndContentsOfRandomSizes) {
  auto const seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  Ring ring(4096);
  std::deque<std::size_t> expected;
  std::uint64_t written = 0;
  std::uint64_t read = 0;
  while (read < 20'000) {
    if (random() % 2 == 0) {
      auto const size = random() % (ring.writer.largest_payload() + 1);
      if (ring.writer.try_write(message, {.index = written}, bytes_from(written, size))) {
        expected.push_back(size);
        ++written;
      }
    } else if (auto const record = ring.reader.read()) {
      ASSERT_EQ(record->header.index, read);
      ASSERT_EQ(Bytes(record->payload.begin(), record->payload.end()),
                bytes_from(read, expected.front()));
      expected.pop_front();
      ++read;
      ring.reader.free_if_much();
    } else {
      ring.reader.free_all();
      ASSERT_EQ(read, written);
    }
  }
}

TEST(Ring, PassesRecordsBetweenThreads) {
  Ring ring(4096);
  constexpr std::uint64_t count = 20'000;
  std::jthread const other([&] {
    std::mt19937 random(1);
    for (std::uint64_t i = 0; i < count; ++i) {
      auto const bytes = bytes_from(i, random() % 500);
      while (!ring.writer.try_write(message, {.index = i}, bytes)) std::this_thread::yield();
    }
  });
  std::mt19937 random(1);
  for (std::uint64_t i = 0; i < count; ++i) {
    while (!ring.reader.ready()) {
      ring.reader.free_all();
      std::this_thread::yield();
    }
    auto const record = ring.reader.read();
    EXPECT_EQ(record->header.index, i);
    EXPECT_EQ(Bytes(record->payload.begin(), record->payload.end()), bytes_from(i, random() % 500));
    ring.reader.free_if_much();
  }
}

TEST(Ring, DoesNotBelieveAReaderThatFreesWhatWasNotWritten) {
  for (auto const tail : {std::uint64_t{1040}, ~std::uint64_t{0}, std::uint64_t{1} << 63}) {
    Ring ring(1024);
    for (int i = 0; i < 2; ++i) {
      ASSERT_TRUE(ring.writer.try_write(message, {}, bytes_from(0, 96)));
    }
    ring.indices.tail.store(tail);
    EXPECT_THROW(
        {
          for (int i = 0; i < 20; ++i) ring.writer.try_write(message, {}, bytes_from(0, 96));
        },
        BadChannel);
  }
}

TEST(Ring, DoesNotBelieveAWriterWithAnImpossibleIndex) {
  for (auto const head : {std::uint64_t{1040}, ~std::uint64_t{0}, std::uint64_t{8}}) {
    Ring ring(1024);
    ASSERT_TRUE(ring.writer.try_write(message, {}, {}));
    ring.indices.head.store(head);
    EXPECT_THROW(ring.reader.read(), BadChannel);
  }
}

TEST(Ring, DoesNotBelieveRecordsOfImpossibleSize) {
  for (auto const size : {97U, 225U, 1024U, 0xFFFF'FFFFU}) {
    Ring ring(1024);
    ASSERT_TRUE(ring.writer.try_write(message, {}, bytes_from(0, 96)));
    auto const word = RecordHead::make_word(message, size);
    std::memcpy(ring.memory.data, &word, sizeof word);
    EXPECT_THROW(ring.reader.read(), BadChannel);
  }
}

TEST(Ring, DoesNotBelievePaddingBeforeTheEnd) {
  Ring ring(1024);
  ASSERT_TRUE(ring.writer.try_write(message, {}, bytes_from(0, 96)));
  for (auto const size : {0U, 16U, 128U, 1024U}) {
    auto const word = RecordHead::make_word(RecordHead::Kind::padding, size);
    std::memcpy(ring.memory.data, &word, sizeof word);
    EXPECT_THROW(ring.reader.read(), BadChannel);
  }
}

TEST(Ring, SurvivesRandomBytes) {
  auto const seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  int bad = 0;
  for (int round = 0; round < 5'000; ++round) {
    Ring ring(1024);
    for (int i = 0; i < 8; ++i) {
      ring.writer.try_write(message, {}, bytes_from(random(), random() % 200));
      if (random() % 2 == 0 && ring.reader.read()) ring.reader.free_all();
    }
    for (auto changes = random() % 8; changes > 0; --changes) {
      if (random() % 8 == 0) {
        (random() % 2 == 0 ? ring.indices.head : ring.indices.tail).fetch_add(random() % 2048);
      } else {  // mostly where records begin
        auto const at = random() % 2 == 0 ? random() % 1024 : random() % 64 * 16 + random() % 8;
        ring.memory.data[at] = static_cast<std::byte>(random());
      }
    }
    try {
      std::size_t sum = 0;
      for (int i = 0; i < 100; ++i) {
        auto const record = ring.reader.read();
        if (!record) break;
        ASSERT_LE(record->payload.size(), ring.writer.largest_payload());
        for (auto const byte : record->payload) sum += static_cast<std::size_t>(byte);
        ring.reader.free_if_much();
        ring.writer.try_write(message, {}, bytes_from(sum, random() % 200));
      }
    } catch (BadChannel const&) {
      ++bad;
    }
  }
  EXPECT_GT(bad, 250);
}

}  // namespace

#endif
