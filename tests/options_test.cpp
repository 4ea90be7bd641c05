// SPDX-License-Identifier: MIT
// Tests of Options: how they are written down.
#include <joblot/options.hpp>
// First, because it needs no other.
#include <chrono>
#include <concepts>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <gtest/gtest.h>

namespace {

using joblot::Backend;
using joblot::Call;
using joblot::MmapMode;
using joblot::Options;
using joblot::Prefer;
using joblot::Progress;
using joblot::Require;
using namespace std::chrono_literals;

class Lonely final : public Backend {
 public:
  [[nodiscard]] std::string_view name() const override { return "Lonely"; }
  void start(std::shared_ptr<Call> /*call*/) override {}
};

void prepare() {}

// The order is part of the interface: a program that keeps it goes on compiling.
TEST(Options, AreWrittenInTheirOrder) {
  std::stop_source source;
  Options const options{.n_jobs = 4,
                        .backend = "threading",
                        .verbose = 5,
                        .timeout = 1500ms,
                        .pre_dispatch = "3 * n_jobs",
                        .batch_size = 10,
                        .prefer = Prefer::threads,
                        .require = Require::sharedmem,
                        .retries = 1,
                        .max_nbytes = "1.4M",
                        .mmap_mode = MmapMode::c,
                        .temp_folder = "/tmp",
                        .inner_max_num_threads = 2,
                        .initializer = prepare,
                        .max_tasks_per_child = 100,
                        .idle_worker_timeout = 1min,
                        .on_progress = [](Progress const&) {},
                        .progress_bar = true,
                        .stop = source.get_token()};
  EXPECT_EQ(options.n_jobs.value().text(), "4");
  EXPECT_EQ(*options.backend.value().name(), "threading");
  EXPECT_EQ(options.verbose.value().text(), "5");
  EXPECT_EQ(options.timeout.value().count(), 1.5);
  EXPECT_EQ(*options.pre_dispatch.value().text(), "3 * n_jobs");
  EXPECT_EQ(options.batch_size.value().number()->text(), "10");
  EXPECT_EQ(options.prefer.value(), Prefer::threads);
  EXPECT_EQ(options.require.value(), Require::sharedmem);
  EXPECT_EQ(options.retries.value().text(), "1");
  EXPECT_EQ(*options.max_nbytes.value().text(), "1.4M");
  EXPECT_EQ(options.mmap_mode.value(), MmapMode::c);
  EXPECT_EQ(options.temp_folder.value(), "/tmp");
  EXPECT_EQ(options.inner_max_num_threads.value().text(), "2");
  EXPECT_EQ(options.initializer.value(), &prepare);
  EXPECT_EQ(options.max_tasks_per_child.value().text(), "100");
  EXPECT_EQ(options.idle_worker_timeout.value().count(), 60);
  EXPECT_TRUE(options.on_progress.value());
  EXPECT_TRUE(options.progress_bar.value().value());
  EXPECT_TRUE(options.stop.value().stop_possible());
}

TEST(Options, AreAllLeftOutUnlessWritten) {
  Options const options;
  EXPECT_FALSE(options.n_jobs.is_set());
  EXPECT_FALSE(options.backend.is_set());
  EXPECT_FALSE(options.pre_dispatch.is_set());
  EXPECT_FALSE(options.on_progress.is_set());
  EXPECT_FALSE(options.progress_bar.is_set());
  EXPECT_FALSE(options.stop.is_set());
}

TEST(Options, CanAllBeNone) {
  Options const options{.n_jobs = std::nullopt,
                        .backend = std::nullopt,
                        .verbose = std::nullopt,
                        .timeout = std::nullopt,
                        .pre_dispatch = std::nullopt,
                        .batch_size = std::nullopt,
                        .prefer = std::nullopt,
                        .require = std::nullopt,
                        .retries = std::nullopt,
                        .max_nbytes = std::nullopt,
                        .mmap_mode = std::nullopt,
                        .temp_folder = std::nullopt,
                        .inner_max_num_threads = std::nullopt,
                        .initializer = std::nullopt,
                        .max_tasks_per_child = std::nullopt,
                        .idle_worker_timeout = std::nullopt,
                        .on_progress = std::nullopt,
                        .progress_bar = std::nullopt,
                        .stop = std::nullopt};
  EXPECT_TRUE(options.n_jobs.is_set());
  EXPECT_FALSE(options.n_jobs.has_value());
  EXPECT_TRUE(options.stop.is_set());
  EXPECT_FALSE(options.stop.has_value());
}

TEST(Options, CanBeSetOneByOne) {
  Options options;
  options.backend = "loky";
  options.n_jobs = 2U;
  options.timeout = 3s;
  options.n_jobs = std::nullopt;
  EXPECT_EQ(*options.backend.value().name(), "loky");
  EXPECT_FALSE(options.n_jobs.has_value());
  EXPECT_EQ(options.timeout.value().count(), 3);
}

TEST(BackendOption, IsANameOfAnyStringType) {
  std::string const text = "threading";
  for (auto const& option :
       {Options{.backend = text}, Options{.backend = text.c_str()},
        Options{.backend = std::string_view(text)}, Options{.backend = "threading"}}) {
    EXPECT_EQ(*option.backend.value().name(), "threading");
    EXPECT_EQ(option.backend.value().object(), nullptr);
  }
}

TEST(BackendOption, IsAnObjectOfAnyBackendType) {
  auto const lonely = std::make_shared<Lonely>();
  std::shared_ptr<Backend> const backend = lonely;
  for (auto const& option : {Options{.backend = lonely}, Options{.backend = backend}}) {
    EXPECT_EQ(*option.backend.value().object(), backend);
    EXPECT_EQ(option.backend.value().name(), nullptr);
  }
}

TEST(BackendOption, IsNoNullPointerLiteral) {
  using Choice = decltype(Options::backend);
  EXPECT_TRUE((std::convertible_to<char const*, Choice>));
  EXPECT_FALSE((std::convertible_to<std::nullptr_t, Choice>));
  EXPECT_FALSE((std::convertible_to<Lonely*, Choice>));
  EXPECT_FALSE((std::convertible_to<int, Choice>));
}

TEST(InitializerOption, IsAFunctionPointerOrACapturelessLambda) {
  int calls = 0;
  auto const captures = [&calls] { ++calls; };
  auto const captureless = [] {};
  using Option = decltype(Options::initializer);
  EXPECT_TRUE((std::convertible_to<decltype(&prepare), Option>));
  EXPECT_TRUE((std::convertible_to<decltype(captureless), Option>));
  EXPECT_TRUE((std::convertible_to<void (*)() noexcept, Option>));
  EXPECT_FALSE((std::convertible_to<decltype(captures), Option>));
}

TEST(TempFolderOption, IsATextOrAPath) {
  Options const options{.temp_folder = std::filesystem::path("/tmp") / "here"};
  EXPECT_EQ(options.temp_folder.value(), "/tmp/here");
}

TEST(ProgressOption, IsAnythingThatCanBeCalled) {
  double seen = 0;
  Options const options{.on_progress = [&seen](auto const& progress) {
    seen = static_cast<double>(progress.completed);
  }};
  options.on_progress.value()(Progress{.completed = 3});
  EXPECT_EQ(seen, 3);
}

}  // namespace
