#include "verifier/transfer/early_end.h"

#include "verifier/call/call.h"
#include "verifier/transfer/regs.h"

namespace ring3::verifier {
namespace {

using isa::Op;

void set_result(RegState& r0, EarlyEnd how) {
  if (how == EarlyEnd::kOutsidePacket) set_constant(r0, 0);
  else set_unknown(r0);
  r0.written = true;
}

/// A callback's early end is one that comes to its exit with 0 in r0: a path to there, whose other registers nobody reads. (What a
/// tail call returned only says whether to go on, and both ways are walked from an exit.)
Result<void> end_callback(Step& step, EarlyEnd how) {
  const SubprogInfo& sub = step.prog.subprogs[step.frame().subprog];
  for (std::uint32_t idx = sub.start; idx < sub.end; ++idx) {
    if (step.prog.insn(idx).op != Op::kExit) continue;
    PathState* end = step.search.fork(step.path, idx, step.idx);
    if (end == nullptr) return Errno::kTooBig;
    set_result(end->frame().regs[0], EarlyEnd::kOutsidePacket);
    if (how == EarlyEnd::kTailCall) forget_packet_pointers(step.prog, *end);
    return {};
  }
  return step.diag.refuse(Rule::kNotSupported, {"a callback without an exit that may end early"});
}

}  // namespace

Result<void> walk_early_end(Step& step, EarlyEnd how) {
  if (step.path.depth() == 0) return {};
  if (step.frame().role != FrameRole::kCall) return end_callback(step, how);
  PathState* caller = step.search.fork(step.path, step.frame().callsite + 1, step.idx);
  if (caller == nullptr) return Errno::kTooBig;
  leave_frame(step.prog, *caller);
  set_result(caller->frame().regs[0], how);
  if (how == EarlyEnd::kTailCall) forget_packet_pointers(step.prog, *caller);
  return {};
}

}  // namespace ring3::verifier
