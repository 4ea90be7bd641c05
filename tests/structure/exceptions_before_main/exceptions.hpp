// SPDX-License-Identifier: MIT
#ifndef EXCEPTIONS_BEFORE_MAIN_EXCEPTIONS_HPP
#define EXCEPTIONS_BEFORE_MAIN_EXCEPTIONS_HPP

#include <exception>
#include <stdexcept>

/// The Local of the other unit, which is another type of the same name.
std::exception_ptr make_local_of_other_unit();

struct Shared : std::runtime_error {
  using std::runtime_error::runtime_error;
};

#endif
