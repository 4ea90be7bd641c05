// SPDX-License-Identifier: MIT
// Where the results of a call go until it ends.
#ifndef JOBLOT_RESULTS_HPP
#define JOBLOT_RESULTS_HPP

#include <concepts>
#include <cstddef>
#include <list>
#include <mutex>
#include <type_traits>
#include <utility>
#include <vector>

#include <joblot/claims.hpp>
#include <joblot/outcome.hpp>

namespace joblot::detail {

/// What most sinks have in common: no bound, no order, no smallest unit.
struct SinkBase {
  static constexpr bool ordered = false;
  static constexpr std::size_t granule() noexcept { return 1; }
  static constexpr int worker_offset() noexcept { return 0; }
  static constexpr void wake_all() noexcept {}
  static constexpr void abandon() noexcept {}

  struct WriterBase {
    template <class Stopped>
    static bool wait_for_room(Stopped stopped) noexcept {
      return !stopped();
    }
    static constexpr bool has_room() noexcept { return true; }
    static constexpr void begin(Claim /*claim*/) noexcept {}
    static constexpr void publish(std::size_t /*last*/) noexcept {}
    static constexpr void ended() noexcept {}
  };
};

/// For tasks that return nothing.
struct NoResults : SinkBase {
  struct Writer : WriterBase {
    template <class Run>
    static void strip(std::size_t first, std::size_t last, Run const& run) {
#pragma GCC unroll 4
      for (auto i = first; i < last; ++i) static_cast<void>(run(i));
    }
  };
  static Writer writer() noexcept { return {}; }
};

/// Results that may stand in their final place from the start. Never `bool`: the elements of a
/// `std::vector<bool>` share bytes.
template <class R>
concept PlainResult = std::is_trivially_copyable_v<R> && std::is_move_assignable_v<R> &&
                      std::default_initializable<R> && !std::same_as<R, bool>;

/// Every result goes straight to its place in the final vector.
template <PlainResult R>
class PlacedResults : public SinkBase {
 public:
  explicit PlacedResults(std::size_t total) : values_(total) {}

  struct Writer : WriterBase {
    R* values;
    template <class Run>
    void strip(std::size_t first, std::size_t last, Run const& run) const {
#pragma GCC unroll 4
      for (auto i = first; i < last; ++i) values[i] = run(i);
    }
  };
  Writer writer() noexcept { return {{}, values_.data()}; }

  /// All results, after the call has ended.
  std::vector<R> take() { return std::move(values_); }

 private:
  std::vector<R> values_;
};

/// Results that cannot be put in place before they exist: each worker keeps runs of its own, which
/// are put together at the end.
template <class R>
class GatheredResults : public SinkBase {
  // No std::vector<bool>: its elements are no objects.
  struct Kept {
    template <class Make>
    Kept(Make const& make, std::size_t index) : value(make(index)) {}
    R value;
  };
  struct Run {
    std::size_t first;
    std::vector<Kept> results;
  };

 public:
  class Writer : public WriterBase {
   public:
    explicit Writer(GatheredResults& all) noexcept : all_(all) {}
    Writer(Writer const&) = delete;
    Writer& operator=(Writer const&) = delete;
    ~Writer() {
      std::lock_guard const lock(all_.mutex_);
      all_.runs_.splice(all_.runs_.end(), runs_);
    }

    void begin(Claim claim) {
      if (may_grow && !runs_.empty() &&
          runs_.back().first + runs_.back().results.size() == claim.first) {
        return;
      }
      runs_.push_back({claim.first, {}});
      runs_.back().results.reserve(claim.count);
    }

    template <class Make>
    void strip(std::size_t first, std::size_t last, Make const& make) {
      auto& results = runs_.back().results;
      for (auto i = first; i < last; ++i) results.emplace_back(make, i);
    }

   private:
    // Else a move that throws would lose other results than its own.
    static constexpr bool may_grow = std::is_nothrow_move_constructible_v<R>;

    GatheredResults& all_;
    std::list<Run> runs_;
  };
  Writer writer() noexcept { return Writer(*this); }

  /// All results in order of their indices, after the call has ended without an error. `index`
  /// is the one whose result is moved now, should that throw.
  std::vector<R> take(std::size_t& index) {
    runs_.sort([](Run const& a, Run const& b) { return a.first < b.first; });
    std::size_t total = 0;
    for (auto const& run : runs_) total += run.results.size();
    std::vector<R> values;
    values.reserve(total);
    for (; !runs_.empty(); runs_.pop_front()) {
      for (auto& kept : runs_.front().results) {
        move_result(std::move(kept.value),
                    [&](R&& result) { values.push_back(std::move(result)); });
        ++index;
      }
    }
    return values;
  }

 private:
  std::mutex mutex_;
  std::list<Run> runs_;  // guarded by mutex_ while workers are inside
};

}  // namespace joblot::detail

#endif
