// Helpers that run a callback any number of times before they return (bpf_loop, bpf_for_each_map_elem).
//
// At the call two paths go on: one in which the callback runs once and control comes back to the same call,
// and one in which it does not run (again). The call is always a checkpoint. When a path comes back in a
// state that an earlier visit of the call covers, it ends: what would follow has been walked or is being
// walked. To reach such a state, scalars that nothing relied on are widened to unknown when they changed
// since the previous visit.
//
// Soundness: the states at the call form the invariant of the loop. Each visit is covered by an earlier one by
// comparison of ranges (explore/states.h), whose own continuation is walked in full, for any number of runs.
#include "verifier/call/call.h"
#include "verifier/diag/kernel_log.h"
#include "verifier/domain/scalar_format.h"
#include "verifier/kinds/dynptr.h"
#include "verifier/kinds/object.h"
#include "verifier/transfer/regs.h"

namespace ring3::verifier {
namespace {

constexpr std::uint32_t kDepthSaturates = 1u << 20;

/// True: less is known of the number than before.
bool widen_reg(const RegState& before, RegState& now) {
  if (!before.is_scalar() || !now.is_scalar() || before.precise) return false;
  if (before.val == now.val && before.id == now.id) return false;
  const bool written = now.written;
  set_unknown(now);
  now.written = written;
  return true;
}

}  // namespace

void widen_imprecise(const PathState& before, PathState& now) {
  for (std::size_t f = 0; f < now.frames.size() && f < before.frames.size(); ++f) {
    const FrameState& old = *before.frames[f];
    FrameState& cur = *now.frames[f];
    for (unsigned i = 0; i < isa::kRegCount; ++i) now.widened |= widen_reg(old.regs[i], cur.regs[i]);
    for (std::size_t s = 0; s < cur.stack.size() && s < old.stack.size(); ++s)
      if (cur.stack[s].is_full_spill() && old.stack[s].is_full_spill())
        now.widened |= widen_reg(old.stack[s].spilled, cur.stack[s].spilled);
  }
}

Result<void> run_callback(Step& step, const CallbackPlan& plan) {
  PathState* path = step.search.fork(step.path, step.prog.subprogs[plan.subprog].start, step.idx);
  if (path == nullptr) return Errno::kTooBig;
  FrameState& caller = path->frame();
  caller.callback_depth = std::min(caller.callback_depth + 1, kDepthSaturates);
  ++caller.callbacks.steps;
  const RegState ctx = caller.regs[plan.ctx_reg];
  FrameState* callee = push_frame(step, *path, plan.subprog, step.idx, FrameRole::kCallback);
  if (callee == nullptr) return Errno::kTooBig;
  callee->ret_min = 0;
  callee->ret_max = 1;
  step.prog.subprogs[plan.subprog].is_sync_callback = true;
  if (plan.args == CallbackPlan::Args::kLoop) {
    // u64 index below the number of iterations, and the context.
    set_unknown(callee->regs[1]);
    callee->regs[2] = ctx;
  } else if (plan.args == CallbackPlan::Args::kTreeNodes) {
    set_less_arguments(step, *callee, *plan.root);
  } else if (plan.args == CallbackPlan::Args::kVma) {
    // The task that was asked about, a mapping of it that nobody vouches for beyond the call, and the context.
    callee->regs[1] = path->frames[path->depth() - 1]->regs[1];
    set_pointer(callee->regs[2], RegKind::kHostStruct);
    callee->regs[2].btf = 0;
    callee->regs[2].btf_type = step.prog.facts.host_btf->find("vm_area_struct", btf::Kind::kStruct);
    callee->regs[3] = ctx;
  } else if (plan.args == CallbackPlan::Args::kDynptr) {
    set_constant_dynptr(step, callee->regs[1], model::kDynptrLocal);
    callee->lent_dynptr = callee->regs[1].id;
    callee->regs[2] = ctx;
  } else {
    set_pointer(callee->regs[1], RegKind::kMapPtr);
    callee->regs[1].map = plan.map;
    callee->regs[1].btf = plan.map_uid;
    set_pointer(callee->regs[2], RegKind::kMapKey);
    callee->regs[2].map = plan.map;
    set_pointer(callee->regs[3], RegKind::kMapValue);
    callee->regs[3].map = plan.map;
    callee->regs[3].btf = plan.map_uid;
    // Each element is an instance of its own: its lock is not that of the element an outer loop is at.
    if (may_hold_lock(step.prog, callee->regs[3])) callee->regs[3].id = step.search.new_id();
    callee->regs[4] = ctx;
  }
  return {};
}

void end_callbacks(FrameState& caller) {
  caller.callback_depth = 0;
  caller.callbacks = {};
}

Result<void> return_from_callback(Step& step) {
  FrameState& callee = step.frame();
  RegState& r0 = callee.regs[0];
  if (!r0.is_scalar()) return step.diag.refuse(Rule::kCallbackReturnKind);
  RING3_TRY(step.search.mark_precise(step.path, 0));
  const std::int64_t lo = r0.val.sub.smin, hi = r0.val.sub.smax;
  if (lo < callee.ret_min || hi > callee.ret_max || smin(r0) < callee.ret_min || smax(r0) > callee.ret_max) {
    std::string known;
    if (smin(r0) > INT64_MIN) known += " smin=" + std::to_string(smin(r0));
    if (smax(r0) < INT64_MAX) known += " smax=" + std::to_string(smax(r0));
    if (known.empty()) known = " unknown scalar value";
    return step.diag.refuse(Rule::kReturnRange, {"At callback return", "R0", known, callee.ret_min, callee.ret_max});
  }
  const std::uint32_t callsite = callee.callsite;
  const bool log = step.diag.wants(kLogNormal | kLogStates);
  if (log) {
    step.diag.write("returning from callee:\n");
    log_frame(step.diag, step.prog, step.path, callee, true);
  }
  step.entry->callback_exit = true;
  // What it was lent is gone when it returns, and so are slices of it that it kept in its caller's stack.
  if (callee.lent_dynptr != 0)
    step.path.for_each_reg([&, lent = callee.lent_dynptr](RegState& reg) {
      if (reg.kind == RegKind::kMem && reg.btf == lent) set_unknown(reg);
    });
  leave_frame(step.prog, step.path);
  step.path.insn_idx = callsite;
  step.diag.scratched.all();
  if (log) {
    step.diag.print("to caller at {}:\n", {callsite});
    log_frame(step.diag, step.prog, step.path, step.path.frame(), true);
  }
  if (const PathState* before = step.search.previous_visit(step.path, callsite, false)) widen_imprecise(*before, step.path);
  return {};
}

}  // namespace ring3::verifier
