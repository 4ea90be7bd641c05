// SPDX-License-Identifier: MIT
// A parallel loop in a parallel loop: the inner ones get the threads that the outer one has left
// over, so there are never more of them than were asked for.
#include <algorithm>
#include <chrono>
#include <functional>
#include <mutex>
#include <ranges>
#include <thread>

#include <fmt/format.h>

#include <joblot/joblot.hpp>

#include "common.hpp"

/// How many tasks run at the same time.
class Gauge {
 public:
  void enter() {
    std::lock_guard const lock(mutex_);
    most_ = std::max(most_, ++now_);
  }
  void leave() {
    std::lock_guard const lock(mutex_);
    --now_;
  }
  [[nodiscard]] int most() const { return most_; }

 private:
  std::mutex mutex_;
  int now_ = 0;
  int most_ = 0;
};

int main(int argc, char** argv) {
  CLI::App app("A few long loops side by side, each of them parallel, too");
  joblot::Options options;
  int outer = 8;
  int inner = 50;
  examples::add_options(app, options);
  app.add_option("--outer", outer, "number of outer tasks")->capture_default_str();
  app.add_option("--inner", inner, "tasks in each of them")->capture_default_str();

  return examples::run(app, argc, argv, [&] {
    Gauge gauge;
    auto const product = [&gauge](int i, int k) {
      gauge.enter();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      gauge.leave();
      return i * k;
    };
    joblot::Parallel const parallel(options);
    auto const sum_row = [&](int i) {
      // In a task, so it runs here, with the help of threads that have nothing else to do. At the
      // end of the outer loop, when only one long row is left, all of them work on that.
      return parallel.reduce(std::views::iota(0, inner), 0, std::plus<>(),
                             [&](int k) { return product(i, k); });
    };
    int const sum = parallel.reduce(std::views::iota(0, outer), 0, std::plus<>(), sum_row);

    fmt::print("{} x {} tasks, sum {}\n", outer, inner, sum);
    fmt::print("n_jobs {}, at most {} tasks at the same time\n", parallel.n_jobs(), gauge.most());
  });
}
