#include "verifier/kinds/dynptr.h"

#include "verifier/call/call.h"
#include "verifier/kinds/access.h"
#include "verifier/kinds/stack_object.h"
#include "verifier/transfer/regs.h"

namespace ring3::verifier {
namespace {

using model::DynptrKind;

constexpr std::uint32_t kDynptrSlots = 2;

/// Slot of the dynptr's lower half, if slot `at` is part of a whole one.
std::optional<std::uint32_t> dynptr_at(const FrameState& frame, std::uint32_t at) {
  const SlotStack& stack = frame.stack;
  if (at >= stack.size() || !stack[at].is_object(SlotByte::kDynptr)) return std::nullopt;
  const std::uint32_t first = stack[at].object.first ? at : at + 1;
  if (first == 0 || first >= stack.size() || !stack[first].is_object(SlotByte::kDynptr) || !stack[first].object.first ||
      !stack[first - 1].is_object(SlotByte::kDynptr) || stack[first - 1].object.first)
    return std::nullopt;
  return first;
}

void forget(const Step& step, RegState& reg) {
  if (step.prog.allow_ptr_leaks) set_unknown(reg);
  else reg = RegState{};
}

/// The slots hold nothing any more, and slices of the dynptr are gone.
void erase(Step& step, FrameState& frame, std::uint32_t first) {
  const std::uint32_t id = frame.stack[first].object.id;
  for (std::uint32_t i = 0; i < kDynptrSlots; ++i) frame.stack[first - i] = StackSlot{};
  step.path.for_each_reg([&](RegState& reg) {
    if (reg.kind == RegKind::kMem && reg.btf == id) forget(step, reg);
  });
}

bool is_counted(DynptrKind kind) { return kind == model::kDynptrRingbuf; }

}  // namespace

std::string_view dynptr_text(DynptrKind kind) {
  switch (kind) {
    case model::kDynptrLocal: return "local";
    case model::kDynptrRingbuf: return "ringbuf";
    case model::kDynptrSkb: return "skb";
    case model::kDynptrXdp: return "xdp";
    case model::kDynptrAny: break;
  }
  return "any";
}

Result<DynptrUse> use_dynptr(Step& step, unsigned regno, DynptrKind wanted) {
  const RegState& reg = step.reg(regno);
  if (reg.kind == RegKind::kDynptr && !reg.maybe_null()) {
    RING3_TRY(check_no_offset(step, reg, regno, false));
    const auto kind = static_cast<DynptrKind>(reg.payload);
    if (wanted != model::kDynptrAny && wanted != kind)
      return step.diag.refuse(Rule::kDynptrKind, {dynptr_text(wanted), regno - 1});
    return DynptrUse{kind, reg.id, 0};
  }
  if (reg.kind != RegKind::kStack) return step.diag.refuse(Rule::kDynptrNotStack, {regno - 1});
  const StackPlace place = RING3_TRY(stack_place(step, regno, kDynptrSlots, "dynptr"));
  const FrameState& frame = *step.path.frames[place.frame];
  const std::optional<std::uint32_t> first = dynptr_at(frame, place.first);
  if (first != place.first) return step.diag.refuse(Rule::kDynptrNotInit, {regno - 1});
  const SlotObject& object = frame.stack[place.first].object;
  if (wanted != model::kDynptrAny && wanted != object.dynptr)
    return step.diag.refuse(Rule::kDynptrKind, {dynptr_text(wanted), regno - 1});
  step.search.looks_at(step.path, place.frame, place.slots());
  if (&step.path.frame() == &frame) step.diag.scratched.slots |= std::uint64_t{1} << place.first;
  return DynptrUse{object.dynptr, object.id, object.ref_obj_id};
}

Result<void> make_dynptr(Step& step, unsigned regno, DynptrKind kind, std::uint32_t clone_of) {
  if (step.reg(regno).kind == RegKind::kDynptr) return step.diag.refuse(Rule::kDynptrNotUninit);
  if (step.reg(regno).kind != RegKind::kStack) return step.diag.refuse(Rule::kDynptrNotStack, {regno - 1});
  const StackPlace place = RING3_TRY(stack_place(step, regno, kDynptrSlots, "dynptr"));
  RING3_TRY(write_stack_place(step, regno, place));
  const std::uint32_t id = step.search.new_id();
  std::uint32_t ref = 0;
  if (is_counted(kind)) ref = clone_of != 0 ? clone_of : acquire_reference(step);
  for (std::uint32_t i = 0; i < kDynptrSlots; ++i) {
    StackSlot& slot = *place.slot(step.path, i);
    slot.spilled = RegState{};
    slot.spilled.written = true;
    slot.bytes.fill(SlotByte::kDynptr);
    slot.object = {.first = i == 0, .dynptr = kind, .id = id, .ref_obj_id = ref};
  }
  return {};
}

Result<void> check_owned_dynptr(Step& step, unsigned regno) {
  const RegState& reg = step.reg(regno);
  if (reg.kind == RegKind::kDynptr) return step.diag.refuse(Rule::kDynptrConstRelease);
  const StackPlace place = RING3_TRY(stack_place(step, regno, kDynptrSlots, "dynptr"));
  step.search.looks_at(step.path, place.frame, place.slots());
  const FrameState& frame = *step.path.frames[place.frame];
  const std::optional<std::uint32_t> first = dynptr_at(frame, place.first);
  if (first != place.first || frame.stack[place.first].object.ref_obj_id == 0)
    return step.diag.refuse(Rule::kDynptrNotOwned, {regno});
  return {};
}

Result<void> release_dynptr(Step& step, std::uint32_t ref_obj_id) {
  if (!release_reference(step, ref_obj_id)) return step.diag.refuse(Rule::kReleaseNotOwned, {ref_obj_id});
  for (FramePtr& frame : step.path.frames)
    for (std::uint32_t s = 0; s < frame->stack.size(); ++s) {
      const std::optional<std::uint32_t> first = dynptr_at(*frame, s);
      if (first.has_value() && frame->stack[*first].object.ref_obj_id == ref_obj_id) erase(step, *frame, *first);
    }
  return {};
}

Result<void> overwrite_dynptr(Step& step, std::uint32_t frameno, std::uint32_t slot) {
  FrameState& frame = *step.path.frames[frameno];
  const std::optional<std::uint32_t> first = dynptr_at(frame, slot);
  if (!first.has_value()) return {};
  if (is_counted(frame.stack[*first].object.dynptr)) return step.diag.refuse(Rule::kDynptrOverwrite);
  erase(step, frame, *first);
  return {};
}

void set_slice(Step& step, const DynptrUse& dynptr, std::uint32_t bytes, bool read_only) {
  RegState& r0 = step.reg(0);
  unsigned flags = model::kMaybeNull;
  if (read_only) flags |= model::kReadOnly;
  if (is_packet_dynptr(dynptr.kind)) flags |= model::kPacketSlice;
  set_pointer(r0, RegKind::kMem, static_cast<std::uint16_t>(flags));
  r0.mem_bytes = bytes;
  r0.id = step.search.new_id();
  r0.btf = dynptr.id;
  r0.ref_obj_id = dynptr.ref_obj_id;
}

void set_constant_dynptr(Step& step, RegState& reg, DynptrKind kind) {
  set_pointer(reg, RegKind::kDynptr);
  reg.payload = static_cast<std::uint32_t>(kind);
  reg.id = step.search.new_id();
}

}  // namespace ring3::verifier
