#include "exec/jit/analysis.h"

#include "object/tsan.h"
#include "rewrite/tail_calls.h"
#include "uapi/bpf.h"

namespace ring3::exec::jit {
namespace {

using isa::Insn;
using isa::Op;

// ThreadSanitizer does not know generated code: under it an exchange is a call, so that it sees what the exchange orders.
#if defined(RING3_TSAN)
constexpr InlineHelper kExchangeHere = InlineHelper::kNone;
#else
constexpr InlineHelper kExchangeHere = InlineHelper::kExchange;
#endif

void note_call(const rewrite::XlatedProgram& program, bool throwing, const Insn& insn, FunctionShape& shape) {
  const InlineHelper inlined = inline_helper(program, insn);
  shape.calls |= inlined == InlineHelper::kNone;
  if (insn.op == Op::kCallKfunc && program.kfuncs[static_cast<std::size_t>(insn.imm)].throws) shape.needs_run = shape.may_throw = true;
  if (insn.op != Op::kCallHelper || !program.helpers[static_cast<std::size_t>(insn.imm)].needs_run) return;
  shape.needs_run = true;
  if (inlined != InlineHelper::kNone) return;
  shape.may_throw |= throwing;  // it may call back
  if (rewrite::is_tail_call(program.helpers[static_cast<std::size_t>(insn.imm)])) shape.tail_calls = true;
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

/// Whether the emitter makes code for this without the register that the run comes in (kScratch).
bool leaves_the_run(const rewrite::XlatedProgram& program, const Insn& insn) {
  switch (insn.op) {
    case Op::kAdd: case Op::kSub: case Op::kMul: case Op::kOr: case Op::kAnd: case Op::kXor: case Op::kNeg:
    case Op::kMov: case Op::kMovsx: case Op::kToLe: case Op::kToBe: case Op::kBswap: case Op::kLdImm64: case Op::kLdImm64Hi:
    case Op::kLoad: case Op::kLoadSx: case Op::kStore:
      return true;
    case Op::kLsh: case Op::kRsh: case Op::kArsh: return !insn.src_is_reg;
    case Op::kCallHelper: return inline_helper(program, insn) != InlineHelper::kNone;
    default: return false;
  }
}

bool run_stays(const rewrite::XlatedProgram& program, const CheckedProgram& checked, const ProgramShape& out, const FunctionShape& shape) {
  if (!shape.needs_run || shape.may_throw || shape.tail_calls) return false;
  for (const Loop& loop : out.loops)
    if (loop.start == shape.start) return false;
  bool stays = true;
  for (std::uint32_t idx = shape.start; idx < shape.end; ++idx) {
    const Insn& insn = program.insns[idx];
    if (idx != shape.start && out.is_target[idx]) stays = false;
    const bool helper = insn.op == Op::kCallHelper && program.helpers[static_cast<std::size_t>(insn.imm)].needs_run;
    const bool callee = insn.op == Op::kCallSubprog && out.functions[static_cast<std::size_t>(checked.callee(program, idx))].needs_run;
    if (helper && known_callback(program, checked, out, idx) != rewrite::kNoSubprog) return false;
    if ((helper || callee) && !stays) return false;
    stays = stays && leaves_the_run(program, insn);
  }
  return true;
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

InlineHelper inline_helper(const rewrite::XlatedProgram& program, const Insn& call) {
  if (call.op != Op::kCallHelper) return InlineHelper::kNone;
  switch (program.helpers[static_cast<std::size_t>(call.imm)].id) {
    case rewrite::kCurrentCpuHelper: return InlineHelper::kCurrentCpu;
    // A run that need not hold a slot asks the machine.
    case uapi::BPF_FUNC_get_smp_processor_id: return program.touches_percpu ? InlineHelper::kCurrentCpu : InlineHelper::kNone;
    case uapi::BPF_FUNC_kptr_xchg: return kExchangeHere;
    default: return InlineHelper::kNone;
  }
}

std::uint32_t known_callback(const rewrite::XlatedProgram& program, const CheckedProgram& checked, const ProgramShape& shape,
                             std::uint32_t idx) {
  constexpr std::uint8_t kCallbackReg = 2;
  if (program.helpers[static_cast<std::size_t>(program.insns[idx].imm)].id != uapi::BPF_FUNC_loop) return rewrite::kNoSubprog;
  // Whoever gets to the call has come by what is found, as nothing jumps in between.
  while (idx > 0 && !shape.is_target[idx]) {
    const Insn& insn = program.insns[--idx];
    if (insn.op == Op::kLdImm64 && insn.dst == kCallbackReg)
      return insn.pseudo() == isa::Pseudo::kFunc ? static_cast<std::uint32_t>(insn.imm) : rewrite::kNoSubprog;
    const isa::Row& row = checked.row(idx);
    if ((row.effects & isa::kCalls) != 0 || (touched_registers(insn, row) >> kCallbackReg & 1) != 0) break;
  }
  return rewrite::kNoSubprog;
}

ProgramShape analyse(const rewrite::XlatedProgram& program, const CheckedProgram& checked, Detours detours) {
  ProgramShape out;
  out.is_target.resize(program.insns.size());
  const bool throwing = throws(program);
  for (const CheckedSubprog& sub : checked.subprogs) {
    FunctionShape& shape = out.functions.emplace_back();
    shape.start = sub.start;
    shape.end = sub.end;
    shape.stack_bytes = sub.stack_bytes;
    if (!detours.empty()) shape.detour = detours[out.functions.size() - 1];
    shape.needs_run = shape.detour != nullptr;
    out.is_target[sub.start] = 1;
    unsigned touched = 0;
    for (std::uint32_t idx = sub.start; idx < sub.end; ++idx) {
      const Insn& insn = program.insns[idx];
      const isa::Row& row = checked.row(idx);
      touched |= touched_registers(insn, row);
      if (row.effects & isa::kHasTarget) out.is_target[static_cast<std::size_t>(std::int64_t{idx} + 1 + insn.jump)] = 1;
      if (row.effects & isa::kHasTarget && insn.jump < 0 && row.form != isa::Form::kCall)
        out.loops.push_back({static_cast<std::uint32_t>(std::int64_t{idx} + 1 + insn.jump), idx});
      if (row.effects & isa::kCalls) note_call(program, throwing, insn, shape);
      if (insn.op == Op::kMayGoto) shape.may_goto = true;
    }
    shape.touched = static_cast<isa::RegMask>(touched);
    out.calls_anything |= shape.calls;
  }
  if (out.functions.size() > 1) pass_on_the_run(program, checked, out);
  for (FunctionShape& shape : out.functions) shape.run_stays = run_stays(program, checked, out, shape);
  return out;
}

}  // namespace ring3::exec::jit
