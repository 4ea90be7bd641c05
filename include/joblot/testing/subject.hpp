// SPDX-License-Identifier: MIT
// What the checks of testing.hpp are made of: their subject, their tasks, and how they fail.
#ifndef JOBLOT_TESTING_SUBJECT_HPP
#define JOBLOT_TESTING_SUBJECT_HPP

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <joblot/backend.hpp>
#include <joblot/options.hpp>

// What a task uses is shared with it and not on the stack of its check: a broken backend or front
// may run it after the check has ended, and that is to be found and not to crash. Tasks and ranges
// have the same few types in all checks, because each more would instantiate the library again.
namespace joblot::detail::conformance {

using std::chrono::milliseconds;

/// A rule is broken; the text says which and how.
class Broken : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

template <class... Args>
void expect(bool kept, fmt::format_string<Args...> broken, Args&&... args) {
  if (!kept) throw Broken(fmt::format(broken, std::forward<Args>(args)...));
}

/// Fronts on one backend. Copies share it.
template <class Front>
struct Subject {
  std::shared_ptr<Backend> backend;
  int n_jobs;             // to ask for
  milliseconds patience;  // how long to wait for what has to happen

  [[nodiscard]] Front front(Options options = {}) const {
    options.n_jobs = n_jobs;
    options.backend = backend;
    return Front(std::move(options));
  }
};

using Run = std::function<int(int)>;  // gets the index of its task
using Task = std::function<int()>;
using Tasks = std::vector<Task>;

/// `count` tasks, the i-th of which is run(i).
inline Tasks numbered(int count, Run const& run) {
  Tasks tasks;
  tasks.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) tasks.emplace_back([run, i] { return run(i); });
  return tasks;
}

/// The same as a range that makes them one after another, and calls read(i) before the i-th.
inline auto lazy(int count, std::function<void(int)> read, Run run) {
  return std::views::iota(0, count) | std::views::transform(std::function<Task(int)>(
                                          [read = std::move(read), run = std::move(run)](int i) {
                                            read(i);
                                            return [run, i] { return run(i); };
                                          }));
}
inline auto lazy(int count, Run run) {
  return lazy(
      count, [](int /*i*/) {}, std::move(run));
}

/// What a task of a check throws. No std::exception: any type has to arrive.
struct TaskError {
  int index;
};

/// Calls and returns the index of the error that arrives; -1 if none does.
template <class Call>
int error_of(Call call) {
  std::optional<int> index;
  try {
    call();
  } catch (TaskError const& error) {
    index = error.index;
  }
  return index.value_or(-1);
}

/// All that is left in a generator.
template <class G>
std::vector<int> drain(G&& generator) {
  std::vector<int> results;
  while (auto result = generator.next()) results.push_back(*result);
  return results;
}

template <class Outcomes>
std::vector<int> values(Outcomes const& outcomes) {
  std::vector<int> results;
  results.reserve(outcomes.size());
  for (auto const& outcome : outcomes) results.push_back(outcome.value());
  return results;
}

inline void work_for(milliseconds time) { std::this_thread::sleep_for(time); }

/// Waits until `condition()`; false if that took longer than `patience`.
template <class Condition>
bool eventually(milliseconds patience, Condition condition) {
  auto const end = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(milliseconds(1));
  }
  return true;
}

}  // namespace joblot::detail::conformance

#endif
