// SPDX-License-Identifier: MIT
// A single-pass range that tells of every step its reader takes.
#ifndef JOBLOT_TESTS_SUPPORT_WATCHED_RANGE_HPP
#define JOBLOT_TESTS_SUPPORT_WATCHED_RANGE_HPP

#include <cstddef>
#include <functional>
#include <iterator>
#include <limits>
#include <memory>
#include <ranges>
#include <utility>

enum class Step { begin, next, look, compare };

/// The numbers 0 .. size-1. `hook(step, position)` is called before each step of the reader, with
/// the number it stands at, or steps onto; what it throws the range throws.
class WatchedRange : public std::ranges::view_base {
 public:
  using Hook = std::function<void(Step, int)>;
  static constexpr int endless = std::numeric_limits<int>::max();

  class Iterator {
   public:
    using value_type = int;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::input_iterator_tag;

    explicit Iterator(WatchedRange const* range) : range_(range) {}
    Iterator(Iterator&&) = default;
    Iterator& operator=(Iterator&&) = default;

    int operator*() const {
      (*range_->hook_)(Step::look, position_);
      return position_;
    }
    Iterator& operator++() {
      (*range_->hook_)(Step::next, position_ + 1);
      ++position_;
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t /*end*/) const {
      (*range_->hook_)(Step::compare, position_);
      return position_ == range_->size_;
    }

   private:
    WatchedRange const* range_;
    int position_ = 0;
  };

  WatchedRange(int size, Hook hook) : size_(size), hook_(std::make_shared<Hook>(std::move(hook))) {}

  [[nodiscard]] Iterator begin() const {
    (*hook_)(Step::begin, 0);
    return Iterator(this);
  }
  [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

 private:
  int size_;
  std::shared_ptr<Hook> hook_;
};

#endif
