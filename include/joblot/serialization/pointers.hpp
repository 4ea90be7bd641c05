// SPDX-License-Identifier: MIT
// How what smart pointers own is written and read again; objects of derived classes through cereal.
#ifndef JOBLOT_SERIALIZATION_POINTERS_HPP
#define JOBLOT_SERIALIZATION_POINTERS_HPP

#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <typeindex>
#include <typeinfo>
#include <utility>

#include <cereal/details/util.hpp>

#include <joblot/serialization/coder.hpp>
#include <joblot/serialization/containers.hpp>

namespace joblot::detail {

/// A null pointer, an object of the very type that the pointer names, or of a class derived from
/// it.
enum class Pointee : unsigned char { null, exact, derived };

[[noreturn]] inline void fail_unregistered(std::type_info const& type, std::type_info const& base) {
  throw NotShippableError(
      "An object of type " + cereal::util::demangle(type.name()) + " behind a smart pointer to " +
      cereal::util::demangle(base.name()) +
      " cannot be sent to another process: the class is not registered. Give it a serialize for "
      "cereal and write, after its definition, CEREAL_REGISTER_TYPE and, unless its serialize uses "
      "cereal::base_class, CEREAL_REGISTER_POLYMORPHIC_RELATION (cereal/types/polymorphic.hpp).");
}

inline Pointee read_pointee(Decoder& in) {
  auto const byte = in.bits<unsigned char>();
  if (byte > static_cast<unsigned char>(Pointee::derived)) {
    throw BadMessage("A message has a pointer of a kind that does not exist.");
  }
  return static_cast<Pointee>(byte);
}

/// Objects of exactly this type can be sent without a registration.
template <class T>
inline constexpr bool is_sendable_pointee = [] {
  if constexpr (std::is_abstract_v<T>) {
    return false;
  } else if constexpr (CerealConstructed<std::remove_cv_t<T>>) {
    return true;
  } else {
    return !find_flaw<std::remove_cv_t<T>>();
  }
}();

template <class T>
Pointee pointee_of(T const* object) {
  if (object == nullptr) return Pointee::null;
  if constexpr (std::is_polymorphic_v<T>) {
    if (!is_sendable_pointee<T> || typeid(*object) != typeid(T)) return Pointee::derived;
  }
  return Pointee::exact;
}

/// The functions that cereal has made for the class of `object`, if it is registered.
template <class T>
auto const& output_binding(T const& object) {
  using Bindings = cereal::detail::OutputBindingMap<OutArchive>;
  auto const& map = cereal::detail::StaticObject<Bindings>::getInstance().map;
  std::type_index const type = typeid(object);
  auto const found = map.find(type);
  if (found == map.end()) fail_unregistered(typeid(object), typeid(T));
  if (type != typeid(T) &&
      !cereal::detail::PolymorphicCasters::lookup_if_exists(typeid(T), type).first) {
    fail_unregistered(typeid(object), typeid(T));
  }
  return found->second;
}

inline auto const& input_binding(Decoder& in) {
  auto const id = in.bits<std::uint32_t>();
  auto& archive = in.archive();
  std::string name;
  if ((id & cereal::detail::msb_32bit) != 0) {
    name = read<std::string>(in);
    archive.registerPolymorphicName(id, name);
  } else {
    name = archive.getPolymorphicName(id);
  }
  using Bindings = cereal::detail::InputBindingMap<InArchive>;
  auto const& map = cereal::detail::StaticObject<Bindings>::getInstance().map;
  auto const found = map.find(name);
  if (found == map.end()) {
    throw BadMessage("A message has an object of a class \"" + name +
                     "\" that is not registered with cereal here.");
  }
  return found->second;
}

/// The object behind a pointer. It need not be movable, and its default constructor may be private.
template <class T>
void write_object(Encoder& out, T const& object) {
  if constexpr (Ours<T>) {
    write<T>(out, object);
  } else {
    Writer::Inline const inlined(out);
    out.archive()(object);
  }
}

template <class T>
std::unique_ptr<T> read_object(Decoder& in) {
  if constexpr (CerealConstructed<T>) {
    Reader::Inline const inlined(in);
    using Raw = std::aligned_storage_t<sizeof(T), alignof(T)>;
    auto memory = std::make_unique<Raw>();
    cereal::memory_detail::LoadAndConstructLoadWrapper<InArchive, T> wrapper(
        reinterpret_cast<T*>(memory.get()));
    in.archive()(wrapper);
    return std::unique_ptr<T>(reinterpret_cast<T*>(memory.release()));
  } else if constexpr (Ours<T>) {
    return std::unique_ptr<T>(new T(read<T>(in)));
  } else {
    Reader::Inline const inlined(in);
    std::unique_ptr<T> object(cereal::access::construct<T>());
    in.archive()(*object);
    return object;
  }
}

template <class T>
struct Coder<std::unique_ptr<T>> {
  using Pointer = std::unique_ptr<T>;

