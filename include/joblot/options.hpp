// SPDX-License-Identifier: MIT
// What the user may ask for.
#ifndef JOBLOT_OPTIONS_HPP
#define JOBLOT_OPTIONS_HPP

#include <chrono>
#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include <joblot/backend.hpp>
#include <joblot/progress.hpp>
#include <joblot/setting.hpp>

namespace joblot {
namespace detail {

/// A backend by its registered name, or the object itself.
class BackendChoice {
 public:
  template <class S>
  requires(std::convertible_to<S, std::string_view> && !std::same_as<S, std::nullptr_t>)
  BackendChoice(S const& name)  // NOLINT(google-explicit-constructor)
      : value_(std::string(std::string_view(name))) {}
  template <std::derived_from<Backend> B>
  BackendChoice(std::shared_ptr<B> backend)  // NOLINT(google-explicit-constructor)
      : value_(std::shared_ptr<Backend>(std::move(backend))) {}

  [[nodiscard]] std::string const* name() const noexcept { return std::get_if<0>(&value_); }
  [[nodiscard]] std::shared_ptr<Backend> const* object() const noexcept {
    return std::get_if<1>(&value_);
  }

 private:
  std::variant<std::string, std::shared_ptr<Backend>> value_;
};

}  // namespace detail

inline namespace v1 {

/// Soft hint which kind of workers is wanted, used when no backend is named.
enum class Prefer { threads, processes };

/// Hard constraint on the backend: tasks see and change the caller's memory.
enum class Require { sharedmem };

/// How worker processes see shared spans: read-only, or private copy-on-write.
enum class MmapMode { r, c };

/// Function that prepares a process for its first task.
using Initializer = void (*)();

/// What a `Parallel` is asked for. Every field can be left out; new ones are appended, never
/// sorted in, so that designated initialisers stay valid. A value out of range is `InvalidOption`,
/// thrown by the constructor of `Parallel` and by `parallel_config`.
struct Options {
  using Seconds = std::chrono::duration<double>;

  /// Workers: k >= 1, -1 = `cpu_count()`, -k = `max(cpu_count() + 1 - k, 1)`. Default: all CPUs.
  Setting<int> n_jobs{};
  /// "threading", "loky" or "multiprocessing" (worker processes), "sequential", a registered name,
  /// or a `std::shared_ptr<Backend>`.
  Setting<detail::BackendChoice> backend{};
  /// joblib's lines: none for 0, the more the higher; from 50 on to stdout, below to stderr.
  Setting<int> verbose{};
  /// Longest time for one task, counted from its start in the worker; else `TimeoutError`.
  Setting<Seconds> timeout{};
  /// The window of batches taken and not yet finished (or consumed): "all", a number >= 1, or an
  /// arithmetic expression in `n_jobs`. Default "2 * n_jobs".
  Setting<detail::NumberOrText> pre_dispatch{};
  /// "auto", or the exact number of tasks handed to a worker at a time.
  Setting<detail::NumberOrText> batch_size{};
  /// Used when no backend is named.
  Setting<Prefer> prefer{};
  /// Overrides a scope's process backend by threads.
  Setting<Require> require{};
  /// How often a task lost with its worker is run again. Threads are not lost.
  Setting<int> retries{};
  /// Size in bytes, or a text such as "1.4M", from which on spans are shared with processes.
  /// Checked, but not in effect yet; nor are the two below.
  Setting<detail::NumberOrText> max_nbytes{};
  /// How worker processes see shared spans.
  Setting<MmapMode> mmap_mode{};
  /// Backs inputs shared with processes by files there.
  Setting<std::string> temp_folder{};
  /// Thread limit of OpenMP and BLAS in worker processes, >= 1.
  Setting<int> inner_max_num_threads{};
  /// Runs once in each process that runs tasks, before the first; on threads in this one.
  Setting<Initializer> initializer{};
  /// A worker process is replaced after so many tasks, >= 1. Checked, but not in effect yet.
  Setting<int> max_tasks_per_child{};
  /// Idle worker processes leave after this. Default 300 s.
  Setting<Seconds> idle_worker_timeout{};
  /// Called one at a time per call as results come in, at most some 20 times a second, and once at
  /// the end, on any of the call's threads. What it throws fails the call.
  Setting<std::function<void(Progress const&)>> on_progress{};
  /// Live bar on stderr; plain lines when that is no terminal.
  Setting<bool> progress_bar{};
  /// Cancels the call from outside: `CancelledError`.
  Setting<std::stop_token> stop{};
};

}  // namespace v1
}  // namespace joblot

#endif
