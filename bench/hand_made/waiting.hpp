// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace bench {

inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// One step of waiting: pauses, then gives the core away, because the one waited for may have been
/// woken on this very core and would stay there, behind a spinning thread, for milliseconds.
/// False when it is time to sleep, after some 100 us.
inline bool wait_a_little(int& steps, int pauses) {
  if (++steps < pauses) {
    relax();
  } else if (steps < pauses + 200) {
    ::sched_yield();
  } else {
    return false;
  }
  return true;
}

inline constexpr int worker_pauses = 2000;
inline constexpr int caller_pauses = 200;

/// The bare system call: std::atomic::wait keeps a table of waiters, which costs the waker.
inline void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t seen) {
  ::syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, seen, nullptr, nullptr, 0);
}

inline void futex_wake_all(std::atomic<std::uint32_t>& word) {
  ::syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 0x7fffffff, nullptr, nullptr, 0);
}

/// Linux in a virtual machine takes a halted core for a busy one and wakes a thread on the core of
/// the waker, where a loop of two milliseconds then runs serially. So the waker forbids a sleeper
/// its own core, and the sleeper takes the ban back once it runs.
class Placement {
 public:
  Placement() { ::sched_getaffinity(0, sizeof allowed_, &allowed_); }

  void away_from_here(::pid_t sleeper) const {
    if (CPU_COUNT(&allowed_) < 2) return;
    ::cpu_set_t elsewhere = allowed_;
    CPU_CLR(static_cast<unsigned>(::sched_getcpu()), &elsewhere);
    ::sched_setaffinity(sleeper, sizeof elsewhere, &elsewhere);
  }

  void anywhere() const { ::sched_setaffinity(0, sizeof allowed_, &allowed_); }

 private:
  ::cpu_set_t allowed_{};
};

}  // namespace bench
