// SPDX-License-Identifier: MIT
#include <exception>

#include <joblot/register_exception.hpp>

#include "exceptions.hpp"

namespace {
struct Local : std::exception {
  [[nodiscard]] char const* what() const noexcept override { return "of the other unit"; }
};
}  // namespace

void nobody_calls_this();
void nobody_calls_this() {
  joblot::register_exception<Local>();
  joblot::register_exception<Shared>();
}

std::exception_ptr make_local_of_other_unit() { return std::make_exception_ptr(Local()); }
