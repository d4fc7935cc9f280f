// How many members an aggregate has: the compiler grows a brace list until it no longer fits.
#pragma once

#include <cstddef>

namespace peerless {

namespace detail {
struct Anything {
  template <class T>
  operator T() const;  // only ever named inside `requires`, so it needs no body
};
}  // namespace detail

template <class C, class... Filled>
consteval std::size_t member_count() {
  if constexpr (requires { C{Filled{}..., detail::Anything{}}; }) {
    return member_count<C, Filled..., detail::Anything>();
  } else {
    return sizeof...(Filled);
  }
}

}  // namespace peerless
