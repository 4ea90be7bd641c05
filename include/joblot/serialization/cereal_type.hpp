// SPDX-License-Identifier: MIT
// Whether a type has serialize, or save and load, for cereal.
#ifndef JOBLOT_SERIALIZATION_CEREAL_TYPE_HPP
#define JOBLOT_SERIALIZATION_CEREAL_TYPE_HPP

#include <type_traits>

#include <cereal/cereal.hpp>

namespace joblot::detail::probe {

// Two archives that are asked for nothing but whether a user's functions fit. Not our real ones:
// those take any type we know how to take apart, and would say yes for all of them. In a
// namespace of their own, or our functions for real archives would be asked, too, without end.
class Out : public cereal::OutputArchive<Out> {
 public:
  Out();
};
class In : public cereal::InputArchive<In> {
 public:
  In();
};

}  // namespace joblot::detail::probe

CEREAL_SETUP_ARCHIVE_TRAITS(joblot::detail::probe::In, joblot::detail::probe::Out)

namespace joblot::detail {

template <class T>
concept CerealSaved = cereal::traits::is_output_serializable<T, probe::Out>::value;

template <class T>
concept CerealLoaded = cereal::traits::is_input_serializable<T, probe::In>::value;

/// `T` says itself how it is written and read.
template <class T>
concept CerealType = std::is_class_v<T> && CerealSaved<T> && CerealLoaded<T>;

}  // namespace joblot::detail

#endif
