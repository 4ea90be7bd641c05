// SPDX-License-Identifier: MIT
// How the tasks of a call are written down for a worker process, and run there.
#ifndef JOBLOT_REMOTE_PARCEL_HPP
#define JOBLOT_REMOTE_PARCEL_HPP

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include <joblot/delayed.hpp>
#include <joblot/remote/messages.hpp>
#include <joblot/remote/worker_call.hpp>
#include <joblot/serialization/encode.hpp>
#include <joblot/serialization/message.hpp>
#include <joblot/serialization/reasons.hpp>
#include <joblot/serialization/received.hpp>
#include <joblot/serialization/shippable.hpp>
#include <joblot/task.hpp>
#include <joblot/tuple_call.hpp>

namespace joblot::detail {

/// A task, an element or a function on its way: whether it can travel, how it is written, and what
/// the worker keeps of it while it is used.
template <class T>
struct Parcel {
  static constexpr bool possible = Shippable<T>;
  static std::string why_not() { return why_not_shippable<T>(); }
  static void write(OutMessage& message, T const& value) { encode(message, value); }

  class Kept {
   public:
    explicit Kept(InMessage& message) : value_(decode_all<T>(message)) {}
    decltype(auto) get() { return std::get<0>(value_).get(); }

   private:
    std::tuple<Received<T>> value_;
  };
};

/// A `DelayedCall` travels as its function and its arguments, and is put together again from what
/// the worker keeps of them.
template <class F, class... Args>
struct Parcel<DelayedCall<F, Args...>> {
  static constexpr bool possible = Shippable<F> && (Shippable<Args> && ...);

  static std::string why_not() {
    auto why = why_not_shippable<F>();
    static_cast<void>((why.empty() && ... && (why = why_not_shippable<Args>()).empty()));
    return why;
  }

  static void write(OutMessage& message, DelayedCall<F, Args...> const& call) {
    std::apply([&](auto const&... arguments) { encode(message, call.function_, arguments...); },
               call.arguments_);
  }

  class Kept {
   public:
    explicit Kept(InMessage& message)
        : parts_(decode_all<F, Args...>(message)),
          call_(std::apply(
              [](auto&... parts) { return DelayedCall<F, Args...>(std::in_place, parts.get()...); },
              parts_)) {}
    DelayedCall<F, Args...>& get() noexcept { return call_; }

   private:
    std::tuple<Received<F>, Received<Args>...> parts_;  // views among the arguments look at them
    DelayedCall<F, Args...> call_;
  };
};

/// What all tasks of a call have in common: the function of `map`, nothing for a range of tasks.
template <class Body>
struct CommonParcel {
  static constexpr bool possible = true;
  static std::string why_not() { return {}; }
  static void write(OutMessage& /*message*/, Body const& /*body*/) {}
  struct Kept {
    explicit Kept(InMessage& /*message*/) {}
    static Body get() { return {}; }
  };
};

template <class F>
struct CommonParcel<Apply<F>> {
  static constexpr bool possible = Parcel<F>::possible;
  static std::string why_not() { return Parcel<F>::why_not(); }
  static void write(OutMessage& message, Apply<F> const& body) {
    Parcel<F>::write(message, body.function);
  }
  class Kept {
   public:
    explicit Kept(InMessage& message)
        : kept_(decode_all<F>(message)), function_(std::get<0>(kept_).get()) {}
    Apply<F> get() const { return Apply<F>{function_}; }

   private:
    std::tuple<Received<F>> kept_;
    F function_;
  };
};

/// Runs one task in a worker and writes what it returns; keeps that as long as its blocks are sent
/// from where they are.
template <class Result>
class ResultWriter {
 public:
  template <class Run>
  void write(OutMessage& message, Run run) {
    if constexpr (std::is_void_v<Result>) {
      run();
    } else {
      result_.emplace(run());
      encode(message, *result_);
    }
  }
  void forget() noexcept { result_.reset(); }

