// Arithmetic instructions on Scalars: alu() is the one entry, by opcode. Operations on the lower half
// (the 32-bit forms) clear the upper half, as the instruction set says.
#pragma once

#include "isa/insn.h"
#include "verifier/domain/part.h"
#include "verifier/domain/scalar.h"

namespace ring3::verifier {

/// Which half of the registers an instruction works on: all, or the low half (`bits` 32 of an Insn).
enum class Half : std::uint8_t { kFull, kLow };
constexpr Half half_of(const isa::Insn& insn) { return insn.bits == 32 ? Half::kLow : Half::kFull; }

template <int B>
constexpr Part<B> full_part(const Scalar<B>& s) {
  return {s.var_off, s.full};
}
template <int B>
constexpr Part<B / 2> low_part(const Scalar<B>& s) {
  return {s.sub_bits(), s.sub};
}

/// The low n bits, zero above. Bounds survive where the numbers do not pass a multiple of 2^n.
template <int B>
constexpr Scalar<B> zero_extend(const Scalar<B>& s, int n) {
  using W = Width<B>;
  if (n == B) return s;
  const typename W::U mask = W::kMask >> (B - n);
  if (s.full.umax <= mask && s.full.smin >= 0) return s;  // has nothing above
  Scalar<B> r{s.var_off.zero_extended(n), {}, {}};
  const auto keep = [&](typename W::U lo, typename W::U hi) {
    if (W::trunc(hi - lo) <= mask && (lo & mask) <= (hi & mask)) r.full.tighten_unsigned(lo & mask, hi & mask);
  };
  keep(s.full.umin, s.full.umax);
  keep(W::as_unsigned(s.full.smin), W::as_unsigned(s.full.smax));
  if (n <= Scalar<B>::kSubBits) keep(s.sub.umin, s.sub.umax);
  if (n == Scalar<B>::kSubBits) r.sub = s.sub;
  r.sync();
  return r;
}

/// The low n bits as a signed number. As zero_extend(), on the signed circle of n bits.
template <int B>
constexpr Scalar<B> sign_extend(const Scalar<B>& s, int n) {
  using W = Width<B>;
  if (n == B) return s;
  const typename W::U mask = W::kMask >> (B - n);
  Scalar<B> r{s.var_off.sign_extended(n), {}, {}};
  r.full.tighten_signed(W::kSmin >> (B - n), W::kSmax >> (B - n));
  const auto keep = [&](typename W::U lo, typename W::U hi) {
    const auto slo = W::as_signed(W::trunc(lo << (B - n))) >> (B - n);
    const auto shi = W::as_signed(W::trunc(hi << (B - n))) >> (B - n);
    if (W::trunc(hi - lo) <= mask && slo <= shi) r.full.tighten_signed(slo, shi);
  };
  keep(s.full.umin, s.full.umax);
  keep(W::as_unsigned(s.full.smin), W::as_unsigned(s.full.smax));
  if (n <= Scalar<B>::kSubBits) keep(s.sub.umin, s.sub.umax);
  if (n == Scalar<B>::kSubBits) r.full.tighten_signed(s.sub.smin, s.sub.smax);
  r.sync();
  return r;
}

/// The low n bits (16, 32 or 64) with their bytes in reverse order, zero above: bits move, known or not.
constexpr Scalar<64> swap_bytes(const Scalar<64>& s, int n) {
  return Scalar<64>::of_bits({__builtin_bswap64(s.var_off.value) >> (64 - n),
                              __builtin_bswap64(s.var_off.mask) >> (64 - n)});
}

/// Only a known amount tells anything. One of the width or more is taken modulo the width when it runs, but
/// Linux knows nothing about the result, and neither do we.
template <int N>
constexpr Part<N> shift(isa::Op op, const Part<N>& a, const Part<N>& amount) {
  if (!amount.is_const() || amount.bits.value >= N) return {};
  const int n = static_cast<int>(amount.bits.value);
  if (op == isa::Op::kLsh) return lsh(a, n);
  return op == isa::Op::kRsh ? rsh(a, n) : arsh(a, n);
}

/// Two-operand arithmetic on one part.
template <int N>
constexpr Part<N> part_alu(isa::Op op, const Part<N>& a, const Part<N>& b) {
  switch (op) {
    case isa::Op::kAdd: return {a.bits + b.bits, add(a.range, b.range)};
    case isa::Op::kSub: return {a.bits - b.bits, sub(a.range, b.range)};
    case isa::Op::kMul: return {a.bits * b.bits, mul(a.range, b.range)};
    case isa::Op::kAnd: return bit_and(a, b);
    case isa::Op::kOr: return bit_or(a, b);
    case isa::Op::kXor: return {a.bits ^ b.bits, {}};
    case isa::Op::kLsh:
    case isa::Op::kRsh:
    case isa::Op::kArsh: return shift(op, a, b);
    default: return {};  // not arithmetic: nothing is known
  }
}

/// The low half of the result depends on the low halves of the operands alone, so that the operation
/// can be run on them as well. (A left shift qualifies when its amount does not pass the half.)
constexpr bool is_low_half_closed(isa::Op op) {
  switch (op) {
    case isa::Op::kAdd:
    case isa::Op::kSub:
    case isa::Op::kMul:
    case isa::Op::kAnd:
    case isa::Op::kOr:
    case isa::Op::kXor: return true;
    default: return false;
  }
}

/// Linux knows nothing of a quotient or a remainder, not even that its upper half is zero, and neither do we: what is known
/// decides branches, what decides a branch is precise, and precise numbers that change from round to round keep a loop
/// from being pruned (docs/adr/0009).
constexpr bool is_division(isa::Op op) {
  return op == isa::Op::kDiv || op == isa::Op::kMod || op == isa::Op::kSdiv || op == isa::Op::kSmod;
}

/// Two known numbers: the result is one. False: this operation is not computed here.
template <int N>
constexpr bool compute(isa::Op op, typename Width<N>::U a, typename Width<N>::U b, typename Width<N>::U& out) {
  using W = Width<N>;
  using U = typename W::U;
  switch (op) {
    case isa::Op::kAdd: out = W::trunc(static_cast<U>(a + b)); return true;
    case isa::Op::kSub: out = W::trunc(static_cast<U>(a - b)); return true;
    case isa::Op::kMul: out = W::trunc(static_cast<U>(a * b)); return true;
    case isa::Op::kAnd: out = a & b; return true;
    case isa::Op::kOr: out = a | b; return true;
    case isa::Op::kXor: out = a ^ b; return true;
    default: return false;
  }
}

/// dst = dst op src for kAdd … kSmod.
template <int B>
constexpr Scalar<B> binary_alu(isa::Op op, Half half, const Scalar<B>& dst, const Scalar<B>& src) {
  constexpr int kSub = B / 2;
  if (is_division(op)) return {};
  if (dst.is_const() && src.is_const()) {
    typename Width<B>::U whole{};
    typename Width<kSub>::U low{};
    if (half == Half::kFull && compute<B>(op, dst.const_value(), src.const_value(), whole)) return Scalar<B>::constant(whole);
    if (half == Half::kLow && compute<kSub>(op, Scalar<B>::low_half(dst.const_value()), Scalar<B>::low_half(src.const_value()), low))
      return Scalar<B>::constant(low);
  }
  if (half == Half::kLow) {
    const Part<kSub> p = part_alu(op, low_part(dst), low_part(src));
    return Scalar<B>::of(Tnum<B>::constant(0).with_low(p.bits), {}, p.range);
  }
  const Part<B> p = part_alu(op, full_part(dst), full_part(src));
  Scalar<B> r{p.bits, p.range, {}};
  if (is_low_half_closed(op)) r.sub = part_alu(op, low_part(dst), low_part(src)).range;
  if (op == isa::Op::kLsh && src.is_const() && src.const_value() < kSub)
    r.sub = lsh(low_part(dst), static_cast<int>(src.const_value())).range;
  // The low half moved up alone: its bounds, in both readings, are the whole's in units of 2^kSub.
  if (op == isa::Op::kLsh && src.is_const() && src.const_value() == kSub) {
    using W = Width<B>;
    using U = typename W::U;
    r.full.tighten_unsigned(U{dst.sub.umin} << kSub, U{dst.sub.umax} << kSub);
    r.full.tighten_signed(W::as_signed(static_cast<U>(dst.sub.smin) << kSub),
                          W::as_signed(static_cast<U>(dst.sub.smax) << kSub));
  }
  r.sync();
  return r;
}

/// The register after `insn`, an arithmetic instruction of numbers (kAdd … kMovsx, byte order).
/// src: the second operand, register or immediate sign extended to 64 bits; ignored by one-operand forms.
constexpr Scalar<64> alu(const isa::Insn& insn, const Scalar<64>& dst, const Scalar<64>& src) {
  const Half half = half_of(insn);
  const auto finish = [half](const Scalar<64>& s) { return half == Half::kLow ? zero_extend(s, 32) : s; };
  switch (insn.op) {
    case isa::Op::kNeg: return binary_alu(isa::Op::kSub, half, Scalar<64>::constant(0), dst);
    case isa::Op::kMov: return finish(src);
    case isa::Op::kMovsx: return finish(sign_extend(src, insn.size * 8));
    case isa::Op::kToLe: return zero_extend(dst, static_cast<int>(insn.imm));
    case isa::Op::kToBe:
    case isa::Op::kBswap: return swap_bytes(dst, static_cast<int>(insn.imm));
    default: return binary_alu(insn.op, half, dst, src);
  }
}

/// What a load of `bytes` bytes of unknown memory leaves in a register.
inline const Scalar<64>& loaded(int bytes, bool is_signed) {
  constexpr auto value = [](int n, bool with_sign) {
    return with_sign ? sign_extend(Scalar<64>::unknown(), n * 8) : zero_extend(Scalar<64>::unknown(), n * 8);
  };
  static constexpr Scalar<64> kValues[] = {value(1, false), value(2, false), value(4, false), value(8, false),
                                           value(1, true),  value(2, true),  value(4, true),  value(8, true)};
  const int row = bytes == 1 ? 0 : bytes == 2 ? 1 : bytes == 4 ? 2 : 3;
  return kValues[row + (is_signed ? 4 : 0)];
}

}  // namespace ring3::verifier
