// Arithmetic. Numbers go through the domain; as soon as one operand is a pointer, pointer_arith.cc decides.
#include "isa/decode.h"
#include "verifier/domain/scalar_alu.h"
#include "verifier/kinds/arena.h"
#include "verifier/transfer/regs.h"
#include "verifier/transfer/speculation.h"
#include "verifier/transfer/transfer.h"

namespace ring3::verifier {
namespace {

using isa::Op;

Result<void> transfer_unary(Step& step) {
  const isa::Insn& insn = step.insn();
  RING3_TRY(check_read(step, insn.dst));
  if (leaks_pointer(step, insn.dst)) return step.diag.refuse(Rule::kPointerArithProhibited, {insn.dst});
  RING3_TRY(check_write(step, insn.dst));
  RegState& dst = step.reg(insn.dst);
  // Masks are made of what is known: without rights no more is known than Linux knows, so that one program has the
  // same masks, and the same differences between paths, on both.
  if (dst.is_scalar() && !step.prog.follow_wrong_guesses)
    set_scalar(dst, alu(insn, dst.val, dst.val));
  else
    set_scalar(dst, alu(insn, Scalar64::unknown(), Scalar64::unknown()));
  return {};
}

/// dst = src, whole: pointers keep their kind.
Result<void> copy_whole(Step& step, RegState& dst, RegState& src) {
  link_before_copy(step, src);
  dst = src;
  dst.written = true;
  return {};
}

/// dst = what the instruction makes of the number in src. same: it makes the same number of it, so that what is learnt of one is known of both.
void copy_number(Step& step, RegState& dst, RegState& src, bool same) {
  if (same) link_before_copy(step, src);
  const RegState from = src;
  set_scalar(dst, alu(step.insn(), from.val, from.val));
  if (!same) return;
  dst.id = from.id;
  dst.delta = from.delta;
  dst.delta_linked = from.delta_linked;
}

/// dst = low half of src.
Result<void> copy_low(Step& step, RegState& dst, RegState& src) {
  const isa::Insn& insn = step.insn();
  if (!src.is_scalar()) {
    if (!step.prog.allow_ptr_leaks) return step.diag.refuse(Rule::kPartialPointerCopy, {insn.src});
    set_scalar(dst, zero_extend(Scalar64::unknown(), 32));
    return {};
  }
  // Equal to the source only when that has no upper half.
  copy_number(step, dst, src, umax(src) <= UINT32_MAX);
  return {};
}

/// dst = sign extension of the low `size` bytes of src.
Result<void> copy_sign_extended(Step& step, RegState& dst, RegState& src) {
  const isa::Insn& insn = step.insn();
  if (!src.is_scalar()) {
    if (!step.prog.allow_ptr_leaks)
      return step.diag.refuse(insn.bits == 64 ? Rule::kSignExtendPointer : Rule::kPartialPointerCopy, {insn.src});
    set_scalar(dst, alu(insn, Scalar64::unknown(), Scalar64::unknown()));
    return {};
  }
  copy_number(step, dst, src, insn.bits == 64 && umax(src) < (std::uint64_t{1} << (insn.size * 8 - 1)));
  return {};
}

Result<void> transfer_mov(Step& step) {
  const isa::Insn& insn = step.insn();
  if (!insn.src_is_reg) {
    RING3_TRY(check_write(step, insn.dst));
    const auto imm = static_cast<std::uint64_t>(insn.imm);
    set_constant(step.reg(insn.dst), insn.bits == 32 ? imm & UINT32_MAX : imm);
    return {};
  }
  RING3_TRY(check_read(step, insn.src));
  RING3_TRY(check_write(step, insn.dst));
  RegState& dst = step.reg(insn.dst);
  RegState& src = step.reg(insn.src);
  if (insn.op == Op::kMovsx) return copy_sign_extended(step, dst, src);
  return insn.bits == 64 ? copy_whole(step, dst, src) : copy_low(step, dst, src);
}

/// After dst += constant: dst is the old value plus the constant, and learns with its former equals.
/// The group is kept for additions that cannot be confused with a wrapped one: a nonnegative 32-bit amount,
/// once. (sync_linked() applies the difference with 64-bit wrap-around, as the addition did.)
void relate_after_add(std::uint32_t id_before, const Scalar64& amount, RegState& dst) {
  if (!amount.is_const() || amount.const_value() > INT32_MAX) return;
  dst.id = id_before;
  dst.delta_linked = true;
  dst.delta = static_cast<std::int32_t>(amount.const_value());
}

/// dst = dst op amount. amount may be dst's own value.
Result<void> transfer_numbers(Step& step, RegState& dst, const Scalar64& amount) {
  const isa::Insn& insn = step.insn();
  RING3_TRY(note_arena_arith(step, false));
  RING3_TRY(note_number_arith(step));
  const bool relates = insn.op == Op::kAdd && insn.bits == 64 && dst.id != 0 && !dst.delta_linked;
  const std::uint32_t id_before = dst.id;
  const Scalar64 added = relates ? amount : Scalar64{};
  set_scalar(dst, alu(insn, dst.val, amount));
  if (relates) relate_after_add(id_before, added, dst);
  return {};
}

Result<void> transfer_binary(Step& step) {
  const isa::Insn& insn = step.insn();
  if (insn.src_is_reg) RING3_TRY(check_read(step, insn.src));
  const Scalar64 imm = Scalar64::constant(static_cast<std::uint64_t>(insn.imm));
  RING3_TRY(check_read(step, insn.dst));
  const std::string objection = isa::check_immediate(insn);
  if (!objection.empty()) return step.diag.refuse(Rule::kImmediate, {objection});
  RING3_TRY(check_write(step, insn.dst));

  RegState& dst = step.reg(insn.dst);
  const bool by_reg = insn.src_is_reg;
  if (dst.is_scalar() && (!by_reg || step.reg(insn.src).is_scalar()))
    return transfer_numbers(step, dst, by_reg ? step.reg(insn.src).val : imm);
  RegState src;
  if (by_reg) src = step.reg(insn.src);
  else set_scalar(src, imm);
  if (is_arena_arith(dst, src)) return transfer_arena_arith(step, dst);
  RING3_TRY(note_arena_arith(step, false));
  if (dst.is_pointer() && src.is_pointer()) {
    if (insn.op != Op::kSub || !step.prog.allow_ptr_leaks) return step.diag.refuse(Rule::kTwoPointers, {insn.dst, operator_text(insn.op)});
    set_unknown(dst);
    return {};
  }
  if (dst.is_pointer()) {
    if (insn.src_is_reg) RING3_TRY(step.search.mark_precise(step.path, insn.src));
    const RegState ptr = dst;
    return transfer_pointer_arith(step, ptr, src, false);
  }
  RING3_TRY(step.search.mark_precise(step.path, insn.dst));
  const RegState value = dst;
  return transfer_pointer_arith(step, src, value, true);
}

}  // namespace

Result<void> transfer_alu(Step& step) {
  switch (step.insn().op) {
    case Op::kNeg: case Op::kToLe: case Op::kToBe: case Op::kBswap: return transfer_unary(step);
    case Op::kMov: case Op::kMovsx: return transfer_mov(step);
    case Op::kAddrSpaceCast: return transfer_arena_cast(step);
    default: return transfer_binary(step);
  }
}

}  // namespace ring3::verifier
