// SPDX-License-Identifier: MIT
// In words: why a type cannot go to another process, and what to do.
#ifndef JOBLOT_SERIALIZATION_REASONS_HPP
#define JOBLOT_SERIALIZATION_REASONS_HPP

#include <string>
#include <string_view>

#include <joblot/serialization/shippable.hpp>

namespace joblot::detail {

/// What the type is, and what to do; reads on from "Foo is ".
inline std::string_view problem_text(Problem problem) {
  switch (problem) {
    case Problem::none:
      return "";
    case Problem::opted_out:
      return "switched off by joblot::enable_shippable";
    case Problem::not_trivially_copyable:
      return "declared to travel by its bytes with joblot::enable_shippable, but not trivially "
             "copyable; give it a serialize for cereal instead";
    case Problem::raw_pointer:
      return "a raw pointer: an address means nothing in another process. Use the object itself, a "
             "smart pointer that owns it, a container, or joblot::SharedArray";
    case Problem::reference:
      return "a reference: what it refers to stays behind. Use a value";
    case Problem::view:
      return "a view of memory that stays behind. Only as an argument of its own a view is sent by "
             "content; here use what owns the memory, a std::string or a std::vector";
    case Problem::writable_view:
      return "a view through which the task could write, and what it writes would be lost. Use "
             "std::span<T const>, return the result, or use joblot::SharedArray";
    case Problem::writable_reference:
      return "a reference through which the task could write (std::ref), and what it writes would "
             "be lost. Use std::cref, return the result, or use joblot::SharedArray";
    case Problem::read_reference:
      return "a reference to an object that stays behind. Only as an argument of its own a "
             "std::cref is sent; here use a value";
    case Problem::type_erased:
      return "a holder of any type, and which one it holds is known too late. Use a function "
             "pointer, a lambda that captures nothing, or the type itself";
    case Problem::capturing_lambda:
      return "a lambda that captures, and what it captures cannot be seen: wrap it in "
             "joblot::by_value(...) if it captures values only, or give it arguments by "
             "joblot::delayed(f)(arguments...)";
    case Problem::incomplete:
      return "declared but not defined here. Include its definition";
    case Problem::pointer_to_array:
      return "an array of unknown length behind a smart pointer. Use a std::vector";
    case Problem::pointer_to_void:
      return "behind a smart pointer that does not know the type. Use a smart pointer to the type";
    case Problem::deleter:
      return "a smart pointer with a deleter of its own, which cannot be made anew. Use the "
             "default "
             "one, or send the value";
    case Problem::weak_pointer:
      return "a std::weak_ptr, which owns nothing: on the other side it would be empty. Use a "
             "std::shared_ptr";
    case Problem::helper_with_state:
      return "a comparison or hash function with a state, which is not sent with a container. Use "
             "one without";
    case Problem::not_default_constructible:
      return "a type with functions for cereal but without a default constructor, so there is "
             "nothing to load into. Add one, or use a smart pointer and cereal's "
             "load_and_construct";
    case Problem::half_cereal:
      return "a type that cereal can either only save or only load. Add the other function";
    case Problem::inherited_cereal:
      return "a class whose functions for cereal are those of a base class, which leave out what "
             "it "
             "adds. Give it functions of its own (with cereal::base_class<Base>(this) for the "
             "base)";
    case Problem::union_type:
      return "a union, and which member counts cannot be seen. Use std::variant";
    case Problem::base_class:
      return "a class with a base class and without functions for cereal. Make the base a member, "
             "or add: template <class Archive> void serialize(Archive& archive) { archive(...); }";
    case Problem::too_many_members:
      return "an aggregate whose members cannot be counted or are more than 16. Put some of them "
             "into a struct or an array, use no references, or add: template <class Archive> void "
             "serialize(Archive& archive) { archive(...); }";
    case Problem::not_brace_constructible:
      return "an aggregate that cannot be made from values of its members (a bit-field, or a "
             "member that can be neither copied nor moved). Add: template <class Archive> void "
             "serialize(Archive& archive) { archive(...); }";
    case Problem::not_an_aggregate:
      return "a class with constructors, private members or virtual functions, and what is in it "
             "cannot be seen. Add: template <class Archive> void serialize(Archive& archive) { "
             "archive(...); }, or, if it is trivially copyable and holds no address, specialise "
             "joblot::enable_shippable for it as true";
    case Problem::no_result:
      return "neither default constructible nor an aggregate, so a result of it cannot be made "
             "before it is received. Add a default constructor, or return std::optional or a smart "
             "pointer";
  }
  return "";
}

/// "`type` cannot be sent to another process: it is ..."; "" if there is no flaw.
inline std::string flaw_text(std::string_view type, Flaw const& flaw) {
  if (!flaw) return "";
  auto text = pretty_type_name(type) + " cannot be sent to another process: ";
  if (!flaw.owner.empty()) {
    text += "member " + std::to_string(flaw.member) + " of " + pretty_type_name(flaw.owner);
    text += " (" + pretty_type_name(flaw.type) + ")";
  } else if (flaw.type != type) {
    text += pretty_type_name(flaw.type);
  } else {
    text += "it";
  }
  text += " is ";
  text += problem_text(flaw.problem);
  return text + ".";
}

/// Why an argument or a callable of type `T` cannot be sent, and what to do; "" if it can.
template <class T>
std::string why_not_shippable() {
  return flaw_text(raw_type_name<T>(), argument_flaw<T>);
}

/// Why a result of type `T` cannot be sent, and what to do; "" if it can.
template <class T>
std::string why_no_result() {
  return flaw_text(raw_type_name<T>(), result_flaw<T>);
}

}  // namespace joblot::detail

#endif
