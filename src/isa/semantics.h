// What instructions compute, as pure functions of values: the one definition the interpreter runs, constant
// folding folds with, the verifier's domain is proved against and compiled code is tested by.
//
// Bits is the operand width: 64 and 32 are the machine's, small ones (4 to 6) exist for proofs by exhaustion.
// Values travel in the low Bits of a uint64_t; results have all higher bits zero, which is what a 32-bit
// instruction does to its register. Operands may carry rubbish above Bits.
//
// Defined where C++ is not: division by zero gives 0, remainder by zero the dividend; the smallest number
// divided by -1 gives itself, remainder 0; shift amounts count modulo Bits.
#pragma once

#include <cstdint>

#include "isa/insn.h"

namespace ring3::isa {

template <int Bits>
constexpr std::uint64_t truncate(std::uint64_t value) {
  static_assert(Bits >= 1 && Bits <= 64);
  if constexpr (Bits == 64) return value;
  else return value & ((std::uint64_t{1} << Bits) - 1);
}

/// The low Bits of value as a signed number.
template <int Bits>
constexpr std::int64_t sign_extend(std::uint64_t value) {
  static_assert(Bits >= 1 && Bits <= 64);
  constexpr std::uint64_t sign = std::uint64_t{1} << (Bits - 1);
  return static_cast<std::int64_t>((truncate<Bits>(value) ^ sign) - sign);
}

/// As above with the width known at run time: 1 to 64.
constexpr std::int64_t sign_extend(std::uint64_t value, int bits) {
  const int unused = 64 - bits;
  return static_cast<std::int64_t>(value << unused) >> unused;
}

namespace semantics_detail {

template <int Bits>
constexpr std::uint64_t udiv(std::uint64_t a, std::uint64_t b) {
  return b == 0 ? 0 : a / b;
}

template <int Bits>
constexpr std::uint64_t umod(std::uint64_t a, std::uint64_t b) {
  return b == 0 ? a : a % b;
}

template <int Bits>
constexpr std::uint64_t sdiv(std::uint64_t a, std::uint64_t b) {
  const std::int64_t divisor = sign_extend<Bits>(b);
  if (divisor == 0) return 0;
  if (divisor == -1) return truncate<Bits>(0 - a);
  return truncate<Bits>(static_cast<std::uint64_t>(sign_extend<Bits>(a) / divisor));
}

template <int Bits>
constexpr std::uint64_t smod(std::uint64_t a, std::uint64_t b) {
  const std::int64_t divisor = sign_extend<Bits>(b);
  if (divisor == 0) return a;
  if (divisor == -1) return 0;
  return truncate<Bits>(static_cast<std::uint64_t>(sign_extend<Bits>(a) % divisor));
}

}  // namespace semantics_detail

/// dst op src for the arithmetic operations kAdd … kArsh, kNeg (src ignored) and kMov. Not for other ops.
template <int Bits>
constexpr std::uint64_t alu(Op op, std::uint64_t dst, std::uint64_t src) {
  using namespace semantics_detail;
  const std::uint64_t a = truncate<Bits>(dst);
  const std::uint64_t b = truncate<Bits>(src);
  const int shift = static_cast<int>(b % static_cast<unsigned>(Bits));
  switch (op) {
    case Op::kAdd: return truncate<Bits>(a + b);
    case Op::kSub: return truncate<Bits>(a - b);
    case Op::kMul: return truncate<Bits>(a * b);
    case Op::kDiv: return udiv<Bits>(a, b);
    case Op::kSdiv: return sdiv<Bits>(a, b);
    case Op::kMod: return umod<Bits>(a, b);
    case Op::kSmod: return smod<Bits>(a, b);
    case Op::kOr: return a | b;
    case Op::kAnd: return a & b;
    case Op::kXor: return a ^ b;
    case Op::kLsh: return truncate<Bits>(a << shift);
    case Op::kRsh: return a >> shift;
    case Op::kArsh: return truncate<Bits>(static_cast<std::uint64_t>(sign_extend<Bits>(a) >> shift));
    case Op::kNeg: return truncate<Bits>(0 - a);
    case Op::kMov: return b;
    default: return 0;
  }
}

/// Whether a conditional jump kJeq … kJsle is taken. Not for other ops.
template <int Bits>
constexpr bool jump_taken(Op op, std::uint64_t dst, std::uint64_t src) {
  const std::uint64_t a = truncate<Bits>(dst);
  const std::uint64_t b = truncate<Bits>(src);
  const std::int64_t sa = sign_extend<Bits>(a);
  const std::int64_t sb = sign_extend<Bits>(b);
  switch (op) {
    case Op::kJeq: return a == b;
    case Op::kJne: return a != b;
    case Op::kJgt: return a > b;
    case Op::kJge: return a >= b;
    case Op::kJlt: return a < b;
    case Op::kJle: return a <= b;
    case Op::kJset: return (a & b) != 0;
    case Op::kJsgt: return sa > sb;
    case Op::kJsge: return sa >= sb;
    case Op::kJslt: return sa < sb;
    case Op::kJsle: return sa <= sb;
    default: return false;
  }
}

/// kMovsx: the low from_bits of src, sign extended to Bits.
template <int Bits>
constexpr std::uint64_t movsx(std::uint64_t src, int from_bits) {
  return truncate<Bits>(static_cast<std::uint64_t>(sign_extend(src, from_bits)));
}

/// kBswap, and kToBe on the little-endian machines ring3 runs on: the low 16, 32 or 64 bits reversed.
constexpr std::uint64_t byte_swap(std::uint64_t value, int width) {
  return __builtin_bswap64(value) >> (64 - width);
}

/// kToLe on a little-endian machine: the low 16, 32 or 64 bits.
constexpr std::uint64_t keep_low(std::uint64_t value, int width) {
  return width == 64 ? value : value & ((std::uint64_t{1} << width) - 1);
}

/// The new memory value of a kAtomic… operation on `Bits` of memory (exchange: the operand itself).
/// Compare and exchange is not here: it needs a third value.
template <int Bits>
constexpr std::uint64_t atomic_result(Op op, std::uint64_t old, std::uint64_t operand) {
  switch (op) {
    case Op::kAtomicAdd: case Op::kAtomicFetchAdd: return alu<Bits>(Op::kAdd, old, operand);
    case Op::kAtomicOr: case Op::kAtomicFetchOr: return alu<Bits>(Op::kOr, old, operand);
    case Op::kAtomicAnd: case Op::kAtomicFetchAnd: return alu<Bits>(Op::kAnd, old, operand);
    case Op::kAtomicXor: case Op::kAtomicFetchXor: return alu<Bits>(Op::kXor, old, operand);
    default: return truncate<Bits>(operand);
  }
}

/// One register instruction on 64-bit registers: what dst holds afterwards. src: the second operand, register
/// or sign-extended imm. For kAdd … kBswap; a cast between address spaces keeps the value (the verifier's
/// rewrite makes it real). Not for other ops.
constexpr std::uint64_t evaluate(const Insn& insn, std::uint64_t dst, std::uint64_t src) {
  switch (insn.op) {
    case Op::kMovsx: return insn.bits == 64 ? movsx<64>(src, insn.size * 8) : movsx<32>(src, insn.size * 8);
    case Op::kAddrSpaceCast: return src;
    case Op::kToLe: return keep_low(dst, static_cast<int>(insn.imm));
    case Op::kToBe: case Op::kBswap: return byte_swap(dst, static_cast<int>(insn.imm));
    default: return insn.bits == 64 ? alu<64>(insn.op, dst, src) : alu<32>(insn.op, dst, src);
  }
}

}  // namespace ring3::isa
