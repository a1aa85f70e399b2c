// Sections a path is in: under a spin lock, in an RCU read section, with preemption disabled.
//
// Soundness: a lock is named by its object (map or type) and by the id of the pointer it was taken through, so that
// only the same instance's unlock matches; states are compared with both. Nothing that could take another lock, wait,
// or leave the program happens while one is held: calls are refused where they are made. A held lock is a read section, as
// is a program that cannot sleep; what only such a section kept valid is distrusted when the section ends.
#include "verifier/call/call.h"
#include "verifier/kinds/object.h"
#include "verifier/transfer/regs.h"

namespace ring3::verifier {
namespace {

using model::FieldKind;

/// The lock inside the object that the register points to.
Result<HeldLock> lock_at(Step& step, unsigned regno) {
  const RegState& reg = step.reg(regno);
  if (!reg.val.is_const()) return step.diag.refuse(Rule::kLockConstant, {regno});
  const bool in_map = reg.kind == RegKind::kMapValue;
  if (in_map && step.prog.maps[reg.map]->btf == nullptr) return step.diag.refuse(Rule::kLockNoBtf, {step.prog.maps[reg.map]->name});
  const model::Field* field = fields_of(step.prog, reg).find(FieldKind::kSpinLock);
  if (field == nullptr)
    return step.diag.refuse(Rule::kLockNone, {in_map ? "map" : "local", in_map ? std::string_view(step.prog.maps[reg.map]->name) : "kptr"});
  const std::int64_t at = static_cast<std::int64_t>(reg.val.const_value()) + reg.off;
  if (at != field->off) return step.diag.refuse(Rule::kLockOffset, {at, field->off});
  return HeldLock::of(reg);
}

/// Objects in a collection may be taken out of it from here on.
void forget_non_owning(Step& step) {
  step.path.for_each_reg([&](RegState& reg) {
    if (reg.is_pointer() && reg.has(model::kNonOwning)) forget_pointer(step, reg);
  });
}

/// What was valid in the read section may be gone after it.
void distrust_section_data(PathState& path) {
  path.for_each_reg([](RegState& reg) {
    if (!reg.is_pointer() || !reg.has(model::kRcuPtr)) return;
    reg.flags = static_cast<std::uint16_t>((reg.flags & ~(model::kRcuPtr | model::kMaybeNull)) | model::kUntrusted);
    reg.id = 0;
  });
  for (FramePtr& frame : path.frames)
    for (StackSlot& slot : frame->stack)
      if (slot.is_object(SlotByte::kIter) && slot.object.rcu) slot.object.rcu = false, slot.object.untrusted = true;
}

}  // namespace

Result<void> take_lock(Step& step, unsigned regno) {
  if (in_tree_callback(step.prog, step.path)) return step.diag.refuse(Rule::kLockInCallback);
  const HeldLock lock = RING3_TRY(lock_at(step, regno));
  if (step.path.lock.held) return step.diag.refuse(Rule::kLockTwo);
  step.path.lock = lock;
  return {};
}

Result<void> give_lock(Step& step, unsigned regno) {
  if (in_tree_callback(step.prog, step.path)) return step.diag.refuse(Rule::kLockInCallback);
  const HeldLock lock = RING3_TRY(lock_at(step, regno));
  if (!step.path.lock.held) return step.diag.refuse(Rule::kUnlockNone);
  if (!(step.path.lock == lock)) return step.diag.refuse(Rule::kUnlockOther);
  forget_non_owning(step);
  step.path.lock = {};
  if (!in_read_section(step)) distrust_section_data(step.path);
  return {};
}

bool in_read_section(const Step& step) {
  return step.path.rcu_depth > 0 || step.path.lock.held || !step.path.in_sleepable;
}

Result<void> check_no_section(Step& step, const char* what) {
  if (step.path.lock.held) return step.diag.refuse(Rule::kInSection, {what, "bpf_spin_lock"});
  if (step.path.rcu_depth > 0) return step.diag.refuse(Rule::kInSection, {what, "bpf_rcu_read_lock"});
  if (step.path.preempt_depth > 0) return step.diag.refuse(Rule::kInSection, {what, "bpf_preempt_disable"});
  return {};
}

Result<void> check_sections_closed(Step& step) {
  if (step.path.lock.held) return step.diag.refuse(Rule::kUnlockMissing);
  if (step.path.rcu_depth > 0) return step.diag.refuse(Rule::kRcuUnlockMissing);
  const std::uint32_t depth = step.path.preempt_depth;
  if (depth > 0) return step.diag.refuse(Rule::kPreemptMissing, {depth, depth == 1 ? " is" : "(s) are"});
  return {};
}

SectionCall section_call(model::KfuncSpecial special) {
  switch (special) {
    case model::KfuncSpecial::kRcuLock: return SectionCall::kRcuLock;
    case model::KfuncSpecial::kRcuUnlock: return SectionCall::kRcuUnlock;
    case model::KfuncSpecial::kPreemptDisable: return SectionCall::kPreemptDisable;
    case model::KfuncSpecial::kPreemptEnable: return SectionCall::kPreemptEnable;
    default: return SectionCall::kNone;
  }
}

Result<void> enter_or_leave_section(Step& step, SectionCall call, std::string_view name, bool sleeps) {
  PathState& path = step.path;
  if (path.rcu_depth > 0) {
    if (call == SectionCall::kRcuLock) return step.diag.refuse(Rule::kRcuNested, {name});
    if (call == SectionCall::kRcuUnlock) {
      distrust_section_data(path);
      path.rcu_depth = 0;
    } else if (sleeps) return step.diag.refuse(Rule::kKfuncSleepsInRcu, {name});
  } else if (call == SectionCall::kRcuLock) {
    path.rcu_depth = 1;
  } else if (call == SectionCall::kRcuUnlock) {
    return step.diag.refuse(Rule::kRcuUnmatched, {name});
  }
  if (call == SectionCall::kPreemptDisable) {
    ++path.preempt_depth;
  } else if (call == SectionCall::kPreemptEnable) {
    if (path.preempt_depth == 0) return step.diag.refuse(Rule::kPreemptUnmatched, {name});
    --path.preempt_depth;
  } else if (path.preempt_depth > 0 && sleeps) {
    return step.diag.refuse(Rule::kKfuncSleepsNoPreempt, {name});
  }
  return {};
}

}  // namespace ring3::verifier
