// SPDX-License-Identifier: MIT
// The library works before main, and after it in whatever order static objects die.
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "check.hpp"

namespace {

void use(char const* when) {
  check(sum_of_squares() == expected_sum);
  std::puts(when);
}

/// Built before the library's first use, so destroyed after everything that use has made.
struct DestroyedLast {
  ~DestroyedLast() { use("in the last destructor"); }
} const destroyed_last;

struct UsesTwice {
  UsesTwice() { use("in a constructor before main"); }
  ~UsesTwice() { use("in its destructor"); }
} const uses_twice;

struct OfThread {
  ~OfThread() { use("in the destructor of a thread's object"); }
};

void use_as_thread_ends() { [[maybe_unused]] thread_local OfThread of_thread; }

}  // namespace

int main() {
  std::atexit([] { use("in a handler of atexit"); });
  use("in main");
  std::thread(use_as_thread_ends).join();
  use_as_thread_ends();
}