  static void write(Encoder& out, Pointer const& pointer) {
    Writer::Deeper const deeper(out);
    auto const pointee = pointee_of(pointer.get());
    out.bits(pointee);
    if constexpr (is_sendable_pointee<T>) {
      if (pointee == Pointee::exact) write_object<std::remove_cv_t<T>>(out, *pointer);
    }
    if constexpr (std::is_polymorphic_v<T>) {
      if (pointee == Pointee::derived) {
        Writer::Inline const inlined(out);
        output_binding(*pointer).unique_ptr(&out.archive(), pointer.get(), typeid(T));
      }
    }
  }

  static Pointer read(Decoder& in) {
    Reader::Deeper const deeper(in);
    auto const pointee = read_pointee(in);
    if (pointee == Pointee::null) return nullptr;
    if constexpr (is_sendable_pointee<T>) {
      if (pointee == Pointee::exact) return read_object<std::remove_cv_t<T>>(in);
    }
    if constexpr (std::is_polymorphic_v<T>) {
      if (pointee == Pointee::derived) {
        Reader::Inline const inlined(in);
        std::unique_ptr<void, cereal::detail::EmptyDeleter<void>> object;
        input_binding(in).unique_ptr(&in.archive(), object, typeid(T));
        return Pointer(static_cast<T*>(object.release()));
      }
    }
    throw BadMessage("A message has an object behind a pointer that cannot point to it.");
  }
};

/// The object that a shared pointer owns, of exactly this type: once in a message, then its number.
template <class T>
void write_shared(Encoder& out, T const* object) {
  using Value = std::remove_cv_t<T>;
  if (object == nullptr) return out.bits(std::uint32_t{0});
  auto const [id, is_new] = out.share(object, &type_key<Value>);
  out.bits(id);
  if (!is_new) return;
  write_object<Value>(out, *object);
  out.finish(object, &type_key<Value>);
}

template <class T>
std::shared_ptr<std::remove_cv_t<T>> read_shared(Decoder& in) {
  using Value = std::remove_cv_t<T>;
  auto const id = in.bits<std::uint32_t>();
  if (id == 0) return nullptr;
  if (!in.is_new(id)) return in.shared<Value>(id);
  std::shared_ptr<Value> object = read_object<Value>(in);
  in.finish(id, object, &type_key<Value>);
  return object;
}

template <class T>
struct Coder<std::shared_ptr<T>> {
  using Pointer = std::shared_ptr<T>;

  static void write(Encoder& out, Pointer const& pointer) {
    Writer::Deeper const deeper(out);
    auto const pointee = pointee_of(pointer.get());
    out.bits(pointee);
    if constexpr (is_sendable_pointee<T>) {
      if (pointee == Pointee::exact) write_shared(out, pointer.get());
    }
    if constexpr (std::is_polymorphic_v<T>) {
      if (pointee == Pointee::derived) {
        Writer::Inline const inlined(out);
        output_binding(*pointer).shared_ptr(&out.archive(), pointer.get(), typeid(T));
      }
    }
  }

  static Pointer read(Decoder& in) {
    Reader::Deeper const deeper(in);
    auto const pointee = read_pointee(in);
    if (pointee == Pointee::null) return nullptr;
    if constexpr (is_sendable_pointee<T>) {
      if (pointee == Pointee::exact) return read_shared<T>(in);
    }
    if constexpr (std::is_polymorphic_v<T>) {
      if (pointee == Pointee::derived) {
        Reader::Inline const inlined(in);
        std::shared_ptr<void> object;
        input_binding(in).shared_ptr(&in.archive(), object, typeid(T));
        return std::static_pointer_cast<T>(object);
      }
    }
    throw BadMessage("A message has an object behind a pointer that cannot point to it.");
  }
};

// Through these cereal's functions for a registered class come back to us with its real type. Ours
// are more special than cereal's, and do not take a message's word for the type of a number.
template <class T>
void CEREAL_SAVE_FUNCTION_NAME(
    OutArchive& archive,
    cereal::memory_detail::PtrWrapper<std::shared_ptr<T> const&> const& wrapper) {
  write_shared(archive.encoder(), wrapper.ptr.get());
}
template <class T>
void CEREAL_LOAD_FUNCTION_NAME(InArchive& archive,
                               cereal::memory_detail::PtrWrapper<std::shared_ptr<T>&>& wrapper) {
  wrapper.ptr = read_shared<T>(archive.decoder());
}

}  // namespace joblot::detail

#endif
