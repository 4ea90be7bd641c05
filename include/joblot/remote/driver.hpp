// SPDX-License-Identifier: MIT
// Has a worker process run the tasks that a seat of a call takes, and outlives its death.
#ifndef JOBLOT_REMOTE_DRIVER_HPP
#define JOBLOT_REMOTE_DRIVER_HPP

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <utility>

#include <joblot/claims.hpp>
#include <joblot/error.hpp>
#include <joblot/process/channel.hpp>
#include <joblot/process/remote_exception.hpp>
#include <joblot/remote/messages.hpp>
#include <joblot/remote/task_frame.hpp>
#include <joblot/remote/worker_lease.hpp>
#include <joblot/serialization/message.hpp>

namespace joblot::detail {

/// The typed side of one seat: its tasks as bytes, and what became of them. Two batches may be
/// under way at a time, numbered 0 and 1.
class RemoteTasks {
 public:
  /// How a batch is taken when another one is under way: without waiting for anything, because the
  /// results of that one may be what it would wait for.
  enum class Patience { waits, does_not_wait };
  enum class Taken { batch, none_now, end };

  virtual Taken take(int batch, Patience patience, Claim& claim) noexcept = 0;
  /// What all tasks of the call have in common; sent to each worker once.
  virtual void encode_call(OutMessage& message) = 0;
  virtual void encode_task(int batch, std::size_t index, OutMessage& message) = 0;
  /// Whether the workers have the tasks already; then neither is called.
  [[nodiscard]] virtual bool inherited() const noexcept = 0;
  /// Stores a result. What it throws is the task's error.
  virtual void accept(int batch, std::size_t index, int attempt, InMessage& result,
                      BlockReceiver& blocks) = 0;
  virtual void fail(int batch, std::size_t index, int attempt,
                    std::exception_ptr error) noexcept = 0;
  /// The range threw instead of giving the element `index`.
  virtual void fail_range(int batch, std::size_t index, std::exception_ptr error) noexcept = 0;
  /// No worker can be had: ends the call.
  virtual void fail_call(std::exception_ptr error) noexcept = 0;
  /// The results before `end` are there.
  virtual void publish(int batch, std::size_t end) noexcept = 0;
  /// All tasks of the batch have been run, or are not wanted any more.
  virtual void finish(int batch, std::size_t tasks, std::chrono::nanoseconds time) noexcept = 0;
  /// Tasks from here on need not be run.
  [[nodiscard]] virtual std::size_t stop_at() const noexcept = 0;

 protected:
  ~RemoteTasks() = default;
};

/// What a seat needs to know of its call.
struct RemoteSettings {
  std::optional<std::chrono::nanoseconds> timeout;
  int retries = 0;
  int worker_id = 0;
};

/// One thread of the caller's process and one worker at a time: it takes batches, sends them, and
/// stores what comes back. The thread sleeps while the worker works.
///
/// A second batch is sent ahead while batches are short, so that the worker need not wait for it.
/// Only the process's own death ends a batch early; then exactly the task it ran is lost, the
/// others go to its successor: their results are in memory that the worker shared, or they had not
/// begun.
class RemoteDriver {
 public:
  RemoteDriver(RemoteTasks& tasks, WorkerLease& lease, RemoteSettings settings)
      : tasks_(tasks), lease_(lease), settings_(settings) {}
  RemoteDriver(RemoteDriver const&) = delete;
  RemoteDriver& operator=(RemoteDriver const&) = delete;

  /// Runs tasks until there are none left.
  void run() noexcept {
    guarded([this] {
      do {
        top_up(most_ahead);
      } while (go_on());
    });
  }

  /// Runs one batch; false if there was none left.
  bool step() noexcept {
    bool any = false;
    guarded([&] {
      top_up(1);
      any = under_way_ > 0;
      while (go_on()) {
      }
    });
    return any;
  }

 private:
  static constexpr int most_ahead = 2;
  /// A batch that runs longer is not worth one behind it: another worker could run that.
  static constexpr std::chrono::microseconds short_batch{2000};
  /// Deaths in a row that bring no result nearer: then something kills every worker. In the second
  /// case it is something that the worker does while it starts.
  static constexpr int most_vain_deaths = 20;
  static constexpr int most_still_births = 3;
  static constexpr std::size_t most_in_message = 1 << 20;

