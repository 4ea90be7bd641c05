// SPDX-License-Identifier: MIT
// Objects that live as long as their process, some of which a forked child does not inherit.
#ifndef JOBLOT_FORK_LOCAL_HPP
#define JOBLOT_FORK_LOCAL_HPP

#include <atomic>
#include <memory>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace joblot::detail {

/// The object that `current` points to, made if there is none. Two threads may both make one, of
/// which one is dropped. Not a static local: a thread that is about to construct one holds a lock,
/// which a child forked at that moment would wait for for ever.
template <class T>
T& made_once(std::atomic<T*>& current) {
  auto* object = current.load(std::memory_order_acquire);  // pairs with the exchange below
  if (object != nullptr) return *object;
  auto fresh = std::make_unique<T>();
  if (current.compare_exchange_strong(object, fresh.get())) return *fresh.release();
  return *object;
}

/// The one `T` of this program, made on first use, and never destroyed, so that destructors of
/// static objects may use it.
template <class T>
T& immortal() {
  static constinit std::atomic<T*> current{nullptr};
  return made_once(current);
}

/// The same, but one for each process: a forked child makes its own, because in the parent's a
/// lock may have been taken by a thread that the child does not have.
template <class T>
T& fork_local() {
  static constinit std::atomic<T*> current{nullptr};
#if defined(__unix__) || defined(__APPLE__)
  static constinit std::atomic<bool> watched{false};
  if (!watched.load(std::memory_order_relaxed)) {
    // Once is enough, but twice does no harm. If it fails, for lack of memory, only children of a
    // fork have to do without.
    static_cast<void>(pthread_atfork(nullptr, nullptr, [] { current.store(nullptr); }));
    watched.store(true, std::memory_order_relaxed);
  }
#endif
  return made_once(current);
}

}  // namespace joblot::detail

#endif
