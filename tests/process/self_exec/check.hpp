// SPDX-License-Identifier: MIT
// What all programs of this folder check: a worker has all static objects, and no main.
#ifndef JOBLOT_TESTS_PROCESS_SELF_EXEC_CHECK_HPP
#define JOBLOT_TESTS_PROCESS_SELF_EXEC_CHECK_HPP

#include <cstdio>
#include <vector>

#include <joblot/process/worker_start.hpp>

#include "../toy_worker.hpp"

namespace self_exec {

inline std::vector<long> const inline_numbers = {1, 2, 3};

inline long is_complete_worker(long) {
  return joblot::detail::in_worker_process() && inline_numbers.size() == 3 ? 1 : 0;
}

/// Calls `task(1000)` in a worker; 0 if it gives 1042 and the worker ends well.
template <auto task>
int check_worker() {
  try {
    toy::Worker worker;
    long const result = worker.call<task>(1000);
    bool const in_worker = worker.call<&is_complete_worker>(0) == 1;
    auto const status = worker.finish();
    if (result == 1042 && in_worker && status.exit_status == 0) {
      std::puts("ok");
      return 0;
    }
    std::printf("result %ld, worker %s\n", result, status.describe().c_str());
  } catch (joblot::Error const& error) {
    std::puts(error.what());
  }
  return 1;
}

}  // namespace self_exec

#endif
