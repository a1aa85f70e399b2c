// Arithmetic, moves and byte order.
#if defined(__x86_64__)

#include <bit>

#include "base/check.h"
#include "exec/jit/emitter.h"
#include "exec/jit/random.h"

namespace ring3::exec::jit {
namespace {

using isa::Insn;
using isa::Op;
namespace Id = x86::Inst;

std::uint32_t two_operand_id(Op op) {
  switch (op) {
    case Op::kAdd: return Id::kIdAdd;
    case Op::kSub: return Id::kIdSub;
    case Op::kOr: return Id::kIdOr;
    case Op::kAnd: return Id::kIdAnd;
    case Op::kXor: return Id::kIdXor;
    case Op::kLsh: return Id::kIdShl;
    case Op::kRsh: return Id::kIdShr;
    case Op::kArsh: return Id::kIdSar;
    default: return Id::kIdImul;
  }
}

std::uint32_t shift_x_id(Op op) {
  return op == Op::kLsh ? Id::kIdShlx : op == Op::kRsh ? Id::kIdShrx : Id::kIdSarx;
}

bool is_shift(Op op) { return op == Op::kLsh || op == Op::kRsh || op == Op::kArsh; }

/// Sets the zero flag by its result (shifts by zero and imul do not).
bool sets_zero_flag(Op op) {
  return op == Op::kAdd || op == Op::kSub || op == Op::kOr || op == Op::kAnd || op == Op::kXor;
}

}  // namespace

void Emitter::alu(const Insn& insn) {
  if (insn.src_is_reg && is_shift(insn.op)) shift_by_register(insn);
  else if (insn.src_is_reg) alu_by_register(insn);
  else alu_by_constant(insn);
  const std::uint32_t bit = 1u << insn.dst;
  if (insn.bits == 32) {
    upper_zero_ |= bit;
    return;
  }
  const bool src_small = insn.src_is_reg ? (upper_zero_ >> insn.src & 1) != 0 : insn.imm >= 0;
  const bool dst_small = (upper_zero_ & bit) != 0;
  const bool small = (insn.op == Op::kAnd && (src_small || dst_small)) ||
                     ((insn.op == Op::kOr || insn.op == Op::kXor) && src_small && dst_small) ||
                     (insn.op == Op::kRsh && (dst_small || (!insn.src_is_reg && insn.imm >= 32)));
  upper_zero_ = small ? upper_zero_ | bit : upper_zero_ & ~bit;
}

void Emitter::alu_by_register(const Insn& insn) {
  const bool wide = insn.bits == 64;
  a_.emit(two_operand_id(insn.op), sized(insn.dst, wide), sized(insn.src, wide));
  if (sets_zero_flag(insn.op)) flags_ = {insn.dst, wide};
}

void Emitter::alu_by_constant(const Insn& insn) {
  const bool wide = insn.bits == 64;
  const Gp dst = sized(insn.dst, wide);
  if (is_shift(insn.op)) {
    const auto amount = static_cast<std::uint32_t>(insn.imm) & (wide ? 63u : 31u);
    if (amount != 0) a_.emit(two_operand_id(insn.op), dst, asmjit::Imm(amount));
    else if (!wide) a_.mov(dst, dst);
    return;
  }
  if (!may_embed(insn.imm, wide)) {
    a_.emit(two_operand_id(insn.op), dst, resized(kScratch3, wide));
    return;
  }
  const auto imm = static_cast<std::int32_t>(insn.imm);
  switch (insn.op) {
    case Op::kMul: return multiply_by_constant(dst, imm);
    case Op::kAnd:
      if (imm == 0xff) return static_cast<void>(a_.movzx(dst.r32(), dst.r8()));
      if (imm == 0xffff) return static_cast<void>(a_.movzx(dst.r32(), dst.r16()));
      // A positive mask clears the upper half by itself.
      a_.and_(resized(dst, wide && imm < 0), imm);
      break;
    case Op::kXor:
      if (imm == -1) return static_cast<void>(a_.not_(dst));
      a_.xor_(dst, imm);
      break;
    default: a_.emit(two_operand_id(insn.op), dst, asmjit::Imm(imm)); break;
  }
  flags_ = {insn.dst, wide};
}

void Emitter::multiply_by_constant(const Gp& dst, std::int64_t imm) {
  const bool wide = dst.size() == 8;
  const auto factor = static_cast<std::uint32_t>(imm);
  if (imm > 0 && std::has_single_bit(factor)) {
    const int amount = std::countr_zero(factor);
    if (amount != 0) a_.shl(dst, amount);
    else if (!wide) a_.mov(dst, dst);
  } else if (imm == 3 || imm == 5 || imm == 9) {
    a_.lea(dst, x86::ptr(dst.r64(), dst.r64(), static_cast<std::uint32_t>(std::countr_zero(factor - 1))));
  } else {
    a_.imul(dst, dst, asmjit::Imm(imm));
  }
}

void Emitter::shift_by_register(const Insn& insn) {
  const bool wide = insn.bits == 64;
  const Gp dst = sized(insn.dst, wide);
  const Gp amount = sized(insn.src, wide);
  if (cpu_.bmi2) {
    a_.emit(shift_x_id(insn.op), dst, dst, amount);
    return;
  }
  // The amount has to be in cl: shift a copy, so that it does not matter which registers these are.
  a_.mov(kScratch2, dst.r64());
  a_.mov(kScratch, x86::rcx);
  a_.mov(x86::rcx, amount.r64());
  a_.emit(two_operand_id(insn.op), resized(kScratch2, wide), x86::cl);
  a_.mov(x86::rcx, kScratch);
  a_.mov(dst, resized(kScratch2, wide));
}

void Emitter::negate(const Insn& insn) {
  a_.neg(sized(insn.dst, insn.bits == 64));
  if (insn.bits == 32) upper_zero_ |= 1u << insn.dst;
  else upper_zero_ &= ~(1u << insn.dst);
}

void Emitter::move(const Insn& insn) {
  const std::uint32_t bit = 1u << insn.dst;
  if (!insn.src_is_reg) {
    const auto value = static_cast<std::uint64_t>(insn.imm);
    return load_constant(r64(insn.dst), insn.bits == 32 ? static_cast<std::uint32_t>(value) : value);
  }
  const bool src_small = (upper_zero_ >> insn.src & 1) != 0;
  if (insn.bits == 64) {
    if (insn.dst != insn.src) a_.mov(r64(insn.dst), r64(insn.src));
    upper_zero_ = src_small ? upper_zero_ | bit : upper_zero_ & ~bit;
    return;
  }
  if (insn.dst != insn.src || !src_small) a_.mov(r32(insn.dst), r32(insn.src));
  upper_zero_ |= bit;
}

void Emitter::move_sign_extended(const Insn& insn) {
  const bool wide = insn.bits == 64;
  const Gp dst = sized(insn.dst, wide);
  if (insn.size == 4) a_.movsxd(dst, r32(insn.src));
  else a_.movsx(dst, at_width(r64(insn.src), insn.size));
  if (wide) upper_zero_ &= ~(1u << insn.dst);
  else upper_zero_ |= 1u << insn.dst;
}

void Emitter::swap_ends(const Insn& insn) {
  const Gp dst = r64(insn.dst);
  const bool swap = insn.op != Op::kToLe;
  if (insn.imm == 16) {
    if (swap) a_.rol(dst.r16(), 8);
    a_.movzx(dst.r32(), dst.r16());
  } else if (insn.imm == 32) {
    if (swap) a_.bswap(dst.r32());
    else a_.mov(dst.r32(), dst.r32());
  } else if (swap) {
    a_.bswap(dst);
  }
  if (insn.imm < 64) upper_zero_ |= 1u << insn.dst;
  else if (swap) upper_zero_ &= ~(1u << insn.dst);
}

void Emitter::load_constant(const Gp& reg, std::uint64_t value) {
  const bool small = value <= UINT32_MAX;
  for (unsigned n = 0; n < isa::kRegCount; ++n)
    if (kMachineReg[n] == reg.id()) upper_zero_ = small ? upper_zero_ | 1u << n : upper_zero_ & ~(1u << n);
  if (value == 0) {
    a_.xor_(reg.r32(), reg.r32());
  } else if (options_.blind_constants) {
    blind_constant(reg, value);
  } else if (small) {
    a_.mov(reg.r32(), asmjit::Imm(value));
  } else {
    a_.mov(reg.r64(), asmjit::Imm(value));  // sign-extended 32 bits where that is enough
  }
}

/// Immediates, which are 32 bits extended, need no register beside: kRewriteReg may be in use.
void Emitter::blind_constant(const Gp& reg, std::uint64_t value) {
  const std::uint64_t mask = random_mask();
  const auto low = static_cast<std::int32_t>(mask);
  const auto extended = static_cast<std::uint64_t>(std::int64_t{low});
  if (value <= UINT32_MAX) {
    a_.mov(reg.r32(), asmjit::Imm(static_cast<std::uint32_t>(value ^ mask)));
    a_.xor_(reg.r32(), asmjit::Imm(low));
  } else if (value == static_cast<std::uint64_t>(std::int64_t{static_cast<std::int32_t>(value)})) {
    a_.mov(reg, asmjit::Imm(value ^ extended));
    a_.xor_(reg, asmjit::Imm(low));
  } else {
    RING3_CHECK(reg.id() != kScratch3.id(), "only wide immediates of the program have so many bits");
    a_.mov(reg, asmjit::Imm(value ^ mask));
    a_.mov(kScratch3, asmjit::Imm(mask));
    a_.xor_(reg, kScratch3);
  }
}

bool Emitter::may_embed(std::int64_t imm, bool wide) {
  if (!options_.blind_constants) return true;
  load_constant(kScratch3, wide ? static_cast<std::uint64_t>(imm) : static_cast<std::uint32_t>(imm));
  return false;
}

}  // namespace ring3::exec::jit

#endif
