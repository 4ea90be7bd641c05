// SPDX-License-Identifier: MIT
// The backends known by name.
#ifndef JOBLOT_REGISTRY_HPP
#define JOBLOT_REGISTRY_HPP

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include <joblot/backend.hpp>
#include <joblot/backends/sequential.hpp>
#include <joblot/backends/threading.hpp>
#include <joblot/error.hpp>
#include <joblot/quote_text.hpp>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace joblot {
inline namespace v1 {

/// Makes a backend, once for each `Parallel` that is constructed with its name.
using BackendFactory = std::function<std::shared_ptr<Backend>()>;

}  // namespace v1

namespace detail {

inline std::shared_ptr<Backend> const& threading_backend() {
  static auto const& backend = *new std::shared_ptr<Backend>(std::make_shared<ThreadingBackend>());
  return backend;  // never destroyed: static destructors may use it
}

inline std::shared_ptr<Backend> const& sequential_backend() {
  static auto const& backend = *new std::shared_ptr<Backend>(std::make_shared<SequentialBackend>());
  return backend;
}

/// Whether the name belongs to a backend of worker processes, which this version does not have.
inline bool names_process_backend(std::string_view name) {
  return name == "loky" || name == "multiprocessing";
}

/// Names and factories of the backends users have added. Never destroyed; its lock is held over a
/// fork, so that a child never finds it taken by a thread that it does not have.
class Registry {
 public:
  static Registry& instance() {
    static auto& registry = *new Registry;
    return registry;
  }

  void add(std::string name, BackendFactory factory, bool make_default) {
    if (name.empty()) {
      throw InvalidOption("register_parallel_backend: the name is empty; give it a name");
    }
    if (!factory) {
      throw InvalidOption("register_parallel_backend: the factory of " + quote_text(name) +
                          " is empty; give a function that makes the backend");
    }
    std::lock_guard const lock(mutex_);
    if (make_default) default_name_ = name;
    factories_.insert_or_assign(std::move(name), std::move(factory));
  }

  /// The backend registered under `name`, built-in ones included; a registered name hides a
  /// built-in one. Throws `InvalidOption` for a name that nobody has registered.
  std::shared_ptr<Backend> make(std::string_view name) {
    if (auto const factory = find(name)) {
      auto backend = factory();
      if (backend) return backend;
      throw InvalidOption("backend = " + quote_text(name) +
                          ": its registered factory returned a null pointer");
    }
    if (name == "threading") return threading_backend();
    if (name == "sequential") return sequential_backend();
    if (names_process_backend(name)) {
      throw InvalidOption("backend = " + quote_text(name) +
                          " is not available in this version of joblot. Allowed: " + known_names() +
                          "; leave it out for threads");
    }
    throw InvalidOption("backend = " + quote_text(name) + " is unknown. Allowed: " + known_names());
  }

  /// What is used when neither options nor scopes say anything.
  std::shared_ptr<Backend> make_default() {
    std::string name;
    {
      std::lock_guard const lock(mutex_);
      if (default_name_.empty()) return threading_backend();
      name = default_name_;
    }
    return make(name);
  }

 private:
  Registry() {
#if defined(__unix__) || defined(__APPLE__)
    static_cast<void>(pthread_atfork([] { instance().mutex_.lock(); },
                                     [] { instance().mutex_.unlock(); },
                                     [] { instance().mutex_.unlock(); }));
#endif
  }

  BackendFactory find(std::string_view name) {
    std::lock_guard const lock(mutex_);
    auto const found = factories_.find(name);
    return found == factories_.end() ? BackendFactory() : found->second;
  }

  /// All names, sorted, as a text.
  std::string known_names() {
    std::map<std::string, bool, std::less<>> names{{"sequential", true}, {"threading", true}};
    {
      std::lock_guard const lock(mutex_);
      for (auto const& [name, factory] : factories_) names.emplace(name, true);
    }
    std::string text;
    for (auto const& [name, known] : names) {
      if (!text.empty()) text += ", ";
      text += quote_text(name);
    }
    return text;
  }

  std::mutex mutex_;
  std::map<std::string, BackendFactory, std::less<>> factories_;
  std::string default_name_;
};

}  // namespace detail

inline namespace v1 {

/// Makes a backend known as `name`, so that options can ask for it; a known name is replaced.
/// `make_default`: also use it where neither options nor scopes name a backend. Any thread.
inline void register_parallel_backend(std::string name, BackendFactory factory,
                                      bool make_default = false) {
  detail::Registry::instance().add(std::move(name), std::move(factory), make_default);
}

}  // namespace v1
}  // namespace joblot

#endif
