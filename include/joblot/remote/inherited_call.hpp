// SPDX-License-Identifier: MIT
// The tasks of a call as a forked worker has them: in the memory that it was forked with.
#ifndef JOBLOT_REMOTE_INHERITED_CALL_HPP
#define JOBLOT_REMOTE_INHERITED_CALL_HPP

#include <cstddef>

#include <joblot/remote/messages.hpp>
#include <joblot/remote/worker_call.hpp>
#include <joblot/serialization/message.hpp>

namespace joblot::detail {

/// Made in the parent, used in its forked worker only. It reads the range at `items` and runs the
/// body, and touches nothing else of the loop.
template <class Loop>
class InheritedCall final : public WorkerCall {
 public:
  using Items = typename Loop::Items;

  explicit InheritedCall(Loop const& loop) : loop_(loop) {}

  /// Workers forked from now on find the elements of their batches here.
  void set_items(Items& items) noexcept { items_ = &items; }

  void run(std::size_t index, InMessage& /*task*/, BlockReceiver& /*blocks*/,
           OutMessage& result) override {
    auto const element = loop_.source_.elements(*items_);
    range_failed_ = true;
    auto&& item = element(index);
    range_failed_ = false;
    runner_.run(loop_.body_, index, static_cast<decltype(item)>(item), result);
  }
  [[nodiscard]] bool has_tasks() const noexcept override { return true; }
  [[nodiscard]] bool range_failed() const noexcept override { return range_failed_; }
  void forget_result() noexcept override { runner_.forget(); }

 private:
  Loop const& loop_;
  Items* items_ = nullptr;
  typename Loop::Parcels::Runner runner_;
  bool range_failed_ = false;
};

}  // namespace joblot::detail

#endif
