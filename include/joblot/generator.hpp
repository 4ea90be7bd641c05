// SPDX-License-Identifier: MIT
// Results as an input range, while the call is still running.
#ifndef JOBLOT_GENERATOR_HPP
#define JOBLOT_GENERATOR_HPP

#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

#include <joblot/failure.hpp>
#include <joblot/stream.hpp>

namespace joblot {
inline namespace v1 {

/// The results of a call in flight: a movable input range, no view. It owns the call and its
/// results; one thread at a time may use it, and it may outlive its `Parallel`.
///
/// Dropping or closing it cancels what has not started, asks running tasks to stop and returns
/// when they have. A task's exception comes out at its place; then the generator is finished.
///
/// `close()` may be called from its own tasks or `on_progress`, too, where it does not wait. In a
/// child forked meanwhile its copy throws `Error` where it would wait, and is dropped as it is.
template <class T>
class Generator {
 public:
  using value_type = T;

  class Iterator {
   public:
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::input_iterator_tag;

    /// Waits for the result if it is not there. Throws what made the call fail.
    T&& operator*() const {
      static_cast<void>(stream_->fetch());
      return std::move(stream_->look());
    }
    /// Never waits: the next result is waited for when it is looked at or compared with the end.
    Iterator& operator++() {
      stream_->pass();
      return *this;
    }
    void operator++(int) { ++*this; }

    /// Whether the end is reached. Waits for the next result, throws what made the call fail.
    friend bool operator==(Iterator const& position, std::default_sentinel_t /*end*/) {
      return position.stream_ == nullptr || !position.stream_->fetch();
    }

   private:
    friend class Generator;
    explicit Iterator(detail::Stream<T>* stream) : stream_(stream) {}
    detail::Stream<T>* stream_;
  };

  /// Made by `Parallel::generator` and its siblings.
  explicit Generator(std::unique_ptr<detail::Stream<T>> stream) : stream_(std::move(stream)) {}
  Generator(Generator&&) noexcept = default;
  Generator& operator=(Generator&& other) noexcept {
    if (this != &other) {
      drop();
      stream_ = std::move(other.stream_);
    }
    return *this;
  }
  ~Generator() { drop(); }

  /// Where the generator stands: a result that has been looked at is not given again.
  [[nodiscard]] Iterator begin() {
    if (stream_) stream_->drop_seen();
    return Iterator(stream_.get());
  }
  [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

  /// The next result, empty at the end. Waits for it. Throws what made the call fail.
  [[nodiscard]] std::optional<T> next() {
    if (!stream_) return std::nullopt;
    stream_->drop_seen();
    if (!stream_->fetch()) return std::nullopt;
    return stream_->give();
  }

  /// Cancels what has not started, asks running tasks to stop, and returns when they have ended.
  void close() noexcept {
    if (stream_ && !leave_to_parent()) stream_->close();
  }

  /// The task whose exception came out of this generator, if one did.
  [[nodiscard]] std::optional<TaskFailure> failure() const noexcept {
    return stream_ ? stream_->failure() : std::nullopt;
  }

  /// Submission index of the result returned last. Throws `std::logic_error` before the first.
  [[nodiscard]] std::size_t index() const {
    auto const index = stream_ ? stream_->index() : std::nullopt;
    if (!index) {
      throw std::logic_error(
          "joblot::Generator::index() was called before the first result was taken; call next() "
          "or iterate first");
    }
    return *index;
  }

 private:
  void drop() noexcept {
    if (stream_ && !leave_to_parent()) stream_.reset();
  }

  /// In a forked child nothing is left to wait for, and nothing that could be destroyed safely:
  /// locks may be held by threads that are not there.
  bool leave_to_parent() noexcept {
    if (!stream_->inherited()) return false;
    static_cast<void>(stream_.release());
    return true;
  }

  std::unique_ptr<detail::Stream<T>> stream_;
};

}  // namespace v1
}  // namespace joblot

#endif
