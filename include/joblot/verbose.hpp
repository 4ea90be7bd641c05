// SPDX-License-Identifier: MIT
// The lines of the option `verbose`: which one, if any, belongs to which counts. No output here.
#ifndef JOBLOT_VERBOSE_HPP
#define JOBLOT_VERBOSE_HPP

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace joblot::detail {

/// A duration in seconds as joblib prints it: `   0.1s`, and from a minute on ` 1.5min`.
inline std::string verbose_time(double seconds) {
  if (seconds > 60.0) return fmt::format("{:4.1f}min", seconds / 60.0);
  return fmt::format(" {:5.1f}s", seconds);
}

struct VerboseSettings {
  int verbose = 0;
  int n_jobs_asked = -1;  // as printed in the prefix
  int n_jobs = 1;         // resolved
  std::optional<std::size_t> total = std::nullopt;
  std::optional<std::size_t> window = std::nullopt;  // of `pre_dispatch`; none = all
};

struct VerboseCounts {
  std::size_t completed = 0;
  std::size_t dispatched_tasks = 0;
  std::size_t dispatched_batches = 0;
  bool exhausted = false;  // the range has come to its end
};

/// joblib's lines and the filter that thins them out (`print_progress` and `_verbosity_filter` of
/// joblib 1.6). Each text is a whole line with prefix and newline. Not for several threads at once.
class VerboseLines {
 public:
  explicit VerboseLines(VerboseSettings settings)
      : settings_(settings), width_(width_of(settings.total.value_or(0))) {}

  /// The line before the first task; none when the caller runs everything itself.
  [[nodiscard]] std::optional<std::string> started(std::string_view backend_name) const {
    if (settings_.n_jobs == 1) return std::nullopt;
    return line(fmt::format("Using backend {} with {} concurrent workers.", backend_name,
                            settings_.n_jobs));
  }

  /// The line, if any, for a batch that has just ended. `elapsed` in seconds.
  [[nodiscard]] std::optional<std::string> progressed(VerboseCounts const& now, double elapsed) {
    if (draining(now)) return drained(now, elapsed);
    if (!passes(now)) return std::nullopt;
    auto const time = verbose_time(elapsed);
    if (!settings_.total) {
      return line(fmt::format("Done {:{}} tasks {:{}}| elapsed: {}", now.completed, width_, "",
                              width_ + 2, time));
    }
    return line(fmt::format("Done {0:{2}} out of {1:{2}} | elapsed: {3}", now.completed,
                            *settings_.total, width_, time));
  }

  /// The line after the last task; an empty call on several workers has none.
  [[nodiscard]] std::optional<std::string> finished(std::size_t completed, double elapsed) const {
    if (completed == 0 && settings_.n_jobs != 1) return std::nullopt;
    return line(fmt::format("Done {0:{1}} out of {0:{1}} | elapsed: {2} finished", completed,
                            width_, verbose_time(elapsed)));
  }

 private:
  static int width_of(std::size_t total) {
    return total == 0 ? 3 : static_cast<int>(fmt::formatted_size("{}", total));
  }

  [[nodiscard]] std::string line(std::string_view text) const {
    return fmt::format("[Parallel(n_jobs={})]: {}\n", settings_.n_jobs_asked, text);
  }

  /// With `pre_dispatch="all"` joblib takes the whole range before the first task ends.
  [[nodiscard]] bool all_at_once() const { return !settings_.window && settings_.total; }

  /// Whether only what has been dispatched is left. joblib's sequential path never gets there.
  [[nodiscard]] bool draining(VerboseCounts const& now) const {
    return settings_.n_jobs != 1 && (now.exhausted || all_at_once());
  }

  [[nodiscard]] std::optional<std::string> drained(VerboseCounts const& now, double elapsed) const {
    auto const total = all_at_once() ? *settings_.total : now.dispatched_tasks;
    if (now.completed >= total) return std::nullopt;  // finished() says it
    if (now.completed != 0) {
      auto const left = static_cast<long long>(total - now.completed);
      auto const cursor = left + 1 - static_cast<long long>(settings_.window.value_or(0));
      auto const step =
          static_cast<long long>(total / static_cast<std::size_t>(settings_.verbose)) + 1;
      if (left == 1 || cursor % step != 0) return std::nullopt;
    }
    auto const per_task = elapsed / static_cast<double>((std::max<std::size_t>)(now.completed, 1));
    auto const remaining = per_task * static_cast<double>(total - now.completed);
    return line(fmt::format("Done {0:{2}} out of {1:{2}} | elapsed: {3} remaining: {4}",
                            now.completed, total, width_, verbose_time(elapsed),
                            verbose_time(remaining)));
  }

  /// joblib looks at every index once and prints where `level` steps up between i and i + 1. Here
  /// workers claim on their own, so indices may be jumped over: a step among them counts, too.
  [[nodiscard]] bool passes(VerboseCounts const& now) {
    if (settings_.verbose > 10) return true;
    // joblib counts a sequential call by the task, where dispatched and completed are the same.
    bool const sequential = settings_.n_jobs == 1;
    auto const index = sequential ? now.completed : now.dispatched_batches;
    if (!level_) level_ = level(sequential ? 1 : index);
    auto const reached = level(index + 1);
    bool const stepped = reached > *level_;
    level_ = (std::max)(reached, *level_);
    return stepped || index == 0;
  }

  [[nodiscard]] double level(std::size_t index) const {
    double const lag = 11 - settings_.verbose;
    return std::floor(std::sqrt(static_cast<double>(index) / (0.5 * lag * lag)));
  }

  VerboseSettings settings_;
  int width_;
  std::optional<double> level_;
};

}  // namespace joblot::detail

#endif
