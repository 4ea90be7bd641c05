// SPDX-License-Identifier: MIT
// The exceptions the library throws on its own behalf.
#ifndef JOBLOT_ERROR_HPP
#define JOBLOT_ERROR_HPP

#include <cstddef>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include <joblot/signal_text.hpp>

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

/// A task threw, in a worker process, what cannot be rebuilt here: a type that is neither one of
/// the standard library's or of joblot's nor registered with `register_exception`, or one whose
/// content does not travel. `what()` carries type and text of the original, task and process.
class RemoteError : public Error {
 public:
  /// `type_name` as a person would write it; `text` is what the original said, may be empty.
  RemoteError(std::string const& type_name, std::string const& text, long pid, std::size_t index)
      : Error(type_name + (text.empty() ? "" : ": " + text) + " (in worker process " +
              std::to_string(pid) + ", task " + std::to_string(index) + ")"),
        original_(std::make_shared<Original const>(Original{type_name, text})),
        pid_(pid),
        index_(index) {}

  /// The type that was thrown, as a person would write it, such as "my::Error". Valid as long as
  /// this object or a copy of it.
  [[nodiscard]] std::string const& type_name() const noexcept { return original_->type_name; }
  /// What the original said: its `what()`, or the value of a number or a string that was thrown;
  /// empty for anything else. Valid as long as this object or a copy of it.
  [[nodiscard]] std::string const& text() const noexcept { return original_->text; }
  /// The worker process in which it was thrown.
  [[nodiscard]] long pid() const noexcept { return pid_; }
  /// Submission index of the task.
  [[nodiscard]] std::size_t index() const noexcept { return index_; }

 private:
  struct Original {
    std::string type_name;
    std::string text;
  };

  std::shared_ptr<Original const> original_;  // shared, so that a copy cannot throw
  long pid_;
  std::size_t index_;
};

/// A worker process ended before its work did: a signal killed it, or it exited.
class TerminatedWorkerError : public Error {
 public:
  /// `signal`: what killed it. `exit_status`: what it exited with. Neither if that is not known,
  /// because other code of this program has waited for the process. `index`: the task it ran.
  TerminatedWorkerError(long pid, std::optional<int> signal, std::optional<int> exit_status,
                        std::optional<std::size_t> index)
      : Error("worker process " + std::to_string(pid) + ' ' + end(signal, exit_status) + ' ' +
              (index ? "while it ran task " + std::to_string(*index) : "between tasks")),
        pid_(pid),
        signal_(signal),
        exit_status_(exit_status),
        index_(index) {}

  /// The process that ended.
  [[nodiscard]] long pid() const noexcept { return pid_; }
  /// The number of the signal that killed it; empty if none did.
  [[nodiscard]] std::optional<int> signal() const noexcept { return signal_; }
  /// The status it exited with; empty if it did not exit by itself.
  [[nodiscard]] std::optional<int> exit_status() const noexcept { return exit_status_; }
  /// Submission index of the task it ran; empty if it died between tasks.
  [[nodiscard]] std::optional<std::size_t> index() const noexcept { return index_; }

 private:
  static std::string end(std::optional<int> signal, std::optional<int> exit_status) {
    if (signal) return "was killed by " + detail::signal_text(*signal);
    if (exit_status) return "exited with status " + std::to_string(*exit_status);
    return "ended for an unknown reason (other code of this program has waited for it)";
  }

  long pid_;
  std::optional<int> signal_;
  std::optional<int> exit_status_;
  std::optional<std::size_t> index_;
};

/// The option `initializer` failed in a worker process. `what()` carries the text of its error.
class WorkerInitError : public Error {
 public:
  using Error::Error;
};

}  // namespace v1
}  // namespace joblot

#endif
