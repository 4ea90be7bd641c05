// SPDX-License-Identifier: MIT
#include "for_each/workloads.hpp"

namespace bench {
namespace {

struct Serial {
  static constexpr char const* name = "serial";
  static constexpr bool suits_tiny_bodies = true;

  // A call of its own: g++ would merge the repeated calls of a short loop into one pass.
  template <class F>
  [[gnu::noinline]] static void for_each(std::size_t n, F const& f) {
    for (std::size_t i = 0; i < n; ++i) f(i);
  }
};

}  // namespace

void add_serial(Comparison& comparison) { add_peer<Serial>(comparison, Kind::other); }

}  // namespace bench
