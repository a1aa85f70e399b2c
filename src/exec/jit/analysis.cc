#include "exec/jit/analysis.h"

#include "uapi/bpf.h"

namespace ring3::exec::jit {
namespace {

using isa::Insn;
using isa::Op;

void note_call(const rewrite::XlatedProgram& program, bool throwing, const Insn& insn, FunctionShape& shape) {
  shape.calls = true;
  if (insn.op == Op::kCallKfunc && program.kfuncs[static_cast<std::size_t>(insn.imm)].throws) shape.needs_run = shape.may_throw = true;
  if (insn.op != Op::kCallHelper) return;
  shape.may_throw |= throwing;  // it may call back
  shape.needs_run = true;
  if (program.helpers[static_cast<std::size_t>(insn.imm)].id == uapi::BPF_FUNC_tail_call) shape.tail_calls = true;
}

void pass_on_the_run(const rewrite::XlatedProgram& program, const CheckedProgram& checked, ProgramShape& out) {
  // Callees at most kMaxFrames deep: what a leaf needs has reached every caller after as many rounds.
  for (std::uint32_t round = 0; round < kMaxFrames; ++round)
    for (FunctionShape& shape : out.functions)
      for (std::uint32_t idx = shape.start; shape.calls && !(shape.needs_run && shape.may_throw) && idx < shape.end; ++idx)
        if (program.insns[idx].op == Op::kCallSubprog) {
          const FunctionShape& callee = out.functions[static_cast<std::size_t>(checked.callee(program, idx))];
          shape.needs_run |= callee.needs_run;
          shape.may_throw |= callee.may_throw;
        }
}

}  // namespace

isa::RegMask touched_registers(const Insn& insn, const isa::Row& row) {
  unsigned mask = 0;
  if (row.dst.is_register()) mask |= 1u << insn.dst;
  if (row.src.is_register()) mask |= 1u << insn.src;
  if (row.effects & (isa::kReadsR0 | isa::kWritesR0)) mask |= 1u;
  if (row.effects & isa::kCalls) mask |= 0x3f;
  return static_cast<isa::RegMask>(mask);
}

ProgramShape analyse(const rewrite::XlatedProgram& program, const CheckedProgram& checked) {
  ProgramShape out;
  out.is_target.resize(program.insns.size());
  const bool throwing = throws(program);
  for (const CheckedSubprog& sub : checked.subprogs) {
    FunctionShape& shape = out.functions.emplace_back();
    shape.start = sub.start;
    shape.end = sub.end;
    shape.stack_bytes = sub.stack_bytes;
    out.is_target[sub.start] = 1;
    unsigned touched = 0;
    for (std::uint32_t idx = sub.start; idx < sub.end; ++idx) {
      const Insn& insn = program.insns[idx];
      const isa::Row& row = checked.row(idx);
      touched |= touched_registers(insn, row);
      if (row.effects & isa::kHasTarget) out.is_target[static_cast<std::size_t>(std::int64_t{idx} + 1 + insn.jump)] = 1;
      if (row.effects & isa::kCalls) note_call(program, throwing, insn, shape);
      if (insn.op == Op::kMayGoto) shape.may_goto = true;
    }
    shape.touched = static_cast<isa::RegMask>(touched);
    out.calls_anything |= shape.calls;
  }
  if (out.functions.size() > 1) pass_on_the_run(program, checked, out);
  return out;
}

}  // namespace ring3::exec::jit
