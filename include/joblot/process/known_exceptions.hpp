// SPDX-License-Identifier: MIT
// The exceptions that need no registration: those of the standard library and of joblot.
#ifndef JOBLOT_PROCESS_KNOWN_EXCEPTIONS_HPP
#define JOBLOT_PROCESS_KNOWN_EXCEPTIONS_HPP

#include <any>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <future>
#include <ios>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <typeinfo>
#include <variant>

#include <joblot/error.hpp>
#include <joblot/process/exception_kind.hpp>
#include <joblot/serialization/inline_values.hpp>
#include <joblot/serialization/message.hpp>
#include <joblot/serialization/wire.hpp>

namespace joblot::detail {

/// Of an exception that is nothing but its text, or that has not even one of its own.
template <class E>
struct KnownExceptionCodec {
  static bool encode(OutMessage& /*out*/, E const& /*exception*/) { return true; }
  static E decode(InMessage& /*in*/, std::string const& text) {
    if constexpr (std::constructible_from<E, std::string const&>) {
      return E(text);
    } else {
      return E();
    }
  }
};

/// The categories that every process has. Those of users have no name that could be trusted.
inline std::array<std::error_category const*, 4> known_categories() noexcept {
  return {&std::generic_category(), &std::system_category(), &std::iostream_category(),
          &std::future_category()};
}

inline bool put_error_code(OutMessage& out, std::error_code const& code) {
  std::uint8_t number = 0;
  for (auto const* category : known_categories()) {
    if (*category == code.category()) {
      put(out, number, code.value());
      return true;
    }
    ++number;
  }
  return false;
}

inline std::error_code take_error_code(InMessage& in) {
  auto const categories = known_categories();
  auto const number = take<std::uint8_t>(in);
  if (number >= categories.size()) throw BadMessage("A message names an unknown error category.");
  return {take<int>(in), *categories[number]};
}

/// The text a `std::system_error` was constructed with, to which its constructor has added what the
/// code says; empty if it was constructed without.
inline std::optional<std::string> text_before_code(std::system_error const& error) {
  std::string_view text = error.std::runtime_error::what();  // not what a derived class makes of it
  auto const added = error.code().message();
  if (text == added) return std::nullopt;
  if (text.ends_with(": " + added)) text.remove_suffix(added.size() + 2);
  return std::string(text);
}

template <>
struct KnownExceptionCodec<std::system_error> {
  static bool encode(OutMessage& out, std::system_error const& error) {
    put(out, text_before_code(error));
    return put_error_code(out, error.code());
  }
  static std::system_error decode(InMessage& in, std::string const& /*text*/) {
    auto const text = take<std::optional<std::string>>(in);
    auto const code = take_error_code(in);
    return text ? std::system_error(code, *text) : std::system_error(code);
  }
};

template <>
struct KnownExceptionCodec<std::ios_base::failure> {
  static bool encode(OutMessage& out, std::ios_base::failure const& error) {
    put(out, text_before_code(error).value_or(std::string()));
    return put_error_code(out, error.code());
  }
  static std::ios_base::failure decode(InMessage& in, std::string const& /*text*/) {
    auto const text = take<std::string>(in);
    return std::ios_base::failure(text, take_error_code(in));
  }
};

template <>
struct KnownExceptionCodec<std::filesystem::filesystem_error> {
  using FilesystemError = std::filesystem::filesystem_error;

  static bool encode(OutMessage& out, FilesystemError const& error) {
    auto const text = text_before_code(error).value_or(std::string());
    // An empty path may have been given or not, which only what() tells.
    std::uint8_t paths = 2;
    while (paths > 0 &&
           std::string_view(make(paths, text, error.path1(), error.path2(), error.code()).what()) !=
               error.what()) {
      --paths;
    }
    put(out, text, error.path1().native(), error.path2().native(), paths);
    return put_error_code(out, error.code());
  }

  static FilesystemError decode(InMessage& in, std::string const& /*text*/) {
    auto const text = take<std::string>(in);
    std::filesystem::path const path1 = take<std::string>(in);
    std::filesystem::path const path2 = take<std::string>(in);
    auto const paths = take<std::uint8_t>(in);
    return make(paths, text, path1, path2, take_error_code(in));
  }

 private:
  static FilesystemError make(int paths, std::string const& text,
                              std::filesystem::path const& path1,
                              std::filesystem::path const& path2, std::error_code code) {
    switch (paths) {
      case 0:
        return {text, code};
      case 1:
        return {text, path1, code};
      default:
        return {text, path1, path2, code};
    }
  }
};

template <>
struct KnownExceptionCodec<std::future_error> {
  static bool encode(OutMessage& out, std::future_error const& error) {
    put(out, error.code().value());
    return true;
  }
  static std::future_error decode(InMessage& in, std::string const& /*text*/) {
    return std::future_error(static_cast<std::future_errc>(take<int>(in)));
  }
};

template <>
struct KnownExceptionCodec<TimeoutError> {
  static bool encode(OutMessage& out, TimeoutError const& error) {
    put(out, error.index());
    return true;
  }
  static TimeoutError decode(InMessage& in, std::string const& text) {
    return {text, take<std::size_t>(in)};
  }
};

template <>
struct KnownExceptionCodec<RemoteError> {  // from a process that a task has started
  static bool encode(OutMessage& out, RemoteError const& error) {
    put(out, error.type_name(), error.text(), error.pid(), error.index());
    return true;
  }
  static RemoteError decode(InMessage& in, std::string const& /*text*/) {
    auto const type_name = take<std::string>(in);
    auto const text = take<std::string>(in);
    auto const pid = take<long>(in);
    return {type_name, text, pid, take<std::size_t>(in)};
  }
};

template <>
struct KnownExceptionCodec<TerminatedWorkerError> {
  static bool encode(OutMessage& out, TerminatedWorkerError const& error) {
    put(out, error.pid(), error.signal(), error.exit_status(), error.index());
    return true;
  }
  static TerminatedWorkerError decode(InMessage& in, std::string const& /*text*/) {
    auto const pid = take<long>(in);
    auto const signal = take<std::optional<int>>(in);
    auto const exit_status = take<std::optional<int>>(in);
    return {pid, signal, exit_status, take<std::optional<std::size_t>>(in)};
  }
};

template <class... E>
constexpr std::array<ExceptionKind, sizeof...(E)> known_kinds() noexcept {
  return {kind_of<E, KnownExceptionCodec<E>>()...};
}

inline constexpr auto known_exceptions =
    known_kinds<std::exception, std::logic_error, std::invalid_argument, std::domain_error,
                std::length_error, std::out_of_range, std::runtime_error, std::range_error,
                std::overflow_error, std::underflow_error, std::bad_alloc,
                std::bad_array_new_length, std::bad_cast, std::bad_any_cast, std::bad_typeid,
                std::bad_function_call, std::bad_optional_access, std::bad_variant_access,
                std::bad_weak_ptr, std::bad_exception, std::system_error, std::ios_base::failure,
                std::filesystem::filesystem_error, std::future_error, Error, InvalidOption,
                TimeoutError, CancelledError, RemoteError, TerminatedWorkerError, NotShippableError,
                WorkerInitError>();

}  // namespace joblot::detail

#endif
