// SPDX-License-Identifier: MIT
// Sinks that combine results as they come, in a grouping that does not depend on who runs what.
#ifndef JOBLOT_REDUCE_HPP
#define JOBLOT_REDUCE_HPP

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

#include <joblot/claims.hpp>
#include <joblot/results.hpp>

namespace joblot::detail {

/// What `combine` makes of two values, as a value of its own: it may return a reference to one of
/// them, or a type that converts to theirs.
template <class T, class Combine>
T combined(Combine const& combine, std::type_identity_t<T>&& left,
           std::type_identity_t<T>&& right) {
  return static_cast<T>(combine(std::move(left), std::move(right)));
}

/// Combines the results of a range of known size. Its elements are cut into groups of equal size,
/// a number that depends only on the size of the range; each group is folded from left to right by
/// the worker that has it, and the groups are combined along a fixed binary tree. So the same
/// floating-point operations are done in the same grouping whatever the number of workers.
///
/// No worker waits: of two neighbours in the tree, whoever is finished second combines them.
template <class T, class Combine>
class TreeReduction : public SinkBase {
 public:
  /// More groups than any machine has use for, few enough to keep.
  static constexpr std::size_t most_groups = 4096;

  TreeReduction(std::size_t total, Combine const& combine)
      : combine_(combine),
        total_(total),
        granule_(total / most_groups + (total % most_groups != 0 ? 1 : 0)),
        groups_(granule_ == 0 ? 0 : (total + granule_ - 1) / granule_),
        partials_(std::make_unique<std::optional<T>[]>(groups_)),
        arrived_(std::make_unique<std::atomic<bool>[]>(groups_)) {}

  [[nodiscard]] std::size_t granule() const noexcept { return granule_ == 0 ? 1 : granule_; }

  class Writer : public WriterBase {
   public:
    explicit Writer(TreeReduction& all) noexcept : all_(all) {}

    void begin(Claim claim) noexcept { group_ = claim.first / all_.granule(); }

    template <class Run>
    void strip(std::size_t first, std::size_t last, Run const& run) {
      while (first < last) {
        auto const end = (std::min)((group_ + 1) * all_.granule(), all_.total_);
        auto const until = (std::min)(last, end);
        T folded = partial_ ? std::move(*partial_) : T(run(first++));
        for (; first < until; ++first) {
          folded = combined<T>(all_.combine_, std::move(folded), T(run(first)));
        }
        if (first == end) {
          partial_.reset();
          all_.deliver(group_++, std::move(folded));
        } else {
          partial_.emplace(std::move(folded));
        }
      }
    }

   private:
    TreeReduction& all_;
    std::size_t group_ = 0;
    std::optional<T> partial_;  // of the group, up to the last strip
  };
  Writer writer() noexcept { return Writer(*this); }

  /// The combination of all results, after the call has ended without an error.
  T take(T init) {
    if (groups_ == 0) return init;
    return combined<T>(combine_, std::move(init), std::move(*partials_[0]));
  }

 private:
  friend class Writer;

  /// Node n of a level covers the groups from n << level on, and its partial stands there.
  void deliver(std::size_t node, T partial) {
    auto nodes = groups_;
    for (unsigned level = 0;; ++level) {
      if (nodes == 1) break;
      auto const left = node & ~std::size_t{1};
      auto const right = left + 1;
      if (right < nodes) {  // else it has no neighbour and moves up as it is
        auto& mine = partials_[node << level];
        auto const other = (node == left ? right : left) << level;
        mine.emplace(std::move(partial));
        // Every right node starts at a group of its own, so the flag there belongs to this pair.
        // acq_rel: the second to come sees the partial that the first put down before.
        if (!arrived_[right << level].exchange(true, std::memory_order_acq_rel)) return;
        auto& theirs = partials_[other];
        partial = node == left ? combined<T>(combine_, std::move(*mine), std::move(*theirs))
                               : combined<T>(combine_, std::move(*theirs), std::move(*mine));
        mine.reset();
        theirs.reset();
      }
      node /= 2;
      nodes = nodes / 2 + nodes % 2;
    }
    partials_[0].emplace(std::move(partial));
  }

  Combine const& combine_;
  std::size_t total_;
  std::size_t granule_;
  std::size_t groups_;
  std::unique_ptr<std::optional<T>[]> partials_;
  std::unique_ptr<std::atomic<bool>[]> arrived_;
};

/// Combines the results of a range of unknown size: each batch is folded by its worker, and
/// neighbours are combined as soon as both are there, so that only gaps cost memory.
template <class T, class Combine>
class RunReduction : public SinkBase {
  struct Run {
    std::size_t end;
    T partial;
  };

 public:
  explicit RunReduction(Combine const& combine) : combine_(combine) {}

  class Writer : public WriterBase {
   public:
    explicit Writer(RunReduction& all) noexcept : all_(all) {}

    void begin(Claim claim) noexcept {
      first_ = claim.first;
      end_ = claim.first + claim.count;
    }

    template <class Make>
    void strip(std::size_t first, std::size_t last, Make const& make) {
      T folded = partial_ ? std::move(*partial_) : T(make(first++));
      for (; first < last; ++first) {
        folded = combined<T>(all_.combine_, std::move(folded), T(make(first)));
      }
      if (first == end_) {
        partial_.reset();
        all_.deliver(first_, end_, std::move(folded));
      } else {
        partial_.emplace(std::move(folded));
      }
    }

   private:
    RunReduction& all_;
    std::size_t first_ = 0;
    std::size_t end_ = 0;
    std::optional<T> partial_;  // of the batch, up to the last strip
  };
  Writer writer() noexcept { return Writer(*this); }

  T take(T init) {
    if (runs_.empty()) return init;
    return combined<T>(combine_, std::move(init), std::move(runs_.begin()->second.partial));
  }

 private:
  friend class Writer;

  /// Puts down a run, or takes up a neighbour and combines with it, without the lock, until there
  /// is none.
  void deliver(std::size_t first, std::size_t end, T partial) {
    for (;;) {
      std::unique_lock lock(mutex_);
      auto const next = runs_.lower_bound(first);
      if (next != runs_.end() && next->first == end) {
        auto const right = runs_.extract(next);
        lock.unlock();
        end = right.mapped().end;
        partial = combined<T>(combine_, std::move(partial), std::move(right.mapped().partial));
      } else if (next != runs_.begin() && std::prev(next)->second.end == first) {
        auto const left = runs_.extract(std::prev(next));
        lock.unlock();
        first = left.key();
        partial = combined<T>(combine_, std::move(left.mapped().partial), std::move(partial));
      } else {
        runs_.emplace_hint(next, first, Run{end, std::move(partial)});
        return;
      }
    }
  }

  Combine const& combine_;
  std::mutex mutex_;
  std::map<std::size_t, Run> runs_;  // by first index; guarded by mutex_ while workers are inside
};

}  // namespace joblot::detail

#endif
