// SPDX-License-Identifier: MIT
#include <future>
#include <vector>

#include "submit/submit.hpp"

void bench::add_std_async(Comparison& comparison) {
  // A thread per task, so fewer of them, and no more at a time than a machine bears.
  comparison.add("submit", "std-async", Kind::other, [] {
    return price_of_task(20'000, [](std::size_t n) {
      constexpr std::size_t at_a_time = 500;
      std::vector<std::uint64_t> results;
      std::vector<std::future<std::uint64_t>> futures;
      while (results.size() < n) {
        for (std::size_t i = results.size(); i < n && futures.size() < at_a_time; ++i)
          futures.push_back(std::async(std::launch::async, mix, i));
        for (auto& future : futures) results.push_back(future.get());
        futures.clear();
      }
      return results;
    });
  });
}
