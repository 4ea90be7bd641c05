// SPDX-License-Identifier: MIT
// The backends known by name.
#ifndef JOBLOT_REGISTRY_HPP
#define JOBLOT_REGISTRY_HPP

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include <joblot/backend.hpp>
#include <joblot/backends/loky.hpp>
#include <joblot/backends/multiprocessing.hpp>
#include <joblot/backends/sequential.hpp>
#include <joblot/backends/threading.hpp>
#include <joblot/error.hpp>
#include <joblot/fork_local.hpp>
#include <joblot/quote_text.hpp>

namespace joblot {
inline namespace v1 {

/// Makes a backend, once for each `Parallel` that is constructed with its name.
using BackendFactory = std::function<std::shared_ptr<Backend>()>;

}  // namespace v1

namespace detail {

/// The one backend of a built-in kind.
template <class B>
std::shared_ptr<Backend> const& built_in_backend() {
  struct Holder {
    std::shared_ptr<Backend> backend = std::make_shared<B>();
  };
  return immortal<Holder>().backend;
}

inline std::shared_ptr<Backend> const& threading_backend() {
  return built_in_backend<ThreadingBackend>();
}

inline std::shared_ptr<Backend> const& sequential_backend() {
  return built_in_backend<SequentialBackend>();
}

inline std::shared_ptr<Backend> const& loky_backend() { return built_in_backend<LokyBackend>(); }

inline std::shared_ptr<Backend> const& multiprocessing_backend() {
  return built_in_backend<MultiprocessingBackend>();
}

/// Whether the name belongs to a backend of worker processes.
inline bool names_process_backend(std::string_view name) {
  return name == "loky" || name == "multiprocessing";
}

/// Names and factories of the backends users have added. A registration makes a new table, so that
/// readers need no lock, which a child forked amid a registration could find taken for ever. The
/// old tables are kept: readers may be in them, and registrations are few.
class Registry {
 public:
  static Registry& instance() { return immortal<Registry>(); }

  void add(std::string const& name, BackendFactory const& factory, bool make_default) {
    if (name.empty()) {
      throw InvalidOption("register_parallel_backend: the name is empty; give it a name");
    }
    if (!factory) {
      throw InvalidOption("register_parallel_backend: the factory of " + quote_text(name) +
                          " is empty; give a function that makes the backend");
    }
    auto const* old = newest_.load(std::memory_order_acquire);
    auto next = std::make_unique<Table>();
    do {
      next->factories = old != nullptr ? old->factories : Factories();
      next->default_name = make_default || old == nullptr ? std::string() : old->default_name;
      if (make_default) next->default_name = name;
      next->factories.insert_or_assign(name, factory);
      next->older = old;
    } while (!newest_.compare_exchange_strong(old, next.get(), std::memory_order_acq_rel));
    static_cast<void>(next.release());  // the registry's now
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
    if (name == "loky") return loky_backend();
    if (name == "multiprocessing") return multiprocessing_backend();
    throw InvalidOption("backend = " + quote_text(name) + " is unknown. Allowed: " + known_names());
  }

  /// What is used when neither options nor scopes say anything.
  std::shared_ptr<Backend> make_default() {
    auto const* table = newest();
    if (table == nullptr || table->default_name.empty()) return threading_backend();
    return make(table->default_name);
  }

 private:
  using Factories = std::map<std::string, BackendFactory, std::less<>>;
  struct Table {  // never changed once it is the newest
    Factories factories;
    std::string default_name;
    Table const* older = nullptr;
  };

  [[nodiscard]] Table const* newest() const noexcept {
    return newest_.load(std::memory_order_acquire);  // pairs with the exchange in add
  }

  [[nodiscard]] BackendFactory find(std::string_view name) const {
    auto const* table = newest();
    if (table == nullptr) return {};
    auto const found = table->factories.find(name);
    return found == table->factories.end() ? BackendFactory() : found->second;
  }

  /// All names, sorted, as a text.
  [[nodiscard]] std::string known_names() const {
    std::set<std::string, std::less<>> names{"loky", "multiprocessing", "sequential", "threading"};
    if (auto const* table = newest()) {
      for (auto const& [name, factory] : table->factories) names.insert(name);
    }
    std::string text;
    for (auto const& name : names) text += (text.empty() ? "" : ", ") + quote_text(name);
    return text;
  }

  std::atomic<Table const*> newest_{nullptr};
};

}  // namespace detail

inline namespace v1 {

/// Makes a backend known as `name`, so that options can ask for it; a known name is replaced.
/// `make_default`: also use it where neither options nor scopes name a backend. Any thread.
inline void register_parallel_backend(std::string const& name, BackendFactory const& factory,
                                      bool make_default = false) {
  detail::Registry::instance().add(name, factory, make_default);
}

}  // namespace v1
}  // namespace joblot

#endif
