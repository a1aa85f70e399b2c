// Scalar<Bits>: a register that holds a number. What is known of it: its bits, bounds of the whole,
// and bounds of its lower half (the 32-bit subregister of a 64-bit register). It stands for every x
// that satisfies all three; sync() lets each part learn from the others.
//
// Invariant between operations: synced, not empty. Registers of the verifier are Scalar<64>; other
// widths exist to prove the operations by exhaustion (scalar_test.cc).
// Operations: scalar_alu.h (arithmetic), scalar_branch.h (conditions), scalar_format.h (log text).
#pragma once

#include <cstdint>

#include "verifier/domain/range.h"
#include "verifier/domain/tnum.h"

namespace ring3::verifier {

template <int Bits>
struct Scalar {
  static constexpr int kBits = Bits;
  static constexpr int kSubBits = Bits / 2;
  using W = Width<Bits>;
  using H = Width<kSubBits>;
  using U = typename W::U;
  using S = typename W::S;

  Tnum<Bits> var_off;     // known bits; named as in the log
  Range<Bits> full;       // smin, smax, umin, umax
  Range<kSubBits> sub;    // smin32, smax32, umin32, umax32

  static constexpr Scalar unknown() { return {}; }
  static constexpr Scalar constant(U x) {
    return {Tnum<Bits>::constant(x), Range<Bits>::constant(x), Range<kSubBits>::constant(low_half(x))};
  }
  /// lo <= hi.
  static constexpr Scalar of_unsigned(U lo, U hi) { return of({}, Range<Bits>::of_unsigned(lo, hi)); }
  static constexpr Scalar of_signed(S lo, S hi) { return of({}, Range<Bits>::of_signed(lo, hi)); }
  static constexpr Scalar of_bits(const Tnum<Bits>& bits) { return of(bits, {}); }
  static constexpr Scalar of(const Tnum<Bits>& bits, const Range<Bits>& full, const Range<kSubBits>& sub = {}) {
    Scalar r{bits, full, sub};
    r.sync();
    return r;
  }

  constexpr bool is_const() const { return var_off.is_const(); }
  constexpr U const_value() const { return var_off.value; }
  constexpr bool is_const(U x) const { return is_const() && const_value() == x; }
  constexpr Tnum<kSubBits> sub_bits() const { return var_off.template low<kSubBits>(); }
  constexpr bool is_sub_const() const { return sub_bits().is_const(); }
  constexpr bool is_unknown() const { return var_off.is_unknown() && full.is_unknown() && sub.is_unknown(); }
  constexpr bool is_empty() const { return full.is_empty() || sub.is_empty(); }
  constexpr bool contains(U x) const { return var_off.contains(x) && full.contains(x) && sub.contains(low_half(x)); }
  /// Every number of this is in b, judged part by part (the kernel's range_within and tnum_in).
  constexpr bool is_subset_of(const Scalar& b) const {
    return full.is_subset_of(b.full) && sub.is_subset_of(b.sub) && var_off.is_subset_of(b.var_off);
  }
  friend constexpr bool operator==(const Scalar&, const Scalar&) = default;

  /// Lets the parts learn from each other, as far as Linux 6.12 does or further.
  /// False: no number satisfies all parts (the caller is on a path that cannot be taken).
  constexpr bool sync() {
    if (is_unknown()) return true;
    learn_bounds_from_bits();
    learn_bounds_from_bounds();
    learn_bounds_from_bounds();
    if (is_empty() || !learn_bits_from_bounds()) return false;
    learn_bounds_from_bits();
    return !is_empty();
  }

  /// Becomes a constant if only one number satisfies both bits and bounds. False: none does.
  /// Not part of sync(): conditions are what leaves single numbers, arithmetic rarely does.
  constexpr bool settle() {
    if (is_const()) return contains(const_value());
    const auto first = var_off.first_from(full.umin), last = var_off.last_until(full.umax);
    if (!first || !last || *first > *last) return false;
    if (*first == *last) *this = constant(*first);
    return true;
  }

  /// Numbers in both; false: there is none, and this is left unspecified.
  constexpr bool intersect_with(const Scalar& b) {
    if (var_off.is_disjoint(b.var_off)) return false;
    var_off = intersect(var_off, b.var_off);
    full.tighten(b.full);
    sub.tighten(b.sub);
    return sync();
  }
  /// A Scalar over all numbers of both.
  friend constexpr Scalar join(const Scalar& a, const Scalar& b) {
    return of(join(a.var_off, b.var_off), join(a.full, b.full), join(a.sub, b.sub));
  }

  static constexpr typename H::U low_half(U x) { return static_cast<typename H::U>(x) & H::kMask; }

 private:
  /// Known bits bound a number from both sides: unknown bits all zero, all one; the sign bit the other
  /// way round for the signed reading.
  template <int N>
  static constexpr void bound_by_bits(Range<N>& range, const Tnum<N>& bits) {
    using V = Width<N>;
    range.tighten_unsigned(bits.min(), bits.max());
    range.tighten_signed(V::as_signed(bits.value | (bits.mask & V::kSign)),
                         V::as_signed(bits.value | (bits.mask & ~V::kSign)));
  }
  constexpr void learn_bounds_from_bits() {
    bound_by_bits(full, var_off);
    bound_by_bits(sub, sub_bits());
  }

  constexpr void learn_bounds_from_bounds() {
    learn_sub_from_full(full.umin, full.umax);
    learn_sub_from_full(W::as_unsigned(full.smin), W::as_unsigned(full.smax));
    sub.normalize();
    full.normalize();
    learn_full_from_sub();
  }

  /// lo … hi is a walk of at most 2^kSubBits steps: its low halves are a walk on the smaller circle.
  constexpr void learn_sub_from_full(U lo, U hi) {
    if (W::trunc(hi - lo) <= static_cast<U>(H::kMask)) sub.tighten_circular(low_half(lo), low_half(hi));
  }

  /// Numbers >= bound with a low half >= l are >= (high half of bound, l): with a larger high half any
  /// number is, with the same one the low half decides. Likewise from above, and for the signed reading,
  /// where only the high half carries the sign. A number that fits the signed half equals its low half
  /// sign extended.
  constexpr void learn_full_from_sub() {
    const U high = static_cast<U>(~static_cast<U>(H::kMask));
    full.tighten_unsigned((full.umin & high) | sub.umin, (full.umax & high) | sub.umax);
    full.tighten_signed(W::as_signed((W::as_unsigned(full.smin) & high) | sub.umin),
                        W::as_signed((W::as_unsigned(full.smax) & high) | sub.umax));
    if (full.smin >= S{H::kSmin} && full.smax <= S{H::kSmax}) full.tighten_signed(sub.smin, sub.smax);
  }

  /// False: bits and bounds contradict each other.
  constexpr bool learn_bits_from_bounds() {
    const auto whole = Tnum<Bits>::range(full.umin, full.umax);
    if (var_off.is_disjoint(whole)) return false;
    var_off = intersect(var_off, whole);
    const auto half = Tnum<kSubBits>::range(sub.umin, sub.umax);
    if (sub_bits().is_disjoint(half)) return false;
    var_off = var_off.with_low(intersect(sub_bits(), half));
    return true;
  }
};

using Scalar64 = Scalar<64>;

}  // namespace ring3::verifier
