// SPDX-License-Identifier: MIT
// Checks of tasks and ranges that throw.
#ifndef JOBLOT_TESTING_ERRORS_HPP
#define JOBLOT_TESTING_ERRORS_HPP

#include <atomic>
#include <climits>
#include <cstddef>
#include <memory>
#include <utility>

#include <joblot/testing/subject.hpp>

namespace joblot::detail::conformance {

/// Tasks some of which throw: how many began, and the lowest index of those that threw.
struct Failures {
  std::atomic<int> started{0};
  std::atomic<int> lowest{INT_MAX};

  static bool at(int index) { return index == 5 || index == 6 || index == 20; }

  static Run run(std::shared_ptr<Failures> failures) {
    return [failures = std::move(failures)](int i) {
      ++failures->started;
      if (at(i)) {
        auto before = failures->lowest.load();
        while (i < before && !failures->lowest.compare_exchange_weak(before, i)) {
        }
        throw TaskError{i};
      }
      work_for(milliseconds(1));
      return i;
    };
  }
};

inline Tasks failing_tasks(int count) {
  return numbered(count, Failures::run(std::make_shared<Failures>()));
}

/// f of a `for_each` over tasks.
inline void run_task(Task const& task) { task(); }

template <class Front>
void check_task_errors(Subject<Front> const& subject) {
  static constexpr int count = 2000;
  auto const expect_error = [&](char const* form, auto call) {
    auto const front = subject.front();
    auto const failures = std::make_shared<Failures>();
    auto const index = error_of([&] { call(front, numbered(count, Failures::run(failures))); });
    expect(index >= 0, "{}: tasks threw, but no error arrived", form);
    expect(index == failures->lowest, "{}: task {} failed, but the error of task {} arrived", form,
           failures->lowest.load(), index);
    auto const failure = front.failure();
    expect(failure && failure->index == static_cast<std::size_t>(index),
           "{}: failure() does not tell the task", form);
    expect(failures->started < count, "{}: the tasks behind the failing ones were not cancelled",
           form);
  };
  expect_error("operator()", [](Front const& front, Tasks tasks) { front(std::move(tasks)); });
  expect_error("for_each",
               [](Front const& front, Tasks tasks) { front.for_each(std::move(tasks), run_task); });
  expect_error("generator_unordered", [](Front const& front, Tasks tasks) {
    drain(front.generator_unordered(std::move(tasks)));
  });
  expect_error("generator", [](Front const& front, Tasks tasks) {
    auto generator = front.generator(std::move(tasks));
    for (int i = 0; i < 5; ++i) {
      expect(generator.next() == i, "generator: results before the error are missing");
    }
    auto const index = error_of([&] { static_cast<void>(generator.next()); });
    expect(!generator.next(), "generator: it is not finished after its error");
    if (index >= 0) throw TaskError{index};
  });
}

struct RangeError {};

template <class Front>
void check_range_errors(Subject<Front> const& subject) {
  auto const broken_range = [] {
    auto const read = [](int i) {
      if (i == 10) throw RangeError();
    };
    return lazy(1000, read, [](int i) { return i; });
  };
  auto const expect_error = [&](char const* form, auto call) {
    auto const front = subject.front();
    bool arrived = false;
    try {
      call(front);
    } catch (RangeError const&) {
      arrived = true;
    }
    expect(arrived, "{}: the range threw, but no error arrived", form);
    expect(!front.failure(), "{}: the range threw, but failure() tells a task", form);
  };
  expect_error("operator()", [&](Front const& front) { front(broken_range()); });
  expect_error("generator", [&](Front const& front) { drain(front.generator(broken_range())); });
}

template <class Front>
void check_errors(Subject<Front> const& subject) {
  check_task_errors(subject);
  check_range_errors(subject);
}

/// A failing task does not stop the others.
template <class Front>
void check_outcomes(Subject<Front> const& subject) {
  static constexpr int count = 50;
  auto const failures = std::make_shared<Failures>();
  auto const outcomes = subject.front().outcomes(numbered(count, Failures::run(failures)));
  expect(failures->started == count, "a failing task stopped the others: {} of {} ran",
         failures->started.load(), count);
  expect(outcomes.size() == std::size_t{count}, "{} tasks gave {} outcomes", count,
         outcomes.size());
  for (int i = 0; i < count; ++i) {
    auto const& outcome = outcomes[static_cast<std::size_t>(i)];
    auto const error = error_of([&] { static_cast<void>(outcome.value()); });
    expect(error == (Failures::at(i) ? i : -1), "the outcome of task {} is another one's", i);
  }
}

/// An object can be used again after an error.
template <class Front>
void check_reuse(Subject<Front> const& subject) {
  auto const front = subject.front();
  auto const expect_works = [&](std::size_t results) {
    expect(results == 4, "after an error, 4 tasks gave {} results", results);
    expect(!front.failure(), "after a success, failure() still tells of the error before");
  };
  Run const identity = [](int i) { return i; };
  for (int round = 0; round < 3; ++round) {
    error_of([&] { front(failing_tasks(30)); });
    expect_works(front(numbered(4, identity)).size());
    error_of([&] { drain(front.generator(failing_tasks(30))); });
    expect_works(drain(front.generator(numbered(4, identity))).size());
  }
}

}  // namespace joblot::detail::conformance

#endif
