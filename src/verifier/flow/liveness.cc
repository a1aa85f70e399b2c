// Register liveness: for each instruction the registers some path from it reads before writing them.
//
// The usual backward equations  in = reads | (out & ~writes)  to a fixed point, over all functions at once,
// because a call reads the argument registers its callee reads. Pruning compares only live registers:
// what no path reads cannot tell two states apart (explore/states_equal.cc).
// (Sound: the verifier itself reads a register only when an instruction of the path does, except at
// returns from callbacks, where the call is executed again and its reads count again.)
#include "isa/reg_use.h"
#include "model/helper.h"
#include "verifier/flow/flow.h"
#include "verifier/flow/worklist.h"

namespace ring3::verifier {
namespace {

using isa::Op;

constexpr std::uint16_t kArgRegs = 0x3e;  // r1 … r5

constexpr std::uint16_t first_args(std::size_t n) {
  return static_cast<std::uint16_t>(((1u << (n < 5 ? n : 5)) - 1) << 1);
}

std::uint16_t helper_reads(const Program& prog, const isa::Insn& insn) {
  const model::HelperProto* proto = model::helper_signature(static_cast<std::uint32_t>(insn.imm), prog.view());
  if (proto == nullptr) return kArgRegs;
  std::size_t n = 0;
  while (n < 5 && proto->args[n].kind != model::ArgKind::kNone) ++n;
  return first_args(n);
}

std::uint16_t kfunc_reads(const Program& prog, const isa::Insn& insn) {
  std::uint32_t index = 0;
  const model::Kfunc* kfunc = prog.find_kfunc(insn, index);
  const btf::Type* func = kfunc != nullptr && kfunc->btf != nullptr ? kfunc->btf->type(kfunc->func) : nullptr;
  const btf::Type* proto = func != nullptr ? kfunc->btf->type(func->type) : nullptr;
  return proto != nullptr ? first_args(proto->vlen) : kArgRegs;
}

std::uint16_t call_reads(const Program& prog, std::uint32_t idx) {
  const isa::Insn& insn = prog.insn(idx);
  if (insn.op == Op::kCallHelper) return helper_reads(prog, insn);
  if (insn.op == Op::kCallKfunc) return kfunc_reads(prog, insn);
  const auto target = static_cast<std::uint32_t>(std::int64_t{idx} + 1 + insn.jump);
  const SubprogInfo& callee = prog.subprogs[prog.subprog_starting(target)];
  if (callee.is_global) return callee.prototype_ok ? first_args(callee.args.size()) : kArgRegs;
  // That every caller passes its context is told those who trace the function, though it may not look at it itself (call/frames.cc).
  std::uint16_t contexts = 0;
  for (std::size_t i = 0; i < callee.args.size(); ++i)
    if (callee.args[i].kind == GlobalArg::Kind::kCtx) contexts = static_cast<std::uint16_t>(contexts | 1u << (i + 1));
  return static_cast<std::uint16_t>((prog.live_in[target] | contexts) & kArgRegs);
}

std::uint16_t live_before(const Program& prog, std::uint32_t idx) {
  const isa::Insn& insn = prog.insn(idx);
  const Successors next = successors(prog, idx);
  std::uint16_t out = 0;
  for (unsigned e = 0; e < next.count; ++e) out = static_cast<std::uint16_t>(out | prog.live_in[next.next[e]]);
  isa::RegUse use = isa::reg_use(insn);
  if (insn.op == Op::kCallHelper || insn.op == Op::kCallKfunc || insn.op == Op::kCallSubprog)
    use.reads = call_reads(prog, idx);
  return static_cast<std::uint16_t>(use.reads | (out & ~use.writes));
}

/// Operations that matter to a walk back for precision only if dst is looked for.
bool only_makes_dst(Op op) {
  switch (op) {
    case Op::kAdd: case Op::kSub: case Op::kMul: case Op::kDiv: case Op::kSdiv: case Op::kMod: case Op::kSmod:
    case Op::kOr: case Op::kAnd: case Op::kXor: case Op::kLsh: case Op::kRsh: case Op::kArsh: case Op::kNeg:
    case Op::kMov: case Op::kMovsx: case Op::kAddrSpaceCast: case Op::kToLe: case Op::kToBe: case Op::kBswap:
    case Op::kLoad: case Op::kLoadSx: case Op::kLdImm64: case Op::kLdImm64Hi: return true;
    default: return false;
  }
}

}  // namespace

void find_liveness(Program& prog) {
  prog.live_in.assign(prog.size(), 0);
  const Predecessors before(prog, true);
  Worklist work(prog.size());
  for (std::uint32_t i = 0; i < prog.size(); ++i)
    if (prog.insn(i).op != Op::kLdImm64Hi) work.add(i);
  while (!work.empty()) {
    const std::uint32_t i = work.take();
    const std::uint16_t live = live_before(prog, i);
    if (live == prog.live_in[i]) continue;
    prog.live_in[i] = live;
    for (const std::uint32_t p : before.of(i)) work.add(p);
  }
  prog.reg_uses.resize(prog.size());
  for (std::uint32_t i = 0; i < prog.size(); ++i) {
    const isa::RegUse use = isa::reg_use(prog.insn(i));
    const bool call = prog.insn(i).op == Op::kCallHelper || prog.insn(i).op == Op::kCallKfunc || prog.insn(i).op == Op::kCallSubprog;
    prog.reg_uses[i] = {call ? call_reads(prog, i) : use.reads, use.writes};
    if (only_makes_dst(prog.insn(i).op)) prog.reg_uses[i].only_makes = prog.insn(i).dst;
  }
}

}  // namespace ring3::verifier
