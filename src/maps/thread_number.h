// A small number for each thread, by which threads share out what all of them would otherwise write: cells of a counter, of an account,
// of a free list.
#pragma once

#include <cstdint>

namespace ring3::maps {

namespace detail {
inline constinit thread_local std::uint32_t t_thread_number = 0;
std::uint32_t number_this_thread() noexcept;
}  // namespace detail

/// From 1, in the order in which threads first ask.
inline std::uint32_t thread_number() noexcept {
  const std::uint32_t number = detail::t_thread_number;
  return number != 0 ? number : detail::number_this_thread();
}

}  // namespace ring3::maps
