// SPDX-License-Identifier: MIT
#ifndef JOBLOT_TESTS_STRUCTURE_EXCEPTIONS_BEFORE_MAIN_HPP
#define JOBLOT_TESTS_STRUCTURE_EXCEPTIONS_BEFORE_MAIN_HPP

#include <exception>
#include <stdexcept>

/// The Local of the other unit, which is another type of the same name.
std::exception_ptr make_local_of_other_unit();

struct Shared : std::runtime_error {
  using std::runtime_error::runtime_error;
};

#endif
