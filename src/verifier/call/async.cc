// Timers and work items: fields of map values whose callback runs later, on its own.
//
// Setting a callback asks for a walk of it from an entry of its own: r1 the map, r2 the key and r3 the value of the field,
// nothing owned, held or left open, and 0 as its only result. What the entry knows is the same wherever the callback is set
// (the map, and whether it may sleep), so each is walked once, however often paths come by; a callback that sets itself
// again asks for nothing new.
//
// Soundness: a callback runs with what its entry promises: the machine enters it in a read section, with the map that the
// field is in (bpf_timer_init ties field and map, by the same pointer or the same lookup) and with a value of that map. A map
// found in an outer map is told from its like by a number of its own. A timer's callback never sleeps, whatever the program
// that sets it may do; a work item's may. The program's stack is not there any more: no pointer to it gets in.
#include "verifier/call/call.h"
#include "verifier/kinds/object.h"
#include "verifier/transfer/regs.h"

namespace ring3::verifier {

Result<FieldMap> async_field(Step& step, unsigned regno, model::FieldKind kind) {
  const RegState& reg = step.reg(regno);
  const model::MapFacts& map = *step.prog.maps[reg.map];
  const char* name = field_struct(kind);
  if (!reg.val.is_const()) return step.diag.refuse(Rule::kGraphConstant, {regno, name});
  if (map.btf == nullptr) return step.diag.refuse(Rule::kAsyncNoBtf, {map.name, name});
  const model::Field* field = map.fields.find(kind);
  if (field == nullptr) return step.diag.refuse(Rule::kAsyncNone, {map.name, name});
  const std::int64_t at = static_cast<std::int64_t>(reg.val.const_value()) + reg.off;
  if (at != field->off) return step.diag.refuse(Rule::kAsyncOffset, {at, name, field->off});
  return FieldMap{.map = reg.map, .uid = reg.btf};
}

Result<void> check_field_map(Step& step, const FieldMap& field, const RegState& map, model::FieldKind kind) {
  if (field.map == map.map && field.uid == map.btf) return {};
  const char* what = kind == model::FieldKind::kTimer ? "timer" : "workqueue";
  return step.diag.refuse(Rule::kAsyncMap, {what, field.uid, map.btf});
}

Result<void> schedule_callback(Step& step, std::uint32_t subprog, const FieldMap& field, bool may_sleep) {
  SubprogInfo& callback = step.prog.subprogs[subprog];
  if (callback.has_tail_call) return step.diag.refuse(Rule::kTailCallAsync, {subprog});
  callback.is_async_callback = true;
  step.facts().callee = subprog;
  const AsyncEntry wanted{
      .subprog = subprog, .map = field.map, .of_lookup = field.uid != 0, .may_sleep = may_sleep, .callsite = step.idx};
  for (const AsyncEntry& known : step.prog.async_entries)
    if (known.same_walk(wanted)) return {};
  step.prog.async_entries.push_back(wanted);
  return {};
}

void set_async_arguments(Search& search, Program& prog, const AsyncEntry& entry, FrameState& frame) {
  const std::uint32_t uid = entry.of_lookup ? search.new_id() : 0;
  const auto set = [&](unsigned regno, RegKind kind, std::uint32_t lookup) {
    RegState& reg = frame.regs[regno];
    set_pointer(reg, kind);
    reg.map = entry.map;
    reg.btf = lookup;
  };
  set(1, RegKind::kMapPtr, uid);
  set(2, RegKind::kMapKey, 0);
  set(3, RegKind::kMapValue, uid);
  if (may_hold_lock(prog, frame.regs[3])) frame.regs[3].id = search.new_id();
}

}  // namespace ring3::verifier
