// SPDX-License-Identifier: MIT
// Checks of how calls end: completely, also when they are stopped, closed or dropped.
#ifndef JOBLOT_TESTING_ENDINGS_HPP
#define JOBLOT_TESTING_ENDINGS_HPP

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>

#include <joblot/error.hpp>
#include <joblot/options.hpp>
#include <joblot/testing/errors.hpp>
#include <joblot/testing/subject.hpp>
#include <joblot/this_task.hpp>

namespace joblot::detail::conformance {

/// How many tasks of a call run, and whether any did after the call was over.
class Track {
 public:
  /// A task that is running.
  class Visit {
   public:
    explicit Visit(Track& track) : track_(track) {
      ++track_.running_;
      track_.look();
    }
    Visit(Visit const&) = delete;
    Visit& operator=(Visit const&) = delete;
    ~Visit() {
      track_.look();
      --track_.running_;
    }

   private:
    Track& track_;
  };

  /// The call has returned or thrown: nothing may run now or later.
  void expect_quiet(char const* when) {
    auto const running = running_.load();
    over_ = true;
    expect(running == 0, "{}, tasks still ran: {}", when, running);
    std::this_thread::sleep_for(milliseconds(50));  // for tasks that begin too late
    expect(!late_, "{}, a task ran", when);
  }

 private:
  void look() {
    if (over_) late_ = true;
  }

