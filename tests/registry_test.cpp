// SPDX-License-Identifier: MIT
// Tests of the backends known by name.
#include <joblot/registry.hpp>
// First, because it needs no other.
#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace {

using joblot::Backend;
using joblot::BackendFactory;
using joblot::Call;
using joblot::InvalidOption;
using joblot::register_parallel_backend;
using joblot::detail::Registry;

class Named final : public Backend {
 public:
  explicit Named(std::string name) : name_(std::move(name)) {}
  [[nodiscard]] std::string_view name() const override { return name_; }
  void start(std::shared_ptr<Call> /*call*/) override {}

 private:
  std::string name_;
};

BackendFactory named(std::string name) {
  return [name = std::move(name)] { return std::make_shared<Named>(name); };
}

std::string made(std::string_view name) {
  return std::string(Registry::instance().make(name)->name());
}

/// The text of the InvalidOption that `run` throws, "" if it throws none.
template <class Run>
std::string refusal_of(Run run) {
  try {
    run();
  } catch (InvalidOption const& error) {
    return error.what();
  }
  return "";
}

std::string refusal_of_name(std::string_view name) {
  return refusal_of([&] { static_cast<void>(Registry::instance().make(name)); });
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

TEST(Registry, KnowsTheBuiltInBackends) {
  EXPECT_EQ(made("threading"), "ThreadingBackend");
  EXPECT_EQ(made("sequential"), "SequentialBackend");
}

TEST(Registry, MakesWhatIsRegistered) {
  register_parallel_backend("registry.mine", named("MyBackend"));
  EXPECT_EQ(made("registry.mine"), "MyBackend");
}

TEST(Registry, AsksTheFactoryEachTime) {
  int calls = 0;
  register_parallel_backend("registry.counted", [&calls] {
    ++calls;
    return std::make_shared<Named>("Counted");
  });
  EXPECT_EQ(calls, 0);
  auto const one = Registry::instance().make("registry.counted");
  auto const other = Registry::instance().make("registry.counted");
  EXPECT_EQ(calls, 2);
  EXPECT_NE(one, other);
}

TEST(Registry, ReplacesAKnownName) {
  register_parallel_backend("registry.replaced", named("Old"));
  auto const old = Registry::instance().make("registry.replaced");
  register_parallel_backend("registry.replaced", named("New"));
  EXPECT_EQ(made("registry.replaced"), "New");
  EXPECT_EQ(old->name(), "Old");
}

TEST(Registry, LetsARegisteredNameHideABuiltInOne) {
  register_parallel_backend("sequential", named("Mine"));
  EXPECT_EQ(made("sequential"), "Mine");
  register_parallel_backend("sequential", [] { return joblot::detail::sequential_backend(); });
  EXPECT_EQ(made("sequential"), "SequentialBackend");
}

TEST(Registry, RefusesAnUnknownNameAndListsTheKnownOnes) {
  register_parallel_backend("registry.listed", named("Listed"));
  auto const text = refusal_of_name("lokky");
  EXPECT_TRUE(contains(text, "backend")) << text;
  EXPECT_TRUE(contains(text, "\"lokky\"")) << text;
  EXPECT_TRUE(contains(text, "\"threading\"")) << text;
  EXPECT_TRUE(contains(text, "\"sequential\"")) << text;
  EXPECT_TRUE(contains(text, "\"registry.listed\"")) << text;
}

TEST(Registry, TakesNamesAsTheyAreWritten) {
  EXPECT_NE(refusal_of_name("Threading"), "");
  EXPECT_NE(refusal_of_name("threading "), "");
  EXPECT_NE(refusal_of_name(""), "");
}

TEST(Registry, ShowsANameOnOneLineWhateverIsInIt) {
  auto const text = refusal_of_name("two\nlines");
  EXPECT_FALSE(contains(text, "\n")) << text;
}

TEST(Registry, RefusesAFactoryThatMakesNothing) {
  register_parallel_backend("registry.empty", [] { return std::shared_ptr<Backend>(); });
  auto const text = refusal_of_name("registry.empty");
  EXPECT_TRUE(contains(text, "\"registry.empty\"")) << text;
  EXPECT_TRUE(contains(text, "null")) << text;
}

TEST(Registry, LetsTheFactorysExceptionThrough) {
  register_parallel_backend("registry.failing", []() -> std::shared_ptr<Backend> {
    throw std::out_of_range("a mandatory parameter is missing");
  });
  EXPECT_THROW(static_cast<void>(Registry::instance().make("registry.failing")), std::out_of_range);
}

TEST(Registry, RefusesAnEmptyNameAndAnEmptyFactory) {
  auto const no_name = refusal_of([] { register_parallel_backend("", named("Nameless")); });
  EXPECT_TRUE(contains(no_name, "name is empty")) << no_name;
  auto const no_factory = refusal_of([] { register_parallel_backend("registry.none", nullptr); });
  EXPECT_TRUE(contains(no_factory, "\"registry.none\"")) << no_factory;
  EXPECT_NE(refusal_of_name("registry.none"), "");
}

TEST(Registry, LetsAFactoryUseTheRegistryItself) {
  register_parallel_backend("registry.alias",
                            [] { return Registry::instance().make("threading"); });
  EXPECT_EQ(made("registry.alias"), "ThreadingBackend");
}

TEST(Registry, UsesTheDefaultThatWasMadeLast) {
  auto const name = [] { return std::string(Registry::instance().make_default()->name()); };
  EXPECT_EQ(name(), "ThreadingBackend");
  register_parallel_backend("registry.default", named("Default"), true);
  EXPECT_EQ(name(), "Default");
  register_parallel_backend("registry.other", named("Other"));
  EXPECT_EQ(name(), "Default");
  register_parallel_backend("registry.default", named("Replaced"));
  EXPECT_EQ(name(), "Replaced");
  register_parallel_backend(
      "threading", [] { return joblot::detail::threading_backend(); }, true);
  EXPECT_EQ(name(), "ThreadingBackend");
}

TEST(Registry, IsUsedFromSeveralThreadsAtOnce) {
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&wrong, t] {
      auto const mine = "registry.thread" + std::to_string(t);
      for (int i = 0; i < 100; ++i) {
        register_parallel_backend(mine, named(mine));
        if (made(mine) != mine || made("threading") != "ThreadingBackend") ++wrong;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
