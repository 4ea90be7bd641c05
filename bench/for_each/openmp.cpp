// SPDX-License-Identifier: MIT
#include "for_each/workloads.hpp"

#ifdef BENCH_OPENMP

namespace bench {
namespace {

// A schedule is written out for each row: schedule(runtime) would call the library for every block
// and deny the compiler the static case.
struct Static {
  static constexpr char const* name = "omp-static";
  static constexpr bool suits_tiny_bodies = true;

  template <class F>
  static void for_each(std::size_t n, F const& f) {
#pragma omp parallel for schedule(static) num_threads(settings().n_jobs)
    for (std::size_t i = 0; i < n; ++i) f(i);
  }
};

struct Static1 {
  static constexpr char const* name = "omp-static1";
  static constexpr bool suits_tiny_bodies = false;

  template <class F>
  static void for_each(std::size_t n, F const& f) {
#pragma omp parallel for schedule(static, 1) num_threads(settings().n_jobs)
    for (std::size_t i = 0; i < n; ++i) f(i);
  }
};

struct Dynamic1 {
  static constexpr char const* name = "omp-dynamic1";
  static constexpr bool suits_tiny_bodies = false;

  template <class F>
  static void for_each(std::size_t n, F const& f) {
#pragma omp parallel for schedule(dynamic, 1) num_threads(settings().n_jobs)
    for (std::size_t i = 0; i < n; ++i) f(i);
  }
};

struct Dynamic64 {
  static constexpr char const* name = "omp-dynamic64";
  static constexpr bool suits_tiny_bodies = true;

  template <class F>
  static void for_each(std::size_t n, F const& f) {
#pragma omp parallel for schedule(dynamic, 64) num_threads(settings().n_jobs)
    for (std::size_t i = 0; i < n; ++i) f(i);
  }
};

struct Guided {
  static constexpr char const* name = "omp-guided";
  static constexpr bool suits_tiny_bodies = true;

  template <class F>
  static void for_each(std::size_t n, F const& f) {
#pragma omp parallel for schedule(guided) num_threads(settings().n_jobs)
    for (std::size_t i = 0; i < n; ++i) f(i);
  }
};

}  // namespace

void add_openmp(Comparison& comparison) {
  add_peer<Static>(comparison, Kind::openmp);
  add_peer<Static1>(comparison, Kind::openmp);
  add_peer<Dynamic1>(comparison, Kind::openmp);
  add_peer<Dynamic64>(comparison, Kind::openmp);
  add_peer<Guided>(comparison, Kind::openmp);
}

}  // namespace bench

#else

void bench::add_openmp(Comparison& comparison) {
  comparison.skip("OpenMP", "CMake did not find it");
}

#endif