 private:
  std::optional<stored_t<Result>> result_;
};

/// The result of a task in the parent, complete.
template <class Result>
std::decay_t<Result> read_result(InMessage& message, BlockReceiver& blocks) {
  if constexpr (!std::is_void_v<Result>) {
    auto result = decode<std::decay_t<Result>>(message);
    blocks.receive(message);
    return result;
  }
}

template <class Result>
inline constexpr bool result_can_travel = !result_flaw<std::decay_t<Result>>;
template <>
inline constexpr bool result_can_travel<void> = true;

template <class Result>
std::string why_no_result_of() {
  if constexpr (std::is_void_v<Result>) {
    return {};
  } else {
    return why_no_result<std::decay_t<Result>>();
  }
}

/// The tasks of a call whose elements are `Reference` and whose results are `Result`.
template <class Reference, class Body, class Result>
struct Parcels {
  using Item = std::remove_cvref_t<Reference>;
  using Common = CommonParcel<Body>;
  static constexpr bool possible =
      Common::possible && Parcel<Item>::possible && result_can_travel<Result>;
  static constexpr bool possible_forked = result_can_travel<Result>;

  static std::string why_not() {
    auto why = Common::why_not();
    if (why.empty()) why = Parcel<Item>::why_not();
    if (why.empty()) why = why_not_forked();
    return why;
  }
  static std::string why_not_forked() { return why_no_result_of<Result>(); }

  static void write_common(OutMessage& message, Body const& body) { Common::write(message, body); }
  static void write_task(OutMessage& message, Body const& /*body*/, Item const& item) {
    Parcel<Item>::write(message, item);
  }
  static decltype(auto) read(Body const& /*body*/, std::size_t /*index*/, InMessage& message,
                             BlockReceiver& blocks) {
    return read_result<Result>(message, blocks);
  }

  /// Runs inherited tasks.
  class Runner {
   public:
    template <class Element>
    void run(Body const& body, std::size_t /*index*/, Element&& element, OutMessage& result) {
      writer_.write(
          result, [&]() -> std::decay_t<Result> { return body(static_cast<Element&&>(element)); });
    }
    void forget() noexcept { writer_.forget(); }

   private:
    ResultWriter<Result> writer_;
  };

  class Call final : public WorkerCall {
   public:
    Call(InMessage& message, BlockReceiver& blocks) : common_(message) { blocks.receive(message); }

    void run(std::size_t /*index*/, InMessage& task, BlockReceiver& blocks,
             OutMessage& result) override {
      typename Parcel<Item>::Kept item(task);
      blocks.receive(task);
      auto const body = common_.get();
      auto&& element = item.get();
      writer_.write(result, [&]() -> std::decay_t<Result> {
        return body(static_cast<Reference&&>(element));
      });
    }
    void forget_result() noexcept override { writer_.forget(); }

   private:
    typename Common::Kept common_;
    ResultWriter<Result> writer_;
  };

  static std::unique_ptr<WorkerCall> make(InMessage& message, BlockReceiver& blocks) {
    return std::unique_ptr<WorkerCall>(new Call(message, blocks));  // quicker to compile
  }
};

/// Tasks of different types, by index.
template <class Reference, class... Tasks, class Result>
struct Parcels<Reference, TupleCall<Tasks...>, Result> {
  using Body = TupleCall<Tasks...>;
  template <std::size_t index>
  using TaskAt = std::tuple_element_t<index, std::tuple<Tasks&&...>>;
  template <class Task>
  using ResultOf = std::invoke_result_t<run_as_t<Task&&, false>>;

  static constexpr bool possible =
      ((Parcel<std::remove_cvref_t<Tasks>>::possible && result_can_travel<ResultOf<Tasks>>)&&...);
  static constexpr bool possible_forked = (result_can_travel<ResultOf<Tasks>> && ...);

