// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "compare/comparison.hpp"
#include "kernels/kernels.hpp"

/// The same loops for every peer. A peer is a class with
///   static constexpr char const* name;
///   static constexpr bool suits_tiny_bodies;  // false: one shared step per index, 50 to 250 times
///                                             // slower there and never the limit, so left out
///   template <class F> static void for_each(std::size_t n, F const& f);  // f(0) .. f(n - 1)
/// The bodies live here, the arrays in workloads.cpp: all peers work on the same pages.
namespace bench {

/// x[i] += mix(i), over and over: knows how often it has been called and so what it must hold.
class Accumulated {
 public:
  explicit Accumulated(std::size_t n);
  std::span<std::uint64_t> values() { return values_; }
  std::size_t size() const { return values_.size(); }
  void called(std::size_t times) { calls_ += times; }
  void check() const;

 private:
  std::span<std::uint64_t> values_;
  std::uint64_t calls_ = 0;
};

/// out[i] += burn(cost[i], i), into zeros, so a repeated index shows as much as a skipped one.
class Burning {
 public:
  /// `seconds(i)` is the cost of index i.
  Burning(std::size_t n, std::function<double(std::size_t)> const& seconds);
  std::span<std::uint32_t const> costs() const { return costs_; }
  std::span<std::uint64_t> out() { return out_; }
  std::size_t size() const { return costs_.size(); }
  void clear();
  void check() const;

 private:
  std::span<std::uint32_t> costs_;
  std::span<std::uint64_t> out_;
  std::uint64_t sum_ = 0;
};

class Picture {
 public:
  Picture();
  std::size_t size() const { return size_; }
  std::span<std::uint16_t> row(std::size_t y) { return pixels_.subspan(y * size_, size_); }
  void clear();
  void check() const;

 private:
  std::size_t size_;
  std::span<std::uint16_t> pixels_;
  std::uint64_t sum_ = 0;
};

/// a[i] = b[i] + scale * c[i] on small whole numbers, whose sums are exact in any order.
class Triad {
 public:
  Triad();
  std::size_t size() const { return a.size(); }
  void check() const;

  std::span<double> a;
  std::span<double const> b, c;
  double scale = 0;
};

// Made when first used: a run with --filter allocates and touches only what it needs.
Accumulated& large();
Accumulated& in_cache();
Accumulated& small();
Burning& one_microsecond();
Burning& hundred_microseconds();
Burning& triangular();
Burning& giant_first();
Burning& giant_last();
Burning& nested();
Picture& picture();
Triad& triad();

/// Seconds that one of `calls` calls takes, after some milliseconds of calls that do not count:
/// workers must be awake and spread over the cores. `made` receives the number of all calls.
double timed(std::size_t calls, std::function<void()> const& call, std::size_t& made);
/// The same for a single call that comes after 20 ms of silence: the median of some.
double timed_from_idle(std::function<void()> const& call, std::size_t& made);
/// The first call in a new process of this program.
double timed_start_up(std::string const& peer);
/// The warm-up alone; returns the number of calls, at least one.
std::size_t warm_up(std::function<void()> const& call);

void add_workloads(Comparison& comparison);

/// `settings().start_up` names this peer: time its first call, print it, and be done.
void answer_start_up(double seconds);
double seconds_of(std::function<void()> const& call);

template <class Peer>
void add_peer(Comparison& comparison, Kind kind) {
  // As in user code, bodies refer to what they work on by reference.
  auto const accumulate = [](Accumulated& data) {
    auto const x = data.values();
    Peer::for_each(x.size(), [&](std::size_t i) { x[i] += mix(i); });
  };
  if (!settings().start_up.empty()) {
    if (settings().start_up == Peer::name)
      answer_start_up(seconds_of([&] { accumulate(small()); }));
    return;
  }

  auto const add_accumulated = [&](char const* name, Accumulated& (*data)(), std::size_t calls) {
    comparison.add(name, Peer::name, kind, [=] {
      std::size_t made = 0;
      double const seconds = timed(
          calls, [=] { accumulate(data()); }, made);
      data().called(made);
      data().check();
      return Sample{seconds};
    });
  };
  std::size_t const calls = settings().quick ? 5 : 300;
  if constexpr (Peer::suits_tiny_bodies) {
    add_accumulated("empty", large, 3);
    add_accumulated("in_cache", in_cache, calls);
  }

  // Before loops so long that one call is a sample.
  auto const spread_workers = [] {
    std::uint32_t const few = iterations_for(5e-6);
    warm_up([=] { Peer::for_each(64, [&](std::size_t i) { burn(few, i); }); });
  };
  auto const add_burning = [&](char const* name, Burning& (*data)(), auto const& loop) {
    comparison.add(name, Peer::name, kind, [=] {
      data().clear();
      spread_workers();
      double const seconds = seconds_of([=] { loop(data()); });
      data().check();
      return Sample{seconds};
    });
  };
  auto const flat = [](Burning& data) {
    auto const costs = data.costs();
    auto const out = data.out();
    Peer::for_each(out.size(), [&](std::size_t i) { out[i] += burn(costs[i], i); });
  };
  add_burning("1us", one_microsecond, flat);
  add_burning("100us", hundred_microseconds, flat);
  add_burning("triangular", triangular, flat);
  add_burning("giant_first", giant_first, flat);
  add_burning("giant_last", giant_last, flat);

  comparison.add("mandelbrot", Peer::name, kind, [=] {
    Picture& image = picture();
    image.clear();
    spread_workers();
    double const seconds = seconds_of([&] {
      Peer::for_each(image.size(),
                     [&](std::size_t y) { mandelbrot_row(y, image.size(), image.row(y)); });
    });
    image.check();
    return Sample{seconds};
  });

  add_burning("nested", nested, [](Burning& data) {
    std::size_t const inner = 100;
    auto const costs = data.costs();
    auto const out = data.out();
    Peer::for_each(out.size() / inner, [&](std::size_t row) {
      Peer::for_each(inner, [&](std::size_t column) {
        std::size_t const i = row * inner + column;
        out[i] += burn(costs[i], i);
      });
    });
  });

  if constexpr (Peer::suits_tiny_bodies) {
    comparison.add("triad", Peer::name, kind, [] {
      Triad& t = triad();
      t.scale += 1;
      std::size_t made = 0;
      auto const loop = [&] {
        auto const a = t.a;
        auto const b = t.b;
        auto const c = t.c;
        double const scale = t.scale;
        Peer::for_each(a.size(), [&](std::size_t i) { a[i] = b[i] + scale * c[i]; });
      };
      double const seconds = timed(3, loop, made);
      t.check();
      return Sample{seconds};
    });
  }

  add_accumulated("warm", small, 10 * calls);
  comparison.add("idle", Peer::name, kind, [=] {
    std::size_t made = 0;
    double const seconds = timed_from_idle([=] { accumulate(small()); }, made);
    small().called(made);
    small().check();
    return Sample{seconds};
  });
  comparison.add("start_up", Peer::name, kind, [] { return Sample{timed_start_up(Peer::name)}; });
}

void add_serial(Comparison& comparison);
void add_hand_made(Comparison& comparison);
void add_std_async(Comparison& comparison);
void add_openmp(Comparison& comparison);
void add_onetbb(Comparison& comparison);
void add_joblot(Comparison& comparison);

}  // namespace bench
