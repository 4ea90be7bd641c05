// SPDX-License-Identifier: MIT
// Every allocation of a call fails, one after the other: the call succeeds without it or throws,
// nothing is left behind, and the next call works.
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <exception>
#include <functional>
#include <new>
#include <optional>
#include <ranges>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <joblot/joblot.hpp>

namespace {

constexpr long never = -1;

std::atomic<long> until_failure = never;  // allocations that succeed before one fails
std::atomic<bool> fail_for_good = false;  // also all after that one
std::atomic<long> alive = 0;              // allocations not yet freed

// Whether the allocation that is asked for now fails.
bool fails() {
  auto left = until_failure.load();
  while (left >= 0) {
    if (left == 0 && fail_for_good) return true;
    if (until_failure.compare_exchange_weak(left, left - 1)) return left == 0;
  }
  return false;
}

void* allocate(std::size_t size, std::size_t alignment = __STDCPP_DEFAULT_NEW_ALIGNMENT__) {
  if (fails()) return nullptr;
  size = (size + alignment - 1) / alignment * alignment;
  void* const memory = std::aligned_alloc(alignment, size == 0 ? alignment : size);
  if (memory != nullptr) ++alive;
  return memory;
}

void* allocate_or_throw(std::size_t size,
                        std::size_t alignment = __STDCPP_DEFAULT_NEW_ALIGNMENT__) {
  void* const memory = allocate(size, alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void release(void* memory) {
  if (memory != nullptr) --alive;
  std::free(memory);
}

}  // namespace

void* operator new(std::size_t size) { return allocate_or_throw(size); }
void* operator new[](std::size_t size) { return allocate_or_throw(size); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocate_or_throw(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return allocate_or_throw(size, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t size, std::nothrow_t const&) noexcept { return allocate(size); }
void* operator new[](std::size_t size, std::nothrow_t const&) noexcept { return allocate(size); }
void operator delete(void* memory) noexcept { release(memory); }
void operator delete[](void* memory) noexcept { release(memory); }
void operator delete(void* memory, std::size_t) noexcept { release(memory); }
void operator delete[](void* memory, std::size_t) noexcept { release(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { release(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { release(memory); }

namespace {

using joblot::Options;
using joblot::Parallel;
using namespace std::chrono_literals;

// A result with memory of its own.
class Text {
 public:
  explicit Text(int i) : text_(100, static_cast<char>('a' + i % 26)) { ++existing; }
  Text(Text&& other) noexcept : text_(std::move(other.text_)) { ++existing; }
  Text& operator=(Text&&) noexcept = default;
  ~Text() { --existing; }

  static inline std::atomic<int> existing = 0;

 private:
  std::string text_;
};

constexpr int size = 12;

template <class F>
auto tasks(F f) {
  return std::views::iota(0, size) |
         std::views::transform([f](int i) { return [f, i] { return f(i); }; });
}
auto texts() {
  return tasks([](int i) { return Text(i); });
}
auto filtered_numbers() {
  return std::views::iota(0, 2 * size) | std::views::filter([](int i) { return i % 2 == 0; });
}

template <class Generator>
int drain(Generator generator) {
  int count = 0;
  while (generator.next()) ++count;
  return count;
}

struct Form {
  char const* name;
  void (*call)(Parallel const&);
};

std::ostream& operator<<(std::ostream& out, Form const& form) { return out << form.name; }

class EveryAllocation : public testing::TestWithParam<Form> {};

INSTANTIATE_TEST_SUITE_P(
    OfA, EveryAllocation,
    testing::Values(
        Form{"vector_of_numbers",
             [](Parallel const& parallel) {
               auto const results =
                   parallel.map(std::views::iota(0, size), [](int i) { return i; });
               EXPECT_EQ(results.size(), 12U);
             }},
        Form{"vector_of_objects",
             [](Parallel const& parallel) { EXPECT_EQ(parallel(texts()).size(), 12U); }},
        Form{"vector_of_unknown_size",
             [](Parallel const& parallel) {
               auto const results = parallel.map(filtered_numbers(), [](int i) { return Text(i); });
               EXPECT_EQ(results.size(), 12U);
             }},
        Form{"call_without_results",
             [](Parallel const& parallel) { parallel.for_each(filtered_numbers(), [](int) {}); }},
        Form{"tuple",
             [](Parallel const& parallel) {
               static_cast<void>(
                   parallel([] { return Text(1); }, [] { return 2; }, [] { return Text(3); }));
             }},
        Form{"reduction",
             [](Parallel const& parallel) {
               static_cast<void>(parallel.reduce(std::views::iota(0, size), std::string(100, 'x'),
                                                 std::plus<>(),
                                                 [](int) { return std::string(50, 'y'); }));
             }},
        Form{"reduction_of_unknown_size",
             [](Parallel const& parallel) {
               static_cast<void>(parallel.reduce(filtered_numbers(), std::string(100, 'x'),
                                                 std::plus<>(),
                                                 [](int) { return std::string(50, 'y'); }));
             }},
        Form{"call_for_outcomes",
             [](Parallel const& parallel) { EXPECT_EQ(parallel.outcomes(texts()).size(), 12U); }},
        Form{"generator",
             [](Parallel const& parallel) { EXPECT_EQ(drain(parallel.generator(texts())), 12); }},
        Form{"unordered_generator",
             [](Parallel const& parallel) {
               EXPECT_EQ(drain(parallel.generator_unordered(texts())), 12);
             }},
        Form{"generator_of_outcomes",
             [](Parallel const& parallel) {
               EXPECT_EQ(drain(parallel.outcome_generator(texts())), 12);
             }},
        Form{"unordered_generator_of_outcomes",
             [](Parallel const& parallel) {
               EXPECT_EQ(drain(parallel.outcome_generator_unordered(texts())), 12);
             }},
        Form{"generator_that_is_dropped",
             [](Parallel const& parallel) {
               static_cast<void>(parallel.generator(texts()).next());
             }},
        Form{"nested_call",
             [](Parallel const& parallel) {
               parallel.for_each(std::views::iota(0, 3), [&](int) {
                 EXPECT_EQ(parallel(texts()).size(), 12U);
                 static_cast<void>(drain(parallel.generator(texts())));
               });
             }}),
    [](testing::TestParamInfo<Form> const& test) { return test.param.name; });

// How a call fares when its allocation number `n` fails, and the later ones, too, if `for_good`.
enum class Fate { not_reached, got_through, threw };

Fate fail_allocation(long n, bool for_good, std::function<void()> const& call) {
  fail_for_good = for_good;
  until_failure = n;
  bool threw = false;
  std::exception_ptr other;
  try {
    call();
  } catch (std::bad_alloc const&) {
    threw = true;
  } catch (...) {
    other = std::current_exception();
  }
  bool const reached = until_failure.exchange(never) < (for_good ? 1 : 0);
  EXPECT_EQ(Text::existing, 0) << "after the failure of allocation " << n;
  if (other) {
    ADD_FAILURE() << "something else than std::bad_alloc was thrown";
    std::rethrow_exception(other);
  }
  if (threw) return Fate::threw;
  return reached ? Fate::got_through : Fate::not_reached;
}

// Fails one after the other; returns how many calls threw.
int fail_all(bool for_good, std::function<void()> const& call) {
  int threw = 0;
  for (long n = 0;; ++n) {
    auto const fate = fail_allocation(n, for_good, call);
    if (fate == Fate::not_reached) return threw;
    if (fate == Fate::threw) ++threw;
  }
}

// Each of four workers waits for the others: all of them must come.
void check_that_all_workers_come() {
  std::barrier all_in(4);
  Parallel const parallel{{.n_jobs = 4, .batch_size = 1}};
  parallel.for_each(std::views::iota(0, 4), [&](int) { all_in.arrive_and_wait(); });
  EXPECT_EQ(drain(parallel.generator(tasks([&](int) { all_in.arrive_and_wait(); }))), size);
}

std::vector<Options> many_options() {
  std::vector<Options> all;
  for (int const n_jobs : {1, 2, 4}) {
    all.push_back({.n_jobs = n_jobs});
    all.push_back({.n_jobs = n_jobs, .batch_size = 1});
    all.push_back({.n_jobs = n_jobs, .timeout = 1h, .on_progress = [](auto const&) {}});
  }
  return all;
}

TEST_P(EveryAllocation, MayFailAndLeavesNothingBehind) {
  for (auto const& options : many_options()) {
    Parallel const parallel(options);
    auto const call = [&] { GetParam().call(parallel); };
    for (bool const for_good : {false, true}) {
      check_that_all_workers_come();
      fail_all(for_good, call);  // until everything is there that is made once
      auto const before = alive.load();
      int const threw = fail_all(for_good, call);
      check_that_all_workers_come();
      // A leak of each failed call would be far more; a thread may have been made meanwhile.
      EXPECT_LE(alive - before, 6) << threw << " calls threw";
    }
  }
}

TEST(AnAllocation, MayFailWhenACallIsCancelledOrFindsATaskOverdue) {
  std::stop_source source;
  source.request_stop();
  Parallel const cancelled{{.n_jobs = 2, .stop = source.get_token()}};
  Parallel const timed{{.n_jobs = 2, .timeout = 1ms}};
  auto const wait = [](int) {
    while (!joblot::this_task::stop_requested()) std::this_thread::yield();
  };
  for (bool const for_good : {false, true}) {
    fail_all(for_good, [&] {
      try {
        cancelled.for_each(std::views::iota(0, 3), [](int) {});
      } catch (joblot::CancelledError const&) {
      }
    });
    fail_all(for_good, [&] {
      try {
        timed.for_each(std::views::iota(0, 3), wait);
      } catch (joblot::TimeoutError const&) {
      }
    });
    fail_all(for_good, [&] { EXPECT_EQ(timed.outcomes(tasks(wait)).size(), 12U); });
  }
  check_that_all_workers_come();
}

}  // namespace
