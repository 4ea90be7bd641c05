// SPDX-License-Identifier: MIT
// What a task can ask about itself.
#ifndef JOBLOT_THIS_TASK_HPP
#define JOBLOT_THIS_TASK_HPP

#include <cstddef>
#include <stop_token>

#include <joblot/job.hpp>

namespace joblot {
inline namespace v1 {

/// About the task that the calling thread runs, the innermost one if calls are nested. Outside of
/// a task: index 0, attempt 1, worker 0, no stop. None of it throws but `stop_token`, for memory.
namespace this_task {

/// Submission index: the position of the task in its range.
[[nodiscard]] inline std::size_t index() noexcept {
  return detail::current_task != nullptr ? detail::current_task->index() : 0;
}

/// 1 on the first run, more if the task was lost with its worker and is run again.
[[nodiscard]] inline int attempt() noexcept {
  return detail::current_task != nullptr ? detail::current_task->attempt() : 1;
}

/// The worker that runs the task, 0 .. n_jobs-1. Two tasks of one call with the same worker never
/// overlap, and the earlier happens before the later: scratch space per worker needs no lock.
[[nodiscard]] inline int worker_id() noexcept {
  return detail::current_task != nullptr ? detail::current_task->worker_id() : 0;
}

/// Whether the result is no longer wanted: the call is cancelled or this task is overdue.
[[nodiscard]] inline bool stop_requested() noexcept {
  auto const* const task = detail::current_task;
  return task != nullptr && task->job().stop_requested(*task);
}

/// The same as a token, for what waits with `std::stop_token` or wants a callback. Each task has
/// its own; it cannot be stopped outside of a task.
[[nodiscard]] inline std::stop_token stop_token() {
  auto* const task = detail::current_task;
  return task != nullptr ? task->job().stop_token(*task) : std::stop_token();
}

}  // namespace this_task
}  // namespace v1
}  // namespace joblot

#endif
