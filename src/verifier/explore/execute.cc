// One instruction: to the room that knows its operation.
#include "verifier/call/call.h"
#include "verifier/explore/explorer.h"
#include "verifier/transfer/transfer.h"

namespace ring3::verifier {

Result<void> execute_insn(Step& step) {
  using isa::Op;
  const isa::Insn& insn = step.insn();
  switch (insn.op) {
    case Op::kJeq: case Op::kJne: case Op::kJgt: case Op::kJge: case Op::kJlt: case Op::kJle: case Op::kJset:
    case Op::kJsgt: case Op::kJsge: case Op::kJslt: case Op::kJsle:
      return transfer_branch(step);
    case Op::kJa: step.path.insn_idx = static_cast<std::uint32_t>(std::int64_t{step.idx} + 1 + insn.jump); return {};
    case Op::kMayGoto: return transfer_may_goto(step);
    case Op::kCallHelper: return call_helper(step);
    case Op::kCallKfunc: return call_kfunc(step);
    case Op::kCallSubprog: return call_subprog(step);
    case Op::kExit: return transfer_exit(step);
    default: break;
  }
  step.path.insn_idx = step.idx + 1;
  switch (insn.op) {
    case Op::kAdd: case Op::kSub: case Op::kMul: case Op::kDiv: case Op::kSdiv: case Op::kMod: case Op::kSmod:
    case Op::kOr: case Op::kAnd: case Op::kXor: case Op::kLsh: case Op::kRsh: case Op::kArsh: case Op::kNeg:
    case Op::kMov: case Op::kMovsx: case Op::kAddrSpaceCast: case Op::kToLe: case Op::kToBe: case Op::kBswap:
      return transfer_alu(step);
    case Op::kLoad: case Op::kLoadSx: return transfer_load(step);
    case Op::kStore: return transfer_store(step);
    case Op::kLdImm64: step.path.insn_idx = step.idx + 2; return transfer_wide_immediate(step);
    case Op::kLdAbs: case Op::kLdInd: return transfer_legacy_load(step);
    case Op::kAtomicAdd: case Op::kAtomicOr: case Op::kAtomicAnd: case Op::kAtomicXor: case Op::kAtomicFetchAdd:
    case Op::kAtomicFetchOr: case Op::kAtomicFetchAnd: case Op::kAtomicFetchXor: case Op::kAtomicXchg:
    case Op::kAtomicCmpxchg:
      return transfer_atomic(step);
    default: return step.diag.refuse(Rule::kWideImmediate);  // the second half of a wide immediate
  }
}

}  // namespace ring3::verifier
