// Loads, stores, atomics and legacy packet loads: operands first, then the rules of the pointer's kind.
#include "uapi/bpf.h"
#include "verifier/call/call.h"
#include "verifier/kinds/access.h"
#include "verifier/kinds/host_symbol.h"
#include "verifier/transfer/early_end.h"
#include "verifier/transfer/regs.h"
#include "verifier/transfer/transfer.h"

namespace ring3::verifier {
namespace {

using isa::Op;

bool fetches(Op op) {
  switch (op) {
    case Op::kAtomicFetchAdd: case Op::kAtomicFetchOr: case Op::kAtomicFetchAnd: case Op::kAtomicFetchXor:
    case Op::kAtomicXchg: case Op::kAtomicCmpxchg:
      return true;
    default: return false;
  }
}

/// What an atomic operation finds goes to register `old`: on the stack, what was stored there; elsewhere anything.
Result<void> fetch(Step& step, unsigned old) {
  const isa::Insn& insn = step.insn();
  const Access read{.base = insn.dst, .off = insn.off, .size = insn.size, .value = static_cast<int>(old), .atomic = true};
  if (step.reg(insn.dst).kind == RegKind::kStack) return check_access(step, read);
  load_unknown(step, {.base = insn.dst, .size = insn.size, .value = static_cast<int>(old)});
  return {};
}

}  // namespace

Result<void> transfer_load(Step& step) {
  const isa::Insn& insn = step.insn();
  RING3_TRY(check_read(step, insn.src));
  RING3_TRY(check_write(step, insn.dst));
  const Access access{.base = insn.src, .off = insn.off, .size = insn.size, .value = insn.dst,
                .sign_extend = insn.op == Op::kLoadSx};
  return check_access(step, access);
}

Result<void> transfer_store(Step& step) {
  const isa::Insn& insn = step.insn();
  if (insn.src_is_reg) RING3_TRY(check_read(step, insn.src));
  RING3_TRY(check_read(step, insn.dst));
  Access access{.base = insn.dst, .off = insn.off, .size = insn.size, .write = true};
  if (insn.src_is_reg) {
    access.value = insn.src;
  } else {
    access.is_imm = true;
    access.imm = insn.imm;
  }
  return check_access(step, access);
}

Result<void> transfer_atomic(Step& step) {
  const isa::Insn& insn = step.insn();
  RING3_TRY(check_read(step, insn.src));
  RING3_TRY(check_read(step, insn.dst));
  if (insn.op == Op::kAtomicCmpxchg) {
    RING3_TRY(check_read(step, 0));
    if (leaks_pointer(step, 0)) return step.diag.refuse(Rule::kLeaksIntoMem, {0, "mem"});
  }
  if (leaks_pointer(step, insn.src)) return step.diag.refuse(Rule::kLeaksIntoMem, {insn.src, "mem"});
  const RegState base = step.reg(insn.dst);
  if (base.kind == RegKind::kCtx || base.kind == RegKind::kPacket || base.kind == RegKind::kPacketMeta ||
      base.kind == RegKind::kFlowKeys || base.kind == RegKind::kSocket)
    return step.diag.refuse(Rule::kAtomicTarget, {insn.dst, kind_name(base)});
  // Linux has no form of these that an arena's fault could skip.
  const bool logic = insn.op == Op::kAtomicFetchOr || insn.op == Op::kAtomicFetchAnd || insn.op == Op::kAtomicFetchXor;
  if (base.kind == RegKind::kArena && logic) return step.diag.refuse(Rule::kAtomicTarget, {insn.dst, kind_name(base)});
  // Read and write both have to be fine.
  RING3_TRY(check_access(step, {.base = insn.dst, .off = insn.off, .size = insn.size, .atomic = true}));
  if (base.kind == RegKind::kStack && !base.val.is_const())
    return step.diag.refuse(Rule::kStackVarAtomic, {tnum_text(base.val), base.off + insn.off, insn.size});
  const unsigned old = insn.op == Op::kAtomicCmpxchg ? 0 : insn.src;
  if (fetches(insn.op)) {
    RING3_TRY(check_write(step, old));
    RING3_TRY(fetch(step, old));
    // As in Linux, an address that what was found has taken the place of is no address any more. What was found may be another one,
    // by which the write would be judged, and the slot that is really written would keep what was known of it.
    if (old == insn.dst && step.reg(old).is_pointer())
      return step.diag.refuse(Rule::kInvalidMemAccess, {insn.dst, kind_name(step.reg(old))});
  }
  return check_access(step, {.base = insn.dst, .off = insn.off, .size = insn.size, .write = true, .atomic = true});
}

Result<void> transfer_legacy_load(Step& step) {
  const isa::Insn& insn = step.insn();
  const std::uint32_t type = step.prog.type;
  if (type != uapi::BPF_PROG_TYPE_SOCKET_FILTER && type != uapi::BPF_PROG_TYPE_SCHED_CLS &&
      type != uapi::BPF_PROG_TYPE_SCHED_ACT)
    return step.diag.refuse(Rule::kLegacyLoadType);
  RING3_TRY(check_read(step, 6));
  if (!step.path.refs.empty()) return step.diag.refuse(Rule::kLegacyLoadLeak);
  RING3_TRY(check_no_section(step, "BPF_LD_[ABS|IND]"));
  if (step.reg(6).kind != RegKind::kCtx) return step.diag.refuse(Rule::kLegacyLoadR6);
  if (insn.op == Op::kLdInd) {
    RING3_TRY(check_read(step, insn.src));
    // Where the packet ends would tell what the address is. (Linux allows it.)
    if (leaks_pointer(step, insn.src)) return step.diag.refuse(Rule::kPointerArithProhibited, {insn.src});
  }
  RING3_TRY(check_no_offset(step, step.reg(6), 6, false));
  RING3_TRY(walk_early_end(step, EarlyEnd::kOutsidePacket));
  forget_caller_saved(step);
  set_unknown(step.reg(0));
  return {};
}

Result<void> transfer_wide_immediate(Step& step) {
  const isa::Insn& insn = step.insn();
  Program& prog = step.prog;
  RING3_TRY(check_write(step, insn.dst));
  RegState& dst = step.reg(insn.dst);
  if (insn.pseudo() == isa::Pseudo::kImm) {
    set_constant(dst, static_cast<std::uint64_t>(insn.imm));
    return {};
  }
  if (insn.pseudo() == isa::Pseudo::kFunc) {
    const auto target = static_cast<std::uint32_t>(std::int64_t{step.idx} + 1 + static_cast<std::int32_t>(insn.imm));
    const std::uint32_t subprog = prog.subprog_starting(target);
    if (subprog == UINT32_MAX || prog.subprogs[subprog].is_global) return step.diag.refuse(Rule::kCallbackNotStatic);
    set_pointer(dst, RegKind::kFunc);
    dst.subprog = subprog;
    step.facts().callee = subprog;
    return {};
  }
  const std::uint32_t wide = prog.wide_of[step.idx];
  if (wide == UINT32_MAX) return step.diag.refuse(Rule::kWideImmediate);
  const WideImmediate& what = prog.in.wide[wide];
  switch (what.pseudo) {
    case isa::Pseudo::kMapFd:
    case isa::Pseudo::kMapIdx:
      set_pointer(dst, RegKind::kMapPtr);
      dst.map = what.map;
      return {};
    case isa::Pseudo::kMapValue:
    case isa::Pseudo::kMapIdxValue:
      if (what.map == prog.arena) {  // the client's address: a number until it is cast
        set_unknown(dst);
        return {};
      }
      set_pointer(dst, RegKind::kMapValue);
      dst.map = what.map;
      dst.off = static_cast<std::int32_t>(what.value_off);
      return {};
    case isa::Pseudo::kBtfId: load_host_symbol(step, dst, what.btf_id); return {};
    case isa::Pseudo::kFunc:
    case isa::Pseudo::kImm: break;
  }
  return step.diag.refuse(Rule::kWideImmediate);
}

}  // namespace ring3::verifier
