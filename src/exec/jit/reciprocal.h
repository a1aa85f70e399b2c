// Division by a constant as a multiplication: n / d == (n' * factor) >> (width + shift), with n' = n >> before.
//
// For factor = floor(2^(w+s) / d) + 1 the product exceeds the true quotient by n * e / (d * 2^(w+s)), where
// e = factor * d - 2^(w+s) is at most d. The quotient is right for all n < 2^b when e <= 2^(w+s-b): the excess is then
// less than 1/d, and quotients are at least 1/d away from the next whole number.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>

namespace ring3::exec::jit {

__extension__ using Wide = unsigned __int128;

struct Reciprocal {
  std::uint64_t factor;
  unsigned before;  // the dividend is shifted right by this first
  unsigned shift;   // the upper `width` bits of the product are shifted right by this
};

/// The factor for dividends below 2^bits and a product whose upper half begins at bit `width`; none when it needs more
/// than `width` bits. divisor: at least 2, no power of two. width: 32 or 64, not less than bits.
constexpr std::optional<Reciprocal> reciprocal_of_width(std::uint64_t divisor, unsigned bits, unsigned width) {
  for (unsigned shift = 0; shift < 64; ++shift) {
    const Wide power = Wide{1} << (width + shift);
    const Wide factor = power / divisor + 1;
    if (factor >> width != 0) return std::nullopt;
    if (factor * divisor - power <= Wide{1} << (width + shift - bits))
      return Reciprocal{static_cast<std::uint64_t>(factor), 0, shift};
  }
  return std::nullopt;
}

/// The same, with the factors of two of the divisor taken out first where that helps.
constexpr std::optional<Reciprocal> reciprocal(std::uint64_t divisor, unsigned bits, unsigned width) {
  if (const auto direct = reciprocal_of_width(divisor, bits, width)) return direct;
  const auto twos = static_cast<unsigned>(std::countr_zero(divisor));
  if (twos == 0) return std::nullopt;
  auto odd = reciprocal_of_width(divisor >> twos, bits - twos, width);
  if (odd) odd->before = twos;
  return odd;
}

}  // namespace ring3::exec::jit
