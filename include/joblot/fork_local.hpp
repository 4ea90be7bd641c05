// SPDX-License-Identifier: MIT
// Objects that live as long as their process, and that a forked child does not inherit.
#ifndef JOBLOT_FORK_LOCAL_HPP
#define JOBLOT_FORK_LOCAL_HPP

#include <atomic>
#include <memory>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace joblot::detail {

/// The one `T` of this process, made on first use. Never destroyed, so that destructors of static
/// objects may use it. A forked child makes its own: in the parent's a lock may have been taken by
/// a thread that the child does not have.
template <class T>
T& fork_local() {
  static constinit std::atomic<T*> current{nullptr};
  auto* object = current.load(std::memory_order_acquire);  // pairs with the exchange below
  if (object != nullptr) return *object;
#if defined(__unix__) || defined(__APPLE__)
  // If that fails, for lack of memory, only children of a fork have to do without.
  static int const registered = pthread_atfork(nullptr, nullptr, [] { current.store(nullptr); });
  static_cast<void>(registered);
#endif
  auto fresh = std::make_unique<T>();
  if (current.compare_exchange_strong(object, fresh.get())) return *fresh.release();
  return *object;
}

}  // namespace joblot::detail

#endif
