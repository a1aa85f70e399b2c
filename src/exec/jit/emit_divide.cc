// Division and remainder. The machine's instruction works on rdx:rax and traps on what BPF defines: division by
// zero gives 0, the remainder of it the dividend, the smallest number by -1 itself with remainder 0.
#if defined(__x86_64__)

#include <bit>

#include "exec/jit/emitter.h"
#include "exec/jit/reciprocal.h"

namespace ring3::exec::jit {
namespace {

using isa::Insn;
using isa::Op;

constexpr std::uint8_t kQuotientReg = 0;   // rax
constexpr std::uint8_t kRemainderReg = 3;  // rdx

bool is_signed(Op op) { return op == Op::kSdiv || op == Op::kSmod; }
bool is_remainder(Op op) { return op == Op::kMod || op == Op::kSmod; }

}  // namespace

/// Divisors that need no division: 0, powers of two, and -1 of the signed forms.
bool Emitter::divide_by_easy_constant(const Insn& insn) {
  const bool wide = insn.bits == 64;
  const Gp dst = sized(insn.dst, wide);
  const std::uint64_t divisor =
      wide ? static_cast<std::uint64_t>(insn.imm) : static_cast<std::uint32_t>(insn.imm);
  const bool minus_one = is_signed(insn.op) && insn.imm == -1;
  if (divisor == 0 ? !is_remainder(insn.op) : (divisor == 1 || minus_one) && is_remainder(insn.op)) {
    a_.xor_(dst.r32(), dst.r32());
    return true;
  }
  if (divisor == 0 || divisor == 1) {
    if (!wide) a_.mov(dst, dst);
    return true;
  }
  if (minus_one) {
    a_.neg(dst);
    return true;
  }
  if (is_signed(insn.op) || !std::has_single_bit(divisor) || options_.blind_constants) return false;
  const int amount = std::countr_zero(divisor);
  if (!is_remainder(insn.op)) {
    a_.shr(dst, amount);
  } else if (divisor <= std::uint64_t{1} << 31) {
    a_.and_(dst.r32(), asmjit::Imm(static_cast<std::int32_t>(divisor - 1)));
  } else {
    return false;  // 64-bit immediates are sign extended, so these do not exist
  }
  return true;
}

/// Unsigned division by any other constant: a multiplication by its reciprocal.
bool Emitter::divide_by_multiplying(const Insn& insn) {
  const bool wide = insn.bits == 64;
  const bool small = !wide || (upper_zero_ >> insn.dst & 1) != 0;  // the dividend fits 32 bits
  if (is_signed(insn.op) || insn.imm < 3 || options_.blind_constants) return false;
  const auto divisor = static_cast<std::uint64_t>(insn.imm);
  const Gp dst = r64(insn.dst);
  if (const auto r = small ? reciprocal(divisor, 32, 32) : std::nullopt) {
    a_.mov(kScratch.r32(), dst.r32());
    if (r->before != 0) a_.shr(kScratch.r32(), r->before);
    a_.mov(kScratch2.r32(), asmjit::Imm(r->factor));
    a_.imul(kScratch, kScratch2);
    a_.shr(kScratch, 32 + r->shift);
  } else if (const auto s = cpu_.bmi2 ? reciprocal(divisor, small ? 32 : 64, 64) : std::nullopt) {
    // mulx takes one factor from rdx and leaves the flags and rax alone.
    if (insn.dst != kRemainderReg) a_.mov(kScratch3, x86::rdx);
    if (insn.dst != kRemainderReg || !wide) a_.mov(sized(kRemainderReg, wide), sized(insn.dst, wide));
    const bool shifted = s->before != 0;
    if (shifted && insn.dst == kRemainderReg) a_.mov(kScratch3, x86::rdx);
    if (shifted) a_.shr(x86::rdx, s->before);
    a_.mov(kScratch2, asmjit::Imm(s->factor));
    a_.mulx(kScratch, kScratch2, kScratch2);
    if (insn.dst != kRemainderReg || shifted) a_.mov(x86::rdx, kScratch3);
    if (s->shift != 0) a_.shr(kScratch, s->shift);
  } else {
    return false;
  }
  if (!is_remainder(insn.op)) {
    a_.mov(resized(dst, !small), resized(kScratch, !small));
  } else {
    a_.imul(kScratch, kScratch, asmjit::Imm(insn.imm));
    a_.sub(resized(dst, !small), resized(kScratch, !small));
  }
  return true;
}

// Signed division by a constant of any other magnitude. Quotients go towards zero, while what shifts give is the next lower
// number: a negative dividend's is one too low. A negative divisor's quotient is that of its magnitude, negated, its remainder
// the same.

/// 2^amount: a negative dividend is raised by 2^amount - 1 first.
void Emitter::divide_signed_by_power(const Insn& insn, int amount) {
  const bool wide = insn.bits == 64;
  const Gp dst = sized(insn.dst, wide), raise = resized(kScratch, wide);
  a_.mov(raise, dst);
  if (amount > 1) a_.sar(raise, insn.bits - 1);
  a_.shr(raise, insn.bits - amount);
  a_.add(dst, raise);
  if (is_remainder(insn.op)) {
    a_.and_(dst.r32(), asmjit::Imm(static_cast<std::int32_t>((std::uint32_t{1} << amount) - 1)));
    a_.sub(dst, raise);
    return;
  }
  a_.sar(dst, amount);
  if (insn.imm < 0) a_.neg(dst);
}

/// 32 bits: the whole product fits one register.
void Emitter::divide_signed_by_multiplying_32(const Insn& insn, std::uint32_t magnitude) {
  const Reciprocal r = signed_reciprocal(magnitude, 32);
  const Gp dst = sized(insn.dst, false);
  a_.movsxd(kScratch, dst);
  if (r.factor <= INT32_MAX) {
    a_.imul(kScratch, kScratch, asmjit::Imm(r.factor));
  } else {
    a_.mov(kScratch2.r32(), asmjit::Imm(r.factor));
    a_.imul(kScratch, kScratch2);
  }
  a_.sar(kScratch, 32 + r.shift);
  if (is_remainder(insn.op)) {
    a_.mov(kScratch2.r32(), dst);
    a_.shr(kScratch2.r32(), 31);
    a_.add(kScratch.r32(), kScratch2.r32());
    a_.imul(kScratch.r32(), kScratch.r32(), asmjit::Imm(magnitude));
    a_.sub(dst, kScratch.r32());
  } else if (insn.imm > 0) {
    a_.shr(dst, 31);
    a_.add(dst, kScratch.r32());
  } else {
    a_.sar(dst, 31);
    a_.sub(dst, kScratch.r32());
  }
}

/// 64 bits: the upper half of the product, by the instruction that gives it in rdx.
void Emitter::divide_signed_by_multiplying_64(const Insn& insn, std::uint32_t magnitude) {
  const Reciprocal r = signed_reciprocal(magnitude, 64);
  if (insn.dst != kQuotientReg) a_.mov(kScratch2, x86::rax);
  if (insn.dst != kRemainderReg) a_.mov(kScratch3, x86::rdx);
  a_.mov(kScratch, r64(insn.dst));
  a_.mov(x86::rax, asmjit::Imm(r.factor));
  a_.imul(x86::rdx, x86::rax, kScratch);
  if (static_cast<std::int64_t>(r.factor) < 0) a_.add(x86::rdx, kScratch);  // it was taken for 2^64 less
  if (r.shift != 0) a_.sar(x86::rdx, r.shift);
  if (is_remainder(insn.op)) {
    a_.mov(x86::rax, kScratch);
    a_.shr(x86::rax, 63);
    a_.add(x86::rdx, x86::rax);
    a_.imul(x86::rdx, x86::rdx, asmjit::Imm(magnitude));
    a_.sub(kScratch, x86::rdx);
  } else if (insn.imm > 0) {
    a_.shr(kScratch, 63);
    a_.add(kScratch, x86::rdx);
  } else {
    a_.sar(kScratch, 63);
    a_.sub(kScratch, x86::rdx);
  }
  if (insn.dst != kQuotientReg) a_.mov(x86::rax, kScratch2);
  if (insn.dst != kRemainderReg) a_.mov(x86::rdx, kScratch3);
  a_.mov(r64(insn.dst), kScratch);
}

bool Emitter::divide_signed_by_constant(const Insn& insn) {
  const std::uint64_t magnitude = insn.imm < 0 ? 0 - static_cast<std::uint64_t>(insn.imm) : static_cast<std::uint64_t>(insn.imm);
  if (!is_signed(insn.op) || magnitude < 2 || magnitude > std::uint64_t{1} << 31 || options_.blind_constants) return false;
  if (std::has_single_bit(magnitude))
    divide_signed_by_power(insn, std::countr_zero(magnitude));
  else if (insn.bits == 32)
    divide_signed_by_multiplying_32(insn, static_cast<std::uint32_t>(magnitude));
  else
    divide_signed_by_multiplying_64(insn, static_cast<std::uint32_t>(magnitude));
  return true;
}

bool Emitter::divide_by_constant(const Insn& insn) {
  const bool was_small = (upper_zero_ >> insn.dst & 1) != 0;
  Insn plain = insn;
  if (is_signed(insn.op) && insn.bits == 64 && was_small && insn.imm > 0) plain.op = is_remainder(insn.op) ? Op::kMod : Op::kDiv;  // nothing is negative
  if (divide_by_easy_constant(plain) || divide_by_multiplying(plain)) {
    const bool negated = is_signed(insn.op) && insn.imm == -1;
    set_upper_zero(insn.dst, insn.bits == 32 || (was_small && !negated));
    return true;
  }
  if (!divide_signed_by_constant(insn)) return false;
  set_upper_zero(insn.dst, insn.bits == 32);
  return true;
}

void Emitter::divide(const Insn& insn) {
  const bool wide = insn.bits == 64;
  const bool remainder = is_remainder(insn.op);
  if (!insn.src_is_reg && divide_by_constant(insn)) return;
  set_upper_zero(insn.dst, !wide);

  const Gp divisor = resized(kScratch, wide);
  const Gp dst = sized(insn.dst, wide);
  const Gp rax = sized(kQuotientReg, wide);
  const Gp rdx = sized(kRemainderReg, wide);
  const Label done = a_.newLabel();
  if (insn.src_is_reg) {
    a_.mov(divisor, sized(insn.src, wide));
    const Label by_zero = a_.newLabel();
    a_.test(divisor, divisor);
    a_.jz(by_zero);
    cold_.push_back({remainder ? Cold::kTruncate : Cold::kZero, insn.dst, by_zero, done, UINT32_MAX});
    if (remainder && wide) cold_.back().kind = Cold::kNothing;
    if (is_signed(insn.op)) {
      const Label by_minus_one = a_.newLabel();
      a_.cmp(divisor, -1);
      a_.je(by_minus_one);
      cold_.push_back({remainder ? Cold::kZero : wide ? Cold::kNegate64 : Cold::kNegate32, insn.dst, by_minus_one, done,
                       UINT32_MAX});
    }
  } else {
    load_constant(kScratch, wide ? static_cast<std::uint64_t>(insn.imm) : static_cast<std::uint32_t>(insn.imm));
  }

  if (insn.dst != kQuotientReg) a_.mov(kScratch2, x86::rax);
  if (insn.dst != kRemainderReg) a_.mov(kScratch3, x86::rdx);
  if (insn.dst != kQuotientReg) a_.mov(rax, dst);
  if (!is_signed(insn.op)) {
    a_.xor_(x86::edx, x86::edx);
    a_.div(divisor);
  } else {
    if (wide) a_.cqo();
    else a_.cdq();
    a_.idiv(divisor);
  }
  const Gp result = remainder ? rdx : rax;
  if (dst.id() != result.id()) a_.mov(dst, result);
  if (insn.dst != kQuotientReg) a_.mov(x86::rax, kScratch2);
  if (insn.dst != kRemainderReg) a_.mov(x86::rdx, kScratch3);
  a_.bind(done);
}

}  // namespace ring3::exec::jit

#endif
