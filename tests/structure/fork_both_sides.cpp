// SPDX-License-Identifier: MIT
// fork copies the caller's thread only: a child must not wait for pool threads it does not have,
// nor the parent lose its own.
#include <atomic>
#include <cerrno>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

#include "check.hpp"

namespace {

/// Runs `body` in a child and checks that it came to its end. `_exit`: the parent's buffers and
/// static objects are not the child's to flush and destroy.
template <typename Body>
void in_child(Body body) {
  pid_t const child = ::fork();
  check(child != -1);
  if (child == 0) {
    body();
    ::_exit(0);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) == -1) check(errno == EINTR);
  check(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

void use() { check(sum_of_squares() == expected_sum); }

}  // namespace

int main() {
  in_child(use);  // before the parent has a thread
  use();
  in_child([] {  // after
    use();
    in_child(use);
    use();
  });
  use();

  // While other threads are in the middle of calls.
  std::atomic<bool> done = false;
  std::jthread busy([&] {
    while (!done) use();
  });
  for (int i = 0; i < 20; ++i) in_child(use);
  done = true;
  busy.join();
  use();

  // From inside a task: the child is a copy of a worker.
  joblot::Parallel(2).for_each(std::views::iota(0, 4), [](int) { in_child(use); });
  use();
}
