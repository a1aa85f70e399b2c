// Conditional jumps on Scalars: whether one is taken, and what each outcome teaches about both operands.
//
// Every jump outcome is one of few relations between a and b: "a > b" is "b < a", "not a < b" is
// "b <= a". refine() keeps every pair that satisfies the relation (soundness) and answers false when
// there is none: then the path is dead.
#pragma once

#include "isa/insn.h"
#include "verifier/domain/scalar.h"
#include "verifier/domain/scalar_alu.h"

namespace ring3::verifier {

enum class Taken : std::uint8_t { kUnknown, kNever, kAlways };
constexpr Taken invert(Taken t) {
  return t == Taken::kUnknown ? t : (t == Taken::kNever ? Taken::kAlways : Taken::kNever);
}

enum class Relation : std::uint8_t {
  kEqual, kNotEqual, kLess, kLessEqual, kSignedLess, kSignedLessEqual,
  kShareBits,    // a & b != 0
  kShareNoBits,  // a & b == 0
};

/// A condition as a relation of its operands, which may have to be swapped first.
struct Condition {
  Relation relation;
  bool swap = false;
};

constexpr Condition condition_of(isa::Op op) {
  switch (op) {
    case isa::Op::kJne: return {Relation::kNotEqual};
    case isa::Op::kJgt: return {Relation::kLess, true};
    case isa::Op::kJge: return {Relation::kLessEqual, true};
    case isa::Op::kJlt: return {Relation::kLess};
    case isa::Op::kJle: return {Relation::kLessEqual};
    case isa::Op::kJset: return {Relation::kShareBits};
    case isa::Op::kJsgt: return {Relation::kSignedLess, true};
    case isa::Op::kJsge: return {Relation::kSignedLessEqual, true};
    case isa::Op::kJslt: return {Relation::kSignedLess};
    case isa::Op::kJsle: return {Relation::kSignedLessEqual};
    default: return {Relation::kEqual};  // kJeq
  }
}

/// The relation that holds when c does not.
constexpr Condition negate(Condition c) {
  switch (c.relation) {
    case Relation::kEqual: return {Relation::kNotEqual, c.swap};
    case Relation::kNotEqual: return {Relation::kEqual, c.swap};
    case Relation::kLess: return {Relation::kLessEqual, !c.swap};
    case Relation::kLessEqual: return {Relation::kLess, !c.swap};
    case Relation::kSignedLess: return {Relation::kSignedLessEqual, !c.swap};
    case Relation::kSignedLessEqual: return {Relation::kSignedLess, !c.swap};
    case Relation::kShareBits: return {Relation::kShareNoBits, c.swap};
    case Relation::kShareNoBits: return {Relation::kShareBits, c.swap};
  }
  return c;
}

template <int N>
constexpr bool is_disjoint(const Part<N>& a, const Part<N>& b) {
  return a.bits.is_disjoint(b.bits) || a.range.umax < b.range.umin || b.range.umax < a.range.umin ||
         a.range.smax < b.range.smin || b.range.smax < a.range.smin;
}

/// Whether the relation holds for all pairs, for none, or for some.
template <int N>
constexpr Taken holds(Relation relation, const Part<N>& a, const Part<N>& b) {
  const auto decide = [](bool always, bool never) {
    return always ? Taken::kAlways : (never ? Taken::kNever : Taken::kUnknown);
  };
  const Range<N>&x = a.range, &y = b.range;
  switch (relation) {
    case Relation::kEqual: return decide(a.is_const() && b.is_const() && a.bits == b.bits, is_disjoint(a, b));
    case Relation::kNotEqual: return invert(holds(Relation::kEqual, a, b));
    case Relation::kLess: return decide(x.umax < y.umin, x.umin >= y.umax);
    case Relation::kLessEqual: return decide(x.umax <= y.umin, x.umin > y.umax);
    case Relation::kSignedLess: return decide(x.smax < y.smin, x.smin >= y.smax);
    case Relation::kSignedLessEqual: return decide(x.smax <= y.smin, x.smin > y.smax);
    case Relation::kShareBits:
      return decide((a.bits.value & b.bits.value) != 0, (a.bits.max() & b.bits.max()) == 0);
    case Relation::kShareNoBits: return invert(holds(Relation::kShareBits, a, b));
  }
  return Taken::kUnknown;
}

/// Whether the jump `op` with operands a and b is taken, over all numbers they may be.
template <int B>
constexpr Taken branch_taken(isa::Op op, Half half, const Scalar<B>& a, const Scalar<B>& b) {
  const Condition c = condition_of(op);
  const Scalar<B>&x = c.swap ? b : a, &y = c.swap ? a : b;
  if (half == Half::kLow) return holds(c.relation, low_part(x), low_part(y));
  const Taken whole = holds(c.relation, full_part(x), full_part(y));
  if (whole != Taken::kUnknown) return whole;
  // Numbers with different low halves are different; sharing bits in the low half is sharing bits.
  const Taken low = holds(c.relation, low_part(x), low_part(y));
  if (c.relation == Relation::kEqual && low == Taken::kNever) return Taken::kNever;
  if (c.relation == Relation::kNotEqual && low == Taken::kAlways) return Taken::kAlways;
  return Taken::kUnknown;
}

/// Moves the ends of `r` off the number c, which it does not contain. False: nothing is left.
template <int N>
constexpr bool exclude(Range<N>& r, typename Width<N>::U c) {
  using W = Width<N>;
  if (r.umin == c && r.umax == c) return false;
  const auto sc = W::as_signed(c);
  if (r.smin == sc && r.smax == sc) return false;
  if (r.umin == c) ++r.umin;
  if (r.umax == c) --r.umax;
  if (r.smin == sc) ++r.smin;
  if (r.smax == sc) --r.smax;
  return true;
}

/// Keeps the pairs with x < y (or <=): x stays below the largest y, y above the smallest x.
template <typename T>
constexpr bool order(T& xmax, T xmin, T ymax, T& ymin, bool strict) {
  if (strict ? xmin >= ymax : xmin > ymax) return false;
  xmax = std::min(xmax, static_cast<T>(strict ? ymax - 1 : ymax));
  ymin = std::max(ymin, static_cast<T>(strict ? xmin + 1 : xmin));
  return true;
}

/// x & y != 0 with one bit that may be in both: it is in both. x & y == 0: what is set in one is clear in the other.
template <int N>
constexpr bool share_bits(Tnum<N>& a, Tnum<N>& b, bool share) {
  using T = Tnum<N>;
  if (share) {
    const auto common = static_cast<typename T::U>(a.max() & b.max());
    if (common == 0) return false;
    if ((common & (common - 1)) != 0) return true;
    a = T{a.value | common, a.mask & ~common};
    b = T{b.value | common, b.mask & ~common};
    return true;
  }
  if ((a.value & b.value) != 0) return false;
  const auto a_ones = a.value;
  a.mask &= ~b.value;
  b.mask &= ~a_ones;
  return true;
}

/// Keeps in a and b what may satisfy the relation. False: no pair does.
template <int N>
constexpr bool constrain(Relation relation, Part<N>& a, Part<N>& b) {
  Range<N>&x = a.range, &y = b.range;
  switch (relation) {
    case Relation::kEqual:
      if (is_disjoint(a, b)) return false;
      a.bits = b.bits = intersect(a.bits, b.bits);
      x.tighten(y);
      y = x;
      return true;
    case Relation::kNotEqual:
      if (b.is_const() && !exclude(x, b.bits.value)) return false;
      return !a.is_const() || exclude(y, a.bits.value);
    case Relation::kLess: return order(x.umax, x.umin, y.umax, y.umin, true);
    case Relation::kLessEqual: return order(x.umax, x.umin, y.umax, y.umin, false);
    case Relation::kSignedLess: return order(x.smax, x.smin, y.smax, y.smin, true);
    case Relation::kSignedLessEqual: return order(x.smax, x.smin, y.smax, y.smin, false);
    case Relation::kShareBits: return share_bits(a.bits, b.bits, true);
    case Relation::kShareNoBits: return share_bits(a.bits, b.bits, false);
  }
  return true;
}

/// Applies the outcome (`taken` or not) of the jump `op` to both operands.
/// False: the outcome is impossible; a and b are then unspecified.
template <int B>
constexpr bool refine(isa::Op op, bool taken, Half half, Scalar<B>& a, Scalar<B>& b) {
  const Condition c = taken ? condition_of(op) : negate(condition_of(op));
  Scalar<B>&x = c.swap ? b : a, &y = c.swap ? a : b;
  if (half == Half::kLow) {
    Part<B / 2> p = low_part(x), q = low_part(y);
    if (!constrain(c.relation, p, q)) return false;
    x.var_off = x.var_off.with_low(p.bits);
    y.var_off = y.var_off.with_low(q.bits);
    x.sub = p.range;
    y.sub = q.range;
  } else {
    Part<B> p = full_part(x), q = full_part(y);
    if (!constrain(c.relation, p, q)) return false;
    x.var_off = p.bits;
    y.var_off = q.bits;
    x.full = p.range;
    y.full = q.range;
    if (c.relation == Relation::kEqual) {
      x.sub.tighten(y.sub);
      y.sub = x.sub;
    }
  }
  return x.sync() && y.sync() && x.settle() && y.settle();
}

/// The same with a constant second operand (an immediate, sign extended to 64 bits).
template <int B>
constexpr bool refine(isa::Op op, bool taken, Half half, Scalar<B>& a, typename Width<B>::U imm) {
  Scalar<B> b = Scalar<B>::constant(imm);
  return refine(op, taken, half, a, b);
}

}  // namespace ring3::verifier
