// SPDX-License-Identifier: MIT
// Exceptions registered by code that is never run are known when main starts, and types of unnamed
// namespaces that have a name in common are told apart.
#include <exception>
#include <string>
#include <typeinfo>

#include <joblot/process/exception_registry.hpp>
#include <joblot/process/remote_exception.hpp>
#include <joblot/register_exception.hpp>

#include "../check.hpp"
#include "exceptions.hpp"

namespace {

/// A type of the same name is in the other unit. What they say tells them apart: clang's `catch`
/// does not.
struct Local : std::exception {
  [[nodiscard]] char const* what() const noexcept override { return "of this unit"; }
};

[[maybe_unused]] void not_called_either() { joblot::register_exception<Local>(); }

std::string text_after_journey(std::exception_ptr const& error) {
  joblot::detail::OutMessage out;
  encode_exception(out, error);
  joblot::detail::InMessage in;
  in.bytes = out.bytes;
  try {
    std::rethrow_exception(joblot::detail::decode_exception(in, 1, 0));
  } catch (std::exception const& rebuilt) {
    return rebuilt.what();
  }
}

}  // namespace

int main() {
  check(joblot::detail::ExceptionRegistry::find(typeid(Shared)) != nullptr);

  check(text_after_journey(std::make_exception_ptr(Local())) == "of this unit");
  check(text_after_journey(make_local_of_other_unit()) == "of the other unit");
}
