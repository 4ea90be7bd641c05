// SPDX-License-Identifier: MIT
// How pointers to functions and to member functions are written and read again.
#ifndef JOBLOT_SERIALIZATION_FUNCTIONS_HPP
#define JOBLOT_SERIALIZATION_FUNCTIONS_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

#include <joblot/error.hpp>
#include <joblot/serialization/code_identity.hpp>
#include <joblot/serialization/coder.hpp>

namespace joblot::detail {

inline void write_code(Encoder& out, void const* address) {
  std::vector<std::byte> identity;
  identify(address).append_to(identity);
  out.bytes(identity.data(), identity.size());
}

inline void* read_code(Decoder& in) {
  auto const identity = in.take([](auto& bytes) {
    try {
      return CodeIdentity::read_from(bytes);
    } catch (Error const& error) {
      throw BadMessage(error.what());
    }
  });
  return find_code(identity);
}

template <class T>
requires std::is_pointer_v<T>
struct Coder<T> {
  static_assert(std::is_function_v<std::remove_pointer_t<T>>);

  static void write(Encoder& out, T function) {
    detail::write(out, function != nullptr);
    // POSIX wants the two kinds of addresses to be the same.
    if (function != nullptr) write_code(out, reinterpret_cast<void const*>(function));
  }
  static T read(Decoder& in) {
    return detail::read<bool>(in) ? reinterpret_cast<T>(read_code(in)) : nullptr;
  }
};

/// A pointer to a member function in the Itanium C++ ABI, §2.3: an address, or an offset into a
/// virtual table, which is the same everywhere, as is the adjustment of `this`.
template <class T>
requires std::is_member_function_pointer_v<T>
struct Coder<T> {
  struct Words {
    std::uintptr_t code;
    std::ptrdiff_t adjustment;
  };
  static_assert(sizeof(T) == sizeof(Words));

  static void write(Encoder& out, T function) {
    Words words{};
    std::memcpy(&words, &function, sizeof words);
    bool const is_address = function != nullptr && !is_virtual(words);
    detail::write(out, is_address);
    if (is_address) {
      write_code(out,
                 reinterpret_cast<void const*>(words.code));  // NOLINT(performance-no-int-to-ptr)
      words.code = 0;
    }
    out.bits(words);
  }
  static T read(Decoder& in) {
    bool const is_address = detail::read<bool>(in);
    auto const* const address = is_address ? read_code(in) : nullptr;
    auto words = in.bits<Words>();
    if (is_address) words.code = reinterpret_cast<std::uintptr_t>(address);
    T function{};
    std::memcpy(&function, &words, sizeof words);
    return function;
  }

 private:
  static bool is_virtual(Words const& words) noexcept {
#if defined(__arm__) || defined(__aarch64__)
    return (words.adjustment & 1) != 0;
#else
    return (words.code & 1) != 0;
#endif
  }
};

}  // namespace joblot::detail

#endif
