// Part<N>: one width of a register, its bits and its bounds, and arithmetic on it. The whole register
// is a Part, and so is its lower half: Scalar runs the same operation on one or both (scalar_alu.h).
//
// Soundness of each: for x in a and y in b the result of the instruction lies in the result. Bits and
// bounds are computed apart from each other and meet in Scalar::sync().
#pragma once

#include <initializer_list>

#include "verifier/domain/range.h"
#include "verifier/domain/tnum.h"

namespace ring3::verifier {

template <int N>
struct Part {
  using W = Width<N>;
  using U = typename W::U;
  using S = typename W::S;

  Tnum<N> bits;
  Range<N> range;

  static constexpr Part constant(U x) { return {Tnum<N>::constant(x), Range<N>::constant(x)}; }
  constexpr bool is_const() const { return bits.is_const(); }
};

/// -1, 0 or 1: on which side a + b (or a - b) leaves the signed numbers of N bits.
template <int N>
constexpr int signed_wrap(typename Width<N>::S a, typename Width<N>::S b, bool subtract) {
  using W = Width<N>;
  const auto ua = W::as_unsigned(a), ub = W::as_unsigned(b);
  const auto result = W::as_signed(subtract ? ua - ub : ua + ub);
  const bool upwards = (b >= 0) != subtract;
  if (upwards && result < a) return 1;
  if (!upwards && result > a) return -1;
  return 0;
}

/// Both ends of the sum wrap equally often: then so does everything between them, and the ends are bounds.
template <int N>
constexpr Range<N> add(const Range<N>& a, const Range<N>& b) {
  using W = Width<N>;
  Range<N> r;
  const auto ulo = W::trunc(a.umin + b.umin), uhi = W::trunc(a.umax + b.umax);
  if ((ulo < a.umin) == (uhi < a.umax)) r.tighten_unsigned(ulo, uhi);
  if (signed_wrap<N>(a.smin, b.smin, false) == signed_wrap<N>(a.smax, b.smax, false))
    r.tighten_signed(W::as_signed(W::as_unsigned(a.smin) + W::as_unsigned(b.smin)),
                     W::as_signed(W::as_unsigned(a.smax) + W::as_unsigned(b.smax)));
  return r;
}

/// As add(), the smallest difference being that to the largest subtrahend.
template <int N>
constexpr Range<N> sub(const Range<N>& a, const Range<N>& b) {
  using W = Width<N>;
  Range<N> r;
  if ((a.umin < b.umax) == (a.umax < b.umin)) r.tighten_unsigned(W::trunc(a.umin - b.umax), W::trunc(a.umax - b.umin));
  if (signed_wrap<N>(a.smin, b.smax, true) == signed_wrap<N>(a.smax, b.smin, true))
    r.tighten_signed(W::as_signed(W::as_unsigned(a.smin) - W::as_unsigned(b.smax)),
                     W::as_signed(W::as_unsigned(a.smax) - W::as_unsigned(b.smin)));
  return r;
}

/// A product is monotone in each factor for a fixed sign of the other, so its extremes are at the corners;
/// bounds hold if no corner wraps.
template <int N>
constexpr Range<N> mul(const Range<N>& a, const Range<N>& b) {
  using W = Width<N>;
  Range<N> r;
  typename W::U uhi = 0;
  if (!__builtin_mul_overflow(a.umax, b.umax, &uhi) && uhi <= W::kMask) r.tighten_unsigned(a.umin * b.umin, uhi);
  typename W::S lo = W::kSmax, hi = W::kSmin;
  for (const auto x : {a.smin, a.smax}) {
    for (const auto y : {b.smin, b.smax}) {
      typename W::S corner = 0;
      if (__builtin_mul_overflow(x, y, &corner) || corner < W::kSmin || corner > W::kSmax) return r;
      lo = std::min(lo, corner);
      hi = std::max(hi, corner);
    }
  }
  r.tighten_signed(lo, hi);
  return r;
}

/// A bit of x & y is set only if it is in both: the result is at most either. The rest is in the bits.
template <int N>
constexpr Part<N> bit_and(const Part<N>& a, const Part<N>& b) {
  return {a.bits & b.bits, Range<N>::of_unsigned(0, std::min(a.range.umax, b.range.umax))};
}
/// x | y has every bit of both: it is at least either.
template <int N>
constexpr Part<N> bit_or(const Part<N>& a, const Part<N>& b) {
  return {a.bits | b.bits, Range<N>::of_unsigned(std::max(a.range.umin, b.range.umin), Width<N>::kMask)};
}

/// Bounds move with the shift unless the largest (or one of the signed ends) loses a bit that matters.
template <int N>
constexpr Part<N> lsh(const Part<N>& a, int n) {
  using W = Width<N>;
  Part<N> r{a.bits.lsh(n), {}};
  if (a.range.umax <= (W::kMask >> n)) r.range.tighten_unsigned(a.range.umin << n, a.range.umax << n);
  if (a.range.smin >= (W::kSmin >> n) && a.range.smax <= (W::kSmax >> n))
    r.range.tighten_signed(W::as_signed(W::as_unsigned(a.range.smin) << n),
                           W::as_signed(W::as_unsigned(a.range.smax) << n));
  return r;
}
/// Right shifts are monotone in their own reading.
template <int N>
constexpr Part<N> rsh(const Part<N>& a, int n) {
  return {a.bits.rsh(n), Range<N>::of_unsigned(a.range.umin >> n, a.range.umax >> n)};
}
template <int N>
constexpr Part<N> arsh(const Part<N>& a, int n) {
  return {a.bits.arsh(n), Range<N>::of_signed(a.range.smin >> n, a.range.smax >> n)};
}

}  // namespace ring3::verifier
