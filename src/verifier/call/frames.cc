// The program's own functions.
//
// A static function is walked at each call, with what the caller knows. A global function is walked once, on its
// own, with what its prototype promises; its callers only have to keep the promise (explore/ does the walk).
#include "verifier/call/call.h"
#include "verifier/diag/kernel_log.h"
#include "verifier/kinds/access.h"
#include "verifier/kinds/dynptr.h"
#include "verifier/transfer/regs.h"
#include "verifier/transfer/transfer.h"

namespace ring3::verifier {
namespace {

/// What the callee tests for null and then uses: that the caller passes null is relied upon.
Result<void> rely_on_null(Step& step, unsigned regno) { return step.search.mark_precise(step.path, regno); }

bool lies_in_packet(const RegState& reg) {
  return reg.kind == RegKind::kPacket || reg.kind == RegKind::kPacketMeta || (reg.kind == RegKind::kMem && reg.has(model::kPacketSlice));
}

Result<void> check_global_arg(Step& step, unsigned regno, const GlobalArg& arg, const SubprogInfo& callee) {
  const RegState& reg = step.reg(regno);
  switch (arg.kind) {
    case GlobalArg::Kind::kScalar:
      if (!reg.is_scalar()) return step.diag.refuse(Rule::kNotScalar, {regno});
      return {};
    case GlobalArg::Kind::kCtx:
      if (reg.kind != RegKind::kCtx) return step.diag.refuse(Rule::kArgCtx, {regno - 1});
      return check_no_offset(step, reg, regno, false);
    case GlobalArg::Kind::kArena:
      // Any number will do; other pointers make no sense.
      if (!reg.is_scalar() && reg.kind != RegKind::kArena) return step.diag.refuse(Rule::kArgArena, {regno});
      return {};
    case GlobalArg::Kind::kDynptr: return use_dynptr(step, regno, model::kDynptrAny).ok() ? Result<void>{} : Errno::kInval;
    case GlobalArg::Kind::kMem: {
      // To the callee it is memory like any other, which it goes on using when it has changed the packet.
      if (callee.changes_packet && lies_in_packet(reg)) return step.diag.refuse(Rule::kGlobalArgPacket, {regno});
      if (arg.nullable && is_null_constant(reg)) return rely_on_null(step, regno);
      if (reg.maybe_null()) {
        if (!arg.nullable) return step.diag.refuse(Rule::kPossiblyNull, {regno - 1});
        // What the callee gets is null or the region; judge the region.
        const std::uint16_t flags = reg.flags;
        RegState& tested = step.reg(regno);
        tested.flags = static_cast<std::uint16_t>(flags & ~model::kMaybeNull);
        const Result<void> ok = check_region(step, regno, arg.mem_bytes, false, Purpose::kReadWrite, false);
        step.reg(regno).flags = flags;
        return ok;
      }
      return check_region(step, regno, arg.mem_bytes, false, Purpose::kReadWrite, false);
    }
    case GlobalArg::Kind::kHostStruct: {
      if (arg.nullable && is_null_constant(reg)) return rely_on_null(step, regno);
      const bool same = reg.kind == RegKind::kHostStruct && reg.btf == arg.btf && reg.btf_type == arg.type && reg.off == 0;
      if (reg.kind != RegKind::kHostStruct || (reg.maybe_null() && !arg.nullable))
        return step.diag.refuse(Rule::kRegType, {regno, kind_name(reg), "ptr_, trusted_ptr_, rcu_ptr_"});
      const bool trusted = reg.ref_obj_id != 0 || reg.has(model::kTrusted);
      if (!same || !trusted || (reg.maybe_null() && !arg.nullable)) return step.diag.refuse(Rule::kArgTrusted, {regno});
      return {};
    }
  }
  return {};
}

/// Static functions are walked with what they are called with; their prototypes only tell those who trace them.
void note_entry(Step& step, SubprogInfo& callee) {
  for (std::size_t i = 0; i < callee.args.size() && !callee.entered_untyped; ++i) {
    const RegState& reg = step.reg(static_cast<unsigned>(i) + 1);
    const bool context = callee.args[i].kind == GlobalArg::Kind::kCtx;
    callee.entered_untyped = context ? reg.kind != RegKind::kCtx || reg.off != 0 : !reg.is_scalar();
  }
}

Result<void> call_global(Step& step, std::uint32_t subprog) {
  SubprogInfo& callee = step.prog.subprogs[subprog];
  const auto invalid = [&] { return step.diag.refuse(Rule::kGlobalArgs, {subprog, callee.name}); };
  if (step.path.lock.held) return step.diag.refuse(Rule::kGlobalCallUnderLock);
  if (step.path.preempt_depth > 0) return step.diag.refuse(Rule::kGlobalCallNoPreempt);
  if (callee.may_throw) {
    RING3_TRY(check_no_section(step, "a function that may throw"));
    RING3_TRY(check_no_leak(step, true));
  }
  if (!callee.prototype_ok) return invalid();
  for (std::size_t i = 0; i < callee.args.size(); ++i) {
    const unsigned regno = static_cast<unsigned>(i) + 1;
    RING3_TRY(check_read(step, regno));
    if (!check_global_arg(step, regno, callee.args[i], callee).ok()) return invalid();
  }
  if (step.diag.wants(kLogNormal | kLogStates))
    step.diag.print("Func#{} ('{}') is global and assumed valid.\n", {subprog, callee.name});
  callee.called |= step.path.in_sleepable && step.path.rcu_depth == 0 ? kMaySleep : kAtomic;
  if (callee.changes_packet) {
    forget_packet_pointers(step.prog, step.path);
    step.out.changes_packet = true;
  }
  forget_caller_saved(step);
  if (!callee.returns_void) set_unknown(step.reg(0));
  step.path.insn_idx = step.idx + 1;
  return {};
}

}  // namespace

FrameState* push_frame(Step& step, PathState& path, std::uint32_t subprog, std::uint32_t callsite, FrameRole role) {
  if (path.frames.size() >= step.prog.limits.max_frames) {
    step.diag.refuse(Rule::kCallStackDeep, {path.frames.size() + 1});
    return nullptr;
  }
  path.frames.push_back(step.search.frames().make());
  FrameState& frame = path.frame();
  frame.callsite = callsite;
  frame.frameno = path.depth();
  frame.subprog = subprog;
  frame.role = role;
  frame.may_gotos.number = step.search.new_instance();
  set_pointer(frame.regs[isa::kFrameReg], RegKind::kStack);
  frame.regs[isa::kFrameReg].frameno = static_cast<std::uint16_t>(frame.frameno);
  return &frame;
}

void leave_frame(const Program& prog, PathState& path) {
  const std::uint32_t left = path.depth();
  path.frames.pop_back();
  if (!prog.lends_stack) return;
  path.for_each_reg([&](RegState& reg) {
    if (!reg.lent_stack() || reg.frameno != left) return;
    if (prog.allow_ptr_leaks) set_unknown(reg);
    else reg = RegState{};
  });
}

Result<void> call_subprog(Step& step) {
  const auto target = static_cast<std::uint32_t>(std::int64_t{step.idx} + 1 + step.insn().jump);
  const std::uint32_t subprog = step.prog.subprog_starting(target);
  step.facts().callee = subprog;
  if (step.prog.subprogs[subprog].is_global) return call_global(step, subprog);

  note_entry(step, step.prog.subprogs[subprog]);
  FrameState& caller = step.frame();
  FrameState* callee = push_frame(step, step.path, subprog, step.idx, FrameRole::kCall);
  if (callee == nullptr) return Errno::kTooBig;
  for (unsigned i = 1; i <= 5; ++i) callee->regs[i] = caller.regs[i];
  for (unsigned i = 0; i <= 5; ++i) caller.regs[i] = RegState{};
  step.path.insn_idx = target;
  if (step.diag.wants(kLogNormal | kLogStates)) {
    step.diag.write("caller:\n");
    log_frame(step.diag, step.prog, step.path, caller, true);
    step.diag.write("callee:\n");
    log_frame(step.diag, step.prog, step.path, *callee, true);
  }
  return {};
}

Result<void> return_from_frame(Step& step) {
  FrameState& callee = step.frame();
  if (callee.regs[0].kind == RegKind::kStack) return step.diag.refuse(Rule::kReturnStackPointer);
  if (callee.role == FrameRole::kCallback) return return_from_callback(step);
  FrameState& caller = *step.path.frames[step.path.depth() - 1];
  if (step.diag.wants(kLogNormal | kLogStates)) {
    step.diag.write("returning from callee:\n");
    log_frame(step.diag, step.prog, step.path, callee, true);
  }
  caller.regs[0] = callee.regs[0];
  caller.regs[0].written = true;
  const std::uint32_t callsite = callee.callsite;
  // References the callee acquired belong to its caller now.
  for (Reference& r : step.path.refs) r.frameno = std::min(r.frameno, caller.frameno);
  leave_frame(step.prog, step.path);
  step.path.insn_idx = callsite + 1;
  step.diag.scratched.all();
  if (step.diag.wants(kLogNormal | kLogStates)) {
    step.diag.print("to caller at {}:\n", {callsite + 1});
    log_frame(step.diag, step.prog, step.path, step.path.frame(), true);
  }
  return {};
}

}  // namespace ring3::verifier
