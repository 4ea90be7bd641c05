// SPDX-License-Identifier: MIT
#include "compare/comparison.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <optional>
#include <regex>
#include <set>
#include <string_view>
#include <thread>

#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "compare/statistics.hpp"
#include "compare/table.hpp"

namespace bench {
namespace {

using namespace std::chrono_literals;

// libgomp's idle threads spin for several milliseconds, and all peers live in one process: whoever
// comes next must not pay for them.
constexpr auto settle_time = 20ms;

// Samples taken while other programs used the machine are repeated, but on a machine that is always
// busy a run must end as well.
constexpr int tries = 3;
constexpr double most_repeating = 30;

class Collector : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(Context const&) override { return true; }
  void ReportRuns(std::vector<Run> const& runs) override {
    for (Run const& run : runs) {
      seconds = run.real_accumulated_time / static_cast<double>(run.iterations);
      auto const counter = run.counters.find("extra");
      if (counter != run.counters.end()) extra = counter->second.value;
    }
  }

  double seconds = none;
  double extra = none;
};

std::string name_of(std::string const& workload, std::string const& peer) {
  return fmt::format("{}/{}", workload, peer);
}

/// CPU seconds that other programs (and the hypervisor) have used on this machine so far.
std::optional<double> others() {
  std::ifstream file{"/proc/stat"};
  std::string label;
  double user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0;
  if (!(file >> label >> user >> nice >> system >> idle >> iowait >> irq >> softirq >> steal))
    return std::nullopt;
  rusage own{};
  ::getrusage(RUSAGE_SELF, &own);
  auto const seconds = [](timeval t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  double const ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  return (user + nice + system + irq + softirq + steal) / ticks - seconds(own.ru_utime) -
         seconds(own.ru_stime);
}

std::string machine() {
  std::string model = "unknown CPU";
  std::ifstream cpuinfo{"/proc/cpuinfo"};
  for (std::string line; std::getline(cpuinfo, line);) {
    if (line.starts_with("model name")) {
      model = line.substr(line.find(':') + 2);
      break;
    }
  }
  utsname system{};
  ::uname(&system);
  return fmt::format("{} x {}, {} {}, compiler {}", std::thread::hardware_concurrency(), model,
                     system.sysname, system.release, BENCH_COMPILER);
}

bool is_limit(Kind kind) {
  return kind == Kind::hand_made || kind == Kind::openmp || kind == Kind::onetbb;
}
bool is_peer_library(Kind kind) { return kind == Kind::openmp || kind == Kind::onetbb; }

[[noreturn]] void refuse(std::string const& text) {
  fmt::print(stderr, "{}\n", text);
  std::exit(2);
}

int number(std::string_view option, std::string const& text) {
  char* end = nullptr;
  long const value = std::strtol(text.c_str(), &end, 10);
  if (text.empty() || *end != '\0' || value < 1 || value > 1000)
    refuse(fmt::format("{} must be a number from 1 to 1000, not '{}'", option, text));
  return static_cast<int>(value);
}

}  // namespace

Settings& settings() {
  static Settings settings;
  return settings;
}

void parse(int& argc, char** argv, Settings defaults) {
  Settings& s = settings();
  s = std::move(defaults);
  bool rounds_given = false;
  int kept = 1;
  for (int i = 1; i < argc; ++i) {
    std::string_view const argument = argv[i];
    auto const value = [&](std::string_view option) -> std::optional<std::string> {
      if (!argument.starts_with(option)) return std::nullopt;
      return std::string{argument.substr(option.size())};
    };
    if (argument == "--quick") {
      s.quick = true;
    } else if (auto const rounds = value("--rounds=")) {
      s.rounds = number("--rounds", *rounds);
      rounds_given = true;
    } else if (auto const jobs = value("--n-jobs=")) {
      s.n_jobs = number("--n-jobs", *jobs);
    } else if (auto const filter = value("--filter=")) {
      s.filter = *filter;
    } else if (auto const samples = value("--samples=")) {
      s.samples = *samples;
    } else if (auto const peer = value("--start-up=")) {
      s.start_up = *peer;
    } else {
      argv[kept++] = argv[i];
    }
  }
  if (s.quick && !rounds_given) s.rounds = 1;
  argc = kept;
  benchmark::Initialize(&argc, argv);
  if (argc > 1)
    refuse(
        fmt::format("unknown option '{}'; known: --quick --rounds=N --n-jobs=N --filter=REGEX "
                    "--samples=FILE and Google Benchmark's",
                    argv[1]));
}

void Comparison::add(std::string const& workload, std::string const& peer, Kind kind,
                     std::function<Sample()> sample) {
  if (!settings().filter.empty() &&
      !std::regex_search(name_of(workload, peer), std::regex{settings().filter}))
    return;
  rows_.push_back({workload, peer, kind, std::move(sample)});
}

void Comparison::skip(std::string const& peer, std::string const& reason) {
  if (settings().start_up.empty()) fmt::print("{}: {} is not measured: {}\n", title_, peer, reason);
}

std::vector<Comparison::Row*> Comparison::rows_of(std::string const& workload) {
  std::vector<Row*> rows;
  for (Row& row : rows_)
    if (row.workload == workload) rows.push_back(&row);
  return rows;
}

int Comparison::run() {
  for (Row& row : rows_) {
    std::string const name = name_of(row.workload, row.peer);
    benchmark::RegisterBenchmark(
        name.c_str(),
        [this, &row, name](benchmark::State& state) {
          for (auto _ : state) {
            try {
              Sample const sample = row.sample();
              state.SetIterationTime(sample.seconds);
              state.counters["extra"] = sample.extra;
            } catch (std::exception const& error) {
              failures_.push_back(fmt::format("{}: {}", name, error.what()));
              state.SkipWithError(error.what());
              break;
            }
          }
        })
        ->Iterations(1)
        ->UseManualTime();
  }
  std::vector<Workload> measured;
  for (Workload const& workload : workloads_) {
    auto const rows = rows_of(workload.name);
    if (rows.empty()) continue;
    measure(workload, rows);
    measured.push_back(workload);
  }
  for (std::string const& failure : failures_) fmt::print("FAILED  {}\n", failure);
  if (!failures_.empty()) return 1;
  if (measured.empty()) return 0;
  print_table(measured);
  if (!settings().quick)
    for (Workload const& workload : measured) print_bounds(workload);
  if (disturbed_ > 0)
    fmt::print("{} samples were taken while other programs were busy\n", disturbed_);
  return 0;
}

void Comparison::measure(Workload const& workload, std::vector<Row*> const& rows) {
  std::ofstream samples;
  if (!settings().samples.empty()) samples.open(settings().samples, std::ios::app);
  int const rounds = settings().rounds;
  for (int round = 0; round < rounds; ++round) {
    fmt::print(stderr, "{}: {} {}/{}\n", title_, workload.name, round + 1, rounds);
    for (std::size_t k = 0; k < rows.size(); ++k) {
      // A peer that always ran behind the same one would inherit its caches and its noise.
      Row& row = *rows[(k + static_cast<std::size_t>(round)) % rows.size()];
      std::string const spec = fmt::format("^{}/iterations", name_of(row.workload, row.peer));
      Collector collector;
      bool quiet = false;
      for (int attempt = 0; attempt < tries && !quiet; ++attempt) {
        if (attempt > 0 && (settings().quick || repeating_ > most_repeating)) break;
        std::this_thread::sleep_for(settings().quick ? 1ms : settle_time);
        auto const before = others();
        auto const start = std::chrono::steady_clock::now();
        benchmark::RunSpecifiedBenchmarks(&collector, spec);
        std::chrono::duration<double> const wall = std::chrono::steady_clock::now() - start;
        auto const after = others();
        if (attempt > 0) repeating_ += wall.count();
        quiet = !before || !after || *after - *before < 0.03 + 0.06 * wall.count();
      }
      if (!quiet) ++disturbed_;
      row.seconds.push_back(collector.seconds);
      row.extras.push_back(collector.extra);
      if (samples)
        samples << fmt::format("{},{},{},{},{},{}\n", workload.name, row.peer, round,
                               collector.seconds, collector.extra, quiet ? "quiet" : "disturbed");
      if (!failures_.empty()) return;
    }
  }
}

namespace {

template <class Row>
Row* best_of(std::vector<Row*> const& rows, bool (*counts)(Kind)) {
  Row* best = nullptr;
  for (Row* row : rows)
    if (counts(row->kind) && (best == nullptr || median(row->seconds) < median(best->seconds)))
      best = row;
  return best;
}

double extra_of(Workload const& workload, std::vector<double> const& values) {
  return quantile(values, workload.extra.worst ? 1 : 0.5);
}

std::string figure(double value) {
  if (std::isnan(value)) return "-";
  return fmt::format("{:.{}f}", value, value < 10 ? 2 : value < 1000 ? 1 : 0);
}

}  // namespace

void Comparison::print_table(std::vector<Workload> const& measured) {
  fmt::print("\n{}: {}; n_jobs = {}, median of {} interleaved rounds\n", title_, machine(),
             settings().n_jobs, settings().rounds);
  if (!std::all_of(measured.begin(), measured.end(), [](auto const& w) { return w.absolute; }))
    fmt::print("Ratios to the best of hand-made, OpenMP and oneTBB, formed inside a round.\n");
  fmt::print("\n");

  std::vector<std::vector<std::string>> columns(1);
  std::vector<std::string> peers;
  for (Row const& row : rows_)
    if (std::find(peers.begin(), peers.end(), row.peer) == peers.end()) peers.push_back(row.peer);
  columns[0] = {"peer", "**best (absolute)**"};
  columns[0].insert(columns[0].end(), peers.begin(), peers.end());

  for (Workload const& workload : measured) {
    auto const rows = rows_of(workload.name);
    Row const* best = best_of(rows, is_limit);
    if (best == nullptr) best = rows.front();
    auto const cells = [&](std::string const& head, std::string const& top, auto cell) {
      std::vector<std::string> column{head, top};
      for (std::string const& peer : peers) {
        auto const row =
            std::find_if(rows.begin(), rows.end(), [&](Row const* r) { return r->peer == peer; });
        column.push_back(row == rows.end() ? "-" : cell(**row));
      }
      columns.push_back(std::move(column));
    };
    auto const shown = [&](Row const& row) { return median(row.seconds) * workload.per_second; };
    cells(workload.absolute ? workload.name + " " + workload.unit : workload.name,
          figure(shown(*best)) + " " + workload.unit, [&](Row const& row) {
            return workload.absolute
                       ? figure(shown(row))
                       : fmt::format("{:.2f}", median(ratios(row.seconds, best->seconds)));
          });
    if (!workload.extra.name.empty())
      cells(workload.extra.name, "",
            [&](Row const& row) { return figure(extra_of(workload, row.extras)); });
  }

  print_markdown(columns);
  fmt::print("\n");
}

void Comparison::print_bounds(Workload const& workload) {
  auto const rows = rows_of(workload.name);
  auto const ours = std::find_if(rows.begin(), rows.end(),
                                 [](Row const* row) { return row->kind == Kind::joblot; });
  if (ours == rows.end()) return;
  double const value = median((*ours)->seconds) * workload.per_second;
  auto const verdict = [&](double measured, double bound, std::string const& text) {
    fmt::print("{}  {}: {}\n", measured <= bound ? "PASS" : "OVER", workload.name, text);
  };
  auto const against = [&](bool (*counts)(Kind), double bound) {
    if (std::isnan(bound)) return;
    Row const* best = best_of(rows, counts);
    if (best == nullptr) return;
    auto const all = ratios((*ours)->seconds, best->seconds);
    verdict(median(all), bound,
            fmt::format("{:.3f} of {} (quartiles {:.3f}..{:.3f}; {} against {} {}), bound {:.2f}",
                        median(all), best->peer, quantile(all, 0.25), quantile(all, 0.75),
                        figure(value), figure(median(best->seconds) * workload.per_second),
                        workload.unit, bound));
  };
  against(is_limit, workload.over_limit);
  against(is_peer_library, workload.over_peers);
  if (!std::isnan(workload.at_most))
    verdict(value, workload.at_most,
            fmt::format("{} {}, bound {}", figure(value), workload.unit, workload.at_most));
  double const extra = extra_of(workload, (*ours)->extras);
  if (!std::isnan(workload.extra.at_most))
    verdict(extra, workload.extra.at_most,
            fmt::format("{} {:.3f}, bound {}", workload.extra.name, extra, workload.extra.at_most));
}

}  // namespace bench
