// SPDX-License-Identifier: MIT
// Every form of a call gives on worker processes what it gives on threads.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include <joblot/joblot.hpp>

#if defined(__has_feature)
#define JOBLOT_TEST_TSAN __has_feature(thread_sanitizer)
#else
#define JOBLOT_TEST_TSAN 0
#endif

namespace {

using joblot::delayed;
using joblot::Options;
using joblot::Outcome;
using joblot::Parallel;

constexpr auto square = [](int i) { return i * i; };

template <class T>
std::vector<T> rest(joblot::Generator<T>& generator) {
  std::vector<T> results;
  while (auto result = generator.next()) results.push_back(std::move(*result));
  return results;
}

struct Shape {
  char const* backend;
  int n_jobs;
  std::optional<int> batch_size;
};

class EveryForm : public testing::TestWithParam<Shape> {
 protected:
  static Parallel with(char const* backend) {
    Options options{.n_jobs = GetParam().n_jobs, .backend = backend};
    if (GetParam().batch_size) options.batch_size = *GetParam().batch_size;
    return Parallel(options);
  }
  /// Compares what a form gives on both backends.
  template <class Form>
  static void compare(Form form) {
    EXPECT_EQ(form(with(GetParam().backend)), form(with("threading")));
  }
};

constexpr auto repeat = [](std::string const& text, int times) {
  std::string result;
  for (int i = 0; i < times; ++i) result += text;
  return result;
};
auto repeated(int size) {
  std::vector<decltype(delayed(repeat)(std::string(), 0))> tasks;
  for (int i = 0; i < size; ++i) tasks.push_back(delayed(repeat)(std::string("ab"), i));
  return tasks;
}

TEST_P(EveryForm, OfAContainerOfTasks) {
  compare([](Parallel const& parallel) { return parallel(repeated(100)); });
}

TEST_P(EveryForm, OfAnEmptyRange) {
  compare([](Parallel const& parallel) { return parallel(repeated(0)); });
}

TEST_P(EveryForm, OfTasksThatOneAtATimeReads) {
  compare([](Parallel const& parallel) {
    return parallel(std::views::iota(0, 100) | std::views::transform([offset = 5](int i) {
                      return delayed(square)(i + offset);
                    }));
  });
}

TEST_P(EveryForm, OfMap) {
  compare([](Parallel const& parallel) {
    return parallel.map(std::views::iota(0, 1000), [](int i) { return std::sqrt(i); });
  });
}

TEST_P(EveryForm, OfMapOverAContainer) {
  std::vector<std::string> const words{"a", "bb", "", "dddd"};
  compare([&](Parallel const& parallel) {
    return parallel.map(words, [](std::string const& word) { return word.size(); });
  });
}

TEST_P(EveryForm, OfBools) {
  compare([](Parallel const& parallel) {
    return parallel.map(std::views::iota(0, 100), [](int i) { return i % 3 == 0; });
  });
}

TEST_P(EveryForm, OfReduce) {
  compare([](Parallel const& parallel) {
    return parallel.reduce(std::views::iota(1, 5000), 0.0, std::plus<>(),
                           [](int i) { return 1.0 / i; });
  });
}

TEST_P(EveryForm, OfATuple) {
  compare([](Parallel const& parallel) {
    return parallel(
        delayed(square)(7), [] { return std::string("text"); }, [] {}, delayed(repeat)("x", 3));
  });
}

TEST_P(EveryForm, OfAGenerator) {
  compare([](Parallel const& parallel) {
    auto results = parallel.generator(repeated(100));
    return rest(results);
  });
}

TEST_P(EveryForm, OfAnUnorderedGenerator) {
  compare([](Parallel const& parallel) {
    auto results = parallel.generator_unordered(repeated(100));
    auto found = rest(results);
    std::ranges::sort(found);
    return found;
  });
}

constexpr auto odd_ones_fail = [](int i) {
  if (i % 2 == 1) throw std::out_of_range(std::to_string(i));
  return i;
};

template <class T>
std::string text_of(Outcome<T>& outcome) {
  auto const index = std::to_string(outcome.index()) + ": ";
  try {
    return index + std::to_string(outcome.value());
  } catch (std::out_of_range const& error) {
    return index + "out of range " + error.what();
  }
}

TEST_P(EveryForm, OfOutcomes) {
  compare([](Parallel const& parallel) {
    std::vector<std::string> texts;
    for (auto& outcome :
         parallel.outcomes(std::views::iota(0, 50) | std::views::transform([](int i) {
                             return delayed(odd_ones_fail)(i);
                           }))) {
      texts.push_back(text_of(outcome));
    }
    return texts;
  });
}

TEST_P(EveryForm, OfAnOutcomeGenerator) {
  compare([](Parallel const& parallel) {
    std::vector<std::string> texts;
    for (auto&& outcome :
         parallel.outcome_generator(std::views::iota(0, 50) | std::views::transform([](int i) {
                                      return delayed(odd_ones_fail)(i);
                                    }))) {
      texts.push_back(text_of(outcome));
    }
    return texts;
  });
}

TEST_P(EveryForm, OfAFailingCall) {
  compare([](Parallel const& parallel) {
    try {
      static_cast<void>(parallel.map(std::views::iota(0, 50), [](int i) {
        if (i >= 20) throw std::system_error(std::make_error_code(std::errc::io_error), "disk");
        return i;
      }));
    } catch (std::system_error const& error) {
      return std::pair(error.code().value(), std::string(error.what()));
    }
    return std::pair(0, std::string());
  });
}

std::vector<Shape> all_shapes() {
  std::vector<char const*> backends{"loky"};
// It ends a child that a program of several threads has forked as soon as that starts a thread.
#if !defined(__SANITIZE_THREAD__) && !JOBLOT_TEST_TSAN
  backends.push_back("multiprocessing");
#endif
  std::vector<Shape> shapes;
  for (auto const* backend : backends) {
    for (int n_jobs = 1; n_jobs <= 5; ++n_jobs) {
      for (std::optional<int> const batch_size : {std::optional<int>(), {1}, {7}}) {
        shapes.push_back({backend, n_jobs, batch_size});
      }
    }
  }
  return shapes;
}
std::string name_of(testing::TestParamInfo<Shape> const& test) {
  auto const& [backend, n_jobs, batch_size] = test.param;
  return std::string(backend) + "_" + std::to_string(n_jobs) + "_jobs_batches_of_" +
         (batch_size ? std::to_string(*batch_size) : "any");
}
INSTANTIATE_TEST_SUITE_P(, EveryForm, testing::ValuesIn(all_shapes()), name_of);

}  // namespace
