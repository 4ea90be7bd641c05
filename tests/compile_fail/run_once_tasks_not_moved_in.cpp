// SPDX-License-Identifier: MIT
// A task that owns something can be run once only, so its container has to be given away.
// expect: joblot::Task is not satisfied
// expect: move the container in
#include <memory>
#include <utility>
#include <vector>

#include <joblot/joblot.hpp>

int take(std::unique_ptr<int> number) { return *number; }

std::vector<int> run(std::unique_ptr<int> number) {
  std::vector<joblot::DelayedCall<int (*)(std::unique_ptr<int>), std::unique_ptr<int>>> tasks;
  tasks.push_back(joblot::delayed(&take)(std::move(number)));
#ifdef JOBLOT_TEST_CORRECTED
  return joblot::Parallel(2)(std::move(tasks));
#else
  return joblot::Parallel(2)(tasks);
#endif
}
