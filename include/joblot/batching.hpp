// SPDX-License-Identifier: MIT
// How many tasks a worker takes at a time, from how long the last ones ran.
#ifndef JOBLOT_BATCHING_HPP
#define JOBLOT_BATCHING_HPP

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <limits>
#include <optional>

namespace joblot::detail {

/// The batch size of one worker of one call.
///
/// The first batch is one task. Then the batch grows towards `target` of expected run time, by
/// `growth` at most, because one short task says little about the next ones. Near the end a batch
/// is a part of what is left, so that the workers end together, but not below `floor` of expected
/// run time, because then taking costs more than it evens out.
class BatchSizer {
 public:
  using Nanoseconds = std::chrono::duration<double, std::nano>;

  static constexpr Nanoseconds target{100e3};
  static constexpr Nanoseconds floor{1500};
  static constexpr Nanoseconds strip_target{2000};
  static constexpr std::size_t growth = 32;
  static constexpr std::size_t longest_strip = 1024;

  /// `fixed`: the size asked for, kept exactly. `most`: the largest batch for lack of room.
  /// `neighbours` of the `workers` take from the same part of the range, as long as there is some.
  BatchSizer(std::optional<std::size_t> fixed, int workers, int neighbours,
             std::size_t most) noexcept
      : fixed_(fixed),
        workers_(static_cast<std::size_t>(workers)),
        neighbours_(static_cast<std::size_t>(neighbours)),
        most_(most) {}

  /// The next batch, at least 1, when `left` tasks are left of the worker's own part of the range,
  /// or of the other one (`at_home` is false); the largest size_t if that is not known.
  [[nodiscard]] std::size_t next(std::size_t left, bool at_home = true) const noexcept {
    if (fixed_) return *fixed_;
    auto const share = left / (at_home ? neighbours_ : workers_) / 4 * 3;
    // Away from home memory is in another cache, and its worker is about to end, too.
    auto const least = at_home ? least_ : least_ / 4;
    auto const size = (std::min)(wanted_, (std::max)(share, least));
    return (std::clamp<std::size_t>)(size, 1, most_);
  }

  /// A batch of `tasks` has run for `time`; `cost` is what a batch costs whatever is in it, which
  /// the next ones should outweigh.
  void ran(std::size_t tasks, Nanoseconds time, Nanoseconds cost = {}) noexcept {
    per_task_ = (std::max)(time.count() / static_cast<double>(tasks), 0.01);
    auto const grown = tasks > most_ / growth ? most_ : tasks * growth;
    wanted_ = (std::min)((std::max)(grown, wanted_ / 2), count((std::max)(target, 20 * cost)));
    least_ = count((std::max)(floor, 4 * cost));
  }

  /// How many tasks may run between two looks whether the call has been stopped: those of about
  /// two microseconds, one while nothing is known. Not more than costs nothing to look after: if
  /// tasks turn slow in the midst of a strip, so many still run.
  [[nodiscard]] std::size_t strip() const noexcept {
    if (per_task_ == 0) return 1;
    return (std::min)(count(strip_target), longest_strip);
  }

 private:
  [[nodiscard]] std::size_t count(Nanoseconds time) const noexcept {
    auto const tasks = time.count() / per_task_;
    return tasks < 1 ? 1 : static_cast<std::size_t>(tasks);
  }

  std::optional<std::size_t> fixed_;
  std::size_t workers_;
  std::size_t neighbours_;
  std::size_t most_;
  std::size_t wanted_ = 1;
  std::size_t least_ = 1;
  double per_task_ = 0;  // nanoseconds, of the last batch
};

}  // namespace joblot::detail

#endif
