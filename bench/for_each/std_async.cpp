// SPDX-License-Identifier: MIT
#include <future>
#include <vector>

#include "for_each/workloads.hpp"

namespace bench {
namespace {

/// One std::async per worker but the caller, a fixed share each: a new thread every time.
struct Async {
  static constexpr char const* name = "async-static";
  static constexpr bool suits_tiny_bodies = true;

  template <class F>
  static void for_each(std::size_t n, F const& f) {
    auto const workers = static_cast<std::size_t>(settings().n_jobs);
    auto const share = [&](std::size_t worker) {
      std::size_t const end = n * (worker + 1) / workers;
      for (std::size_t i = n * worker / workers; i < end; ++i) f(i);
    };
    std::vector<std::future<void>> others;
    for (std::size_t worker = 1; worker < workers; ++worker)
      others.push_back(std::async(std::launch::async, [&, worker] { share(worker); }));
    share(0);
    for (auto& other : others) other.get();
  }
};

}  // namespace

void add_std_async(Comparison& comparison) { add_peer<Async>(comparison, Kind::other); }

}  // namespace bench
