// How many members an aggregate has, those of its base classes included: the compiler grows a brace list until it no
// longer fits.
#pragma once

#include <cstddef>
#include <type_traits>

namespace peerless {

namespace detail {
// A member of C, whatever its type. It is no base of C, so that a base takes one for each of its members. Only ever
// named inside `requires`, it needs no body.
template <class C>
struct Anything {
  template <class T>
  requires(!std::is_base_of_v<T, C>) operator T() const;
};
}  // namespace detail

template <class C, class... Filled>
consteval std::size_t member_count() {
  if constexpr (requires { C{Filled{}..., detail::Anything<C>{}}; }) {
    return member_count<C, Filled..., detail::Anything<C>>();
  } else {
    return sizeof...(Filled);
  }
}

}  // namespace peerless
