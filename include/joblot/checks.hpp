// SPDX-License-Identifier: MIT
// What each option may be, and which may not be asked for together.
#ifndef JOBLOT_CHECKS_HPP
#define JOBLOT_CHECKS_HPP

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include <joblot/backend.hpp>
#include <joblot/byte_size.hpp>
#include <joblot/error.hpp>
#include <joblot/expression.hpp>
#include <joblot/options.hpp>
#include <joblot/quote_text.hpp>
#include <joblot/registry.hpp>
#include <joblot/setting.hpp>

namespace joblot::detail {

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

/// Whether a text of `pre_dispatch` can be right at all: what it gives depends on the number of
/// workers, which is not known yet. One that is wrong for several of them is wrong.
inline void check_pre_dispatch(NumberOrText const& value) {
  for (int const n_jobs : {1, 2, 3}) {
    try {
      static_cast<void>(checked_pre_dispatch(value, n_jobs));
      return;
    } catch (InvalidOption const&) {
    }
  }
  static_cast<void>(checked_pre_dispatch(value, 64));
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

/// Checks every value on its own: all that can be known without the number of workers.
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

/// Checks what the options promise together, given the backend they name themselves (if any).
inline void check_promises(Options const& options, Backend const* named) {
  bool const sharedmem = options.require.has_value();
  if (sharedmem && options.prefer.has_value() && options.prefer.value() == Prefer::processes) {
    reject("require", "Require::sharedmem",
           "Prefer::threads beside it, or none: processes do not share memory");
  }
  if (sharedmem && named != nullptr && !named->shares_memory()) {
    reject("require", "Require::sharedmem",
           "a backend beside it that shares memory, or none; " + std::string(named->name()) +
               " does not");
  }
}

/// Workers that share memory are threads of this process: what these options promise cannot hold.
inline void check_threads_can(Options const& options, Backend const& backend) {
  if (!backend.shares_memory()) return;
  // The text is made only when it is needed: this is part of every call.
  auto const refuse = [&](char const* option, AnyInteger value) {
    reject(option, value.text(),
           "only on a backend of worker processes; " + std::string(backend.name()) + " has none");
  };
  if_given(options.inner_max_num_threads,
           [&](AnyInteger n) { refuse("inner_max_num_threads", n); });
  if_given(options.max_tasks_per_child, [&](AnyInteger n) { refuse("max_tasks_per_child", n); });
}

/// `require` with a process backend by name is a contradiction whether or not there is that
/// backend, so it is looked for before the name.
inline void check_named_process_backend(Options const& options) {
  if (!options.require.has_value() || !options.backend.has_value()) return;
  auto const* name = options.backend.value().name();
  if (name == nullptr || !names_process_backend(*name)) return;
  reject("require", "Require::sharedmem",
         "a backend beside it that shares memory, or none; " + quote_text(*name) + " does not");
}

}  // namespace joblot::detail

#endif
