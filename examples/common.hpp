// SPDX-License-Identifier: MIT
// What the examples share: the options every one of them has, and errors as one line on stderr.
#ifndef JOBLOT_EXAMPLES_COMMON_HPP
#define JOBLOT_EXAMPLES_COMMON_HPP

#include <cerrno>
#include <cstdio>
#include <exception>
#include <iostream>
#include <string>
#include <system_error>

#include <CLI/CLI.hpp>

#include <joblot/joblot.hpp>

namespace examples {

/// Adds --n-jobs, --backend and --verbose. What is not given on the command line stays unset, so
/// the library's own defaults hold. `options` must outlive the parsing.
inline void add_options(CLI::App& app, joblot::Options& options) {
  app.add_option_function<int>(
      "--n-jobs", [&options](int n_jobs) { options.n_jobs = n_jobs; },
      "workers: -1 is one for each CPU (the default), -2 one less");
  app.add_option_function<std::string>(
      "--backend", [&options](std::string const& name) { options.backend = name; },
      "who does the work: threading, sequential, or a registered name");
  app.add_option_function<int>(
      "--verbose", [&options](int verbose) { options.verbose = verbose; },
      "progress lines: 0 for none (the default), more of them up to 11");
}

/// Adds --progress-bar.
inline void add_progress_bar(CLI::App& app, joblot::Options& options) {
  app.add_flag_callback(
      "--progress-bar", [&options] { options.progress_bar = true; }, "a live bar on stderr");
}

/// Parses the command line, runs `body()`, and returns the exit status: 0, 1 if it failed, 2 if an
/// option is wrong. The messages go through streams that do not throw when stderr is closed.
template <class Body>
int run(CLI::App& app, int argc, char** argv, Body body) {
  try {
    app.parse(argc, argv);
    body();
    if (std::fflush(stdout) != 0) {
      throw std::system_error(errno, std::generic_category(), "cannot write to stdout");
    }
    return 0;
  } catch (CLI::ParseError const& error) {
    return app.exit(error) == 0 ? 0 : 2;  // --help is one of these, too
  } catch (joblot::InvalidOption const& error) {
    std::cerr << app.get_name() << ": " << error.what() << '\n';
    return 2;
  } catch (std::exception const& error) {
    std::cerr << app.get_name() << ": " << error.what() << '\n';
    return 1;
  }
}

}  // namespace examples

#endif
