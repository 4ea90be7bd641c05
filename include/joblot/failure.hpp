// SPDX-License-Identifier: MIT
// Which task made a call fail, remembered for the thread that made the call.
#ifndef JOBLOT_FAILURE_HPP
#define JOBLOT_FAILURE_HPP

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace joblot {
inline namespace v1 {

/// The task whose exception a call reported: its submission index, the worker that ran it
/// (0 .. n_jobs-1) and the number of the attempt (1, 2, ...).
struct TaskFailure {
  std::size_t index = 0;
  int worker_id = 0;
  int attempt = 1;
};

}  // namespace v1

namespace detail {

/// Trivially destructible, so that it can be used by destructors of any thread or static object.
struct LastFailure {
  std::uint64_t owner = 0;  // id of the Parallel the call was made on
  bool failed = false;
  TaskFailure task;
};

constinit inline thread_local LastFailure this_thread_last_failure{};

inline void remember_failure(std::uint64_t owner, std::optional<TaskFailure> task) noexcept {
  this_thread_last_failure = {owner, task.has_value(), task.value_or(TaskFailure{})};
}

/// The identity of a `Parallel`: a copy is another object, so it has an id of its own.
class ParallelId {
 public:
  ParallelId() noexcept : value_(next()) {}
  ParallelId(ParallelId const& /*other*/) noexcept : value_(next()) {}
  ParallelId& operator=(ParallelId const& /*other*/) noexcept { return *this; }
  ~ParallelId() = default;

  [[nodiscard]] std::uint64_t value() const noexcept { return value_; }

 private:
  static std::uint64_t next() noexcept {
    static constinit std::atomic<std::uint64_t> last{0};
    return last.fetch_add(1, std::memory_order_relaxed) + 1;  // only uniqueness matters
  }

  std::uint64_t value_;
};

}  // namespace detail

inline namespace v1 {

/// Which task made this thread's last finished call throw; empty after a success, and when the
/// error came from the input range or from `on_progress`. A generator counts as a call that
/// finishes in the thread whose `next` meets its end or its error.
[[nodiscard]] inline std::optional<TaskFailure> last_failure() noexcept {
  auto const& last = detail::this_thread_last_failure;
  return last.failed ? std::optional(last.task) : std::nullopt;
}

}  // namespace v1
}  // namespace joblot

#endif
