// SPDX-License-Identifier: MIT
// The exceptions the library throws on its own behalf.
#ifndef JOBLOT_ERROR_HPP
#define JOBLOT_ERROR_HPP

#include <cstddef>
#include <stdexcept>
#include <string>

namespace joblot {
inline namespace v1 {

/// Base of every error of the library but `InvalidOption`. A task's own exception is never wrapped.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// An option has a value it cannot have. `what()` names the option, the value and what is allowed.
/// Thrown before any task runs: by the constructor where it can be known there, else by the call.
class InvalidOption : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

/// A task ran longer than the option `timeout` allows, counted from its start in the worker.
class TimeoutError : public Error {
 public:
  TimeoutError(std::string const& what, std::size_t index) : Error(what), index_(index) {}

  /// Submission index of the task.
  [[nodiscard]] std::size_t index() const noexcept { return index_; }

 private:
  std::size_t index_;
};

/// A callable, an argument or a result cannot go to another process. `what()` names the type, the
/// reason and what to do. What the types tell is thrown before any task runs; what only a value
/// tells is the error of its task.
class NotShippableError : public Error {
 public:
  using Error::Error;
};

/// The call was cancelled through the option `stop`.
class CancelledError : public Error {
 public:
  using Error::Error;
};

}  // namespace v1
}  // namespace joblot

#endif