  static std::string why_not() {
    std::string why;
    static_cast<void>(((why = Parcel<std::remove_cvref_t<Tasks>>::why_not()).empty() && ...) &&
                      (why = why_not_forked()).empty());
    return why;
  }
  static std::string why_not_forked() {
    std::string why;
    static_cast<void>(((why = why_no_result_of<ResultOf<Tasks>>()).empty() && ...));
    return why;
  }

  static void write_common(OutMessage& /*message*/, Body const& /*body*/) {}
  static void write_task(OutMessage& message, Body const& body, std::size_t index) {
    [&]<std::size_t... at>(std::index_sequence<at...> /*all*/) {
      using Write = void (*)(OutMessage&, Body const&);
      static constexpr std::array<Write, sizeof...(Tasks)> writers{&write_one<at>...};
      writers[index](message, body);
    }(std::index_sequence_for<Tasks...>());
  }
  static void read(Body const& body, std::size_t index, InMessage& message, BlockReceiver& blocks) {
    [&]<std::size_t... at>(std::index_sequence<at...> /*all*/) {
      using Read = void (*)(Body const&, InMessage&, BlockReceiver&);
      static constexpr std::array<Read, sizeof...(Tasks)> readers{&read_one<at>...};
      readers[index](body, message, blocks);
    }(std::index_sequence_for<Tasks...>());
  }

  /// Runs inherited tasks. Their results stay where the tuple has them.
  struct Runner {
    static void run(Body const& body, std::size_t /*task*/, std::size_t index, OutMessage& result) {
      body(index);
      [&]<std::size_t... at>(std::index_sequence<at...> /*all*/) {
        using Write = void (*)(OutMessage&, Body const&);
        static constexpr std::array<Write, sizeof...(Tasks)> writers{&write_result<at>...};
        writers[index](result, body);
      }(std::index_sequence_for<Tasks...>());
    }
    static void forget() noexcept {}
  };

  class Call final : public WorkerCall {
   public:
    void run(std::size_t index, InMessage& task, BlockReceiver& blocks,
             OutMessage& result) override {
      using RunOne = void (*)(Call&, InMessage&, BlockReceiver&, OutMessage&);
      static constexpr std::array<RunOne, sizeof...(Tasks)> runs{&run_one<Tasks>...};
      if (index >= runs.size()) throw BadMessage("there is no task of this number in the tuple");
      runs[index](*this, task, blocks, result);
    }
    void forget_result() noexcept override { keep_.reset(); }

   private:
    template <class Task>
    static void run_one(Call& self, InMessage& message, BlockReceiver& blocks, OutMessage& result) {
      using R = ResultOf<Task>;
      typename Parcel<std::remove_cvref_t<Task>>::Kept task(message);
      blocks.receive(message);
      auto writer = std::make_shared<ResultWriter<R>>();
      auto&& kept = task.get();
      writer->write(
          result, [&]() -> std::decay_t<R> { return RunTask<false>()(static_cast<Task&&>(kept)); });
      self.keep_ = std::move(writer);
    }

    std::shared_ptr<void> keep_;
  };

  static std::unique_ptr<WorkerCall> make(InMessage& /*message*/, BlockReceiver& /*blocks*/) {
    return std::unique_ptr<WorkerCall>(new Call);
  }

 private:
  template <std::size_t at>
  static void write_one(OutMessage& message, Body const& body) {
    Parcel<std::remove_cvref_t<TaskAt<at>>>::write(message, body.template task<at>());
  }

  template <std::size_t at>
  static void write_result(OutMessage& message, Body const& body) {
    if constexpr (!std::is_void_v<ResultOf<TaskAt<at>>>) {
      encode(message, *body.template result<at>());
    }
  }

  template <std::size_t at>
  static void read_one(Body const& body, InMessage& message, BlockReceiver& blocks) {
    using R = ResultOf<TaskAt<at>>;
    if constexpr (std::is_void_v<R>) {
      body.template result<at>().emplace();
    } else {
      body.template result<at>().emplace(read_result<R>(message, blocks));
    }
  }
};

}  // namespace joblot::detail

#endif