  struct Batch {
    std::size_t next = 0;  // the first task without a result
    std::size_t sent = 0;  // the tasks before it have been sent to the worker at hand
    std::size_t end = 0;
    std::size_t first = 0;
    int attempt = 1;             // of the task `next`
    std::exception_ptr stuck{};  // the task `sent` cannot be sent
    std::chrono::nanoseconds time{0};
  };

  /// Errors of the machinery end the call: nothing is left to go on with.
  template <class Body>
  void guarded(Body body) noexcept {
    std::exception_ptr error;
    try {
      body();
      return;
    } catch (...) {
      error = std::current_exception();
    }
    lease_.kill();
    tasks_.fail_call(std::move(error));
    while (under_way_ > 0) drop_front();
  }

  [[nodiscard]] Batch& front() noexcept { return batches_[static_cast<std::size_t>(front_)]; }
  [[nodiscard]] int back_slot() const noexcept { return (front_ + under_way_) % most_ahead; }

  void top_up(int most) {
    auto const limit = last_time_ && *last_time_ < short_batch ? most : 1;
    while (!ended_ && under_way_ < limit) {
      using enum RemoteTasks::Patience;
      Claim claim;
      int const slot = back_slot();
      auto const taken = tasks_.take(slot, under_way_ == 0 ? waits : does_not_wait, claim);
      if (taken == RemoteTasks::Taken::end) ended_ = true;
      if (taken != RemoteTasks::Taken::batch) return;
      batches_[static_cast<std::size_t>(slot)] = {.next = claim.first,
                                                  .sent = claim.first,
                                                  .end = claim.first + claim.count,
                                                  .first = claim.first};
      ++under_way_;
      send(slot);
    }
  }

  /// Sends what has not been sent of a batch, up to a task that cannot be, if that can be done now:
  /// behind another batch only what the ring takes at once, else when the worker has nothing else
  /// to do, because both sides may wait for each other else.
  void send(int slot) {
    try {
      send_to_worker(slot);
    } catch (WorkerGone const&) {
      bury(Death::own);
    }
  }

  void send_to_worker(int slot) {
    auto& batch = batches_[static_cast<std::size_t>(slot)];
    batch.sent = (std::max)(batch.sent, batch.next);
    if (batch.sent == batch.end || batch.stuck) return;
    bool const alone = slot == front_ && batch.next == batch.sent;
    if (!alone && front().sent != front().end) return;  // in order
    if (!alone && !message_.blocks.empty()) return;     // nor will this one be small
    auto const last = encode(slot);
    if (last > batch.sent) {
      introduce();  // now, so that it waits for its first tasks as short a time as can be
      MessageHeader const header{
          .type = to_number(MessageType::batch),
          .count = static_cast<std::uint32_t>(last - batch.sent),
          .index = batch.sent,
          .extra = static_cast<std::uint64_t>(batch.sent == batch.next ? batch.attempt : 1)};
      if (alone) {
        lease_.send(header, message_);
        batch.sent = last;
      } else if (lease_.try_send(header, message_)) {
        batch.sent = last;
      } else {
        batch.stuck = nullptr;  // it is behind others that have not been sent: found again
      }
    }
    settle_stuck(slot);
  }

  /// Writes the tasks that have not been sent; returns the first one that is not in the message.
  /// One with blocks is alone: else the worker might have to wait with its answer to one task until
  /// it has room for the blocks of the others, and here all of them would be there at once.
  std::size_t encode(int slot) {
    auto& batch = batches_[static_cast<std::size_t>(slot)];
    message_.clear();
    auto const end = (std::min)(batch.end, batch.sent + most_in_message);
    if (tasks_.inherited()) return end;
    for (auto index = batch.sent; index < end; ++index) {
      auto const place = message_.bytes.size();
      auto const blocks = message_.blocks.size();
      try {
        begin_task(message_);
        tasks_.encode_task(slot, index, message_);
        end_task(message_, place, blocks);
      } catch (...) {
        batch.stuck = std::current_exception();
      }
      bool const has_blocks = message_.blocks.size() > blocks;
      if (batch.stuck || (has_blocks && index > batch.sent)) {
        message_.bytes.resize(place);
        message_.blocks.resize(blocks);
        return index;
      }
      if (has_blocks) return index + 1;
    }
    return end;
  }

