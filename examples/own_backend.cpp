// SPDX-License-Identifier: MIT
// A backend of one's own: who brings the threads. This one starts new ones for every call.
#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <ranges>
#include <set>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <joblot/joblot.hpp>
#include <joblot/testing.hpp>

#include "common.hpp"

class AsyncBackend final : public joblot::Backend {
 public:
  [[nodiscard]] std::string_view name() const override { return "AsyncBackend"; }

  /// Worker 0 is the caller. Nothing else is asked of a backend: which tasks a worker runs, what
  /// becomes of their results and errors, and when it is over, `work` knows.
  void start(std::shared_ptr<joblot::Call> call) override {
    std::lock_guard const lock(mutex_);
    std::erase_if(workers_, [](std::future<void> const& worker) {
      return worker.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
    });
    try {
      for (int w = 1; w < call->n_jobs(); ++w) {
        workers_.push_back(std::async(std::launch::async, [call, w]() mutable {
          std::exchange(call, nullptr)->work(w);  // a call wants to be let go of when it is over
        }));
      }
    } catch (std::system_error const&) {
      // No more threads to be had: fewer than asked for will do.
    }
  }

 private:
  std::mutex mutex_;                        // calls may start at the same time
  std::vector<std::future<void>> workers_;  // those of std::async join when they are destroyed
};

int main(int argc, char** argv) {
  CLI::App app("Runs tasks on a backend that is written in this program");
  bool check = false;
  joblot::register_parallel_backend("async", [] { return std::make_shared<AsyncBackend>(); });
  joblot::Options options;
  options.backend = "async";
  examples::add_options(app, options);
  app.add_flag("--check", check, "make sure that it does what the library expects of a backend");

  return examples::run(app, argc, argv, [&] {
    if (check) {
      auto const report = joblot::testing::check_backend(std::make_shared<AsyncBackend>());
      fmt::print("{}", report.text());
      if (!report.passed()) throw std::runtime_error("this is no good backend");
      return;
    }
    joblot::Parallel const parallel(options);
    auto const threads = parallel.map(std::views::iota(0, 40), [](int /*task*/) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      return std::this_thread::get_id();
    });
    std::set const different(threads.begin(), threads.end());
    fmt::print("{} tasks, threads: {}, the caller among them: {}\n", threads.size(),
               different.size(), different.contains(std::this_thread::get_id()));
  });
}
