// SPDX-License-Identifier: MIT
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

#include <joblot/parallel.hpp>
#include <joblot/stream.hpp>

namespace {

using joblot::Options;
using joblot::detail::Failing;
using joblot::detail::Order;
using joblot::detail::resolve;
using Source = joblot::detail::IndexedSource<std::ranges::iota_view<int, int>>;
using Body = std::function<int(int)>;
using Stream = joblot::detail::StreamOf<int, Source, Body, Failing::ends_call>;

constexpr std::uint64_t owner = 77;

// A stream of `size` tasks; without workers the test runs them.
std::unique_ptr<Stream> stream_of(int size, int workers, Body body, Order order = Order::submission,
                                  Options options = {}) {
  options.n_jobs = workers > 0 ? workers : 1;
  return std::make_unique<Stream>(resolve(options), owner, order, workers,
                                  std::views::iota(0, size), std::move(body));
}

int identity(int i) { return i; }

class Streams : public testing::TestWithParam<int> {};  // the number of workers
INSTANTIATE_TEST_SUITE_P(Workers, Streams, testing::Values(0, 1, 2, 4));

TEST_P(Streams, GiveOneResultAfterTheOther) {
  auto const stream = stream_of(50, GetParam(), identity);
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(stream->fetch());
    EXPECT_EQ(stream->give(), i);
    EXPECT_EQ(stream->index(), static_cast<std::size_t>(i));
  }
  EXPECT_FALSE(stream->fetch());
  EXPECT_FALSE(stream->fetch()) << "the end stays the end";
  EXPECT_FALSE(stream->failure());
}

TEST_P(Streams, KeepTheResultAtHandUntilItIsGivenAway) {
  auto const stream = stream_of(5, GetParam(), identity);
  ASSERT_TRUE(stream->fetch());
  ASSERT_TRUE(stream->fetch());
  EXPECT_FALSE(stream->index()) << "it has not been looked at";
  EXPECT_EQ(stream->look(), 0);
  EXPECT_EQ(stream->look(), 0);
  EXPECT_EQ(stream->index(), 0U);
  EXPECT_EQ(stream->give(), 0);
  ASSERT_TRUE(stream->fetch());
  EXPECT_EQ(stream->give(), 1);
}

TEST_P(Streams, DropAResultThatHasBeenLookedAtAndNoOther) {
  auto const stream = stream_of(5, GetParam(), identity);
  stream->drop_seen();
  ASSERT_TRUE(stream->fetch());
  stream->drop_seen();
  EXPECT_EQ(stream->look(), 0) << "nobody had looked at it";
  stream->drop_seen();
  ASSERT_TRUE(stream->fetch());
  EXPECT_EQ(stream->look(), 1);
}

TEST_P(Streams, PassOverResultsBeforeAndAfterTheyAreThere) {
  auto const stream = stream_of(10, GetParam(), identity);
  stream->pass();
  stream->pass();
  ASSERT_TRUE(stream->fetch());
  EXPECT_EQ(stream->look(), 2);
  stream->pass();
  ASSERT_TRUE(stream->fetch());
  stream->pass();
  stream->pass();
  ASSERT_TRUE(stream->fetch());
  EXPECT_EQ(stream->give(), 5);
}

TEST_P(Streams, EndWithTheErrorOfATask) {
  auto const stream = stream_of(
      10, GetParam(), [](int i) { return i == 3 ? throw std::domain_error("three") : i; });
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(stream->fetch());
    EXPECT_EQ(stream->give(), i);
  }
  EXPECT_THROW(static_cast<void>(stream->fetch()), std::domain_error);
  EXPECT_FALSE(stream->fetch());
  ASSERT_TRUE(stream->failure());
  EXPECT_EQ(stream->failure()->index, 3U);
  EXPECT_EQ(joblot::last_failure()->index, 3U);
  EXPECT_EQ(joblot::detail::this_thread_last_failure.owner, owner);
}

TEST_P(Streams, AreEmptyOnceTheyAreClosed) {
  auto const stream = stream_of(10, GetParam(), identity);
  ASSERT_TRUE(stream->fetch());
  stream->close();
  EXPECT_FALSE(stream->fetch());
  stream->close();
  EXPECT_FALSE(stream->fetch());
}

TEST_P(Streams, OfNothingHaveNothing) {
  for (auto const order : {Order::submission, Order::completion}) {
    EXPECT_FALSE(stream_of(0, GetParam(), identity, order)->fetch());
  }
}

// Backends that do not do what they might.

class Backend : public joblot::Backend {
 public:
  [[nodiscard]] std::string_view name() const override { return "TestBackend"; }
};

TEST(AStream, ThrowsWhatTheBackendThrows) {
  class Throwing final : public Backend {
   public:
    void start(std::shared_ptr<joblot::Call> call) override {
      call->work(1);
      throw std::domain_error("no backend");
    }
  };
  auto const use = std::make_shared<int>(0);
  Options options;
  options.backend = std::make_shared<Throwing>();
  auto const body = [use](int i) { return i; };
  EXPECT_THROW(stream_of(2, 3, body, Order::completion, options), std::domain_error);
  EXPECT_EQ(use.use_count(), 2) << "here and in the body";
}

TEST(AStream, RunsItsTasksItselfIfTheBackendGivesNobody) {
  class Empty final : public Backend {
   public:
    void start(std::shared_ptr<joblot::Call>) override {}
  };
  for (auto const order : {Order::submission, Order::completion}) {
    Options options;
    options.backend = std::make_shared<Empty>();
    auto const stream = stream_of(20, 3, identity, order, options);
    for (int i = 0; i < 20; ++i) {
      ASSERT_TRUE(stream->fetch());
      EXPECT_EQ(stream->give(), i);
    }
    EXPECT_FALSE(stream->fetch());
  }
}

TEST(AStream, RunsTheRestItselfIfTheBackendLetsGo) {
  class Hesitating final : public Backend {
   public:
    void start(std::shared_ptr<joblot::Call> call) override { kept = std::move(call); }
    std::shared_ptr<joblot::Call> kept;
  };
  auto const backend = std::make_shared<Hesitating>();
  Options options;
  options.backend = backend;
  auto const stream = stream_of(20, 3, identity, Order::submission, options);
  backend->kept.reset();
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(stream->fetch());
    EXPECT_EQ(stream->give(), i);
  }
  EXPECT_FALSE(stream->fetch());
}

TEST(AStream, KeepsItsBackendAlive) {
  class Counted final : public Backend {
   public:
    void start(std::shared_ptr<joblot::Call>) override {}
  };
  auto backend = std::make_shared<Counted>();
  std::weak_ptr<Counted> const watched = backend;
  Options options;
  options.backend = std::exchange(backend, nullptr);
  auto stream = stream_of(2, 2, identity, Order::submission, std::exchange(options, {}));
  EXPECT_FALSE(watched.expired());
  stream.reset();
  EXPECT_TRUE(watched.expired());
}

}  // namespace
