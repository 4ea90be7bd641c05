// SPDX-License-Identifier: MIT
// What options and scopes together mean for one Parallel.
#ifndef JOBLOT_PLAN_HPP
#define JOBLOT_PLAN_HPP

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include <joblot/backend.hpp>
#include <joblot/checks.hpp>
#include <joblot/cpu_count.hpp>
#include <joblot/error.hpp>
#include <joblot/options.hpp>
#include <joblot/progress.hpp>
#include <joblot/registry.hpp>
#include <joblot/remote/worker_spec.hpp>
#include <joblot/setting.hpp>
#include <joblot/terminal.hpp>

namespace joblot::detail {

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
  std::shared_ptr<Backend> passed_over;  // named, but does not share memory as it is required to
  int verbose = 0;
  std::optional<std::chrono::nanoseconds> timeout;
  std::optional<std::size_t> window;  // none = all
  bool window_given = false;
  std::optional<std::size_t> batch_size;  // none = auto
  Initializer initializer = nullptr;
  std::optional<WorkerSpec> workers;  // tasks run in processes of this kind
  int retries = 0;
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

inline std::shared_ptr<Backend> make_backend(BackendChoice const& choice) {
  return choice.name() != nullptr ? Registry::instance().make(*choice.name()) : *choice.object();
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
/// backend that does not share memory; `Prefer::processes` one that does.
inline void choose_backend(Options const& own, Plan& plan) {
  auto const& choice = in_force(own, &Options::backend);
  bool const sharedmem = in_force(own, &Options::require).has_value();
  auto const& prefer = in_force(own, &Options::prefer);
  bool const prefers_threads = prefer.has_value() && prefer.value() == Prefer::threads;
  bool const prefers_processes = prefer.has_value() && prefer.value() == Prefer::processes;
  plan.backend =
      choice.has_value() ? make_backend(choice.value()) : Registry::instance().make_default();
  if (prefers_processes && !choice.has_value() && !sharedmem && plan.backend->shares_memory()) {
    plan.backend = loky_backend();
  }
  check_promises(own, own.backend.has_value() ? plan.backend.get() : nullptr);
  if (plan.backend->shares_memory()) return;
  // A scope's `require` is a hard constraint, too.
  if (sharedmem && choice.has_value()) plan.passed_over = plan.backend;
  if (sharedmem || (prefers_threads && !choice.has_value())) plan.backend = threading_backend();
}

/// joblib's line from `verbose` 10 on.
inline void report_passed_over(Plan const& plan) {
  if (!plan.passed_over || plan.verbose < 10) return;
  TextSink(stdout_fd).write("Using " + std::string(plan.backend->name()) +
                            " as joblot backend instead of " +
                            std::string(plan.passed_over->name()) +
                            " as the latter does not provide shared memory semantics.\n");
}

/// A number of workers for n_jobs as asked: -1 means all CPUs.
inline int resolve_n_jobs(int asked) {
  return asked > 0 ? asked : (std::max)(cpu_count() + 1 + asked, 1);
}

/// What the worker processes of a call have to be.
inline WorkerSpec worker_spec(Options const& own, Plan const& plan) {
  WorkerSpec spec{.initializer = plan.initializer,
                  .threads = (std::max)(cpu_count() / plan.n_jobs, 1),
                  .forked = plan.backend->forks_workers()};
  if_given(in_force(own, &Options::inner_max_num_threads), [&](AnyInteger n) {
    spec.threads = checked_int("inner_max_num_threads", n, 1, "1 or more, or std::nullopt");
  });
  auto const& idle = in_force(own, &Options::idle_worker_timeout);
  if (idle.has_value()) {
    spec.idle_timeout = checked_duration("idle_worker_timeout", idle.value());
  } else if (idle.is_set()) {
    spec.idle_timeout.reset();
  }
  return spec;
}

/// What a `Parallel` made with these options here and now will do. Throws `InvalidOption`.
inline Plan resolve(Options const& own) {
  check_values(own);
  check_named_process_backend(own);
  Plan plan;
  choose_backend(own, plan);
  check_threads_can(own, *plan.backend);
  auto asked = worker_share.threads;  // in a worker process, unless n_jobs is given
  if_given(in_force(own, &Options::n_jobs), [&](AnyInteger n) {
    plan.n_jobs_asked = checked_n_jobs(n);
    asked = 0;
  });
  plan.n_jobs =
      plan.backend->effective_n_jobs(asked > 0 ? asked : resolve_n_jobs(plan.n_jobs_asked));
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
  if_given(in_force(own, &Options::retries),
           [&](AnyInteger n) { plan.retries = checked_int("retries", n, 0, "0 or more"); });
  if (plan.backend->runs_in_worker_processes()) plan.workers = worker_spec(own, plan);
  return plan;
}

}  // namespace joblot::detail

#endif
