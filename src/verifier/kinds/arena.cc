#include "verifier/kinds/arena.h"

#include "verifier/transfer/regs.h"
#include "verifier/transfer/transfer.h"

namespace ring3::verifier {
namespace {

using isa::Op;

constexpr std::int64_t kFromClient = 1, kToClient = std::int64_t{1} << 16;  // (dst space << 16) | src space

}  // namespace

Result<void> access_arena(Step& step, const Access& access) {
  if (access.write) return {};
  if (access.sign_extend) return step.diag.refuse(Rule::kArenaSignExtend);
  load_unknown(step, access);
  return {};
}

Result<void> transfer_arena_cast(Step& step) {
  const isa::Insn& insn = step.insn();
  RING3_TRY(check_read(step, insn.src));
  if (step.prog.arena == kNoIndex) return step.diag.refuse(Rule::kArenaNone);
  if (insn.imm != kFromClient && insn.imm != kToClient) return step.diag.refuse(Rule::kArenaSpaces);
  RING3_TRY(check_write(step, insn.dst));
  RegState& dst = step.reg(insn.dst);
  if (insn.imm == kFromClient) set_pointer(dst, RegKind::kArena);
  else set_unknown(dst);
  dst.written = true;
  return {};
}

bool is_arena_arith(const RegState& dst, const RegState& src) {
  return dst.kind == RegKind::kArena || (src.kind == RegKind::kArena && dst.is_scalar());
}

Result<void> note_arena_arith(Step& step, bool arena) {
  if (step.prog.arena == kNoIndex) return {};
  const Step::Fact mine = arena ? Step::kFactArena : Step::kFactNumber, other = arena ? Step::kFactNumber : Step::kFactArena;
  if ((step.noted[step.idx] & other) != 0) return step.diag.refuse(Rule::kMixedPointers);
  step.first_note(mine);
  return {};
}

Result<void> transfer_arena_arith(Step& step, RegState& dst) {
  const isa::Insn& insn = step.insn();
  if (dst.kind != RegKind::kArena) {  // a number, and the pointer is the amount
    if (insn.bits == 32) return step.diag.refuse(Rule::kPointerArith32, {insn.dst});
    if (insn.op == Op::kSub) return step.diag.refuse(Rule::kPointerFromScalar, {insn.dst});
    if (insn.op != Op::kAdd) return step.diag.refuse(Rule::kArithOperator, {insn.dst, operator_text(insn.op)});
  }
  RING3_TRY(note_arena_arith(step, true));
  step.facts().arena_arith = true;
  set_pointer(dst, RegKind::kArena);
  dst.written = true;
  return {};
}

}  // namespace ring3::verifier
