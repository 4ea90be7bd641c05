// SPDX-License-Identifier: MIT
// What a worker process does: takes batches, runs their tasks, answers, until its parent is gone.
#ifndef JOBLOT_REMOTE_WORKER_HPP
#define JOBLOT_REMOTE_WORKER_HPP

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <unistd.h>

#include <joblot/job.hpp>
#include <joblot/process/channel.hpp>
#include <joblot/process/entry.hpp>
#include <joblot/process/file_descriptor.hpp>
#include <joblot/process/remote_exception.hpp>
#include <joblot/process/spawn.hpp>
#include <joblot/process/worker_start.hpp>
#include <joblot/remote/messages.hpp>
#include <joblot/remote/task_frame.hpp>
#include <joblot/remote/worker_call.hpp>
#include <joblot/remote/worker_spec.hpp>
#include <joblot/serialization/code_identity.hpp>
#include <joblot/serialization/encode.hpp>
#include <joblot/serialization/message.hpp>

namespace joblot::detail {

/// The call of a worker process: its tasks have nobody to cooperate with. A parent that wants one
/// stopped ends the process.
class WorkerJob final : public Job {
 public:
  WorkerJob() : Job(Plan{}, 1, OnFailure::stop_all) {}
  ~WorkerJob() = default;
  void run(int /*worker*/) noexcept override {}
};

class Worker final : BlockReceiver {
 public:
  explicit Worker(WorkerEnd& parent) : parent_(parent) {}
  Worker(Worker const&) = delete;
  Worker& operator=(Worker const&) = delete;
  ~Worker() = default;

  /// For a worker that was forked from its only call. False if it is of no use.
  bool inherit(WorkerCall& call, WorkerSpec const& spec, bool timed, int worker_id) {
    call_ = &call;
    timed_ = timed;
    worker_id_ = worker_id;
    worker_share.threads = spec.threads;
    return spec.initializer == nullptr || report_on(spec.initializer);
  }

  /// Until the parent is gone, or nothing has come for the time set up.
  void serve() {
    while (parent_.receive(incoming_, idle_timeout_) == Ready::message) {
      switch (static_cast<MessageType>(incoming_.header.type)) {
        case MessageType::set_up:
          if (!set_up()) return;
          break;
        case MessageType::call:
          begin_call();
          break;
        case MessageType::batch:
          if (!run_batch()) return;
          break;
        default:
          throw BadChannel("a worker process was told something that it does not know");
      }
    }
  }

 private:
  using Clock = std::chrono::steady_clock;

  void receive(InMessage& message) override {
    received_ += message.fills.size();
    if (!message.fills.empty() && !parent_.receive_blocks(message)) parent_is_gone();
  }

  [[noreturn]] static void parent_is_gone() { std::_Exit(0); }

  bool set_up() {
    return report_on([this] {
      auto& message = incoming_.message;
      auto const idle = decode<std::int64_t>(message);
      if (idle > 0) idle_timeout_.emplace(idle);
      worker_share.threads = decode<int>(message);
      if (decode<bool>(message)) {
        // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): a function, by its identity
        auto const run =
            reinterpret_cast<void (*)()>(find_code(CodeIdentity::read_from(message.bytes)));
        run();
      }
    });
  }

  /// Tells the parent whether it could be set up; false if not.
  template <class SetUp>
  bool report_on(SetUp prepare) {
    std::exception_ptr error;
    try {
      prepare();
    } catch (...) {
      error = std::current_exception();
    }
    answer_.clear();
    if (error) encode_exception(answer_, error);
    auto const type = error ? MessageType::unfit : MessageType::ready;
    return parent_.send({.type = to_number(type)}, answer_) && type == MessageType::ready;
  }

  void begin_call() {
    call_ = nullptr;
    own_call_.reset();
    no_call_ = nullptr;
    timed_ = incoming_.header.count != 0;
    worker_id_ = static_cast<int>(incoming_.header.index);
    auto& message = incoming_.message;
    std::exception_ptr error;
    try {
      follow(decode<std::string>(message));
      auto const identity = CodeIdentity::read_from(message.bytes);
      auto const hash = decode<std::uint64_t>(message);
      own_call_ = resolve_entry<MakeWorkerCall>(identity, hash).run(message, *this);
      call_ = own_call_.get();
    } catch (...) {
      error = std::current_exception();
    }
    // Each of its tasks says so.
    no_call_ = std::move(error);
  }

