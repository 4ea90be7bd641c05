// SPDX-License-Identifier: MIT
// Scopes of options, and what options and scopes together mean for one Parallel.
#ifndef JOBLOT_CONFIG_HPP
#define JOBLOT_CONFIG_HPP

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>

#include <joblot/backend.hpp>
#include <joblot/byte_size.hpp>
#include <joblot/cpu_count.hpp>
#include <joblot/error.hpp>
#include <joblot/expression.hpp>
#include <joblot/options.hpp>
#include <joblot/registry.hpp>
#include <joblot/setting.hpp>

namespace joblot {
namespace detail {

/// Options in force for this thread from here on; the inner ones first.
struct ScopeNode {
  Options const* options;
  ScopeNode* outer;
};

/// Empty inside a task: the caller's scopes are not in force there.
constinit inline thread_local ScopeNode* innermost_scope = nullptr;

/// Options and scopes, merged, checked, with numbers in place of texts.
struct Plan {
  int n_jobs_asked = -1;  // as printed
  int n_jobs = 1;         // resolved
  std::shared_ptr<Backend> backend;
  int verbose = 0;
  std::optional<std::chrono::nanoseconds> timeout;
  std::optional<std::size_t> window;  // none = all
  bool window_given = false;
  std::optional<std::size_t> batch_size;  // none = auto
  Initializer initializer = nullptr;
  std::function<void(Progress const&)> on_progress;
  bool progress_bar = false;
  std::stop_token stop;
};

/// As many workers as can have a batch at the same time: each has one, so the window bounds them.
/// Less than the largest int, because a call whose caller does not work has a seat more.
inline int workers_for(Plan const& plan, std::optional<std::size_t> total) {
  auto most = static_cast<std::size_t>((std::numeric_limits<int>::max)() - 1);
  most = (std::min)(most, static_cast<std::size_t>(plan.n_jobs));
  if (plan.window) most = (std::min)(most, *plan.window);
  if (total) most = (std::min)(most, *total);
  return static_cast<int>((std::max<std::size_t>)(most, 1));
}

[[noreturn]] inline void reject(std::string const& option, std::string const& value,
                                std::string const& allowed) {
  throw InvalidOption(option + " = " + value + " is not allowed. Allowed: " + allowed);
}

/// The value as an int in least .. INT_MAX, checked.
inline int checked_int(char const* option, AnyInteger value, int least, char const* allowed) {
  constexpr auto most = static_cast<std::uint64_t>((std::numeric_limits<int>::max)());
  if (value.magnitude() > (value.negative() ? most + 1 : most)) {
    reject(option, value.text(), std::string(allowed) + " (within int: up to 2147483647)");
  }
  auto const magnitude = static_cast<std::int64_t>(value.magnitude());
  auto const number = static_cast<int>(value.negative() ? -magnitude : magnitude);
  if (number < least) reject(option, value.text(), allowed);
  return number;
}

inline int checked_n_jobs(AnyInteger value) {
  constexpr auto least = (std::numeric_limits<int>::min)();
  constexpr auto* allowed =
      "a number of workers from 1 on, -1 for all CPUs, or -k for all CPUs but k - 1";
  auto const n_jobs = checked_int("n_jobs", value, least, allowed);
  if (n_jobs == 0) reject("n_jobs", "0", allowed);
  return n_jobs;
}

/// A number of workers for n_jobs as asked: -1 means all CPUs.
inline int resolve_n_jobs(int asked) {
  return asked > 0 ? asked : (std::max)(cpu_count() + 1 + asked, 1);
}

/// A positive duration in whole nanoseconds, saturated, at least one.
inline std::chrono::nanoseconds checked_duration(char const* option, Options::Seconds value) {
  auto const seconds = value.count();
  if (std::isnan(seconds) || seconds <= 0) {
    reject(option, std::to_string(seconds) + " s", "a duration longer than zero, or std::nullopt");
  }
  constexpr double longest = 9e9;  // about the nanoseconds an int64 holds: 285 years
  auto const count = static_cast<std::int64_t>((std::min)(seconds, longest) * 1e9);
  return std::chrono::nanoseconds((std::max<std::int64_t>)(count, 1));
}

inline std::optional<std::size_t> checked_batch_size(NumberOrText const& value) {
  constexpr auto* allowed = "\"auto\" or a number of tasks from 1 on";
  if (auto const* text = value.text()) {
    if (*text != "auto") reject("batch_size", quote_text(*text), allowed);
    return std::nullopt;
  }
  auto const number = *value.number();
  if (number.negative() || number.magnitude() == 0) reject("batch_size", number.text(), allowed);
  return static_cast<std::size_t>(number.magnitude());
}

inline std::optional<std::size_t> checked_pre_dispatch(NumberOrText const& value, int n_jobs) {
  if (auto const* text = value.text()) return pre_dispatch_window(*text, n_jobs);
  auto const number = *value.number();
  if (number.negative() || number.magnitude() == 0) {
    reject("pre_dispatch", number.text(),
           "\"all\", a number of batches from 1 on, or an expression such as \"2 * n_jobs\"");
  }
  return static_cast<std::size_t>(number.magnitude());
}

inline void check_max_nbytes(NumberOrText const& value) {
  if (auto const* text = value.text()) {
    static_cast<void>(parse_byte_size(*text));
  } else if (value.number()->negative()) {
    reject("max_nbytes", value.number()->text(),
           "a number of bytes from 0 on, a text such as \"1.4M\", or std::nullopt for off");
  }
}

template <class T, class Check>
void if_given(Setting<T> const& setting, Check check) {
  if (setting.has_value()) check(setting.value());
}

/// Checks every value on its own: all that can be known without the scopes. (What a text of
/// `pre_dispatch` gives can not.)
inline void check_values(Options const& options) {
  constexpr auto* not_negative = "0 or more";
  constexpr auto* positive = "1 or more, or std::nullopt";
  if_given(options.n_jobs, [](AnyInteger n) { static_cast<void>(checked_n_jobs(n)); });
  if_given(options.verbose,
           [&](AnyInteger n) { static_cast<void>(checked_int("verbose", n, 0, not_negative)); });
  if_given(options.timeout, [](auto t) { static_cast<void>(checked_duration("timeout", t)); });
  if_given(options.pre_dispatch, [](NumberOrText const& window) {
    if (window.number() != nullptr) static_cast<void>(checked_pre_dispatch(window, 1));
  });
  if_given(options.batch_size,
           [](auto const& size) { static_cast<void>(checked_batch_size(size)); });
  if_given(options.retries,
           [&](AnyInteger n) { static_cast<void>(checked_int("retries", n, 0, not_negative)); });
  if_given(options.max_nbytes, check_max_nbytes);
  if_given(options.inner_max_num_threads, [&](AnyInteger n) {
    static_cast<void>(checked_int("inner_max_num_threads", n, 1, positive));
  });
  if_given(options.max_tasks_per_child, [&](AnyInteger n) {
    static_cast<void>(checked_int("max_tasks_per_child", n, 1, positive));
  });
  if_given(options.idle_worker_timeout,
           [](auto t) { static_cast<void>(checked_duration("idle_worker_timeout", t)); });
  if_given(options.backend, [](BackendChoice const& choice) {
    if (choice.object() != nullptr && *choice.object() == nullptr) {
      reject("backend", "a null pointer", "a backend object, a name, or std::nullopt");
    }
  });
}

inline std::shared_ptr<Backend> make_backend(BackendChoice const& choice) {
  return choice.name() != nullptr ? Registry::instance().make(*choice.name()) : *choice.object();
}

/// Checks what the options promise together, given the backend they name themselves (if any).
inline void check_promises(Options const& options, Backend const* named) {
  bool const sharedmem = options.require.has_value();
  if (sharedmem && options.prefer.has_value() && options.prefer.value() == Prefer::processes) {
    reject("require", "Require::sharedmem",
           "it together with Prefer::threads; processes do not "
           "share memory, so leave out prefer or require");
  }
  if (sharedmem && named != nullptr && !named->shares_memory()) {
    reject("require", "Require::sharedmem",
           "it with a backend that shares memory, which " + std::string(named->name()) +
               " does not; leave out backend or require");
  }
}

/// Workers that share memory are threads of this process: what these options promise cannot hold.
inline void check_threads_can(Options const& options, Backend const& backend) {
  if (!backend.shares_memory()) return;
  std::string const reason =
      "only on a backend of worker processes; " + std::string(backend.name()) + " has none";
  if_given(options.inner_max_num_threads,
           [&](AnyInteger n) { reject("inner_max_num_threads", n.text(), reason); });
  if_given(options.max_tasks_per_child,
           [&](AnyInteger n) { reject("max_tasks_per_child", n.text(), reason); });
}

/// `require` with a process backend by name is a contradiction whether or not there is that
/// backend, so it is looked for before the name.
inline void check_named_process_backend(Options const& options) {
  if (!options.require.has_value() || !options.backend.has_value()) return;
  auto const* name = options.backend.value().name();
  if (name == nullptr || !names_process_backend(*name)) return;
  reject("require", "Require::sharedmem",
         "it with a backend that shares memory, which " + quote_text(*name) + " does not");
}

/// The setting in force: the options' own, else the innermost scope's that is set.
template <class T>
Setting<T> const& in_force(Options const& own, Setting<T> Options::*field) {
  if ((own.*field).is_set()) return own.*field;
  for (auto const* scope = innermost_scope; scope != nullptr; scope = scope->outer) {
    if ((scope->options->*field).is_set()) return scope->options->*field;
  }
  return own.*field;
}

/// The backend for these options: by name or object, else a scope's, else the default.
/// `prefer` is a soft hint for when no backend is named: `Prefer::threads` passes over a default
/// backend that does not share memory; `Prefer::processes` is met by threads as long as there are
/// no worker processes.
inline std::shared_ptr<Backend> choose_backend(Options const& own) {
  auto const& choice = in_force(own, &Options::backend);
  bool const sharedmem = in_force(own, &Options::require).has_value();
  if (own.backend.has_value()) {
    auto backend = make_backend(own.backend.value());
    check_promises(own, backend.get());
    // A scope's `require` is a hard constraint, too.
    return sharedmem && !backend->shares_memory() ? threading_backend() : backend;
  }
  check_promises(own, nullptr);
  auto const& prefer = in_force(own, &Options::prefer);
  bool const prefers_threads =
      !choice.has_value() && prefer.has_value() && prefer.value() == Prefer::threads;
  auto backend =
      choice.has_value() ? make_backend(choice.value()) : Registry::instance().make_default();
  return (sharedmem || prefers_threads) && !backend->shares_memory() ? threading_backend()
                                                                     : backend;
}

/// What a `Parallel` made with these options here and now will do. Throws `InvalidOption`.
inline Plan resolve(Options const& own) {
  check_values(own);
  check_named_process_backend(own);
  Plan plan;
  plan.backend = choose_backend(own);
  check_threads_can(own, *plan.backend);
  if_given(in_force(own, &Options::n_jobs),
           [&](AnyInteger n) { plan.n_jobs_asked = checked_n_jobs(n); });
  plan.n_jobs = plan.backend->effective_n_jobs(resolve_n_jobs(plan.n_jobs_asked));
  if (plan.n_jobs < 1) {
    throw Error(std::string(plan.backend->name()) + " has no active worker: effective_n_jobs is " +
                std::to_string(plan.n_jobs));
  }
  if_given(in_force(own, &Options::verbose),
           [&](AnyInteger n) { plan.verbose = checked_int("verbose", n, 0, "0 or more"); });
  if_given(in_force(own, &Options::timeout),
           [&](auto timeout) { plan.timeout = checked_duration("timeout", timeout); });
  auto const& window = in_force(own, &Options::pre_dispatch);
  plan.window_given = window.has_value();
  plan.window = window.has_value() ? checked_pre_dispatch(window.value(), plan.n_jobs)
                                   : std::optional(2 * static_cast<std::size_t>(plan.n_jobs));
  if_given(in_force(own, &Options::batch_size),
           [&](auto const& size) { plan.batch_size = checked_batch_size(size); });
  if_given(in_force(own, &Options::initializer), [&](auto run) { plan.initializer = run; });
  if_given(in_force(own, &Options::on_progress),
           [&](auto const& callback) { plan.on_progress = callback; });
  if_given(in_force(own, &Options::progress_bar),
           [&](Flag bar) { plan.progress_bar = bar.value(); });
  if_given(in_force(own, &Options::stop), [&](auto const& stop) { plan.stop = stop; });
  return plan;
}

}  // namespace detail

inline namespace v1 {

/// Options in force for what this thread constructs until the guard dies. Made by
/// `parallel_config`; stays where it was made, in the thread that made it.
class [[nodiscard]] ParallelConfig {
 public:
  explicit ParallelConfig(Options options) : options_(std::move(options)) {
    detail::check_values(options_);
    detail::check_named_process_backend(options_);
    detail::check_promises(options_, nullptr);
    if (options_.backend.has_value()) {
      auto const backend = detail::make_backend(options_.backend.value());
      detail::check_promises(options_, backend.get());
      detail::check_threads_can(options_, *backend);
    }
    node_ = {&options_, detail::innermost_scope};
    detail::innermost_scope = &node_;
  }
  ParallelConfig(ParallelConfig const&) = delete;
  ParallelConfig& operator=(ParallelConfig const&) = delete;

  /// Guards may die in any order: this one is taken out from wherever it is.
  ~ParallelConfig() {
    for (auto** link = &detail::innermost_scope; *link != nullptr; link = &(*link)->outer) {
      if (*link == &node_) {
        *link = node_.outer;
        return;
      }
    }
  }

 private:
  Options options_;
  detail::ScopeNode node_{};
};

/// Makes `options` the defaults of every `Parallel` that this thread constructs while the guard
/// lives. Scopes nest: an inner one overrides what it sets, and leaves the rest to the outer ones.
/// Not in force inside tasks. Throws `InvalidOption`.
[[nodiscard]] inline ParallelConfig parallel_config(Options options) {
  return ParallelConfig(std::move(options));
}

/// How many workers a call gets that asks for `n_jobs` here; nullopt: for what the scopes say.
inline int effective_n_jobs(std::optional<int> n_jobs = -1) {
  Options options;
  if (n_jobs) options.n_jobs = *n_jobs;
  return detail::resolve(options).n_jobs;
}

}  // namespace v1
}  // namespace joblot

#endif
