// Tnum<Bits>: what is known bit by bit. A bit is known (mask 0, value says what) or unknown (mask 1,
// value 0). It stands for every x with (x & ~mask) == value.
//
// Invariant: value & mask == 0, no bit above Bits is set. There is no empty Tnum: operations that may
// find a contradiction (intersect) must be preceded by disjoint().
// The operations are the published ones ("Sound, Precise, and Fast Abstract Interpretation with
// Tristate Numbers", CGO 2022); each is proved by exhaustion in tnum_test.cc.
#pragma once

#include <bit>
#include <optional>

#include "verifier/domain/width.h"

namespace ring3::verifier {

template <int Bits>
struct Tnum {
  using W = Width<Bits>;
  using U = typename W::U;

  U value = 0;
  U mask = W::kMask;

  static constexpr Tnum constant(U x) { return {W::trunc(x), 0}; }
  static constexpr Tnum unknown() { return {0, W::kMask}; }
  /// Best Tnum over lo..hi, lo <= hi: bits above the highest one in which the ends differ are common
  /// to all numbers between them.
  static constexpr Tnum range(U lo, U hi) {
    const int differing = static_cast<int>(std::bit_width(lo ^ hi));
    const U below = differing == 0 ? U{0} : static_cast<U>(~U{0}) >> (W::kStorageBits - differing);
    return {lo & ~below, below & W::kMask};
  }

  constexpr bool is_const() const { return mask == 0; }
  constexpr bool is_unknown() const { return mask == W::kMask; }
  constexpr U min() const { return value; }
  constexpr U max() const { return value | mask; }
  constexpr bool contains(U x) const { return (x & ~mask) == value; }
  constexpr bool is_subset_of(const Tnum& b) const { return (mask & ~b.mask) == 0 && (value & ~b.mask) == b.value; }
  /// No number is in both: some bit is known in both and differs.
  constexpr bool is_disjoint(const Tnum& b) const { return ((value ^ b.value) & ~mask & ~b.mask) != 0; }
  /// Every number is a multiple of `size`, a power of two.
  constexpr bool is_aligned(U size) const { return ((value | mask) & (size - 1)) == 0; }

  friend constexpr bool operator==(const Tnum&, const Tnum&) = default;

  /// Numbers in both; the arguments must not be disjoint.
  friend constexpr Tnum intersect(const Tnum& a, const Tnum& b) {
    const U unsure = a.mask & b.mask;
    return {(a.value | b.value) & ~unsure, unsure};
  }
  /// Least Tnum over both.
  friend constexpr Tnum join(const Tnum& a, const Tnum& b) {
    const U unsure = a.mask | b.mask | (a.value ^ b.value);
    return {a.value & b.value & ~unsure, unsure};
  }

  friend constexpr Tnum operator&(const Tnum& a, const Tnum& b) {
    const U ones = a.value & b.value;
    return {ones, a.max() & b.max() & ~ones};
  }
  friend constexpr Tnum operator|(const Tnum& a, const Tnum& b) {
    const U ones = a.value | b.value;
    return {ones, (a.mask | b.mask) & ~ones};
  }
  friend constexpr Tnum operator^(const Tnum& a, const Tnum& b) {
    const U unsure = a.mask | b.mask;
    return {(a.value ^ b.value) & ~unsure, unsure};
  }

  /// A sum bit is unknown if an operand bit is, or if its carry is. Carries only grow with the operands,
  /// so a carry is unknown exactly when the smallest and the largest sum disagree about it.
  friend constexpr Tnum operator+(const Tnum& a, const Tnum& b) {
    const U smallest = a.value + b.value;
    const U largest = smallest + a.mask + b.mask;
    const U unsure = W::trunc((smallest ^ largest) | a.mask | b.mask);
    return {W::trunc(smallest) & ~unsure, unsure};
  }
  /// As for the sum, with borrows: they are fewest for a.max() - b.min() and most for a.min() - b.max().
  friend constexpr Tnum operator-(const Tnum& a, const Tnum& b) {
    const U fewest = a.max() - b.value;
    const U most = a.value - b.max();
    const U unsure = W::trunc((fewest ^ most) | a.mask | b.mask);
    return {W::trunc(a.value - b.value) & ~unsure, unsure};
  }
  friend constexpr Tnum negate(const Tnum& a) { return constant(0) - a; }

  /// Long multiplication. The product of the known parts is exact; every partial product adds what may
  /// be missing from it: for a known one of `a` the unknown bits of b, for an unknown bit all of b.
  friend constexpr Tnum operator*(const Tnum& a, const Tnum& b) {
    const U known = a.value * b.value;
    Tnum missing = constant(0);
    for (int i = 0; i < Bits && (a.max() >> i) != 0; ++i) {
      const U row = (a.value >> i & 1) != 0 ? b.mask : b.max();
      if ((a.max() >> i & 1) != 0) missing = missing + Tnum{0, W::trunc(row << i)};
    }
    return constant(known) + missing;
  }

  /// Shifts by a known n < Bits move knowledge with the bits.
  constexpr Tnum lsh(int n) const { return {W::trunc(value << n), W::trunc(mask << n)}; }
  constexpr Tnum rsh(int n) const { return {value >> n, mask >> n}; }
  /// The sign bit is copied down together with its being known or not; value & mask stays 0 bit by bit.
  constexpr Tnum arsh(int n) const {
    return {W::as_unsigned(W::as_signed(value) >> n), W::as_unsigned(W::as_signed(mask) >> n)};
  }

  /// The smallest number of this that is >= x; nothing if there is none.
  /// At the highest known bit in which x differs: if this has a one there, everything below may be least. If it
  /// has a zero, x must grow above: at the lowest unknown bit there in which x has a zero.
  constexpr std::optional<U> first_from(U x) const {
    const U wrong = W::trunc((x ^ value) & ~mask);
    if (wrong == 0) return x;
    U top = std::bit_floor(wrong);
    if ((value & top) == 0) {
      const U room = mask & ~x & ~(top | (top - 1));
      if (room == 0) return std::nullopt;
      top = room & (~room + 1);
      x |= top;
    }
    return (x & mask & ~(top - 1)) | value;
  }
  /// The largest number of this that is <= x: the same of the complements.
  constexpr std::optional<U> last_until(U x) const {
    const auto mirrored = Tnum{W::trunc(~max()), mask}.first_from(W::trunc(~x));
    if (!mirrored) return std::nullopt;
    return W::trunc(~*mirrored);
  }

  /// The low N bits, as a narrower or (zero extended) a wider Tnum.
  template <int N>
  constexpr Tnum<N> low() const {
    using V = typename Width<N>::U;
    return {static_cast<V>(value) & Width<N>::kMask, static_cast<V>(mask) & Width<N>::kMask};
  }
  /// This with its low N bits replaced.
  template <int N>
  constexpr Tnum with_low(const Tnum<N>& low_part) const {
    const U keep = static_cast<U>(~static_cast<U>(Width<N>::kMask));
    return {(value & keep) | low_part.value, (mask & keep) | low_part.mask};
  }
  /// Low n bits sign extended to the whole width; an unknown sign makes all bits above unknown.
  constexpr Tnum sign_extended(int n) const { return lsh(Bits - n).arsh(Bits - n); }
  /// Low n bits, the rest zero.
  constexpr Tnum zero_extended(int n) const { return lsh(Bits - n).rsh(Bits - n); }
};

}  // namespace ring3::verifier
