// SPDX-License-Identifier: MIT
// The most frequent words of many files: each file is counted by itself, the counts are combined.
#include <algorithm>
#include <cctype>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <ranges>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <joblot/joblot.hpp>

#include "common.hpp"

namespace fs = std::filesystem;

struct Counts {
  std::unordered_map<std::string, std::size_t> words{};
  std::size_t texts = 0;
  std::size_t binary = 0;
  std::size_t unreadable = 0;
};

/// The words of one file, in lower case. It is read as a stream, so its size does not matter.
Counts count_words(fs::path const& path) try {
  Counts counts{.texts = 1};
  std::ifstream file;
  file.exceptions(std::ios::failbit | std::ios::badbit);
  file.open(path, std::ios::binary);
  std::string word;
  for (std::istreambuf_iterator<char> next(file), end; next != end; ++next) {
    auto const c = static_cast<unsigned char>(*next);
    if (c == 0) return {.binary = 1};
    if (std::isalpha(c) != 0) {
      word += static_cast<char>(std::tolower(c));
    } else if (!word.empty()) {
      ++counts.words[std::exchange(word, {})];
    }
  }
  if (!word.empty()) ++counts.words[word];
  return counts;
} catch (std::ios_base::failure const&) {
  return {.unreadable = 1};
}

Counts combine(Counts a, Counts b) {
  if (a.words.size() < b.words.size()) std::swap(a.words, b.words);
  for (auto const& [word, count] : b.words) a.words[word] += count;
  return {std::move(a.words), a.texts + b.texts, a.binary + b.binary, a.unreadable + b.unreadable};
}

/// Appends the files in and below `root`, but no links: each text counts once.
void find_files(fs::path const& root, std::vector<fs::path>& files) {
  if (!fs::is_directory(root)) return files.push_back(root);
  auto const options = fs::directory_options::skip_permission_denied;
  for (fs::recursive_directory_iterator entry(root, options), end; entry != end; ++entry) {
    auto const name = entry->path().filename();
    if (name == ".git" || name == "build") {
      entry.disable_recursion_pending();
    } else if (entry->is_regular_file() && !entry->is_symlink()) {
      files.push_back(entry->path());
    }
  }
}

int main(int argc, char** argv) {
  CLI::App app("Counts words in the text files in and below folders, but not in .git and build");
  joblot::Options options;
  std::vector<fs::path> roots{"/usr/share/common-licenses", JOBLOT_REPOSITORY};
  int top = 10;
  examples::add_options(app, options);
  examples::add_progress_bar(app, options);
  app.add_option("paths", roots, "folders or files: by default, licences and joblot's sources")
      ->check(CLI::ExistingPath);
  app.add_option("--top", top, "how many words are shown")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);

  return examples::run(app, argc, argv, [&] {
    joblot::Parallel const parallel(options);
    std::vector<fs::path> files;
    for (auto const& root : roots) find_files(root, files);
    auto const counts = parallel.reduce(files, Counts{}, combine, count_words);

    std::vector<std::pair<std::size_t, std::string>> ranking;
    ranking.reserve(counts.words.size());
    for (auto const& [word, count] : counts.words) ranking.emplace_back(count, word);
    std::ranges::sort(ranking, std::greater());
    for (auto const& [count, word] : ranking | std::views::take(top)) {
      fmt::print("{:8}  {}\n", count, word);
    }
    fmt::print("{} different words in {} texts; skipped: {} binary, {} unreadable\n",
               counts.words.size(), counts.texts, counts.binary, counts.unreadable);
  });
}