  std::atomic<int> running_{0};
  std::atomic<bool> over_{false};
  std::atomic<bool> late_{false};
};

template <class Front>
void check_nothing_runs_on(Subject<Front> const& subject) {
  auto const expect_quiet = [&](char const* when, int failing, auto call) {
    auto const front = subject.front();
    auto const track = std::make_shared<Track>();
    error_of([&] {
      call(front, numbered(40, [track, failing](int i) {
             Track::Visit const visit(*track);
             work_for(milliseconds(i == failing ? 1 : 5));
             return i == failing ? throw TaskError{i} : i;
           }));
    });
    track->expect_quiet(when);
  };
  auto const plain = [](Front const& front, Tasks tasks) { front(std::move(tasks)); };
  auto const looped = [](Front const& front, Tasks tasks) {
    front.for_each(std::move(tasks), run_task);
  };
  auto const ordered = [](Front const& front, Tasks tasks) {
    drain(front.generator(std::move(tasks)));
  };
  auto const unordered = [](Front const& front, Tasks tasks) {
    drain(front.generator_unordered(std::move(tasks)));
  };
  expect_quiet("after operator() had returned", -1, plain);
  expect_quiet("after operator() had thrown", 0, plain);
  expect_quiet("after for_each had returned", -1, looped);
  expect_quiet("after the end of a generator", -1, ordered);
  expect_quiet("after the error of a generator", 0, ordered);
  expect_quiet("after the error of an unordered generator", 0, unordered);
}

/// Arguments are destroyed when the call ends.
template <class Front>
void check_arguments(Subject<Front> const& subject) {
  auto const expect_destroyed = [&](char const* when, int failing, auto call) {
    auto const front = subject.front();
    auto const argument = std::make_shared<int>(0);
    error_of([&] {
      call(front, Run([argument, failing](int i) {
             return i == failing ? throw TaskError{i} : *argument;
           }));
    });
    auto const left = argument.use_count() - 1;
    expect(left == 0, "{}, {} copies of an argument were left", when, left);
  };
  auto const plain = [](Front const& front, Run const& run) { front(numbered(50, run)); };
  auto const in_turn = [](Front const& front, Run const& run) { front(lazy(50, run)); };
  auto const streamed = [](Front const& front, Run const& run) {
    static_cast<void>(front.generator(numbered(50, run)).next());
  };
  expect_destroyed("after operator() had returned", -1, plain);
  expect_destroyed("after operator() had thrown", 3, plain);
  expect_destroyed("after operator() of a range read one by one had returned", -1, in_turn);
  expect_destroyed("after operator() of a range read one by one had thrown", 3, in_turn);
  expect_destroyed("after the destruction of a generator", -1, streamed);
}

/// The option `stop`.
template <class Front>
void check_stop(Subject<Front> const& subject) {
  static constexpr int count = 1000;
  auto const expect_cancelled = [&](char const* form, bool beforehand, auto call) {
    std::stop_source const source;
    if (beforehand) source.request_stop();
    auto const started = std::make_shared<std::atomic<int>>(0);
    auto const asked = std::make_shared<std::atomic<bool>>(beforehand);
    auto const run = [source, started, asked, patience = subject.patience](int i) {
      if (started->fetch_add(1) == 0) {
        source.request_stop();
        *asked = eventually(patience, [] { return this_task::stop_requested(); });
      } else {
        work_for(milliseconds(1));
      }
      return i;
    };
    bool cancelled = false;
    try {
      call(subject.front({.stop = source.get_token()}), numbered(count, run));
    } catch (CancelledError const&) {
      cancelled = true;
    }
    expect(cancelled, "{}: stop was requested, but no CancelledError arrived", form);
    expect(*asked, "{}: a running task was not asked to stop", form);
    auto const most = beforehand ? 0 : count - 1;
    expect(*started <= most, "{}: {} of {} tasks ran", form, started->load(), count);
  };
  auto const plain = [](Front const& front, Tasks tasks) { front(std::move(tasks)); };
  auto const streamed = [](Front const& front, Tasks tasks) {
    drain(front.generator(std::move(tasks)));
  };
  expect_cancelled("operator(), stopped by a task", false, plain);
  expect_cancelled("operator(), stopped beforehand", true, plain);
  expect_cancelled("generator, stopped by a task", false, streamed);
  expect_cancelled("generator, stopped beforehand", true, streamed);
}

/// Many tasks: the first ends, the others run until they are asked to stop.
inline Tasks endless_tasks(std::shared_ptr<Track> const& track, milliseconds patience) {
  return numbered(200, [track, patience](int i) {
    Track::Visit const visit(*track);
    if (i > 0) eventually(patience, [] { return this_task::stop_requested(); });
    return i;
  });
}

/// Gets rid of a generator of `endless_tasks`, which has to be quick.
template <class GetRid>
void expect_ends(char const* when, Track& track, milliseconds patience, GetRid get_rid) {
  auto const begin = std::chrono::steady_clock::now();
  get_rid();
  auto const time = std::chrono::steady_clock::now() - begin;
  track.expect_quiet(when);
  expect(time < patience, "{}, tasks ran on that had not been asked to stop", when);
}

template <class Front>
void check_close(Subject<Front> const& subject) {
  auto const expect_closed = [&](Options const& options, auto make) {
    auto const track = std::make_shared<Track>();
    auto generator = make(subject.front(options), endless_tasks(track, subject.patience));
    expect(generator.next().has_value(), "the generator gave nothing");
    expect_ends("after close()", *track, subject.patience, [&] { generator.close(); });
    expect(!generator.next().has_value(), "next() gave a result after close()");
    generator.close();
  };
  for (auto const& options : {Options{}, Options{.pre_dispatch = "all"}}) {
    expect_closed(
        options, [](Front const& front, Tasks tasks) { return front.generator(std::move(tasks)); });
    expect_closed(options, [](Front const& front, Tasks tasks) {
      return front.generator_unordered(std::move(tasks));
    });
  }
}

/// Destruction of generators whose tasks run; they have outlived their front.
template <class Front>
void check_destruction(Subject<Front> const& subject) {
  for (bool const used : {false, true}) {
    auto const track = std::make_shared<Track>();
    std::optional generator(subject.front().generator(endless_tasks(track, subject.patience)));
    if (used) expect(generator->next().has_value(), "the generator gave nothing");
    expect_ends("after the destruction of a generator", *track, subject.patience,
                [&] { generator.reset(); });
  }
}

}  // namespace joblot::detail::conformance

#endif
