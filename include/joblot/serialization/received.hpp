// SPDX-License-Identifier: MIT
// Where an argument lives in the process that received it, while the task runs.
#ifndef JOBLOT_SERIALIZATION_RECEIVED_HPP
#define JOBLOT_SERIALIZATION_RECEIVED_HPP

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <joblot/error.hpp>
#include <joblot/serialization/encode.hpp>

namespace joblot::detail {

/// An argument of type `T` after its journey. `get` gives what the function is called with, once:
/// a value is moved out of here; a view or reference shows what is kept here.
template <class T>
class Received {
 public:
  explicit Received(Decoder& in) : value_(read<T>(in)) {}

  [[nodiscard]] T&& get() noexcept { return std::move(value_); }

 private:
  T value_;
};

template <>
class Received<char const*> {
 public:
  explicit Received(Decoder& in) : value_(read<std::optional<std::string>>(in)) {}

  [[nodiscard]] char const* get() const noexcept { return value_ ? value_->c_str() : nullptr; }

 private:
  std::optional<std::string> value_;
};

template <class C, class Traits>
class Received<std::basic_string_view<C, Traits>> {
 public:
  explicit Received(Decoder& in) : value_(read<std::basic_string<C, Traits>>(in)) {}

  [[nodiscard]] std::basic_string_view<C, Traits> get() const noexcept { return value_; }

 private:
  std::basic_string<C, Traits> value_;
};

template <class T, std::size_t extent>
class Received<std::span<T const, extent>> {
 public:
  explicit Received(Decoder& in) : value_(read<std::vector<T>>(in)) {
    if (extent != std::dynamic_extent && value_.size() != extent) {
      throw BadMessage("A message has a span of " + std::to_string(value_.size()) +
                       " elements in place of one of " + std::to_string(extent) + ".");
    }
  }

  [[nodiscard]] std::span<T const, extent> get() const noexcept {
    return std::span<T const, extent>(value_.data(), value_.size());
  }

 private:
  std::vector<T> value_;
};

template <std::size_t extent>
class Received<std::span<bool const, extent>> {
 public:
  explicit Received(Decoder& in) {
    auto const bits = read<std::vector<bool>>(in);
    size_ = bits.size();
    if (extent != std::dynamic_extent && size_ != extent) {
      throw BadMessage("A message has a span of the wrong size.");
    }
    value_ = std::make_unique<bool[]>(size_);
    std::copy(bits.begin(), bits.end(), value_.get());
  }

  [[nodiscard]] std::span<bool const, extent> get() const noexcept {
    return std::span<bool const, extent>(value_.get(), size_);
  }

 private:
  std::size_t size_ = 0;
  std::unique_ptr<bool[]> value_;
};

template <class T>
class Received<std::reference_wrapper<T const>> {
 public:
  explicit Received(Decoder& in) : value_(read<T>(in)) {}

  [[nodiscard]] T const& get() const noexcept { return value_; }

 private:
  T value_;
};

/// Reads what `encode(message, values...)` wrote for values of the types `T...`, from the front of
/// the message; throws and fills as `decode`.
template <class... T>
std::tuple<Received<T>...> decode_all(InMessage& message) {
  return decode_with(message, [](Decoder& decoder) {
    static_cast<void>(decoder);
    return std::tuple<Received<T>...>{Received<T>(decoder)...};  // in braces: from left to right
  });
}

}  // namespace joblot::detail

#endif
