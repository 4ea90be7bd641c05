// SPDX-License-Identifier: MIT
// A value that keeps account of its copies, moves and deaths.
#ifndef JOBLOT_TESTS_SUPPORT_COUNTED_HPP
#define JOBLOT_TESTS_SUPPORT_COUNTED_HPP

#include <atomic>
#include <utility>

/// What has become of all `Counted` made with it; any thread.
struct Account {
  std::atomic<int> copies{0};
  std::atomic<int> moves{0};
  std::atomic<int> alive{0};
};

/// A number. Moved from, it is -1.
class Counted {
 public:
  explicit Counted(Account& account, int value = 0) : account_(&account), value_(value) {
    ++account_->alive;
  }
  Counted(Counted const& other) : account_(other.account_), value_(other.value_) {
    ++account_->copies;
    ++account_->alive;
  }
  Counted(Counted&& other) noexcept
      : account_(other.account_), value_(std::exchange(other.value_, -1)) {
    ++account_->moves;
    ++account_->alive;
  }
  Counted& operator=(Counted const& other) {
    value_ = other.value_;
    ++account_->copies;
    return *this;
  }
  Counted& operator=(Counted&& other) noexcept {
    value_ = std::exchange(other.value_, -1);
    ++account_->moves;
    return *this;
  }
  ~Counted() { --account_->alive; }

  [[nodiscard]] int value() const { return value_; }

 private:
  Account* account_;
  int value_;
};

#endif
