// SPDX-License-Identifier: MIT
// What goes wrong with tasks, values and workers, but the deaths that come at random.
#include <joblot/backends/loky.hpp>
// First, because it needs no other.
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <ranges>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include <joblot/joblot.hpp>

namespace {

using joblot::delayed;
using joblot::Outcome;
using joblot::Parallel;
using namespace std::chrono_literals;

/// A value that sometimes cannot be written or read, and takes its block of memory along.
struct Picky {
  int value = 0;
  std::vector<double> load_of{};
  bool written = true;
  bool read = true;

  template <class Archive>
  void save(Archive& archive) const {
    if (!written) throw std::domain_error("not written " + std::to_string(value));
    archive(value, load_of, read);
  }
  template <class Archive>
  void load(Archive& archive) {
    archive(value, load_of, read);
    if (!read) throw std::domain_error("not read " + std::to_string(value));
  }
};

constexpr auto value_of = [](Picky const& picky) {
  if (picky.value < 0) ::_exit(1);
  return picky.value;
};

std::vector<Picky> counted(int size) {
  std::vector<Picky> result;
  for (int i = 0; i < size; ++i) result.push_back({.value = i});
  return result;
}

auto outcomes_of(std::vector<Picky> const& values, int batch_size, int n_jobs = 2) {
  return Parallel{{.n_jobs = n_jobs, .backend = "loky", .batch_size = batch_size}}.outcomes(
      values | std::views::transform([](Picky const& one) { return delayed(value_of)(one); }));
}

template <class T>
std::string text_of(Outcome<T>& outcome) {
  try {
    static_cast<void>(outcome.value());
  } catch (std::exception const& error) {
    return error.what();
  }
  return "a value";
}

/// All are there but those that could not be written or read.
void expect_all_but_bad_ones(std::vector<Picky> const& values, std::vector<Outcome<int>> outcomes) {
  ASSERT_EQ(outcomes.size(), values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    auto const& one = values[i];
    if (one.value < 0) {
      EXPECT_THROW(static_cast<void>(outcomes[i].value()), joblot::TerminatedWorkerError) << i;
    } else if (!one.written || !one.read) {
      auto const text = (one.written ? "not read " : "not written ") + std::to_string(one.value);
      EXPECT_EQ(text_of(outcomes[i]), text);
    } else {
      ASSERT_TRUE(outcomes[i]) << i << ": " << text_of(outcomes[i]);
      EXPECT_EQ(outcomes[i].value(), one.value);
    }
  }
}

TEST(LokyTrouble, AnArgumentThatCannotBeWrittenOrReadFailsItsTaskOnly) {
  for (int const batch_size : {1, 3, 7, 30}) {
    auto values = counted(30);
    for (std::size_t const bad : {0U, 3U, 4U, 11U, 29U}) values[bad].written = false;
    for (std::size_t const bad : {1U, 5U, 12U, 28U}) values[bad].read = false;
    expect_all_but_bad_ones(values, outcomes_of(values, batch_size));
  }
}

TEST(LokyTrouble, AnArgumentThatCannotBeWrittenDoesNotHoldUpWhoFollowsADeath) {
  for (int const batch_size : {3, 7, 30}) {
    auto values = counted(30);
    for (std::size_t const bad : {2U, 6U, 20U}) values[bad].written = false;
    for (std::size_t const deadly : {1U, 4U, 18U}) values[deadly].value = -1;
    expect_all_but_bad_ones(values, outcomes_of(values, batch_size));
  }
}

TEST(LokyTrouble, AnArgumentThatCannotBeWrittenIsNotTakenForOneBeforeIt) {
  for (int const batch_size : {2, 5}) {
    auto values = counted(20);
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (i % 2 == 0) values[i].load_of.assign(20'000, 1.0);  // too large to be sent ahead
      values[i].written = i % 5 != 4;
    }
    expect_all_but_bad_ones(values, outcomes_of(values, batch_size, 1));
  }
}

}  // namespace
