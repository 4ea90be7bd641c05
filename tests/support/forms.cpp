// SPDX-License-Identifier: MIT
#include "forms.hpp"

#include <algorithm>
#include <functional>
#include <iterator>
#include <map>
#include <mutex>
#include <ranges>
#include <utility>

#include <joblot/joblot.hpp>

namespace forms {
namespace {

using joblot::Outcome;
using joblot::Parallel;

struct Task {
  Function f;
  int value;
  int operator()() const { return (*f)(value); }
};

// Calls `use(range of tasks)`: of a container moved in, which workers read side by side, or of a
// single-pass view, which one at a time reads.
template <class Use>
auto with_tasks(Values const& values, Function const& f, Use use) {
  if (auto const* numbers = std::get_if<Numbers>(&values)) {
    std::vector<Task> tasks;
    for (int i = 0; i < numbers->size; ++i) tasks.push_back({f, i});
    return use(std::move(tasks));
  }
  return use(std::get<WatchedRange>(values) | std::views::transform([f](int value) {
               return Task{f, value};
             }));
}

template <class Use>
auto with_values(Values const& values, Use use) {
  if (auto const* numbers = std::get_if<Numbers>(&values)) {
    return use(std::views::iota(0, numbers->size));
  }
  return use(std::get<WatchedRange>(values));
}

// Results of tasks that return nothing.
class Notes {
 public:
  void put(int result) {
    std::lock_guard const lock(mutex_);
    results_.emplace(joblot::this_task::index(), result);
  }
  std::vector<int> take() {
    std::vector<int> results;
    for (auto const& [index, result] : results_) results.push_back(result);
    return results;
  }

 private:
  std::mutex mutex_;
  std::map<std::size_t, int> results_;
};

std::vector<int> run_vector(Parallel const& parallel, Values const& values, Function const& f) {
  return with_tasks(values, f,
                    [&]<class Tasks>(Tasks&& tasks) { return parallel(std::move(tasks)); });
}

std::vector<int> run_void(Parallel const& parallel, Values const& values, Function const& f) {
  Notes notes;
  with_values(values, [&](auto range) {
    parallel(range | std::views::transform(
                         [&notes, f](int x) { return [&notes, f, x] { notes.put((*f)(x)); }; }));
  });
  return notes.take();
}

std::vector<int> run_map(Parallel const& parallel, Values const& values, Function const& f) {
  return with_values(
      values, [&](auto range) { return parallel.map(range, [f](int x) { return (*f)(x); }); });
}

std::vector<int> run_for_each(Parallel const& parallel, Values const& values, Function const& f) {
  Notes notes;
  with_values(values, [&](auto range) {
    parallel.for_each(range, [&notes, f](int x) { notes.put((*f)(x)); });
  });
  return notes.take();
}

std::vector<int> run_reduce(Parallel const& parallel, Values const& values, Function const& f) {
  using List = std::vector<int>;
  auto const append = [](List left, List const& right) {
    left.insert(left.end(), right.begin(), right.end());
    return left;
  };
  return with_values(values, [&](auto range) {
    return parallel.reduce(range, List(), append, [f](int x) { return List{(*f)(x)}; });
  });
}

int value_of(int result) { return result; }
int value_of(Outcome<int> const& outcome) { return outcome.value(); }

std::vector<int> run_outcomes(Parallel const& parallel, Values const& values, Function const& f) {
  auto const outcomes = with_tasks(
      values, f, [&]<class Tasks>(Tasks&& tasks) { return parallel.outcomes(std::move(tasks)); });
  std::vector<int> results;
  for (auto const& outcome : outcomes) results.push_back(value_of(outcome));
  return results;
}

template <class T>
class StreamOf final : public Stream {
 public:
  explicit StreamOf(joblot::Generator<T> generator) : generator_(std::move(generator)) {}
  std::optional<int> next() override {
    auto const result = generator_.next();
    return result ? std::optional(value_of(*result)) : std::nullopt;
  }
  void close() override { generator_.close(); }
  std::size_t index() override { return generator_.index(); }
  std::optional<joblot::TaskFailure> failure() override { return generator_.failure(); }
  joblot::Generator<T>& generator() { return generator_; }

 private:
  joblot::Generator<T> generator_;
};

template <class T>
std::unique_ptr<StreamOf<T>> stream_of(joblot::Generator<T> generator) {
  return std::make_unique<StreamOf<T>>(std::move(generator));
}

struct OrderedResults {
  static auto start(Parallel const& parallel, Values const& values, Function const& f) {
    return with_tasks(values, f, [&]<class Tasks>(Tasks&& tasks) {
      return stream_of(parallel.generator(std::move(tasks)));
    });
  }
};

struct UnorderedResults {
  static auto start(Parallel const& parallel, Values const& values, Function const& f) {
    return with_tasks(values, f, [&]<class Tasks>(Tasks&& tasks) {
      return stream_of(parallel.generator_unordered(std::move(tasks)));
    });
  }
};

struct OrderedOutcomes {
  static auto start(Parallel const& parallel, Values const& values, Function const& f) {
    return with_tasks(values, f, [&]<class Tasks>(Tasks&& tasks) {
      return stream_of(parallel.outcome_generator(std::move(tasks)));
    });
  }
};

struct UnorderedOutcomes {
  static auto start(Parallel const& parallel, Values const& values, Function const& f) {
    return with_tasks(values, f, [&]<class Tasks>(Tasks&& tasks) {
      return stream_of(parallel.outcome_generator_unordered(std::move(tasks)));
    });
  }
};

template <class Streaming>
std::unique_ptr<Stream> start(Parallel const& parallel, Values const& values, Function const& f) {
  return Streaming::start(parallel, values, f);
}

template <class Streaming>
std::vector<int> run_stream(Parallel const& parallel, Values const& values, Function const& f) {
  auto const stream = Streaming::start(parallel, values, f);
  auto& generator = stream->generator();
  using T = typename std::remove_reference_t<decltype(generator)>::value_type;
  std::map<std::size_t, T> taken;
  while (auto result = generator.next()) taken.emplace(generator.index(), std::move(*result));
  std::vector<int> results;
  for (auto const& [index, result] : taken) results.push_back(value_of(result));
  return results;
}

template <class Keep>
std::vector<Form> those(Keep keep) {
  std::vector<Form> forms;
  std::ranges::copy_if(all(), std::back_inserter(forms), keep);
  return forms;
}

}  // namespace

std::vector<Form> all() {
  return {
      {"vector", false, true, run_vector, nullptr},
      {"void", false, true, run_void, nullptr},
      {"map", false, true, run_map, nullptr},
      {"for_each", false, true, run_for_each, nullptr},
      {"reduce", false, true, run_reduce, nullptr},
      {"outcomes", true, true, run_outcomes, nullptr},
      {"generator", false, true, run_stream<OrderedResults>, start<OrderedResults>},
      {"generator_unordered", false, false, run_stream<UnorderedResults>, start<UnorderedResults>},
      {"outcome_generator", true, true, run_stream<OrderedOutcomes>, start<OrderedOutcomes>},
      {"outcome_generator_unordered", true, false, run_stream<UnorderedOutcomes>,
       start<UnorderedOutcomes>},
  };
}

std::vector<Form> failing() {
  return those([](Form const& form) { return !form.keeps_going; });
}
std::vector<Form> keeping_going() {
  return those([](Form const& form) { return form.keeps_going; });
}
std::vector<Form> streaming() {
  return those([](Form const& form) { return form.start_function != nullptr; });
}

}  // namespace forms
