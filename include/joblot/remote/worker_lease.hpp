// SPDX-License-Identifier: MIT
// A worker process in the hands of one seat of a call.
#ifndef JOBLOT_REMOTE_WORKER_LEASE_HPP
#define JOBLOT_REMOTE_WORKER_LEASE_HPP

#include <chrono>
#include <cstddef>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include <joblot/error.hpp>
#include <joblot/process/channel.hpp>
#include <joblot/process/child.hpp>
#include <joblot/process/remote_exception.hpp>
#include <joblot/remote/messages.hpp>
#include <joblot/remote/worker_process.hpp>

namespace joblot::detail {

/// The worker died under what was being done with it, or that was broken off.
struct WorkerGone {};

/// Has one worker at a time, and gives it back if it has nothing left to do. One thread, but
/// `wake`.
class WorkerLease final : public BlockReceiver {
 public:
  explicit WorkerLease(WorkerSource& source) : source_(source) {}
  WorkerLease(WorkerLease const&) = delete;
  WorkerLease& operator=(WorkerLease const&) = delete;
  ~WorkerLease() { part(); }

  /// Wakes the thread that waits; if nothing of the call is wanted any more, also one amid a large
  /// message. Any thread.
  void wake(bool nothing_is_wanted) noexcept {
    std::lock_guard const lock(mutex_);
    woken_ = true;
    unwanted_ = unwanted_ || nothing_is_wanted;
    if (worker_) pass_on();
  }

  /// Sees to it that there is a worker. Throws `Error` if none can be had.
  void need() {
    if (worker_) return;
    auto hired = source_.hire();
    hired.process->interrupt.clear();
    hired.process->unwanted.clear();
    ready_ = hired.ready;
    knows_call_ = hired.knows_call;
    killed_ = false;
    std::lock_guard const lock(mutex_);
    worker_ = std::move(hired.process);
    pass_on();
  }

  [[nodiscard]] bool knows_call() const noexcept { return knows_call_; }
  void has_call() noexcept { knows_call_ = true; }

  /// Hands a message over, however large; the worker must have nothing else to do. Throws
  /// `WorkerGone`, also if nothing is wanted any more: then the worker cannot be used again.
  void send(MessageHeader const& header, OutMessage const& message) {
    if (!worker_->channel.send(header, message, worker_->unwanted)) throw WorkerGone();
  }

  /// The same for a small message and without waiting. False: not now.
  bool try_send(MessageHeader const& header, OutMessage const& message) {
    return worker_->channel.try_send(header, message);
  }

  /// The next message if there is one, but those about the worker itself. Throws `WorkerInitError`
  /// if it says that its initializer failed.
  bool receive(Incoming& incoming) {
    for (;;) {
      auto const got = worker_->channel.receive(incoming, worker_->unwanted);
      if (got == Ready::nothing) return false;
      if (got != Ready::message) throw WorkerGone();
      switch (static_cast<MessageType>(incoming.header.type)) {
        case MessageType::ready:
          ready_ = true;
          continue;
        case MessageType::unfit:
          fail_to_initialize(incoming.message);
        default:
          return true;
      }
    }
  }

  void receive(InMessage& message) override {
    if (message.fills.empty()) return;
    if (worker_->channel.receive_blocks(message, worker_->unwanted) != Ready::message) {
      throw WorkerGone();
    }
  }

  /// Waits for a message, the worker's death, a `wake`, or the deadline.
  Ready wait(Deadline const& deadline) {
    auto const ready = worker_->channel.wait(worker_->interrupt, deadline);
    if (ready == Ready::interrupted) worker_->interrupt.clear();
    return ready;
  }

  [[nodiscard]] bool has_worker() const noexcept { return worker_ != nullptr; }
  /// Whether the worker has ever been heard of.
  [[nodiscard]] bool ready() const noexcept { return ready_; }
  [[nodiscard]] bool has_initializer() const noexcept {
    return worker_->spec.initializer != nullptr;
  }
  [[nodiscard]] long pid() const noexcept { return worker_->child.pid(); }

  /// The answer to the task that it was given first of those without one has been received.
  void answered() noexcept { ++worker_->answers; }
  /// When it began with the task whose answer comes next; none if it has not.
  [[nodiscard]] std::optional<std::chrono::steady_clock::time_point> running_since()
      const noexcept {
    // What it says of a task whose answer is here is old, be it that of a call before this one.
    auto const& slot = worker_->channel.slot();
    if (slot.task.load() != worker_->answers) return std::nullopt;
    std::chrono::nanoseconds const since(slot.since.load());
    return std::chrono::steady_clock::time_point(since);
  }

  void kill() noexcept {
    if (!worker_) return;
    killed_ = true;
    worker_->child.kill();
  }

  /// Parts with a worker that has nothing left to do, if there is one.
  void part() noexcept {
    std::unique_ptr<WorkerProcess> worker;
    {
      std::lock_guard const lock(mutex_);
      worker = std::move(worker_);
    }
    if (worker && !killed_ && ready_) source_.dismiss(std::move(worker));
  }

  /// Returns when it is dead: then what it has sent and what it ran does not change any more. Kills
  /// it, as it may have lost its socket, but not its life; one that is dying keeps its own status.
  ExitStatus end() noexcept {
    kill();
    return worker_->child.wait();
  }
  /// Parts with one that is dead.
  void drop() noexcept {
    std::lock_guard const lock(mutex_);
    worker_.reset();
  }

 private:
  /// The lock is held.
  void pass_on() noexcept {
    if (std::exchange(woken_, false)) worker_->interrupt.raise();
    if (unwanted_) worker_->unwanted.raise();
  }

  [[noreturn]] void fail_to_initialize(InMessage& message) {
    auto const error = decode_exception(message, pid(), 0);
    std::string text = "the initializer failed in a worker process";
    try {
      std::rethrow_exception(error);
    } catch (std::exception const& thrown) {
      text += std::string(": ") + thrown.what();
    } catch (...) {
    }
    throw WorkerInitError(text);
  }

  WorkerSource& source_;
  std::mutex mutex_;  // between `wake` and a change of worker
  std::unique_ptr<WorkerProcess> worker_;
  bool woken_ = false;     // guarded by mutex_
  bool unwanted_ = false;  // guarded by mutex_
  bool ready_ = false;
  bool killed_ = false;
  bool knows_call_ = false;
};

}  // namespace joblot::detail

#endif
