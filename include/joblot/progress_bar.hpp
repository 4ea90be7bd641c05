// SPDX-License-Identifier: MIT
// The bar of the option `progress_bar`: how it looks, and the drawing of it.
#ifndef JOBLOT_PROGRESS_BAR_HPP
#define JOBLOT_PROGRESS_BAR_HPP

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include <joblot/terminal.hpp>

namespace joblot::detail {

struct BarCounts {
  std::size_t completed = 0;
  std::optional<std::size_t> total = std::nullopt;
  double elapsed = 0;  // seconds
};

enum class BarState { running, finished, stopped };

/// Seconds until the end if the tasks left take as long as those done; none while nobody can know.
inline std::optional<double> estimate_remaining(BarCounts const& counts) {
  if (!counts.total || counts.completed == 0) return std::nullopt;
  auto const left = *counts.total - (std::min)(counts.completed, *counts.total);
  return counts.elapsed / static_cast<double>(counts.completed) * static_cast<double>(left);
}

/// `0:07`, `12:34`, `1:02:03`, `3d 01:02:03`.
inline std::string clock_text(double seconds) {
  if (!(seconds < 1e9)) return "--:--";
  auto const s = static_cast<long long>((std::max)(seconds, 0.0));
  auto const minutes = s / 60 % 60;
  if (s < 3600) return fmt::format("{}:{:02}", minutes, s % 60);
  if (s < 86400) return fmt::format("{}:{:02}:{:02}", s / 3600, minutes, s % 60);
  return fmt::format("{}d {:02}:{:02}:{:02}", s / 86400, s / 3600 % 24, minutes, s % 60);
}

/// Tasks per second, or seconds per task where that is the better number; empty if not known yet.
inline std::string rate_text(BarCounts const& counts) {
  if (counts.completed == 0 || !(counts.elapsed > 0)) return {};
  double const rate = static_cast<double>(counts.completed) / counts.elapsed;
  if (rate < 1) return fmt::format("{:.1f} s/task", 1 / rate);
  if (rate < 1e3) return fmt::format("{:.1f}/s", rate);
  if (rate < 1e6) return fmt::format("{:.1f}k/s", rate / 1e3);
  return fmt::format("{:.1f}M/s", rate / 1e6);
}

/// The share done, 0 to 1, and 1 for nothing to do.
inline double bar_fraction(BarCounts const& counts) {
  if (counts.completed >= *counts.total) return 1;
  return static_cast<double>(counts.completed) / static_cast<double>(*counts.total);
}

/// `[####......]` in exactly `columns` columns; no frame around less than six cells.
inline std::string bar_graph(double fraction, std::size_t columns) {
  if (columns < 8) return {};
  std::size_t const cells = (std::min<std::size_t>)(columns - 2, 30);
  auto const full = static_cast<std::size_t>(fraction * static_cast<double>(cells));
  return fmt::format("[{:#<{}}{:.<{}}]", "", full, "", cells - full);
}

/// The bar as one line of at most `columns` ASCII characters, without a line end. Where there is
/// less room, first the graph shrinks and goes, then elapsed, rate, percentage, ETA. `graph` false
/// leaves the graph and the spinner out; `tick` turns the spinner.
inline std::string bar_line(BarCounts const& counts, std::size_t columns, BarState state,
                            std::size_t tick = 0, bool graph = true) {
  std::string head;
  std::string count = fmt::format("{} done", counts.completed);
  std::string tail = state == BarState::stopped ? "stopped" : "";
  if (counts.total) {
    // Rounded down: 100 % means done.
    head = fmt::format("{:3}%", static_cast<int>(std::floor(bar_fraction(counts) * 100)));
    count = fmt::format("{:{}}/{}", counts.completed, fmt::formatted_size("{}", *counts.total),
                        *counts.total);
    if (state == BarState::running) {
      auto const remaining = estimate_remaining(counts);
      tail = "ETA " + (remaining ? clock_text(*remaining) : "--:--");
    }
  } else if (graph && state == BarState::running) {
    head = std::string_view("|/-\\").substr(tick % 4, 1);
  }
  std::array<std::string, 5> parts{head, count, rate_text(counts),
                                   "elapsed " + clock_text(counts.elapsed), tail};
  auto const join = [&parts] {
    std::string line;
    for (auto const& part : parts) {
      if (!part.empty()) line += (line.empty() ? "" : "  ") + part;
    }
    return line;
  };
  std::string line = join();
  for (std::size_t const dropped : {3U, 2U, 0U, 4U}) {
    if (line.size() <= columns) break;
    parts[dropped].clear();
    line = join();
  }
  if (line.size() > columns) line.resize(columns);
  if (graph && counts.total && line.size() + 1 < columns && !parts[0].empty()) {
    auto const cells = bar_graph(bar_fraction(counts), columns - line.size() - 1);
    if (!cells.empty()) line.insert(parts[0].size(), " " + cells);
  }
  return line;
}

/// A bar on a stream: redrawn in place on a terminal, now and then a line of its own elsewhere.
/// Draws nothing by itself between the calls. Not for several threads at once.
class ProgressBar {
 public:
  explicit ProgressBar(int fd = stderr_fd) : sink_(fd), live_(is_terminal(fd)) {}

  /// Shows `counts`. Returns when, in seconds of `counts.elapsed`, the next call is due: a tenth of
  /// a second later on a terminal; elsewhere after 5 s, then ever more rarely, up to a minute.
  double update(BarCounts const& counts) {
    if (live_) {
      draw(bar_line(counts, columns(), BarState::running, tick_++), "");
      return counts.elapsed + 0.1;
    }
    if (counts.elapsed >= next_line_) {
      sink_.write(bar_line(counts, plain_columns, BarState::running, 0, false) + "\n");
      next_line_ = counts.elapsed + interval_;
      interval_ = (std::min)(interval_ * 1.5, 60.0);
    }
    return next_line_;
  }

  /// Takes the bar off the screen, so that other text can be written; `update` brings it back.
  void erase() {
    if (shown_ == 0) return;
    sink_.write(fmt::format("\r{:{}}\r", "", (std::min)(shown_, columns())));
    shown_ = 0;
  }

  /// Shows how far it got and ends the line, so that what comes next starts on its own.
  void finish(BarCounts const& counts, bool succeeded) {
    auto const state = succeeded ? BarState::finished : BarState::stopped;
    if (live_) {
      draw(bar_line(counts, columns(), state), "\n");
      shown_ = 0;
    } else {
      sink_.write(bar_line(counts, plain_columns, state, 0, false) + "\n");
    }
  }

 private:
  static constexpr std::size_t plain_columns = 200;

  /// One less than there are: a full last column makes some terminals wrap.
  [[nodiscard]] std::size_t columns() const {
    return (std::max<std::size_t>)(terminal_width(sink_.fd()), 2) - 1;
  }

  /// Blanks cover the rest of a longer line from before; unlike an escape sequence they work
  /// wherever `\r` does.
  void draw(std::string_view line, std::string_view end) {
    auto const covered = (std::min)((std::max)(shown_, line.size()), columns());
    sink_.write(fmt::format("\r{:<{}}{}", line, covered, end));
    shown_ = line.size();
  }

  TextSink sink_;
  bool live_;
  std::size_t shown_ = 0;  // columns the bar takes on the screen now
  std::size_t tick_ = 0;
  double next_line_ = 5;
  double interval_ = 5;
};

}  // namespace joblot::detail

#endif
