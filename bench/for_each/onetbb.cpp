// SPDX-License-Identifier: MIT
#include "for_each/workloads.hpp"

#ifdef BENCH_ONETBB

#include <tbb/blocked_range.h>
#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/partitioner.h>

namespace bench {
namespace {

template <class Partitioner, class F>
void blocks(std::size_t n, F const& f, Partitioner const& partitioner) {
  // Entering an arena at every call would cost; the limit holds for the whole process instead.
  static tbb::global_control const limit{tbb::global_control::max_allowed_parallelism,
                                         static_cast<std::size_t>(settings().n_jobs)};
  tbb::parallel_for(
      tbb::blocked_range<std::size_t>{0, n},
      [&](tbb::blocked_range<std::size_t> const& block) {
        std::size_t const end = block.end();
        for (std::size_t i = block.begin(); i < end; ++i) f(i);
      },
      partitioner);
}

struct Auto {
  static constexpr char const* name = "tbb-auto";
  static constexpr bool suits_tiny_bodies = true;

  template <class F>
  static void for_each(std::size_t n, F const& f) {
    blocks(n, f, tbb::auto_partitioner{});
  }
};

struct Static {
  static constexpr char const* name = "tbb-static";
  static constexpr bool suits_tiny_bodies = true;

  template <class F>
  static void for_each(std::size_t n, F const& f) {
    blocks(n, f, tbb::static_partitioner{});
  }
};

}  // namespace

void add_onetbb(Comparison& comparison) {
  add_peer<Auto>(comparison, Kind::onetbb);
  add_peer<Static>(comparison, Kind::onetbb);
}

}  // namespace bench

#else

void bench::add_onetbb(Comparison& comparison) {
  comparison.skip("oneTBB", "CMake did not find it");
}

#endif
