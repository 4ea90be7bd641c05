// SPDX-License-Identifier: MIT
#include <ranges>

#include <joblot/joblot.hpp>

#include "submit/submit.hpp"

void bench::add_joblot(Comparison& comparison) {
  comparison.add("submit", "joblot", Kind::joblot, [] {
    return price_of_task(1'000'000, [](std::size_t n) {
      return joblot::Parallel{{.n_jobs = settings().n_jobs}}(
          std::views::iota(std::size_t{0}, n) |
          std::views::transform([](std::size_t i) { return joblot::delayed(mix)(i); }));
    });
  });
}
