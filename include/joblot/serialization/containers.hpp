// SPDX-License-Identifier: MIT
// How strings and containers are written and read again.
#ifndef JOBLOT_SERIALIZATION_CONTAINERS_HPP
#define JOBLOT_SERIALIZATION_CONTAINERS_HPP

#include <array>
#include <concepts>
#include <cstddef>
#include <filesystem>
#include <forward_list>
#include <iterator>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <joblot/serialization/coder.hpp>
#include <joblot/serialization/huge_pages.hpp>

namespace joblot::detail {

/// A vector or string that is received in place. Its memory is the same after every move; with
/// allocators that may differ a move can copy instead.
template <class Container>
concept InPlace = is_bits<typename Container::value_type> &&
                  std::default_initializable<typename Container::value_type> &&
                  std::allocator_traits<typename Container::allocator_type>::is_always_equal::value;

/// An element, which must not take nothing: a length is held against the bytes that are left.
template <class T>
void write_element(Encoder& out, T const& value) {
  if constexpr (least_size<T>() == 0) out.bits(std::byte{});
  write(out, value);
}
template <class T>
T read_element(Decoder& in) {
  if constexpr (least_size<T>() == 0) static_cast<void>(in.bits<std::byte>());
  return read<T>(in);
}
template <class T>
std::size_t read_count(Decoder& in) {
  return in.length(least_size<T>() == 0 ? 1 : least_size<T>());
}

/// What a vector writes, from any contiguous memory.
template <class T>
void write_span(Encoder& out, T const* data, std::size_t size) {
  out.length(size);
  if constexpr (is_bits<T> && std::default_initializable<T>) {
    out.memory(data, size * sizeof(T));
  } else {
    Writer::Deeper const deeper(out);
    for (std::size_t i = 0; i < size; ++i) write_element(out, data[i]);
  }
}

/// A vector or string of the claimed length, filled now or later.
template <class Container>
Container read_in_place(Decoder& in) {
  using T = typename Container::value_type;
  auto const count = in.memory_length(sizeof(T));
  auto const size = count * sizeof(T);
  Container result;
  if (size >= smallest_huge) {
    result.reserve(count);
    advise_huge_pages(result.data(), size);
  }
  result.resize(count);
  in.memory(result.data(), size);
  return result;
}

template <class C, class Traits, class A>
struct Coder<std::basic_string<C, Traits, A>> {
  using Text = std::basic_string<C, Traits, A>;
  static_assert(is_bits<C>);
  static void write(Encoder& out, Text const& value) {
    if constexpr (InPlace<Text>) {
      write_span(out, value.data(), value.size());
    } else {
      out.length(value.size());
      out.bytes(value.data(), value.size() * sizeof(C));
    }
  }
  static Text read(Decoder& in) {
    if constexpr (InPlace<Text>) {
      return read_in_place<Text>(in);
    } else {
      Text result(in.length(sizeof(C)), C());
      in.bytes(result.data(), result.size() * sizeof(C));
      return result;
    }
  }
};

template <>
struct Coder<std::filesystem::path> {
  using Path = std::filesystem::path;
  static void write(Encoder& out, Path const& value) {
    Writer::Inline const inlined(out);  // a path is taken to pieces when it is made
    detail::write(out, value.native());
  }
  static Path read(Decoder& in) {
    Reader::Inline const inlined(in);
    return Path(detail::read<Path::string_type>(in));
  }
};

template <class Sequence>
struct SequenceCoder {
  using T = typename Sequence::value_type;
  static void write(Encoder& out, Sequence const& value) {
    Writer::Deeper const deeper(out);
    out.length(static_cast<std::size_t>(std::distance(value.begin(), value.end())));
    for (T const& element : value) write_element(out, element);
  }
  static Sequence read(Decoder& in) {
    Reader::Deeper const deeper(in);
    auto count = read_count<T>(in);
    Sequence result;
    if constexpr (requires { result.emplace_after(result.before_begin(), read_element<T>(in)); }) {
      for (auto at = result.before_begin(); count > 0; --count) {
        at = result.emplace_after(at, read_element<T>(in));
      }
    } else {
      if constexpr (requires { result.reserve(count); }) result.reserve(count);
      for (; count > 0; --count) result.emplace_back(read_element<T>(in));
    }
    return result;
  }
};

template <class T, class A>
struct Coder<std::deque<T, A>> : SequenceCoder<std::deque<T, A>> {};
template <class T, class A>
struct Coder<std::list<T, A>> : SequenceCoder<std::list<T, A>> {};
template <class T, class A>
struct Coder<std::forward_list<T, A>> : SequenceCoder<std::forward_list<T, A>> {};
template <class A>
struct Coder<std::vector<bool, A>> : SequenceCoder<std::vector<bool, A>> {};

template <class T, class A>
struct Coder<std::vector<T, A>> {
  using Vector = std::vector<T, A>;
  static void write(Encoder& out, Vector const& value) {
    if constexpr (InPlace<Vector>) {
      write_span(out, value.data(), value.size());
    } else {
      SequenceCoder<Vector>::write(out, value);
    }
  }
  static Vector read(Decoder& in) {
    if constexpr (InPlace<Vector>) {
      return read_in_place<Vector>(in);
    } else {
      return SequenceCoder<Vector>::read(in);
    }
  }
};

template <class T, std::size_t length>
struct Coder<std::array<T, length>> {
  static void write(Encoder& out, std::array<T, length> const& value) {
    for (T const& element : value) detail::write(out, element);
  }
  static std::array<T, length> read(Decoder& in) {
    if constexpr (std::default_initializable<T> && std::assignable_from<T&, T>) {
      std::array<T, length> result;
      for (T& element : result) element = detail::read<T>(in);
      return result;
    } else {
      return read(in, std::make_index_sequence<length>{});
    }
  }

 private:
  template <std::size_t... at>
  static std::array<T, length> read(Decoder& in, std::index_sequence<at...>) {
    return {{(static_cast<void>(at), detail::read<T>(in))...}};
  }
};

/// Sets and maps. Keys are compared or hashed while they are read: they cannot come later.
template <class Set>
concept Associative = Known<Set>::as == KnownAs::ordered || Known<Set>::as == KnownAs::hashed;

template <Associative Container>
struct Coder<Container> {
  using Key = typename Container::key_type;

  static void write(Encoder& out, Container const& value) {
    Writer::Deeper const deeper(out);
    out.length(value.size());
    for (auto const& element : value) {
      if constexpr (is_map) {
        write_key(out, element.first);
        write_element(out, element.second);
      } else {
        write_key(out, element);
      }
    }
  }

  static Container read(Decoder& in) {
    Reader::Deeper const deeper(in);
    Container result;
    auto const count = read_count<Key>(in);
    if constexpr (Known<Container>::as == KnownAs::hashed) result.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      auto key = read_key(in);
      if constexpr (is_map) {
        result.emplace_hint(result.end(), std::move(key),
                            read_element<typename Container::mapped_type>(in));
      } else {
        result.emplace_hint(result.end(), std::move(key));
      }
      // What was not taken is gone, and with it memory that is to be filled.
      if (result.size() != i + 1) throw BadMessage("A message has a key twice.");
    }
    return result;
  }

 private:
  static constexpr bool is_map = requires { typename Container::mapped_type; };

  static void write_key(Encoder& out, Key const& key) {
    Writer::Inline const inlined(out);
    write_element(out, key);
  }
  static Key read_key(Decoder& in) {
    Reader::Inline const inlined(in);
    return read_element<Key>(in);
  }
};

}  // namespace joblot::detail

#endif
