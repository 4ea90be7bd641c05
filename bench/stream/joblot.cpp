// SPDX-License-Identifier: MIT
#include <ranges>

#include <joblot/joblot.hpp>

#include "stream/stream.hpp"

void bench::add_joblot(Comparison& comparison) {
  comparison.add("stream", "joblot", Kind::joblot, [] {
    std::size_t const n = settings().quick ? 100'000 : 10'000'000;
    Consumer consumer;
    auto tasks = std::views::iota(std::size_t{0}, n) |
                 std::views::transform([](std::size_t i) { return [i] { return mix(i); }; });
    for (auto&& result : joblot::Parallel{{.n_jobs = settings().n_jobs}}.generator_unordered(tasks))
      consumer(result);
    return consumer.finish(n);
  });
}
