// SPDX-License-Identifier: MIT
#ifndef JOBLOT_TESTS_STRUCTURE_IN_CHILD_HPP
#define JOBLOT_TESTS_STRUCTURE_IN_CHILD_HPP

#include <cerrno>

#include <sys/wait.h>
#include <unistd.h>

#include "check.hpp"

inline void use() { check(sum_of_squares() == expected_sum); }

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

#endif
