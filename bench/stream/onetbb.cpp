// SPDX-License-Identifier: MIT
#include "stream/stream.hpp"

#ifdef BENCH_ONETBB

#include <tbb/global_control.h>
#include <tbb/parallel_pipeline.h>

void bench::add_onetbb(Comparison& comparison) {
  // A pipeline of single tasks, as a generator is; fewer of them, since each costs more.
  comparison.add("stream", "tbb-pipeline", Kind::onetbb, [] {
    std::size_t const n = settings().quick ? 100'000 : 1'000'000;
    auto const jobs = static_cast<std::size_t>(settings().n_jobs);
    tbb::global_control const limit{tbb::global_control::max_allowed_parallelism, jobs};
    Consumer consumer;
    std::size_t next = 0;
    tbb::parallel_pipeline(
        4 * jobs,
        tbb::make_filter<void, std::size_t>(tbb::filter_mode::serial_in_order,
                                            [&](tbb::flow_control& control) {
                                              if (next == n) control.stop();
                                              return next == n ? n : next++;
                                            }) &
            tbb::make_filter<std::size_t, std::uint64_t>(tbb::filter_mode::parallel,
                                                         [](std::size_t i) { return mix(i); }) &
            tbb::make_filter<std::uint64_t, void>(tbb::filter_mode::serial_out_of_order,
                                                  [&](std::uint64_t result) { consumer(result); }));
    return consumer.finish(n);
  });
}

#else

void bench::add_onetbb(Comparison& comparison) {
  comparison.skip("oneTBB", "CMake did not find it");
}

#endif
