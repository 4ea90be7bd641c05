// SPDX-License-Identifier: MIT
#include "for_each/workloads.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include "compare/statistics.hpp"

namespace bench {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

/// Never freed, so that static destruction cannot meet a peer's thread.
template <class T>
std::span<T> array(std::size_t n) {
  return *new std::vector<T>(n);
}

/// For --quick.
std::size_t scaled(std::size_t n) { return settings().quick ? n / 20 : n; }

std::uint64_t sum(std::span<std::uint64_t const> values) {
  std::uint64_t total = 0;
  for (std::uint64_t const value : values) total += value;
  return total;
}

void expect(bool right, char const* what) {
  if (!right) throw WrongResult{what};
}

}  // namespace

Accumulated::Accumulated(std::size_t n) : values_{array<std::uint64_t>(n)} {}

void Accumulated::check() const {
  std::uint64_t once = 0;
  for (std::size_t i = 0; i < values_.size(); ++i) once += mix(i);
  expect(sum(values_) == calls_ * once, "wrong sum of x[i] += mix(i)");
}

Burning::Burning(std::size_t n, std::function<double(std::size_t)> const& seconds)
    : costs_{array<std::uint32_t>(n)}, out_{array<std::uint64_t>(n)} {
  for (std::size_t i = 0; i < n; ++i) {
    costs_[i] = iterations_for(seconds(i));
    sum_ += burn(costs_[i], i);
  }
}

void Burning::clear() { std::fill(out_.begin(), out_.end(), 0); }

void Burning::check() const { expect(sum(out_) == sum_, "wrong sum of out[i] += burn(i)"); }

Picture::Picture()
    : size_{settings().quick ? std::size_t{200} : std::size_t{1000}},
      pixels_{array<std::uint16_t>(size_ * size_)} {
  for (std::size_t y = 0; y < size_; ++y) mandelbrot_row(y, size_, row(y));
  for (std::uint16_t const pixel : pixels_) sum_ += pixel;
}

void Picture::clear() { std::fill(pixels_.begin(), pixels_.end(), 0); }

void Picture::check() const {
  std::uint64_t total = 0;
  for (std::uint16_t const pixel : pixels_) total += pixel;
  expect(total == sum_, "wrong picture");
}

Triad::Triad() {
  std::size_t const n = scaled(8u << 20);  // 64 MB each
  auto const whole = [n](std::size_t period) {
    auto const values = array<double>(n);
    for (std::size_t i = 0; i < n; ++i) values[i] = static_cast<double>(i % period);
    return values;
  };
  a = array<double>(n);
  b = whole(8);
  c = whole(5);
}

void Triad::check() const {
  double total = 0, expected = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    total += a[i];
    expected += b[i] + scale * c[i];
  }
  expect(total == expected, "wrong sum of a[i] = b[i] + scale * c[i]");
}

Accumulated& large() {
  static Accumulated data{scaled(10'000'000)};
  return data;
}
Accumulated& in_cache() {
  static Accumulated data{100'000};
  return data;
}
Accumulated& small() {
  static Accumulated data{100};
  return data;
}
Burning& one_microsecond() {
  static Burning data{scaled(100'000), [](std::size_t) { return 1e-6; }};
  return data;
}
Burning& hundred_microseconds() {
  static Burning data{scaled(2000), [](std::size_t) { return 100e-6; }};
  return data;
}
Burning& triangular() {
  static std::size_t const n = scaled(2000);
  static Burning data{
      n, [](std::size_t i) { return 200e-6 * static_cast<double>(i) / static_cast<double>(n); }};
  return data;
}
namespace {
Burning with_giant(std::size_t n, std::size_t where) {
  double const giant = 50e-6 * static_cast<double>(n);
  return Burning{n, [=](std::size_t i) { return i == where ? giant : 50e-6; }};
}
}  // namespace
Burning& giant_first() {
  static Burning data = with_giant(scaled(1000), 0);
  return data;
}
Burning& giant_last() {
  static Burning data = with_giant(scaled(1000), scaled(1000) - 1);
  return data;
}
Burning& nested() {
  static Burning data{settings().quick ? std::size_t{1000} : std::size_t{10'000},
                      [](std::size_t) { return 1e-6; }};
  return data;
}
Picture& picture() {
  static Picture data;
  return data;
}
Triad& triad() {
  static Triad data;
  return data;
}

double seconds_of(std::function<void()> const& call) {
  auto const start = Clock::now();
  call();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::size_t warm_up(std::function<void()> const& call) {
  auto const end = Clock::now() + (settings().quick ? 0ms : 10ms);
  std::size_t made = 0;
  do {
    call();
    ++made;
  } while (Clock::now() < end);
  return made;
}

double timed(std::size_t calls, std::function<void()> const& call, std::size_t& made) {
  made = warm_up(call) + calls;
  return seconds_of([&] {
           for (std::size_t i = 0; i < calls; ++i) call();
         }) /
         static_cast<double>(calls);
}

double timed_from_idle(std::function<void()> const& call, std::size_t& made) {
  std::vector<double> seconds(settings().quick ? 1 : 6);
  for (double& one : seconds) {
    std::this_thread::sleep_for(20ms);
    one = seconds_of(call);
    ++made;
  }
  return median(seconds);
}

double timed_start_up(std::string const& peer) {
  std::string const command =
      fmt::format("/proc/{}/exe --start-up={} --n-jobs={}", ::getpid(), peer, settings().n_jobs);
  std::FILE* const output = ::popen(command.c_str(), "r");
  double seconds = 0;
  bool const read = output != nullptr && std::fscanf(output, "%lf", &seconds) == 1;
  bool const ended_well = output != nullptr && ::pclose(output) == 0;
  expect(read && ended_well, "the process that was to measure the start-up failed");
  return seconds;
}

void answer_start_up(double seconds) {
  small().called(1);
  small().check();
  fmt::print("{}\n", seconds);
}

void add_workloads(Comparison& comparison) {
  // Bounds: no loop slower than the best of all others by more than 5 %; a giant task in the last
  // place is where taking from both ends must win; short calls have bounds in absolute time.
  for (char const* name : {"empty", "in_cache", "1us", "100us", "triangular", "giant_first"})
    comparison.add({.name = name,
                    .unit = name == std::string{"in_cache"} ? "us" : "ms",
                    .per_second = name == std::string{"in_cache"} ? 1e6 : 1e3,
                    .over_limit = 1.05});
  comparison.add({.name = "giant_last", .unit = "ms", .per_second = 1e3, .over_peers = 0.75});
  for (char const* name : {"mandelbrot", "nested", "triad"})
    comparison.add({.name = name, .unit = "ms", .per_second = 1e3, .over_limit = 1.05});
  comparison.add({.name = "warm", .unit = "us", .per_second = 1e6, .absolute = true, .at_most = 1});
  comparison.add(
      {.name = "idle", .unit = "us", .per_second = 1e6, .absolute = true, .at_most = 30});
  comparison.add({.name = "start_up", .unit = "us", .per_second = 1e6, .absolute = true});
}

}  // namespace bench
