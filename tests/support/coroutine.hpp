// SPDX-License-Identifier: MIT
// A single-pass range written as a coroutine, like C++23's std::generator.
#ifndef JOBLOT_TESTS_SUPPORT_COROUTINE_HPP
#define JOBLOT_TESTS_SUPPORT_COROUTINE_HPP

#include <coroutine>
#include <cstddef>
#include <exception>
#include <iterator>
#include <memory>
#include <type_traits>
#include <utility>

/// Gives what its body yields: `Reference` is T, T& or T&&. Movable, no view.
template <class Reference>
class Coroutine {
  using Value = std::remove_cvref_t<Reference>;

 public:
  class promise_type {
   public:
    Coroutine get_return_object() { return Coroutine(Handle::from_promise(*this)); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    std::suspend_always yield_value(Value& value) noexcept {
      value_ = std::addressof(value);
      return {};
    }
    std::suspend_always yield_value(Value&& value) noexcept { return yield_value(value); }
    void return_void() noexcept {}
    void unhandled_exception() { throw; }

   private:
    friend class Coroutine;
    Value* value_ = nullptr;
  };
  using Handle = std::coroutine_handle<promise_type>;

  class Iterator {
   public:
    using value_type = Value;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::input_iterator_tag;

    explicit Iterator(Handle handle) : handle_(handle) {}
    Iterator(Iterator&&) = default;
    Iterator& operator=(Iterator&&) = default;

    Reference operator*() const { return static_cast<Reference&&>(*handle_.promise().value_); }
    Iterator& operator++() {
      handle_.resume();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(Iterator const& self, std::default_sentinel_t /*end*/) {
      return self.handle_.done();
    }

   private:
    Handle handle_;
  };

  Coroutine(Coroutine&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Coroutine& operator=(Coroutine&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Coroutine() {
    if (handle_) handle_.destroy();
  }

  [[nodiscard]] Iterator begin() {
    handle_.resume();
    return Iterator(handle_);
  }
  [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

 private:
  explicit Coroutine(Handle handle) : handle_(handle) {}
  Handle handle_;
};

#endif
