// Open coded iterators: an object on the program's stack that host functions make, advance and destroy.
//
// Making one acquires a reference that only its destruction ends. Advancing forks: the path that goes on has r0 null
// and a drained iterator; the other, r0 not null and one more step behind it. An iterator that yields ends by itself
// after finitely many steps, so a visit of the same call that an earlier visit of the path covers may end there
// (explore/: comparison by ranges, precision passed around the loop afterwards). To get there, scalars that nothing
// relied on and that changed since the visit before are widened.
//
// Trusted pointers that it yields are vouched for by the iterator (a lock that it holds, a reference): when it is destroyed they are
// untrusted, and so are trusted ones that were read through them. (Linux leaves them trusted.)
#include "verifier/call/call.h"
#include "verifier/kinds/stack_object.h"
#include "verifier/transfer/regs.h"
#include "verifier/transfer/transfer.h"

namespace ring3::verifier {
namespace {

constexpr std::string_view kPrefix = "bpf_iter_";

/// "num" of struct bpf_iter_num.
std::string_view short_name(std::string_view type) {
  return type.starts_with(kPrefix) ? type.substr(kPrefix.size()) : type;
}

Result<StackPlace> place_of(Step& step, unsigned regno, const btf::Btf& btf, btf::TypeId type) {
  if (step.reg(regno).kind != RegKind::kStack) return step.diag.refuse(Rule::kIterNotStack, {regno - 1});
  const btf::Type* pointee = type == 0 ? nullptr : btf.type(type);
  if (pointee == nullptr || pointee->kind != btf::Kind::kStruct || !pointee->name.starts_with(kPrefix))
    return step.diag.refuse(Rule::kIterArgType, {regno - 1});
  return stack_place(step, regno, (btf.size_of(type).value_or(8) + kSlotBytes - 1) / kSlotBytes, "iter");
}

}  // namespace

Result<void> new_iterator(Step& step, unsigned regno, const model::Kfunc& kfunc, btf::TypeId type) {
  const StackPlace place = RING3_TRY(place_of(step, regno, *kfunc.btf, type));
  const std::string_view name = short_name(kfunc.btf->type(type)->name);
  for (std::uint32_t i = 0; i < place.count; ++i) {
    const StackSlot* slot = place.slot(step.path, i);
    for (unsigned b = 0; slot != nullptr && b < kSlotBytes; ++b)
      if (slot->bytes[b] == SlotByte::kIter) return step.diag.refuse(Rule::kIterNotUninit, {name, regno - 1});
  }
  RING3_TRY(write_stack_place(step, regno, place));
  const std::uint32_t ref = acquire_reference(step);
  for (std::uint32_t i = 0; i < place.count; ++i) {
    StackSlot& slot = *place.slot(step.path, i);
    slot.spilled = RegState{};
    slot.spilled.written = true;
    slot.bytes.fill(SlotByte::kIter);
    slot.object = {.first = i == 0, .btf = step.prog.btf_index(kfunc.btf.get()), .type = type, .ref_obj_id = i == 0 ? ref : 0,
                   .instance = i == 0 ? step.search.new_instance() : 0};
    if ((kfunc.flags & model::kKfuncRcuProtected) != 0) {
      slot.object.rcu = in_read_section(step);
      slot.object.untrusted = !slot.object.rcu;
    }
  }
  return {};
}

Result<SlotObject*> iterator_arg(Step& step, unsigned regno, const model::Kfunc& kfunc, btf::TypeId type) {
  const StackPlace place = RING3_TRY(place_of(step, regno, *kfunc.btf, type));
  const std::string_view name = short_name(kfunc.btf->type(type)->name);
  const std::uint32_t btf = step.prog.btf_index(kfunc.btf.get());
  step.search.looks_at(step.path, place.frame, place.slots());
  for (std::uint32_t i = 0; i < place.count; ++i) {
    const StackSlot* slot = place.slot(step.path, i);
    if (slot == nullptr || !slot->is_object(SlotByte::kIter) || slot->object.first != (i == 0) || slot->object.btf != btf ||
        slot->object.type != type)
      return step.diag.refuse(Rule::kIterNotInit, {name, regno - 1});
    if (slot->object.untrusted) return step.diag.refuse(Rule::kIterNoSection, {kfunc.name});
  }
  if (&step.path.frame() == step.path.frames[place.frame].get())
    step.diag.scratched.slots |= std::uint64_t{1} << place.first;
  return &place.slot(step.path, 0)->object;
}

Result<void> advance_iterator(Step& step, unsigned regno) {
  const RegState it = step.reg(regno);
  const std::int64_t off = static_cast<std::int64_t>(it.val.const_value()) + it.off;
  const auto first = static_cast<std::size_t>((-off - 1) / kSlotBytes);
  const auto object_of = [&](PathState& path) -> SlotObject& { return path.frames[it.frameno]->stack[first].object; };

  // r0 is what the call returned, maybe null; the argument registers are gone on both paths.
  forget_arguments(step);
  if (object_of(step.path).state != SlotObject::State::kDrained) {
    PathState* other = step.search.fork(step.path, step.idx + 1, step.idx);
    if (other == nullptr) return Errno::kTooBig;
    SlotObject& object = object_of(*other);
    ++object.depth;
    RegState& r0 = other->reg(0);
    mark_not_null(step.prog, r0);
    r0.id = 0;
    if (r0.kind == RegKind::kHostStruct && r0.has(model::kTrusted)) r0.set_voucher(object.ref_obj_id);
    if (const PathState* before = step.search.previous_visit(step.path, step.idx, true)) widen_imprecise(*before, *other);
  }
  object_of(step.path).state = SlotObject::State::kDrained;
  set_constant(step.reg(0), 0);
  return {};
}

Result<void> destroy_iterator(Step& step, unsigned regno) {
  const RegState& reg = step.reg(regno);
  const std::int64_t off = static_cast<std::int64_t>(reg.val.const_value()) + reg.off;
  SlotStack& stack = step.path.frames[reg.frameno]->stack;
  auto at = static_cast<std::size_t>((-off - 1) / kSlotBytes);
  const std::uint32_t ref = stack[at].object.ref_obj_id;
  const SlotObject object = stack[at].object;
  const std::uint32_t bytes = step.prog.btfs[object.btf]->size_of(object.type).value_or(8);
  for (std::uint32_t i = 0; i < (bytes + kSlotBytes - 1) / kSlotBytes; ++i) stack[at - i] = StackSlot{};
  if (!release_reference(step, ref)) return step.diag.refuse(Rule::kReleaseNotOwned, {ref});
  return {};
}

}  // namespace ring3::verifier
