// SPDX-License-Identifier: MIT
// What lies where in the memory that a parent and a worker share.
#ifndef JOBLOT_PROCESS_CHANNEL_MEMORY_HPP
#define JOBLOT_PROCESS_CHANNEL_MEMORY_HPP

#if defined(__linux__)

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <joblot/process/bell.hpp>
#include <joblot/process/ring.hpp>

namespace joblot::detail {

/// What a worker does now, for the parent to see, also after the worker's death.
struct alignas(64) WorkerSlot {
  std::atomic<std::int64_t> task{-1};  // number of the task, counted over its life; -1: none
  std::atomic<std::int64_t> since{0};  // when it began, in ns of steady_clock
};

/// How the memory of a channel begins; the rings follow at `rings_at`, first the worker's.
struct ChannelMemory {
  WorkerSlot slot;
  SleepFlag worker_sleeps;
  SleepFlag parent_sleeps;
  RingIndices to_worker;
  RingIndices to_parent;

  static constexpr std::size_t rings_at = 4096;

  static std::size_t size_for(std::size_t ring_bytes) noexcept { return rings_at + 2 * ring_bytes; }
};
static_assert(sizeof(ChannelMemory) <= ChannelMemory::rings_at);

}  // namespace joblot::detail

#endif

#endif
