#include "exec/interp_program.h"

#include <algorithm>

#include "base/try.h"
#include "rewrite/tail_calls.h"

namespace ring3::exec {
namespace {

using isa::Insn;
using isa::Op;

template <typename Pointer>
std::int64_t address(Pointer pointer) {
  return static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(pointer));
}

void set_helper(const rewrite::HelperCall& helper, bool may_throw, Step& step) {
  step.imm = address(helper.fn);
  if (may_throw) step.kind = kStepHelperMayThrow;
  if (rewrite::is_tail_call(helper)) step.kind = kStepTailCall;
}

/// Whatever a wide immediate named before rewriting, it is a value now: all kinds run as the plain row.
void set_plain_kind(Insn insn, Step& step) {
  insn.src = static_cast<std::uint8_t>(isa::Pseudo::kImm);
  step.kind = static_cast<std::uint16_t>(isa::find_row(insn));
}

Step step_of(const rewrite::XlatedProgram& in, const CheckedProgram& checked, std::uint32_t idx) {
  const Insn& insn = in.insns[idx];
  Step step{checked.rows[idx], insn.dst, insn.src, insn.off, insn.imm};
  if (checked.row(idx).effects & isa::kHasTarget) step.off = insn.jump;
  const auto index = static_cast<std::size_t>(insn.imm);
  if (insn.op == Op::kCallHelper) set_helper(in.helpers[index], throws(in), step);
  else if (insn.op == Op::kCallKfunc && in.kfuncs[index].throws) step.kind = kStepThrow;
  else if (insn.op == Op::kCallKfunc) step.imm = address(&in.kfuncs[index]);
  else if (insn.op == Op::kCallSubprog) step.imm = checked.callee(in, idx);
  else if (insn.op == Op::kLdImm64) set_plain_kind(insn, step);
  return step;
}

/// The access may fault. False: it is none.
bool set_faulting(const Insn& insn, Step& step) {
  if (insn.op >= Op::kAtomicAdd) {
    step.imm = step.kind;
    step.kind = kStepAtomicOrSkip;
  } else if (insn.op == Op::kStore && !insn.src_is_reg) {
    step.kind = kStepStoreImmOrSkip;
    step.src = insn.size;
  } else if (insn.op == Op::kStore || insn.op == Op::kLoad || insn.op == Op::kLoadSx) {
    step.kind = insn.op == Op::kStore ? kStepStoreOrSkip : insn.op == Op::kLoad ? kStepLoadOrZero : kStepLoadSxOrZero;
    step.imm = insn.size;
  } else {
    return false;
  }
  return true;
}

}  // namespace

Result<InterpProgram> translate(std::shared_ptr<const rewrite::XlatedProgram> program, Detours detours) {
  InterpProgram out;
  out.source = std::move(program);
  const rewrite::XlatedProgram& in = *out.source;
  CheckedProgram checked = RING3_TRY(check_program(in));
  out.steps.reserve(in.insns.size());
  for (std::uint32_t idx = 0; idx < in.insns.size(); ++idx) out.steps.push_back(step_of(in, checked, idx));
  for (const std::uint32_t idx : in.faulting) {
    if (idx >= in.insns.size()) return Errno::kInval;
    const Insn& insn = in.insns[idx];
    if (!set_faulting(insn, out.steps[idx])) return Errno::kInval;
  }
  out.subprogs = std::move(checked.subprogs);
  out.detours.assign(detours.begin(), detours.end());
  for (std::uint32_t idx = 0; idx < in.insns.size(); ++idx)
    if (in.insns[idx].op == Op::kCallSubprog && out.detour(static_cast<std::uint32_t>(out.steps[idx].imm)) != nullptr)
      out.steps[idx].kind = kStepCallDetoured;
  return out;
}

}  // namespace ring3::exec
