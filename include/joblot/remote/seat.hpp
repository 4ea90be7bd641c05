// SPDX-License-Identifier: MIT
// One seat of a call whose tasks run in a worker process.
#ifndef JOBLOT_REMOTE_SEAT_HPP
#define JOBLOT_REMOTE_SEAT_HPP

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <exception>
#include <filesystem>
#include <limits>
#include <memory>
#include <mutex>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include <joblot/batching.hpp>
#include <joblot/claims.hpp>
#include <joblot/outcome.hpp>
#include <joblot/process/entry.hpp>
#include <joblot/remote/driver.hpp>
#include <joblot/remote/forked_worker.hpp>
#include <joblot/remote/inherited_call.hpp>
#include <joblot/remote/parcel.hpp>
#include <joblot/remote/worker_lease.hpp>
#include <joblot/remote/worker_pool.hpp>
#include <joblot/remote/worker_process.hpp>
#include <joblot/remote/worker_spec.hpp>
#include <joblot/serialization/code_identity.hpp>
#include <joblot/serialization/encode.hpp>
#include <joblot/serialization/message.hpp>

namespace joblot::detail {

/// The typed side of a seat: `Loop` says what the tasks are and where results go.
template <class Loop>
class RemoteSeat final : RemoteTasks {
  using Batch = typename Loop::Batch;
  using Parcels = typename Loop::Parcels;

 public:
  RemoteSeat(Loop& loop, int seat, int worker_id, WorkerSpec const& spec)
      : loop_(loop),
        self_(loop, seat, worker_id),
        second_(loop),
        is_forked_(spec.forked),
        inherited_(loop),
        pooled_(spec),
        forked_(spec, {.call = inherited_,
                       .timed = loop.remote_settings_.timeout.has_value(),
                       .worker_id = worker_id}),
        lease_(spec.forked ? static_cast<WorkerSource&>(forked_) : pooled_) {
    std::lock_guard const lock(loop_.leases_lock_);
    loop_.leases_.push_back(&lease_);
  }
  RemoteSeat(RemoteSeat const&) = delete;
  RemoteSeat& operator=(RemoteSeat const&) = delete;
  ~RemoteSeat() {
    std::lock_guard const lock(loop_.leases_lock_);
    std::erase(loop_.leases_, &lease_);
  }

  void run(RemoteSettings settings) noexcept {
    settings.worker_id = self_.context.worker_id();
    RemoteDriver(*this, lease_, settings).run();
  }
  bool step(RemoteSettings settings) noexcept {
    settings.worker_id = self_.context.worker_id();
    return RemoteDriver(*this, lease_, settings).step();
  }

 private:
  Batch& batch(int number) noexcept { return number == 0 ? self_.batch : second_; }

  Taken take(int number, Patience patience, Claim& claim) noexcept override {
    bool const waits = patience == Patience::waits;
    // The worker at hand would not have this batch.
    if (waits && fork_each_batch()) lease_.part();
    claim = loop_.take(self_, batch(number),
                       waits ? Loop::Patience::waits : Loop::Patience::does_not_wait);
    if (claim.count > 0) {
      inherited_.set_items(batch(number).items);
      progress_[static_cast<std::size_t>(number)] = {.done = claim.first};
      return Taken::batch;
    }
    return waits ? Taken::end : Taken::none_now;
  }

  [[nodiscard]] bool inherited() const noexcept override { return is_forked_; }
  /// What is read in this process after a fork the child does not have.
  [[nodiscard]] bool fork_each_batch() const noexcept {
    return is_forked_ && !Loop::reads_side_by_side;
  }

  void encode_call(OutMessage& message) override {
    if constexpr (Parcels::possible) write_call(message);
  }
  void write_call(OutMessage& message) {
    std::error_code none;
    encode(message, std::filesystem::current_path(none).string());
    auto const& entry = entry_for<&Parcels::make>;
    identify(&entry).append_to(message.bytes);
    encode(message, entry.type_hash);
    Parcels::write_common(message, loop_.body_);
  }

