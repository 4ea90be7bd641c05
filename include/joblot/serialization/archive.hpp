// SPDX-License-Identifier: MIT
// cereal archives over messages: a user's `serialize` meets the library's own way to write values.
#ifndef JOBLOT_SERIALIZATION_ARCHIVE_HPP
#define JOBLOT_SERIALIZATION_ARCHIVE_HPP

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include <cereal/cereal.hpp>
#include <cereal/types/memory.hpp>
#include <cereal/types/polymorphic.hpp>

#include <joblot/serialization/shippable.hpp>
#include <joblot/serialization/wire.hpp>

namespace joblot::detail {

class Encoder;
class Decoder;

class OutArchive : public cereal::OutputArchive<OutArchive, cereal::AllowEmptyClassElision> {
 public:
  explicit OutArchive(Encoder& encoder) : OutputArchive(this), encoder_(encoder) {}
  [[nodiscard]] Encoder& encoder() const noexcept { return encoder_; }

 private:
  Encoder& encoder_;
};

class InArchive : public cereal::InputArchive<InArchive, cereal::AllowEmptyClassElision> {
 public:
  explicit InArchive(Decoder& decoder) : InputArchive(this), decoder_(decoder) {}
  [[nodiscard]] Decoder& decoder() const noexcept { return decoder_; }

 private:
  Decoder& decoder_;
};

/// Writes the values of one task. A std::shared_ptr that occurs in them twice is written once.
class Encoder : public Writer {
 public:
  using Writer::Writer;

  /// Made when the first user type asks for it: it costs more than many a whole message.
  OutArchive& archive() {
    if (!archive_) archive_.emplace(*this);
    return *archive_;
  }

  struct Shared {
    std::uint32_t id = 0;
    bool is_new = false;
  };

  /// The number under which the object that a shared pointer owns is known. A new one is to be
  /// written and then `finish`ed.
  Shared share(void const* object, char const* type) {
    if (!shared_) shared_ = std::make_unique<SharedMap>();
    auto const next = static_cast<std::uint32_t>(shared_->size() + 1);
    auto const [at, is_new] = shared_->try_emplace({object, type}, next, false);
    if (!is_new && !at->second.second) {
      throw NotShippableError(
          "Objects that own each other in a circle through std::shared_ptr cannot be sent to "
          "another process; break the circle, or send the objects and indices between them.");
    }
    return {at->second.first, is_new};
  }
  void finish(void const* object, char const* type) { shared_->at({object, type}).second = true; }

 private:
  using Key = std::pair<void const*, char const*>;
  struct Hash {
    std::size_t operator()(Key const& key) const noexcept {
      return std::hash<void const*>{}(key.first) ^ (std::hash<void const*>{}(key.second) << 1);
    }
  };
  using SharedMap = std::unordered_map<Key, std::pair<std::uint32_t, bool>, Hash>;

  std::optional<OutArchive> archive_;
  std::unique_ptr<SharedMap> shared_;
};

/// Reads what an `Encoder` wrote, in the same order.
class Decoder : public Reader {
 public:
  using Reader::Reader;

  InArchive& archive() {
    if (!archive_) archive_.emplace(*this);
    return *archive_;
  }

  /// Whether the object is still to be read, and then to be given to `finish`.
  [[nodiscard]] bool is_new(std::uint32_t id) {
    if (id == shared_.size() + 1) {
      shared_.emplace_back();
      return true;
    }
    return false;
  }
  void finish(std::uint32_t id, std::shared_ptr<void> object, char const* type) {
    shared_[id - 1] = {std::move(object), type};
  }

  /// An object read before. The type is checked, the message is not trusted to name the right one.
  template <class T>
  std::shared_ptr<T> shared(std::uint32_t id) {
    if (id == 0 || id > shared_.size() || shared_[id - 1].second != &type_key<T>) {
      throw BadMessage("A message refers to an object " + std::to_string(id) + " it has not.");
    }
    return std::static_pointer_cast<T>(shared_[id - 1].first);
  }

