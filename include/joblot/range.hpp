// SPDX-License-Identifier: MIT
// Which ranges may be read by several threads at once, without a promise from the user.
#ifndef JOBLOT_RANGE_HPP
#define JOBLOT_RANGE_HPP

#include <concepts>
#include <ranges>
#include <type_traits>

namespace joblot {
inline namespace v1 {

/// Specialise it to true for a random-access, sized range type (without const and reference) whose
/// elements may be dereferenced from several threads at once. Every other range that is not known
/// to be safe is read by one thread at a time, in order, each element once.
template <class R>
inline constexpr bool concurrent_range = false;

}  // namespace v1

namespace detail {

template <class R>
concept IndexableRange = std::ranges::random_access_range<R> && std::ranges::sized_range<R>;

/// A container that hands out its elements themselves: `std::vector<bool>` and its likes do not.
template <class R>
concept ContainerOfObjects = IndexableRange<R> && requires { typename R::allocator_type; } &&
                             std::is_lvalue_reference_v<std::ranges::range_reference_t<R>>;

/// The adaptors of the standard library that only forward to the range below. Whether the callable
/// of a transform is safe cannot be seen, unless it is an empty class: then it has nothing to
/// share.
template <class R>
inline constexpr bool forwards_safely = false;

/// A contiguous range is safe because its elements are read through a plain pointer.
template <class R>
concept ConcurrentRange =
    IndexableRange<R> && (std::ranges::contiguous_range<R> || ContainerOfObjects<R> ||
                          forwards_safely<R> || concurrent_range<R>);

template <class W, class Bound>
inline constexpr bool forwards_safely<std::ranges::iota_view<W, Bound>> =
    std::integral<W> || std::contiguous_iterator<W>;
template <class R>
inline constexpr bool forwards_safely<std::ranges::ref_view<R>> =
    ConcurrentRange<R> || concurrent_range<std::remove_const_t<R>>;
template <class R>
inline constexpr bool forwards_safely<std::ranges::owning_view<R>> = ConcurrentRange<R>;
template <class V>
inline constexpr bool forwards_safely<std::ranges::take_view<V>> = ConcurrentRange<V>;
template <class V>
inline constexpr bool forwards_safely<std::ranges::drop_view<V>> = ConcurrentRange<V>;
template <class V>
inline constexpr bool forwards_safely<std::ranges::reverse_view<V>> = ConcurrentRange<V>;
template <class V>
inline constexpr bool forwards_safely<std::ranges::common_view<V>> = ConcurrentRange<V>;
template <class V, std::size_t n>
inline constexpr bool forwards_safely<std::ranges::elements_view<V, n>> = ConcurrentRange<V>;
template <class V, class F>
inline constexpr bool forwards_safely<std::ranges::transform_view<V, F>> =
    ConcurrentRange<V> && std::is_class_v<F> && std::is_empty_v<F>;

}  // namespace detail
}  // namespace joblot

#endif