  /// The parent's working directory may have changed since the last call.
  static void follow(std::string const& directory) {
    if (directory.empty()) return;
    std::error_code none;
    if (std::filesystem::current_path(none) != directory) {
      std::filesystem::current_path(directory, none);
    }
  }

  bool run_batch() {
    auto const first = static_cast<std::size_t>(incoming_.header.index);
    auto const end = first + incoming_.header.count;
    TaskContext context(job_, worker_id_);
    context.set_attempt(static_cast<int>(incoming_.header.extra));
    auto& slot = parent_.slot();
    auto const begun = Clock::now();
    auto since = begun;
    for (auto index = first; index < end; ++index) {
      context.set_index(index);
      // The number last: who reads it sees the time that belongs to it.
      slot.since.store(ticks(since), std::memory_order_relaxed);
      slot.task.store(begun_tasks_++);
      auto const answer = run(index);
      bool const last = index + 1 == end;
      // What tasks have said is to be there when the parent knows that they ran.
      if (last || answer != MessageType::result) std::fflush(stdout);
      auto const now = Clock::now();
      auto const time = timed_ ? now - since : last ? now - begun : Clock::duration(0);
      MessageHeader const header{
          .type = to_number(answer),
          .count = static_cast<std::uint32_t>(end - index - 1),
          .index = index,
          .extra = static_cast<std::uint64_t>(std::chrono::nanoseconds(time).count())};
      if (!parent_.send(header, answer_)) return false;
      if (call_) call_->forget_result();
      context.set_attempt(1);
      since = answer_.blocks.empty() ? now : Clock::now();  // large results take their time
    }
    slot.task.store(-1);
    return true;
  }

  static std::int64_t ticks(Clock::time_point time) noexcept {
    return std::chrono::nanoseconds(time.time_since_epoch()).count();
  }

  /// Runs the next task of the message; `answer_` is its result or its exception.
  MessageType run(std::size_t index) {
    std::exception_ptr error = no_call_;
    auto task = call_ != nullptr && call_->has_tasks() ? InMessage{} : next_task(incoming_.message);
    auto const blocks = task.block_sizes;
    received_ = 0;
    answer_.clear();
    if (!error) {
      try {
        call_->run(index, task, *this, answer_);
        return MessageType::result;
      } catch (...) {
        error = std::current_exception();
      }
    }
    discard(blocks.subspan(received_));
    answer_.clear();
    encode_exception(answer_, error);
    bool const range_failed = call_ != nullptr && call_->range_failed();
    return range_failed ? MessageType::range_error : MessageType::task_error;
  }

  /// Blocks of a task that nobody asked for, because reading it failed before, are still to come.
  void discard(std::span<std::uint64_t const> blocks) {
    std::vector<std::byte> nowhere(smallest_block);
    for (auto left : blocks) {
      while (left > 0) {
        auto const part = (std::min)(left, std::uint64_t{nowhere.size()});
        InMessage message;
        message.fills.push_back({nowhere.data(), static_cast<std::size_t>(part)});
        receive(message);
        left -= part;
      }
    }
  }

  WorkerEnd& parent_;
  Incoming incoming_;
  OutMessage answer_;
  std::optional<std::chrono::nanoseconds> idle_timeout_;
  std::unique_ptr<WorkerCall> own_call_;
  WorkerCall* call_ = nullptr;  // that one, or an inherited one
  std::exception_ptr no_call_;  // why there is none
  std::size_t received_ = 0;    // blocks of the task at hand
  std::int64_t begun_tasks_ = 0;
  bool timed_ = false;
  int worker_id_ = 0;
  WorkerJob job_;
};

/// The life of a worker process after static initialisation. `first_fd`: its socket; the memory
/// that it shares with its parent is the next one.
[[noreturn]] inline void run_worker(int first_fd) {
  guard_against_orphanhood(worker_start.parent);
  {
    WorkerEnd parent{FileDescriptor(first_fd), FileDescriptor(first_fd + 1)};
    Worker(parent).serve();
  }  // the socket is closed: nobody sends a task to one that is leaving, however long that takes
  std::exit(0);  // as if main had returned: coverage and leak checkers write their reports
}

}  // namespace joblot::detail

#endif
