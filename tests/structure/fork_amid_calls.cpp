// SPDX-License-Identifier: MIT
// fork while the library is at work: whatever another thread holds at that moment is held for ever
// in the child.
#include <atomic>
#include <ranges>
#include <thread>

#include "in_child.hpp"

int main() {
  std::atomic<bool> done = false;
  std::jthread busy([&] {
    while (!done) use();
  });
  for (int i = 0; i < 50; ++i) in_child(use);
  done = true;
  busy.join();
  use();

  // From inside a task the child is a copy of a worker.
  joblot::Parallel(2).for_each(std::views::iota(0, 8), [](int) { in_child(use); });
  use();
}
