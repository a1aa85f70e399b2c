// Range<Bits>: signed and unsigned bounds of a number, both inclusive. It stands for every x that
// lies within both pairs. Bounds only say what they say: deductions are in normalize() and in Scalar.
//
// A Range is empty when one of its pairs is crossed; tightening only moves bounds towards each other,
// so an empty Range stays empty.
#pragma once

#include <algorithm>

#include "verifier/domain/width.h"

namespace ring3::verifier {

template <int Bits>
struct Range {
  using W = Width<Bits>;
  using U = typename W::U;
  using S = typename W::S;

  S smin = W::kSmin;
  S smax = W::kSmax;
  U umin = 0;
  U umax = W::kMask;

  static constexpr Range unknown() { return {}; }
  static constexpr Range constant(U x) { return {W::as_signed(x), W::as_signed(x), W::trunc(x), W::trunc(x)}; }
  static constexpr Range of_unsigned(U lo, U hi) { return {W::kSmin, W::kSmax, lo, hi}; }
  static constexpr Range of_signed(S lo, S hi) { return {lo, hi, 0, W::kMask}; }

  constexpr bool is_empty() const { return umin > umax || smin > smax; }
  constexpr bool is_const() const { return umin == umax || smin == smax; }
  constexpr bool is_unknown() const { return *this == unknown(); }
  constexpr bool contains(U x) const {
    return umin <= x && x <= umax && smin <= W::as_signed(x) && W::as_signed(x) <= smax;
  }
  constexpr bool is_subset_of(const Range& b) const {
    return b.umin <= umin && umax <= b.umax && b.smin <= smin && smax <= b.smax;
  }
  friend constexpr bool operator==(const Range&, const Range&) = default;

  constexpr void tighten_unsigned(U lo, U hi) {
    umin = std::max(umin, lo);
    umax = std::min(umax, hi);
  }
  constexpr void tighten_signed(S lo, S hi) {
    smin = std::max(smin, lo);
    smax = std::min(smax, hi);
  }
  constexpr void tighten(const Range& b) {
    tighten_unsigned(b.umin, b.umax);
    tighten_signed(b.smin, b.smax);
  }
  /// The numbers lo, lo+1, … hi with wrap-around: bounds where the walk does not wrap in that reading.
  constexpr void tighten_circular(U lo, U hi) {
    if (lo <= hi) tighten_unsigned(lo, hi);
    if (W::as_signed(lo) <= W::as_signed(hi)) tighten_signed(W::as_signed(lo), W::as_signed(hi));
  }

  /// Lets each pair learn from the other. A pair that does not wrap in the other reading is a bound
  /// there. One that does wrap is two pieces (low and high); if the other pair excludes one piece,
  /// the far end of the remaining piece is a bound.
  constexpr void normalize() {
    const S ulo = W::as_signed(umin), uhi = W::as_signed(umax);
    if (ulo <= uhi) {
      tighten_signed(ulo, uhi);
    } else if (smin > uhi) {
      smin = std::max(smin, ulo);
    } else if (smax < ulo) {
      smax = std::min(smax, uhi);
    }
    const U slo = W::as_unsigned(smin), shi = W::as_unsigned(smax);
    if (slo <= shi) {
      tighten_unsigned(slo, shi);
    } else if (umin > shi) {
      umin = std::max(umin, slo);
    } else if (umax < slo) {
      umax = std::min(umax, shi);
    }
  }

  friend constexpr Range join(const Range& a, const Range& b) {
    return {std::min(a.smin, b.smin), std::max(a.smax, b.smax), std::min(a.umin, b.umin), std::max(a.umax, b.umax)};
  }
};

}  // namespace ring3::verifier
