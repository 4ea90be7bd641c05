// SPDX-License-Identifier: MIT
// Checks of what happens at the same time: workers, calls, calls in calls, reader and consumer.
#ifndef JOBLOT_TESTING_SIDE_BY_SIDE_HPP
#define JOBLOT_TESTING_SIDE_BY_SIDE_HPP

#include <algorithm>
#include <array>
#include <atomic>
#include <climits>
#include <cstddef>
#include <exception>
#include <memory>
#include <numeric>
#include <ranges>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <joblot/testing/errors.hpp>
#include <joblot/testing/subject.hpp>
#include <joblot/this_task.hpp>

namespace joblot::detail::conformance {

/// A tree of calls, on the shared object and on others; returns the number of its leaves.
template <class Front>
int count_leaves(Subject<Front> const& subject, std::shared_ptr<Front const> const& shared,
                 int depth) {
  auto const tasks = numbered(4, [subject, shared, depth](int i) {
    if (i % 2 == 0) return depth == 0 ? 1 : count_leaves(subject, shared, depth - 1);
    std::shared_ptr<Front const> const other(new Front(subject.front()));
    return depth == 0 ? 1 : count_leaves(subject, other, depth - 1);
  });
  auto const results = depth == 1 ? drain(shared->generator(tasks)) : (*shared)(tasks);
  return std::accumulate(results.begin(), results.end(), 0);
}

/// Calls in calls. A deadlock is found by the limit of time.
template <class Front>
void check_nesting(Subject<Front> const& subject) {
  std::shared_ptr<Front const> const front(new Front(subject.front()));
  auto const leaves = count_leaves(subject, front, 3);
  expect(leaves == 256, "4 levels of calls with 4 tasks each ran {} tasks; expected: 256", leaves);

  auto const fail = [subject](int /*i*/) {
    subject.front()(numbered(4, [](int i) { return i == 2 ? throw TaskError{i} : i; }));
    return 0;
  };
  if (error_of([&] { fail(0); }) < 0) return;  // errors get lost without nesting, too
  expect(error_of([&] { (*front)(numbered(4, fail)); }) == 2,
         "the error of a task in a nested call did not arrive");
}

/// Calls of several threads on one object at the same time, some of which fail.
template <class Front>
void check_concurrent_calls(Subject<Front> const& subject) {
  static constexpr int callers = 4;
  static constexpr int count = 30;
  auto const front = subject.front();
  auto const call = [&](int first, int form) {
    auto const tasks = numbered(count, [first](int i) { return first + i; });
    std::vector<int> results;
    if (form == 0) results = front(tasks);
    if (form == 1) results = drain(front.generator(tasks));
    if (form == 2) results = values(front.outcomes(tasks));
    if (form == 3) {
      error_of([&] { front(failing_tasks(count)); });
      return;
    }
    std::ranges::sort(results);
    expect(std::ranges::equal(results, std::views::iota(first, first + count)),
           "a call got wrong results while others ran");
  };
  std::array<std::string, callers> broken;
  {
    std::vector<std::jthread> threads;
    threads.reserve(callers);
    for (int caller = 0; caller < callers; ++caller) {
      threads.emplace_back([&broken, &call, caller] {
        auto& text = broken[static_cast<std::size_t>(caller)];
        try {
          for (int round = 0; round < 20; ++round) call(1000 * caller, (caller + round) % 4);
        } catch (std::exception const& error) {
          text = error.what();
        } catch (TaskError const&) {
          text = "a call got the error of another one";
        }
      });
    }
  }
  for (auto const& text : broken) expect(text.empty(), "{}", text);
}

/// Whether workers keep to their numbers, as tasks see them.
class Seats {
 public:
  explicit Seats(int n_jobs) : taken_(static_cast<std::size_t>(n_jobs)) {}

  static Run run(std::shared_ptr<Seats> seats) {
    return [seats = std::move(seats)](int i) {
      auto const id = this_task::worker_id();
      if (id < 0 || id >= static_cast<int>(seats->taken_.size())) {
        seats->unknown_ = id;
        return i;
      }
      auto& taken = seats->taken_[static_cast<std::size_t>(id)];
      if (taken.exchange(true)) seats->shared_ = id;
      work_for(milliseconds(1));
      taken = false;
      return i;
    };
  }

  void judge(char const* form) const {
    expect(unknown_ == none, "{}: worker_id() was {}; allowed: 0 .. {}", form, unknown_.load(),
           taken_.size() - 1);
    expect(shared_ == none, "{}: two tasks of worker {} overlapped", form, shared_.load());
  }

 private:
  static constexpr int none = INT_MIN;
  std::vector<std::atomic<bool>> taken_;
  std::atomic<int> unknown_{none};
  std::atomic<int> shared_{none};
};

template <class Front>
void check_worker_ids(Subject<Front> const& subject) {
  auto const front = subject.front();
  auto const expect_apart = [&](char const* form, auto call) {
    auto const seats = std::make_shared<Seats>(front.n_jobs());
    call(numbered(20 * front.n_jobs(), Seats::run(seats)));
    seats->judge(form);
  };
  expect_apart("operator()", [&](Tasks tasks) { front(std::move(tasks)); });
  expect_apart("generator", [&](Tasks tasks) { drain(front.generator(std::move(tasks))); });
}

/// How far the reading of a range was ahead of what has been done with its elements.
struct Lead {
  std::atomic<int> read{0};
  std::atomic<int> done{0};
  std::atomic<int> longest{0};

  void note_read() {
    auto const lead = ++read - done;
    auto before = longest.load();
    while (lead > before && !longest.compare_exchange_weak(before, lead)) {
    }
  }
};

/// A consumer that pauses stops the reading of the range, and so do tasks that take their time.
template <class Front>
void check_window(Subject<Front> const& subject) {
  static constexpr int count = 1000;
  static constexpr int window = 6;
  auto const front = subject.front({.pre_dispatch = int{window}, .batch_size = 1});
  auto const expect_bounded = [](char const* form, auto call) {
    auto const lead = std::make_shared<Lead>();
    call(lead, [lead](int /*i*/) { lead->note_read(); });
    expect(lead->longest <= window,
           "{}: {} of {} elements had been read ahead; pre_dispatch allows {}", form,
           lead->longest.load(), count, window);
  };
  auto const consume = [](auto generator, Lead& lead) {
    for (int i = 0; i < 30; ++i) {
      if (i % 10 == 0) std::this_thread::sleep_for(milliseconds(30));
      ++lead.done;  // before it makes room
      static_cast<void>(generator.next());
    }
  };
  Run const identity = [](int i) { return i; };
  expect_bounded("generator", [&](auto const& lead, auto const& read) {
    consume(front.generator(lazy(count, read, identity)), *lead);
  });
  expect_bounded("generator_unordered", [&](auto const& lead, auto const& read) {
    consume(front.generator_unordered(lazy(count, read, identity)), *lead);
  });
  expect_bounded("operator()", [&](auto const& lead, auto const& read) {
    auto const run = [lead](int i) {
      ++lead->done;
      return i;
    };
    front(lazy(count, read, run));
  });
}

}  // namespace joblot::detail::conformance

#endif
