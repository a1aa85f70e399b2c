// Division by a constant as a multiplication: n / d == (n' * factor) >> (width + shift), with n' = n >> before.
//
// For factor = floor(2^(w+s) / d) + 1 the product exceeds the true quotient by n * e / (d * 2^(w+s)), where
// e = factor * d - 2^(w+s) is at most d. The quotient is right for all n < 2^b when e <= 2^(w+s-b): the excess is then
// less than 1/d, and quotients are at least 1/d away from the next whole number.
//
// Signed dividends of w bits are a sign and a magnitude of at most 2^b, b = w - 1, and shifts go to the next lower number. Where
// n >= 0 the above holds. Where n < 0 the product is below the true quotient by more than 0 (e is not 0, as d is no power of
// two) and at most 1/d (where |n| is 2^b and e as large as it may be), so it is in [-(q + 1), -q), q being |n| / d rounded
// down: the shift gives -(q + 1), whatever n is, and one more is the quotient towards zero. There is a factor below 2^w for
// every d < 2^b: with 2^s < d < 2^(s+1), e <= d < 2^(s+1) = 2^(w+s-b), and 2^(w+s) / d < 2^w.
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

/// The factor for signed dividends of `width` bits: (n * factor) >> (width + shift), rounded down, is n / divisor for n >= 0 and
/// one less for n < 0. divisor: at least 3, below 2^(width-1), no power of two.
constexpr Reciprocal signed_reciprocal(std::uint64_t divisor, unsigned width) { return *reciprocal_of_width(divisor, width - 1, width); }

}  // namespace ring3::exec::jit
