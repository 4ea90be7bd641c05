// SPDX-License-Identifier: MIT
#include <concepts>
#include <csignal>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>

#include <gtest/gtest.h>

#include <joblot/error.hpp>

namespace {

using joblot::CancelledError;
using joblot::Error;
using joblot::InvalidOption;
using joblot::NotShippableError;
using joblot::RemoteError;
using joblot::TerminatedWorkerError;
using joblot::TimeoutError;
using joblot::WorkerInitError;

static_assert(std::derived_from<Error, std::runtime_error>);
static_assert(std::derived_from<TimeoutError, Error>);
static_assert(std::derived_from<CancelledError, Error>);
static_assert(std::derived_from<RemoteError, Error>);
static_assert(std::derived_from<TerminatedWorkerError, Error>);
static_assert(std::derived_from<NotShippableError, Error>);
static_assert(std::derived_from<WorkerInitError, Error>);
static_assert(std::derived_from<InvalidOption, std::invalid_argument>);
static_assert(!std::derived_from<InvalidOption, Error>);
// What is thrown may be copied while another exception is on its way.
static_assert(std::is_nothrow_copy_constructible_v<Error>);
static_assert(std::is_nothrow_copy_constructible_v<TimeoutError>);
static_assert(std::is_nothrow_copy_constructible_v<CancelledError>);
static_assert(std::is_nothrow_copy_constructible_v<InvalidOption>);
static_assert(std::is_nothrow_copy_constructible_v<RemoteError>);
static_assert(std::is_nothrow_copy_constructible_v<TerminatedWorkerError>);
static_assert(std::is_nothrow_copy_constructible_v<NotShippableError>);
static_assert(std::is_nothrow_copy_constructible_v<WorkerInitError>);
static_assert(std::is_nothrow_copy_assignable_v<RemoteError>);

TEST(TimeoutError, KnowsItsTask) {
  TimeoutError const error("task 3 ran longer than timeout = 2 s", 3);
  EXPECT_EQ(error.index(), 3U);
  EXPECT_STREQ(error.what(), "task 3 ran longer than timeout = 2 s");
}

TEST(RemoteError, SaysWhatWasThrownAndWhere) {
  RemoteError const error("my::Error", "no bread", 123, 17);
  EXPECT_EQ(error.type_name(), "my::Error");
  EXPECT_EQ(error.text(), "no bread");
  EXPECT_EQ(error.pid(), 123);
  EXPECT_EQ(error.index(), 17U);
  EXPECT_STREQ(error.what(), "my::Error: no bread (in worker process 123, task 17)");
}

TEST(RemoteError, NeedsNoText) {
  EXPECT_STREQ(RemoteError("my::Error", "", 123, 17).what(),
               "my::Error (in worker process 123, task 17)");
}

TEST(RemoteError, SharesItsTextsWithItsCopies) {
  auto const copy = [] {
    RemoteError const error("my::Error", "no bread", 123, 17);
    return RemoteError(error);  // NOLINT(performance-no-automatic-move)
  }();
  EXPECT_EQ(copy.type_name(), "my::Error");
  EXPECT_EQ(copy.text(), "no bread");
}

TEST(TerminatedWorkerError, NamesTheSignalAndTheTask) {
  TerminatedWorkerError const error(123, SIGSEGV, std::nullopt, 17);
  EXPECT_STREQ(
      error.what(),
      "worker process 123 was killed by signal 11 (Segmentation fault) while it ran task 17");
  EXPECT_EQ(error.pid(), 123);
  EXPECT_EQ(error.signal(), SIGSEGV);
  EXPECT_EQ(error.exit_status(), std::nullopt);
  EXPECT_EQ(error.index(), 17U);
}

TEST(TerminatedWorkerError, NamesTheStatusOfOneThatExited) {
  TerminatedWorkerError const error(123, std::nullopt, 7, std::nullopt);
  EXPECT_STREQ(error.what(), "worker process 123 exited with status 7 between tasks");
  EXPECT_EQ(error.signal(), std::nullopt);
  EXPECT_EQ(error.exit_status(), 7);
  EXPECT_EQ(error.index(), std::nullopt);
}

TEST(TerminatedWorkerError, AdmitsWhatIsNotKnown) {
  EXPECT_STREQ(TerminatedWorkerError(123, std::nullopt, std::nullopt, 0).what(),
               "worker process 123 ended for an unknown reason (other code of this program has "
               "waited for it) while it ran task 0");
}

TEST(Errors, OfTheLibraryCanBeCaughtTogether) {
  auto const caught = [](auto const& error) {
    try {
      throw error;
    } catch (Error const& one_of_ours) {
      return std::string(one_of_ours.what());
    }
  };
  EXPECT_EQ(caught(TimeoutError("late", 0)), "late");
  EXPECT_EQ(caught(CancelledError("stopped")), "stopped");
  EXPECT_EQ(caught(NotShippableError("a pointer")), "a pointer");
  EXPECT_EQ(caught(WorkerInitError("no GPU")), "no GPU");
  EXPECT_EQ(caught(RemoteError("int", "42", 1, 0)), "int: 42 (in worker process 1, task 0)");
}

TEST(InvalidOption, IsAnInvalidArgument) {
  EXPECT_THROW(throw InvalidOption("n_jobs = 0"), std::invalid_argument);
}

}  // namespace