  /// Sees to it that there is a worker that knows what the tasks of this call are.
  void introduce() {
    lease_.need();
    if (lease_.knows_call()) return;
    introduction_.clear();
    tasks_.encode_call(introduction_);
    MessageHeader const header{.type = to_number(MessageType::call),
                               .count = settings_.timeout ? 1U : 0U,
                               .index = static_cast<std::uint64_t>(settings_.worker_id)};
    lease_.send(header, introduction_);
    lease_.has_call();
  }

  /// If the task that cannot be sent is the next one, it has its error.
  void settle_stuck(int slot) {
    auto& batch = batches_[static_cast<std::size_t>(slot)];
    if (!batch.stuck || batch.next != batch.sent) return;
    tasks_.fail(slot, batch.next, batch.attempt, std::exchange(batch.stuck, nullptr));
    ++batch.next;
    batch.attempt = 1;
  }

  [[nodiscard]] bool stopped() const noexcept {
    return tasks_.stop_at() <= batches_[static_cast<std::size_t>(front_)].next;
  }

  /// One step on; false if nothing is under way any more.
  bool go_on() {
    if (under_way_ == 0) return false;
    if (stopped()) {
      give_up();
    } else if (front().next == front().end) {
      finish_front();
    } else if (front().sent <= front().next) {  // less, if the next one could not be sent
      send(front_);
    } else {
      wait();
    }
    return under_way_ > 0 || !ended_;
  }

  void wait() {
    switch (lease_.wait(deadline())) {
      case Ready::message:
        return receive();
      case Ready::gone:
        return bury(Death::own);
      case Ready::timed_out:
        return look_at_clock();
      case Ready::interrupted:  // somebody has stopped the call
      case Ready::nothing:
        return;
    }
  }

  /// Stores all results that are there.
  void receive() {
    bool corrupt = false;
    auto const known = front().next;
    int const slot = front_;
    try {
      while (under_way_ > 0 && front_ == slot && !stopped() && lease_.receive(incoming_)) {
        store(slot);
        settle_stuck(slot);
        if (front().next == front().end) break;
      }
    } catch (BadChannel const&) {
      corrupt = true;
    } catch (WorkerGone const&) {  // in the midst of a large result: found out by the next wait
    }
    if (front().next != known) vain_deaths_ = still_births_ = 0;
    tasks_.publish(slot, front().next);
    if (corrupt) bury(Death::own);
  }

  void store(int slot) {
    auto& batch = front();
    auto const& header = incoming_.header;
    auto const type = static_cast<MessageType>(header.type);
    if ((type != MessageType::result && type != MessageType::task_error &&
         type != MessageType::range_error) ||
        header.index != batch.next || batch.next >= batch.sent) {
      throw BadChannel("a worker process answered what it was not asked");
    }
    auto const index = batch.next;
    auto const attempt = batch.attempt;
    std::exception_ptr error;
    std::chrono::nanoseconds const time(header.extra);
    if (settings_.timeout && time > *settings_.timeout) {
      error = overdue(index);
    } else if (type != MessageType::result) {
      error = decode_exception(incoming_.message, lease_.pid(), index);
    } else {
      try {
        tasks_.accept(slot, index, attempt, incoming_.message, lease_);
      } catch (WorkerGone const&) {
        throw;
      } catch (BadChannel const&) {
        throw;
      } catch (...) {
        error = std::current_exception();
      }
    }
    // First, so that a result whose task is to blame is counted whatever comes.
    lease_.answered();
    ++batch.next;
    batch.attempt = 1;
    if (settings_.timeout || header.count == 0) batch.time += time;
    if (!error) return;
    if (type == MessageType::range_error) {
      tasks_.fail_range(slot, index, std::move(error));
    } else {
      tasks_.fail(slot, index, attempt, std::move(error));
    }
  }

  void finish_front() {
    auto const& batch = front();
    last_time_ = batch.time;
    tasks_.publish(front_, batch.end);
    tasks_.finish(front_, batch.end - batch.first, batch.time);
    front_ = (front_ + 1) % most_ahead;
    --under_way_;
  }

  void drop_front() noexcept {
    tasks_.publish(front_, front().next);
    tasks_.finish(front_, 0, {});
    front().stuck = nullptr;
    front_ = (front_ + 1) % most_ahead;
    --under_way_;
  }