 private:
  std::optional<InArchive> archive_;
  std::vector<std::pair<std::shared_ptr<void>, char const*>> shared_;
};

template <class T>
void write(Encoder& out, T const& value);
template <class T>
T read(Decoder& in);

/// What an archive leaves to us, also inside a user's `serialize`: all but types that have
/// functions of their own for cereal, and cereal's own helpers.
template <class T>
concept Ours = !find_flaw<T>() && !(CerealType<T> && !is_known<T> && !opted_in<T>);

/// cereal has a `serialize` for these and might be included with it, so ours has to be the other
/// form; which of the two counts is said below.
template <class T>
inline constexpr bool cereal_has_serialize = std::is_array_v<T> || std::is_empty_v<T>;
template <class A, class B>
inline constexpr bool cereal_has_serialize<std::pair<A, B>> = true;
template <class... T>
inline constexpr bool cereal_has_serialize<std::tuple<T...>> = true;

template <std::same_as<OutArchive> Archive, Ours T>
requires(!cereal_has_serialize<T>)
void CEREAL_SERIALIZE_FUNCTION_NAME(Archive& archive, T& value) {
  write<T>(archive.encoder(), value);
}
template <std::same_as<OutArchive> Archive, Ours T>
requires cereal_has_serialize<T>
void CEREAL_SAVE_FUNCTION_NAME(Archive& archive, T const& value) {
  write<T>(archive.encoder(), value);
}

template <class T>
void read_into(Decoder& in, T& value) {
  if constexpr (std::is_array_v<T>) {
    for (auto& element : value) read_into(in, element);
  } else {
    value = read<T>(in);
  }
}

template <std::same_as<InArchive> Archive, Ours T>
requires(!cereal_has_serialize<T>)
void CEREAL_SERIALIZE_FUNCTION_NAME(Archive& archive, T& value) {
  read_into(archive.decoder(), value);
}
template <std::same_as<InArchive> Archive, Ours T>
requires cereal_has_serialize<T>
void CEREAL_LOAD_FUNCTION_NAME(Archive& archive, T& value) {
  read_into(archive.decoder(), value);
}

// What every archive has to take.
template <class T>
void CEREAL_SERIALIZE_FUNCTION_NAME(OutArchive& archive, cereal::NameValuePair<T>& pair) {
  archive(pair.value);
}
template <class T>
void CEREAL_SERIALIZE_FUNCTION_NAME(InArchive& archive, cereal::NameValuePair<T>& pair) {
  archive(pair.value);
}
template <class T>
void CEREAL_SERIALIZE_FUNCTION_NAME(OutArchive& archive, cereal::SizeTag<T>& tag) {
  archive.encoder().length(static_cast<std::size_t>(tag.size));
}
template <class T>
void CEREAL_SERIALIZE_FUNCTION_NAME(InArchive& archive, cereal::SizeTag<T>& tag) {
  tag.size = static_cast<std::remove_reference_t<T>>(archive.decoder().length(1));
}
template <class T>
void CEREAL_SAVE_FUNCTION_NAME(OutArchive& archive, cereal::BinaryData<T> const& data) {
  archive.encoder().bytes(data.data, static_cast<std::size_t>(data.size));
}
template <class T>
void CEREAL_LOAD_FUNCTION_NAME(InArchive& archive, cereal::BinaryData<T>& data) {
  archive.decoder().bytes(data.data, static_cast<std::size_t>(data.size));
}

}  // namespace joblot::detail

CEREAL_SETUP_ARCHIVE_TRAITS(joblot::detail::InArchive, joblot::detail::OutArchive)
CEREAL_REGISTER_ARCHIVE(joblot::detail::OutArchive)
CEREAL_REGISTER_ARCHIVE(joblot::detail::InArchive)

namespace cereal {

template <joblot::detail::Ours T>
requires(!joblot::detail::cereal_has_serialize<T>)
struct specialize<joblot::detail::OutArchive, T, specialization::non_member_serialize> {};
template <joblot::detail::Ours T>
requires(!joblot::detail::cereal_has_serialize<T>)
struct specialize<joblot::detail::InArchive, T, specialization::non_member_serialize> {};
template <joblot::detail::Ours T>
requires joblot::detail::cereal_has_serialize<T>
struct specialize<joblot::detail::OutArchive, T, specialization::non_member_load_save> {};
template <joblot::detail::Ours T>
requires joblot::detail::cereal_has_serialize<T>
struct specialize<joblot::detail::InArchive, T, specialization::non_member_load_save> {};

}  // namespace cereal

#endif
