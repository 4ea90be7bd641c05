// SPDX-License-Identifier: MIT
// A long job that can be killed at any time: one result file per row, and only the missing ones
// are made. A bad row does not stop the others.
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <fstream>
#include <ranges>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include <fmt/format.h>

#include <joblot/joblot.hpp>

#include "common.hpp"

namespace fs = std::filesystem;

/// The smallest prime factor: found at once for some numbers, after seconds for others.
std::string smallest_factor(std::string const& text) {
  std::uint64_t number = 0;
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 2) {
    throw std::invalid_argument(fmt::format("\"{}\" is no whole number from 2 to 2^64 - 1", text));
  }
  std::uint64_t factor = 2;
  while (factor <= number / factor && number % factor != 0) ++factor;
  return fmt::format("{}: {}\n", number, number % factor == 0 ? factor : number);
}

/// Under its name a file is there as a whole or not at all: it is written under another one.
void write_whole(fs::path const& path, std::string const& content) {
  fs::path unfinished = path;
  unfinished += ".unfinished";
  std::ofstream file(unfinished, std::ios::binary);
  file << content;
  file.close();
  if (!file) throw std::runtime_error("cannot write " + unfinished.string());
  fs::rename(unfinished, path);
}

struct Row {
  std::string number;
  fs::path result;  // 1.txt for the first row: rows may be added to the CSV, but not moved
};

std::vector<Row> read_rows(fs::path const& csv, fs::path const& results) {
  std::ifstream file(csv);
  std::string line;
  if (!std::getline(file, line)) throw std::runtime_error("no header line in " + csv.string());
  std::vector<Row> rows;
  while (std::getline(file, line)) {
    auto const name = fmt::format("{}.txt", rows.size() + 1);
    rows.push_back({line.substr(0, line.find_first_of(",\r")), results / name});
  }
  return rows;
}

int main(int argc, char** argv) {
  CLI::App app(
      "The smallest prime factor of each number in a CSV; started again, it does the rest");
  joblot::Options options;
  fs::path csv;
  fs::path results = "results";
  examples::add_options(app, options);
  examples::add_progress_bar(app, options);
  app.add_option("csv", csv, "CSV with a header line")->required()->check(CLI::ExistingFile);
  app.add_option("--results", results, "folder for the results")->capture_default_str();

  return examples::run(app, argc, argv, [&] {
    joblot::Parallel const parallel(options);
    fs::create_directories(results);
    auto rows = read_rows(csv, results);
    auto const done = std::erase_if(rows, [](Row const& row) { return fs::exists(row.result); });
    fmt::print("{} rows were done before, {} are left\n", done, rows.size());

    auto const tasks = rows | std::views::transform([](Row const& row) {
                         return [&row] { write_whole(row.result, smallest_factor(row.number)); };
                       });
    std::size_t failed = 0;
    for (auto const& outcome : parallel.outcome_generator_unordered(tasks)) {
      try {
        outcome.value();
      } catch (std::exception const& error) {
        ++failed;
        fmt::print("no {}: {}\n", rows[outcome.index()].result.string(), error.what());
      }
    }
    fmt::print("{} done, {} failed\n", rows.size() - failed, failed);
    if (failed > 0) throw std::runtime_error("correct the rows that failed, then start again");
  });
}