  /// The call has been stopped: nobody waits for what the worker does.
  void give_up() noexcept {
    if (front().sent > front().next || under_way_ > 1) lease_.kill();
    while (under_way_ > 0) drop_front();
    ended_ = true;
  }

  // Time.

  [[nodiscard]] std::optional<std::chrono::steady_clock::time_point> deadline() const {
    if (!settings_.timeout) return std::nullopt;
    auto const begun = lease_.running_since();
    return (begun ? *begun : std::chrono::steady_clock::now()) + *settings_.timeout;
  }

  [[nodiscard]] bool is_overdue() const {
    auto const begun = lease_.running_since();
    return begun && std::chrono::steady_clock::now() - *begun > *settings_.timeout;
  }

  void look_at_clock() {
    if (!is_overdue()) return;
    bury(Death::by_clock);
  }

  [[nodiscard]] std::exception_ptr overdue(std::size_t index) const {
    return std::make_exception_ptr(TimeoutError(
        "task " + std::to_string(index) + " ran longer than the option timeout allows", index));
  }

  // Death.

  /// Why a worker is to be buried: it has died or cannot be talked to, or a task takes too long.
  enum class Death { own, by_clock };

  /// Ends the worker if it is not dead. Its last results are taken, the task that it ran is lost,
  /// and a new worker gets the rest.
  void bury(Death death) {
    auto const pid = lease_.pid();
    auto const status = lease_.end();  // first: until then it may go on
    receive_last();
    if (under_way_ > 0 && !stopped()) {
      bool const overdue = death == Death::by_clock && is_overdue();
      // It may have got ready just before it was killed for it: then the next one is not to blame.
      bool const innocent = death == Death::by_clock && !overdue;
      if (front().next < front().sent && lease_.running_since() && !innocent) {
        lose(overdue, pid, status);
      } else if (!innocent) {
        die_in_vain(pid, status);
      }
    }
    lease_.drop();
    // A new worker gets the rest: the next step sends it.
    for (auto& batch : batches_) {
      batch.sent = batch.next;
      batch.stuck = nullptr;  // it is found again
    }
  }

  /// No task is lost with it; but if that goes on, none will ever run.
  void die_in_vain(long pid, ExitStatus const& status) {
    // Who ends itself before it is ready does so each time. Who is killed may have better luck, and
    // as `retries` says how many deaths are to be borne for one task, so many are borne for none.
    bool const by_itself = !lease_.ready() && status.signal != SIGKILL;
    auto const most =
        by_itself ? most_still_births : (std::max)(most_vain_deaths, settings_.retries);
    if (++(by_itself ? still_births_ : vain_deaths_) <= most) return;
    TerminatedWorkerError const error(pid, status.signal, status.exit_status, std::nullopt);
    if (!by_itself || !lease_.has_initializer()) throw error;
    throw WorkerInitError(std::string("the initializer ended a worker process: ") + error.what());
  }

  void receive_last() {
    try {
      while (under_way_ > 0 && lease_.receive(incoming_)) {
        store(front_);
        settle_stuck(front_);
        if (front().next == front().end) finish_front();
      }
    } catch (BadChannel const&) {  // what it wrote last is no use
    } catch (WorkerGone const&) {
    }
    if (under_way_ > 0) tasks_.publish(front_, front().next);
  }

  void lose(bool timed_out, long pid, ExitStatus const& status) {
    auto& batch = front();
    vain_deaths_ = still_births_ = 0;
    if (timed_out) {
      tasks_.fail(front_, batch.next, batch.attempt, overdue(batch.next));
    } else if (batch.attempt <= settings_.retries) {
      ++batch.attempt;
      return;
    } else {
      tasks_.fail(front_, batch.next, batch.attempt,
                  std::make_exception_ptr(
                      TerminatedWorkerError(pid, status.signal, status.exit_status, batch.next)));
    }
    ++batch.next;
    batch.attempt = 1;
  }

  RemoteTasks& tasks_;
  WorkerLease& lease_;
  RemoteSettings settings_;
  std::array<Batch, most_ahead> batches_;
  int front_ = 0;
  int under_way_ = 0;
  bool ended_ = false;
  int vain_deaths_ = 0;
  int still_births_ = 0;
  std::optional<std::chrono::nanoseconds> last_time_;
  OutMessage message_;
  OutMessage introduction_;
  Incoming incoming_;
};

}  // namespace joblot::detail

#endif
