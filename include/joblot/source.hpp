// SPDX-License-Identifier: MIT
// Where workers get elements from: by index, side by side, or one reader at a time.
#ifndef JOBLOT_SOURCE_HPP
#define JOBLOT_SOURCE_HPP

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>
#include <optional>
#include <ranges>
#include <type_traits>
#include <utility>
#include <vector>

#include <joblot/range.hpp>

namespace joblot::detail {

/// Where an indexable range begins: a plain pointer if it is contiguous.
template <class View>
auto first_position(View& view) {
  if constexpr (std::ranges::contiguous_range<View>) {
    return std::to_address(std::ranges::begin(view));
  } else {
    return std::optional(std::ranges::begin(view));
  }
}

/// Elements of a range that any worker may read at any position, while others read elsewhere.
template <class View>
class IndexedSource {
 public:
  static constexpr bool concurrent = true;
  using Reference = std::ranges::range_reference_t<View>;
  struct Items {
    static void clear() noexcept {}
  };

  explicit IndexedSource(View view)
      : view_(std::move(view)), size_(static_cast<std::size_t>(std::ranges::size(view_))) {
    if (size_ > 0) first_ = first_position(view_);
  }
  IndexedSource(IndexedSource const&) = delete;
  IndexedSource& operator=(IndexedSource const&) = delete;

  [[nodiscard]] std::optional<std::size_t> total() const noexcept { return size_; }

  /// What gives the elements by index: small, and by value, so that a loop over it can keep it in
  /// registers whatever its body writes to. `Items` is what a source read one at a time needs.
  auto elements(Items& /*items*/) const {
    if constexpr (std::ranges::contiguous_range<View>) {
      return [first = first_](std::size_t index) -> Reference {
        return static_cast<Reference>(first[index]);
      };
    } else {
      return [first = *first_](std::size_t index) -> Reference {
        return first[static_cast<std::ranges::range_difference_t<View>>(index)];
      };
    }
  }

 private:
  View view_;
  std::size_t size_;
  decltype(first_position(std::declval<View&>())) first_{};
};

/// Some elements taken from a range ahead of running them: constructed in place, so they need not
/// be movable, and destroyed together.
template <class T>
class ItemBuffer {
 public:
  ItemBuffer() = default;
  ItemBuffer(ItemBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  ItemBuffer& operator=(ItemBuffer&&) = delete;
  ~ItemBuffer() {
    clear();
    release();
  }

  void clear() noexcept {
    std::destroy_n(data_, size_);
    size_ = 0;
  }

  /// Makes room for `capacity` elements; the buffer must be empty.
  void reserve(std::size_t capacity) {
    if (capacity <= capacity_) return;
    release();
    data_ = std::allocator<T>().allocate(capacity);
    capacity_ = capacity;
  }

  template <class Make>
  void emplace_from(Make&& make) {
    ::new (static_cast<void*>(data_ + size_)) T(make());
    ++size_;
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  T& operator[](std::size_t index) noexcept { return data_[index]; }

 private:
  void release() noexcept {
    if (data_ != nullptr) std::allocator<T>().deallocate(data_, capacity_);
    data_ = nullptr;
    capacity_ = 0;
  }

  T* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

/// Elements of a range that only one thread at a time may read. The caller holds the lock.
///
/// Nothing is read before it is asked for: neither `begin` nor `++` runs until the next element is
/// wanted, so a range that waits for its next element never delays the ones it has given.
template <class View>
class SequentialSource {
 public:
  static constexpr bool concurrent = false;
  using Reference = std::ranges::range_reference_t<View>;

 private:
  // An lvalue of a forward range stays where it is; one of a single-pass range may be overwritten
  // by the next step, so it is copied.
  static constexpr bool by_address =
      std::is_lvalue_reference_v<Reference> && std::ranges::forward_range<View>;
  using Kept = std::conditional_t<by_address, std::remove_reference_t<Reference>*,
                                  std::remove_cvref_t<Reference>>;
  using Element = Reference&&;

 public:
  /// The elements one worker has taken; room is made as they come, because a `batch_size` may be
  /// much larger than the range.
  struct Items {
    static constexpr std::size_t part = 1024;
    ItemBuffer<Kept> kept;               // the first `part` of them
    std::vector<ItemBuffer<Kept>> more;  // the others
    std::size_t first = 0;               // index of the first one

    Kept& operator[](std::size_t index) noexcept {
      auto const at = index - first;
      return at < part ? kept[at] : more[at / part - 1][at % part];
    }

    void clear() noexcept {
      kept.clear();
      more.clear();
    }
  };

  explicit SequentialSource(View view) : view_(std::move(view)) {
    if constexpr (std::ranges::sized_range<View>) {
      total_ = static_cast<std::size_t>(std::ranges::size(view_));
    }
  }
  SequentialSource(SequentialSource const&) = delete;
  SequentialSource& operator=(SequentialSource const&) = delete;

  [[nodiscard]] std::optional<std::size_t> total() const noexcept { return total_; }
  [[nodiscard]] std::size_t position() const noexcept { return position_; }

  /// Reads up to `count` elements into `items`, fewer at the end of the range. When the range
  /// throws, `items` holds what was read before, and nothing is read from it ever after.
  void read(Items& items, std::size_t count) {
    items.clear();
    items.first = position_;
    if (ended_) return;
    auto* part = &items.kept;
    part->reserve((std::min)(count, Items::part));
    try {
      for (; count > 0 && advance(); --count) {
        if (part->size() == Items::part) {
          part = &items.more.emplace_back();
          part->reserve((std::min)(count, Items::part));
        }
        part->emplace_from([&]() -> Kept {
          if constexpr (by_address) {
            return std::addressof(**iterator_);
          } else {
            return Kept(**iterator_);
          }
        });
        ++position_;
      }
    } catch (...) {
      ended_ = true;
      throw;
    }
  }

  /// What gives the elements of `items` by index, as dereferencing the range gave them; a value
  /// comes as an rvalue.
  static auto elements(Items& items) {
    return [&items](std::size_t index) -> Element {
      auto& kept = items[index];
      if constexpr (by_address) {
        return static_cast<Element>(*kept);
      } else {
        return static_cast<Element>(kept);
      }
    };
  }

 private:
  /// Steps onto the next element; false at the end.
  bool advance() {
    if (!iterator_) {
      iterator_.emplace(std::ranges::begin(view_));
    } else {
      ++*iterator_;
    }
    ended_ = *iterator_ == std::ranges::end(view_);
    return !ended_;
  }

  View view_;
  std::optional<std::size_t> total_;
  std::optional<std::ranges::iterator_t<View>> iterator_;
  std::size_t position_ = 0;
  bool ended_ = false;
};

/// The source for a range given by a user as `R`, an lvalue or rvalue type.
template <class R>
using source_for =
    std::conditional_t<ConcurrentRange<std::views::all_t<R>> ||
                           (IndexableRange<std::views::all_t<R>> &&
                            concurrent_range<std::remove_cvref_t<R>>),
                       IndexedSource<std::views::all_t<R>>, SequentialSource<std::views::all_t<R>>>;

}  // namespace joblot::detail

#endif
