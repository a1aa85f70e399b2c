// Machine instructions that do the work of several BPF instructions: planned groups (plan.h), and pairs that are seen
// while code is made: a copy and an operation on it, a jump over one instruction, a jump over a jump.
#if defined(__x86_64__)

#include <utility>

#include "exec/jit/carried.h"
#include "exec/jit/emitter.h"
#include "exec/jit/jumps.h"

namespace ring3::exec::jit {
namespace {

using isa::Insn;
using isa::Op;
namespace Id = x86::Inst;

std::uint32_t shift_x_id(Op op) {
  return op == Op::kLsh ? Id::kIdShlx : op == Op::kRsh ? Id::kIdShrx : Id::kIdSarx;
}

std::uint32_t two_operand_id(Op op) {
  switch (op) {
    case Op::kSub: return Id::kIdSub;
    case Op::kOr: return Id::kIdOr;
    case Op::kAnd: return Id::kIdAnd;
    case Op::kXor: return Id::kIdXor;
    case Op::kLsh: return Id::kIdShl;
    case Op::kRsh: return Id::kIdShr;
    case Op::kArsh: return Id::kIdSar;
    default: return Id::kIdAdd;
  }
}

bool is_shift(Op op) { return op == Op::kLsh || op == Op::kRsh || op == Op::kArsh; }

/// Whether a jump over this instruction may be made a conditional move of its result.
bool is_selectable(const Insn& insn, bool bmi2) {
  switch (insn.op) {
    case Op::kMov: case Op::kAdd: case Op::kSub: case Op::kOr: case Op::kAnd: case Op::kXor: return true;
    case Op::kLsh: case Op::kRsh: case Op::kArsh: return !insn.src_is_reg || bmi2;
    default: return false;
  }
}

/// Whether a jump over `chosen` makes it the lesser or greater of what was compared. Running extremes and limits are
/// foreseen nearly always, and a conditional move would make each wait for the one before.
bool is_extreme(const Insn& jump, const Insn& chosen) {
  if (chosen.op != Op::kMov || chosen.src_is_reg != jump.src_is_reg) return false;
  return chosen.src_is_reg ? chosen.src == jump.src || chosen.src == jump.dst : chosen.imm == jump.imm;
}

}  // namespace

void Emitter::set_upper_zero(unsigned reg, bool zero) {
  upper_zero_ = zero ? upper_zero_ | 1u << reg : upper_zero_ & ~(1u << reg);
}

/// The instruction that runs next in any case, or 0 when there is none or it stands for a group.
std::uint32_t Emitter::next_kept(std::uint32_t idx) const {
  for (std::uint32_t next = idx + 1; next < frame_.shape->end && !shape_.is_target[next]; ++next)
    if (!plan_.dropped(next)) return plan_.steps[next].action == Step::kKeep ? next : 0;
  return 0;
}

bool Emitter::nothing_between(std::uint32_t from, std::uint32_t to) const {
  for (std::uint32_t idx = from; idx < to; ++idx)
    if (!plan_.dropped(idx)) return false;
  return from <= to;
}

void Emitter::gather(const Step& step) {
  const x86::Mem from = step.index == kNoRegister
                            ? x86::ptr(r64(step.base), step.off, step.bytes)
                            : x86::ptr(r64(step.base), r64(step.index), step.shift, step.off, step.bytes);
  const Gp dst = r64(step.dst);
  set_upper_zero(step.dst, step.bytes < 8);
  if (step.bytes == 2) {
    a_.movzx(dst.r32(), from);
    if (!step.swap) return;
    a_.rol(dst.r16(), 8);
  } else if (!step.swap) {
    a_.mov(at_width(dst, step.bytes), from);
  } else if (cpu_.movbe) {
    a_.movbe(at_width(dst, step.bytes), from);
  } else {
    a_.mov(at_width(dst, step.bytes), from);
    a_.bswap(at_width(dst, step.bytes));
  }
}

void Emitter::rotate(const Step& step) {
  const bool wide = step.bits == 64;
  const Gp dst = sized(step.dst, wide);
  set_upper_zero(step.dst, !wide);
  if (step.dst == step.base) {
    a_.rol(dst, step.amount);
  } else if (cpu_.bmi2) {
    a_.rorx(dst, sized(step.base, wide), step.bits - step.amount);
  } else {
    a_.mov(dst, sized(step.base, wide));
    a_.rol(dst, step.amount);
  }
}

/// dst = src; dst op= something. True: done in one machine instruction.
bool Emitter::move_and_operate(std::uint32_t idx, const Insn& insn) {
  if (insn.op != Op::kMov || !insn.src_is_reg || insn.dst == insn.src) return false;
  const std::uint32_t next = next_kept(idx);
  if (next == 0) return false;
  const Insn& op = program_.insns[next];
  const bool wide = op.bits == 64;
  if (op.dst != insn.dst || (op.src_is_reg && op.src == op.dst)) return false;
  if (insn.bits == 32 && wide && (upper_zero_ >> insn.src & 1) == 0) return false;
  if (!op.src_is_reg && options_.blind_constants) return false;
  const Gp dst = sized(insn.dst, wide);
  const Gp from = r64(insn.src);
  bool small = !wide;
  switch (op.op) {
    case Op::kAdd:
      if (op.src_is_reg) a_.lea(dst, x86::ptr(from, r64(op.src)));
      else a_.lea(dst, x86::ptr(from, static_cast<std::int32_t>(op.imm)));
      break;
    case Op::kSub:
      if (op.src_is_reg || op.imm == INT32_MIN) return false;
      a_.lea(dst, x86::ptr(from, -static_cast<std::int32_t>(op.imm)));
      break;
    case Op::kAnd:
      if (op.src_is_reg || (op.imm != 0xff && op.imm != 0xffff)) return false;
      if (op.imm == 0xff) a_.movzx(dst.r32(), from.r8());
      else a_.movzx(dst.r32(), from.r16());
      small = true;
      break;
    case Op::kMul:
      if (op.src_is_reg || op.imm < 6 || (op.imm & (op.imm - 1)) == 0 || op.imm == 9) return false;
      a_.imul(dst, resized(from, wide), asmjit::Imm(op.imm));
      break;
    case Op::kLsh: case Op::kRsh: case Op::kArsh:
      if (op.src_is_reg) {
        if (!cpu_.bmi2) return false;
        a_.emit(shift_x_id(op.op), dst, resized(from, wide), sized(op.src, wide));
      } else if (op.op == Op::kLsh && op.imm == 1) {
        a_.lea(dst, x86::ptr(from, from));
      } else if (op.op == Op::kLsh && (op.imm == 2 || op.imm == 3)) {
        a_.lea(dst, x86::ptr(0, from, static_cast<std::uint32_t>(op.imm)));
      } else {
        return false;
      }
      break;
    default: return false;
  }
  set_upper_zero(insn.dst, small);
  next_idx_ = next + 1;
  return true;
}

/// What the one instruction behind a jump would put in its register, in a register that may be moved from.
/// keeps_flags: nothing was emitted that changes them.
x86::Gp Emitter::selected_value(const Insn& insn, bool& keeps_flags) {
  const bool wide = insn.bits == 64;
  keeps_flags = true;
  if (insn.op == Op::kMov && insn.src_is_reg) {
    if (wide || (upper_zero_ >> insn.src & 1) != 0) return r64(insn.src);
    a_.mov(kScratch.r32(), r32(insn.src));
    return kScratch;
  }
  const Gp value = resized(kScratch, wide);
  if (insn.op == Op::kAdd && insn.src_is_reg) {
    a_.lea(value, x86::ptr(r64(insn.dst), r64(insn.src)));
    return kScratch;
  }
  if (insn.op == Op::kAdd && !options_.blind_constants) {
    a_.lea(value, x86::ptr(r64(insn.dst), static_cast<std::int32_t>(insn.imm)));
    return kScratch;
  }
  keeps_flags = false;
  if (insn.op == Op::kMov) {
    load_constant(kScratch, wide ? static_cast<std::uint64_t>(insn.imm) : static_cast<std::uint32_t>(insn.imm));
  } else if (is_shift(insn.op) && insn.src_is_reg) {
    a_.emit(shift_x_id(insn.op), value, sized(insn.dst, wide), sized(insn.src, wide));
  } else {
    a_.mov(value, sized(insn.dst, wide));
    if (insn.src_is_reg) a_.emit(two_operand_id(insn.op), value, sized(insn.src, wide));
    else if (is_shift(insn.op)) a_.emit(two_operand_id(insn.op), value, asmjit::Imm(insn.imm & (wide ? 63 : 31)));
    else if (may_embed(insn.imm, wide)) a_.emit(two_operand_id(insn.op), value, asmjit::Imm(static_cast<std::int32_t>(insn.imm)));
    else a_.emit(two_operand_id(insn.op), value, resized(kScratch3, wide));
  }
  return kScratch;
}

/// A jump over one instruction: its result is computed in any case and kept or not. Mispredicted jumps cost twenty
/// times as much.
bool Emitter::select(std::uint32_t idx, const Insn& insn) {
  const std::uint32_t target = target_of(idx, insn);
  const std::uint32_t only = next_kept(idx);
  if (only == 0 || !is_selectable(program_.insns[only], cpu_.bmi2) || (!plan_.steps[idx].bit_test && is_extreme(insn, program_.insns[only])))
    return false;
  std::uint32_t behind = only + 1;
  if (target <= only || !nothing_between(behind, target)) {
    // Or both ways meet by a jump behind the instruction.
    const std::uint32_t meet = next_kept(only);
    if (meet == 0 || program_.insns[meet].op != Op::kJa || target_of(meet, program_.insns[meet]) != target) return false;
    behind = meet;
  }
  if (is_carried(program_.insns, shape_, plan_, idx, only)) return false;
  const Flags known = std::exchange(flags_, {});
  const Insn& chosen = program_.insns[only];
  bool keeps_flags = true;
  const bool value_is_small = chosen.bits == 32 || (chosen.op == Op::kMov && chosen.src_is_reg && (upper_zero_ >> chosen.src & 1) != 0);
  const Gp value = selected_value(chosen, keeps_flags);
  const x86::CondCode met = decide(idx, insn, keeps_flags ? known : Flags{});
  a_.emit(x86::Inst::cmovccFromCond(x86::negateCond(met)), r64(chosen.dst), value);
  if (!value_is_small) set_upper_zero(chosen.dst, false);
  next_idx_ = behind;
  return true;
}

/// A conditional jump over a jump is the opposite conditional jump; so is one that leaves a loop, before the jump back.
bool Emitter::jump_the_other_way(std::uint32_t idx, const Insn& insn) {
  const std::uint32_t over = next_kept(idx);
  if (over == 0 || program_.insns[over].op != Op::kJa) return false;
  const std::uint32_t skip = target_of(idx, insn);
  const std::uint32_t target = target_of(over, program_.insns[over]);
  const bool falls_through = skip > over && nothing_between(over + 1, skip);
  // A way out of a loop in front of the jump back: most turns then take one jump, not one and look at another.
  const bool leaves_loop = target <= idx && (skip > idx || skip < target);
  if (!falls_through && !leaves_loop) return false;
  const x86::CondCode met = decide(idx, insn, std::exchange(flags_, {}));
  if (is_near(over, target)) a_.short_();
  a_.j(x86::negateCond(met), label_of(target));
  if (!falls_through) {
    if (is_near(over, skip)) a_.short_();
    a_.jmp(label_of(skip));
  }
  next_idx_ = over + 1;
  return true;
}

}  // namespace ring3::exec::jit

#endif
