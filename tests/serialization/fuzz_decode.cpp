// SPDX-License-Identifier: MIT
// libFuzzer: any bytes are a value or an exception. The first byte picks the type.
//   clang++-16 -std=c++20 -g -O1 -Iinclude -fsanitize=fuzzer,address,undefined \
//     -fno-sanitize-recover=all tests/serialization/fuzz_decode.cpp -lfmt -o fuzz_decode
//   ./fuzz_decode -max_total_time=60
#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <filesystem>
#include <forward_list>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include <joblot/serialization/received.hpp>

namespace {

using joblot::detail::BadMessage;
using joblot::detail::decode;
using joblot::detail::encode;
using joblot::detail::InMessage;
using joblot::detail::OutMessage;

struct Node {
  bool flag = false;
  std::unique_ptr<Node> next;
  std::shared_ptr<Node> other;
  std::vector<Node> children;
};
struct Account {
  std::string owner;
  std::map<std::vector<int>, std::deque<bool>> history;
  std::shared_ptr<std::string> first;
  std::shared_ptr<int> second;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(owner, history, first, second);
  }
};
struct Shape {
  virtual ~Shape() = default;
  template <class Archive>
  void serialize(Archive&) {}
};
struct Circle : Shape {
  std::shared_ptr<Shape> inner;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(cereal::base_class<Shape>(this), inner);
  }
};

/// Half of what is left of the input is bytes, the other half sizes of blocks.
template <class T>
void try_decode(std::span<std::byte const> input) {
  auto const split = input.size() - input.size() / 4;
  std::vector<std::uint64_t> sizes;
  for (auto const size : input.subspan(split)) {
    // Real sizes come with as many bytes; here they only must not exhaust the memory.
    sizes.push_back(joblot::detail::smallest_block + std::to_integer<std::uint64_t>(size) * 8);
  }
  InMessage in{input.first(split), sizes, {}};
  try {
    T const value = decode<T>(in);
    for (auto const& fill : in.fills) std::memset(fill.data, 1, fill.size);
    OutMessage out;
    encode(out, value);
  } catch (joblot::Error const&) {
  } catch (cereal::Exception const&) {
  }
}

}  // namespace

CEREAL_REGISTER_TYPE(Circle)

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  if (size == 0) return 0;
  auto const input = std::as_bytes(std::span(data, size)).subspan(1);
  switch (data[0] % 8) {
    case 0:
      try_decode<std::vector<Node>>(input);
      break;
    case 1:
      try_decode<std::vector<Account>>(input);
      break;
    case 2:
      try_decode<std::vector<std::shared_ptr<Shape>>>(input);
      break;
    case 3:
      try_decode<std::map<std::string, std::pair<std::vector<double>, std::string>>>(input);
      break;
    case 4:
      try_decode<std::vector<std::variant<std::string, bool, std::optional<std::set<int>>>>>(input);
      break;
    case 5:
      try_decode<std::tuple<std::unordered_map<std::string, std::bitset<9>>, std::list<int>,
                            std::forward_list<std::array<bool, 2>>, std::filesystem::path,
                            std::unordered_multiset<std::string>>>(input);
      break;
    case 6:
      try_decode<std::vector<std::vector<std::monostate>>>(input);
      break;
    default:
      try_decode<std::unique_ptr<Shape>>(input);
      break;
  }
  return 0;
}
