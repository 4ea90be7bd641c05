// SPDX-License-Identifier: MIT
#include <vector>

#include "submit/submit.hpp"

#ifdef BENCH_OPENMP

void bench::add_openmp(Comparison& comparison) {
  comparison.add("submit", "omp-task", Kind::openmp, [] {
    return price_of_task(1'000'000, [](std::size_t n) {
      std::vector<std::uint64_t> results(n);
      std::uint64_t* const out = results.data();
#pragma omp parallel num_threads(settings().n_jobs)
#pragma omp single
      for (std::size_t i = 0; i < n; ++i) {
#pragma omp task firstprivate(i)
        out[i] = mix(i);
      }
      return results;
    });
  });
}

#else

void bench::add_openmp(Comparison& comparison) {
  comparison.skip("OpenMP", "CMake did not find it");
}

#endif
