// SPDX-License-Identifier: MIT
// expect: joblot cannot send all of E to another process
#include <stdexcept>
#include <string>

#include <joblot/register_exception.hpp>

struct Lost : std::runtime_error {
  explicit Lost(std::string const& what) : std::runtime_error(what) {}
#ifndef JOBLOT_TEST_CORRECTED
  int code = 0;
#endif
};

void known() { joblot::register_exception<Lost>(); }
