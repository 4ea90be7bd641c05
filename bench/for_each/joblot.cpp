// SPDX-License-Identifier: MIT
#include <ranges>

#include <joblot/joblot.hpp>

#include "for_each/workloads.hpp"

namespace bench {
namespace {

struct Joblot {
  static constexpr char const* name = "joblot";
  static constexpr bool suits_tiny_bodies = true;

  template <class F>
  static void for_each(std::size_t n, F const& f) {
    joblot::Parallel{{.n_jobs = settings().n_jobs}}.for_each(std::views::iota(std::size_t{0}, n),
                                                             f);
  }
};

}  // namespace

void add_joblot(Comparison& comparison) { add_peer<Joblot>(comparison, Kind::joblot); }

}  // namespace bench
