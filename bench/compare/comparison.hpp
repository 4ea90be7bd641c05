// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <functional>
#include <limits>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace bench {

/// Who wrote the code of a row. The limit that joblot is held against is the best of `hand_made`,
/// `openmp` and `onetbb`; `other` rows are for orientation.
enum class Kind { joblot, hand_made, openmp, onetbb, other };

inline constexpr double none = std::numeric_limits<double>::quiet_NaN();

/// A second figure that belongs to the same run: memory, or the distance to an ideal.
struct Extra {
  std::string name{};
  double at_most = none;
  bool worst =
      false;  ///< the worst round counts: a process does not grow twice into the same pages
};

/// One column of the table. A bound that is not set is not checked.
struct Workload {
  std::string name;
  std::string unit;          ///< of the figures shown: "ms", "us", "ns"
  double per_second;         ///< seconds times this gives the unit
  bool absolute = false;     ///< the table shows the unit instead of ratios
  double over_limit = none;  ///< bound on joblot / best of hand-made, OpenMP, oneTBB
  double over_peers = none;  ///< bound on joblot / best of OpenMP, oneTBB
  double at_most = none;     ///< bound on joblot's own figure, in the unit
  Extra extra{};
};

/// What one measurement gives.
struct Sample {
  double seconds;  ///< for one operation
  double extra = none;
};

/// A peer computed something wrong: the run fails, whatever its speed.
struct WrongResult : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Options that all programs understand.
struct Settings {
  int rounds = 9;
  int n_jobs = 2;
  bool quick = false;      ///< small sizes and one round: do all rows run, are the results right?
  std::string filter{};    ///< regular expression, searched in "workload/peer"
  std::string samples{};   ///< file that receives every single figure as CSV
  std::string start_up{};  ///< internal: this process measures one cold call of that peer
};

Settings& settings();

/// Sets `settings()` from the defaults and argv and leaves Google Benchmark's own options to it.
/// Exits with a message if something is left over.
void parse(int& argc, char** argv, Settings defaults = {});

/// Runs every workload in rounds (peer A, B, C, A, B, C, ...), because on a shared machine only
/// figures taken close to each other can be compared, and prints ratios formed inside a round.
/// The measurements themselves are Google Benchmark's, with manual time, one iteration each.
class Comparison {
 public:
  explicit Comparison(std::string title) : title_{std::move(title)} {}

  void add(Workload workload) { workloads_.push_back(std::move(workload)); }
  /// `sample` is called once a round; it checks its result and throws `WrongResult`.
  void add(std::string const& workload, std::string const& peer, Kind kind,
           std::function<Sample()> sample);
  /// Names what is not measured and why.
  void skip(std::string const& peer, std::string const& reason);

  /// Measures, prints, and returns main's exit code: 1 if a result was wrong. A missed bound is
  /// printed and is no failure: on a shared machine it may be somebody else's fault.
  int run();

 private:
  struct Row {
    std::string workload;
    std::string peer;
    Kind kind;
    std::function<Sample()> sample;
    std::vector<double> seconds{};
    std::vector<double> extras{};
  };

  void measure(Workload const& workload, std::vector<Row*> const& rows);
  std::vector<Row*> rows_of(std::string const& workload);
  void print_table(std::vector<Workload> const& measured);
  void print_bounds(Workload const& workload);

  std::string title_;
  std::vector<Workload> workloads_;
  std::vector<Row> rows_;
  std::vector<std::string> failures_;
  int disturbed_ = 0;
  double repeating_ = 0;  // seconds spent on repeating disturbed samples
};

}  // namespace bench
