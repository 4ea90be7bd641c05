// SPDX-License-Identifier: MIT
#include <vector>

#include "submit/submit.hpp"

#ifdef BENCH_ONETBB

#include <tbb/global_control.h>
#include <tbb/task_group.h>

void bench::add_onetbb(Comparison& comparison) {
  comparison.add("submit", "tbb-task-group", Kind::onetbb, [] {
    tbb::global_control const limit{tbb::global_control::max_allowed_parallelism,
                                    static_cast<std::size_t>(settings().n_jobs)};
    return price_of_task(1'000'000, [](std::size_t n) {
      std::vector<std::uint64_t> results(n);
      tbb::task_group group;
      for (std::size_t i = 0; i < n; ++i) group.run([&results, i] { results[i] = mix(i); });
      group.wait();
      return results;
    });
  });
}

#else

void bench::add_onetbb(Comparison& comparison) {
  comparison.skip("oneTBB", "CMake did not find it");
}

#endif
