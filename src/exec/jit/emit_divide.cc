// Division and remainder. The machine's instruction works on rdx:rax and traps on what BPF defines: division by
// zero gives 0, the remainder of it the dividend, the smallest number by -1 itself with remainder 0.
#if defined(__x86_64__)

#include <bit>

#include "exec/jit/emitter.h"

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

void Emitter::divide(const Insn& insn) {
  const bool wide = insn.bits == 64;
  const bool remainder = is_remainder(insn.op);
  if (wide) upper_zero_ &= ~(1u << insn.dst);
  else upper_zero_ |= 1u << insn.dst;
  if (!insn.src_is_reg && divide_by_easy_constant(insn)) return;

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
