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

/// `T` can only be made behind a pointer, by its load_and_construct.
template <class T>
concept CerealConstructed = std::is_class_v<T> && CerealSaved<T> &&
                            cereal::traits::has_load_and_construct<T, probe::In>::value;

template <class Class, class Function>
std::type_identity<Class> class_of(Function Class::*);

/// Whether `Class` is a template's class made for `T`, as a base that knows `T` is.
template <class T, class Class>
inline constexpr bool is_made_for = false;
template <class T, template <class...> class Template, class... A>
inline constexpr bool is_made_for<T, Template<A...>> = (... || std::is_same_v<T, A>);

/// `Base` has members of its own and does not know `T`. Whether `T` has more members cannot be
/// seen: they may lie in what would be padding.
template <class T, class Base>
concept Extends = !std::is_same_v<T, Base> && !std::is_empty_v<Base> && !is_made_for<T, Base>;

/// The public function for cereal that `T` has is one of a base class and knows nothing of what `T`
/// adds: it would write a slice.
template <class T>
concept InheritsCereal = requires {
  requires Extends<T, typename decltype(class_of(
                          &T::template CEREAL_SERIALIZE_FUNCTION_NAME<probe::Out>))::type>;
} || requires {
  requires Extends<T, typename decltype(class_of(
                          &T::template CEREAL_SAVE_FUNCTION_NAME<probe::Out>))::type>;
};

}  // namespace joblot::detail

#endif