  void encode_task(int number, std::size_t index, OutMessage& message) override {
    if constexpr (Parcels::possible) write_task(number, index, message);
  }
  void write_task(int number, std::size_t index, OutMessage& message) {
    auto const blocks = message.blocks.size();
    auto const element = loop_.source_.elements(batch(number).items);
    range_failed_ = true;
    auto&& item = element(index);
    range_failed_ = false;
    Parcels::write_task(message, loop_.body_, item);
    if constexpr (!std::is_reference_v<decltype(element(index))>) {
      // Its blocks are sent from where they are, so that it must live on for as long.
      if (message.blocks.size() > blocks) {
        temporaries_.push_back(std::make_shared<Item>(std::move(item)));
      }
    }
  }

  void accept(int number, std::size_t index, int attempt, InMessage& result,
              BlockReceiver& blocks) override {
    temporaries_.clear();
    self_.context.set_index(index);
    auto const read = [&]() -> decltype(auto) {
      return Parcels::read(loop_.body_, index, result, blocks);
    };
    put(number, index, [&]() -> decltype(auto) {
      if constexpr (!Loop::outcomes) {
        return read();
      } else if constexpr (std::is_void_v<decltype(read())>) {
        read();
        return Outcome<void>(index, attempt, std::in_place);
      } else {
        return Outcome<std::decay_t<decltype(read())>>(index, attempt, std::in_place, read());
      }
    });
  }

  template <class Make>
  void put(int number, std::size_t index, Make const& make) {
    batch(number).writer.strip(index, index + 1,
                               [&](std::size_t) -> decltype(auto) { return make(); });
  }

  void fail(int number, std::size_t index, int attempt,
            std::exception_ptr error) noexcept override {
    bool const range_failed = std::exchange(range_failed_, false);
    if constexpr (Loop::outcomes) {
      if (!range_failed) {
        try {
          using Value = typename Loop::Outcomes;
          return put(number, index, [&] { return Value(index, attempt, std::move(error)); });
        } catch (...) {
          error = std::current_exception();  // no memory for the outcome
        }
      }
    }
    progress_[static_cast<std::size_t>(number)].limit = index;
    if (range_failed) {
      loop_.fail_range(index, std::move(error));
    } else {
      loop_.fail(index, self_.context.worker_id(), std::move(error), attempt);
    }
  }

  void fail_range(int number, std::size_t index, std::exception_ptr error) noexcept override {
    range_failed_ = true;
    fail(number, index, 1, std::move(error));
  }

  void fail_call(std::exception_ptr error) noexcept override {
    loop_.fail_range(0, std::move(error));
  }

  void publish(int number, std::size_t end) noexcept override {
    auto& progress = progress_[static_cast<std::size_t>(number)];
    end = (std::min)(end, progress.limit);
    if (end <= progress.done) return;
    std::exception_ptr error;
    try {
      batch(number).writer.publish(end);
    } catch (...) {
      error = std::current_exception();
    }
    if (error) loop_.fail(progress.done, self_.context.worker_id(), std::move(error));
    loop_.completed(end - std::exchange(progress.done, end));
  }

  void finish(int number, std::size_t tasks, std::chrono::nanoseconds time) noexcept override {
    batch(number).items.clear();
    if (tasks > 0) {
      self_.sizer.ran(tasks, time, fork_each_batch() ? forked_.cost() : BatchSizer::Nanoseconds(0));
    }
  }

  [[nodiscard]] std::size_t stop_at() const noexcept override { return loop_.stop_at(); }

  using Item = std::remove_cvref_t<typename Loop::Reference>;

  struct Progress {
    std::size_t done = 0;  // results before it have been published
    // A task that ended the call has no result to publish.
    std::size_t limit = (std::numeric_limits<std::size_t>::max)();
  };

  Loop& loop_;
  typename Loop::Worker self_;
  Batch second_;
  bool is_forked_;
  InheritedCall<Loop> inherited_;
  PooledWorkers pooled_;
  ForkedWorkers forked_;
  WorkerLease lease_;
  std::array<Progress, 2> progress_;
  std::vector<std::shared_ptr<void>> temporaries_;
  bool range_failed_ = false;
};

}  // namespace joblot::detail

#endif
