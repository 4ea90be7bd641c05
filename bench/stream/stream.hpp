// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <fstream>

#include <malloc.h>
#include <unistd.h>

#include "compare/comparison.hpp"
#include "kernels/kernels.hpp"

/// Results of tiny tasks, consumed as they come by a thread that runs none: time per task, and how
/// much the process grows while far more results pass through than it should ever hold.
namespace bench {

/// The part of the process that is in memory, in MB.
inline double resident_mb() {
  std::ifstream file{"/proc/self/statm"};
  double total = 0, resident = 0;
  file >> total >> resident;
  return resident * static_cast<double>(::sysconf(_SC_PAGESIZE)) / 1e6;
}

/// The same without what the peer before has freed and malloc has kept.
inline double trimmed_mb() {
  ::malloc_trim(0);
  return resident_mb();
}

/// Adds up what comes and looks at the memory now and then.
class Consumer {
 public:
  void operator()(std::uint64_t result) {
    sum_ += result;
    if (++seen_ % 65536 == 0) most_ = (std::max)(most_, resident_mb());
  }

  /// `n` results mix(0) .. mix(n - 1) must have come, in any order.
  Sample finish(std::size_t n) const {
    std::chrono::duration<double> const time = std::chrono::steady_clock::now() - start_;
    std::uint64_t expected = 0;
    for (std::size_t i = 0; i < n; ++i) expected += mix(i);
    if (seen_ != n || sum_ != expected) throw WrongResult{"wrong sum of the stream"};
    return {time.count() / static_cast<double>(n), (std::max)(most_, resident_mb()) - before_};
  }

 private:
  std::uint64_t sum_ = 0;
  std::size_t seen_ = 0;
  double before_ = trimmed_mb();
  double most_ = 0;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

void add_hand_made(Comparison& comparison);
void add_onetbb(Comparison& comparison);
void add_joblot(Comparison& comparison);

}  // namespace bench
