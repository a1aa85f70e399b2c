// Lists and trees of the program's objects.
//
// A root lies beside a lock in a map value or an object, and every call that touches it is made while that very lock is
// held. Adding a node hands the object to the collection: the path's owning pointers become non-owning ones, which may be
// read and written but not given away, and are gone when the lock is given back. Removing hands it back.
//
// Soundness: an object in a collection is reached only under the collection's lock, so while it is held nobody takes the
// object out and ends it; memory of objects outlives read sections, and a held lock is one (sections.cc), so even after
// a removal in the same section the non-owning pointers to it stay valid memory. A node is linked by where it lies in
// its object: the element type that the root declares, exactly, at exactly the declared offset.
#include "model/field_kinds.h"
#include "verifier/call/kfunc_call.h"
#include "verifier/kinds/access.h"
#include "verifier/kinds/object.h"
#include "verifier/kinds/type_match.h"
#include "verifier/transfer/regs.h"

namespace ring3::verifier {
namespace {

using model::FieldKind;
using model::KfuncArgKind;
using model::KfuncSpecial;

/// The field of `kind` at the place the register points to, or null.
const model::Field* field_at(Step& step, const RegState& reg, FieldKind kind, std::int64_t at) {
  for (const model::Field& f : fields_of(step.prog, reg).fields)
    if (f.off == at && f.kind == kind) return &f;
  return nullptr;
}

std::int64_t place(const RegState& reg) { return static_cast<std::int64_t>(reg.val.const_value()) + reg.off; }

Result<void> check_root_locked(Step& step, const RegState& reg, FieldKind kind) {
  const HeldLock& lock = step.path.lock;
  const bool held = lock.held && lock.covers(reg);
  if (held) return {};
  if (lock.held) step.diag.explain(Rule::kLockElsewhere, {});
  const model::Field* wanted = fields_of(step.prog, reg).find(FieldKind::kSpinLock);
  return step.diag.refuse(Rule::kRootNotLocked, {wanted == nullptr ? 0u : wanted->off, field_struct(kind)});
}

/// A pointer into an element of call.root, at its node.
void point_to_node(Step& step, RegState& reg, const model::Field& root, std::uint16_t flags) {
  set_pointer(reg, RegKind::kHostStruct, flags);
  reg.btf = step.prog.btf_index(root.btf.get());
  reg.btf_type = root.type;
  reg.off = static_cast<std::int32_t>(root.node_off);
}

std::uint16_t non_owning_flags(Step& step, std::uint32_t btf, btf::TypeId type) {
  const model::FieldTable* fields = fields_of_type(step.prog, btf, type);
  const bool counted = fields != nullptr && fields->has(FieldKind::kRefcount);
  return static_cast<std::uint16_t>(model::kAllocObj | model::kNonOwning | (counted ? model::kRcuPtr : 0));
}

}  // namespace

Result<void> check_graph_root(Step& step, unsigned i, KfuncCall& call) {
  const unsigned regno = i + 1;
  const RegState& reg = step.reg(regno);
  const bool list = call.proto.args[i].kind == KfuncArgKind::kListHead;
  const FieldKind kind = list ? FieldKind::kListHead : FieldKind::kRbRoot;
  if ((reg.kind != RegKind::kMapValue || reg.flags != 0) && !(reg.kind == RegKind::kHostStruct && reg.flags == model::kAllocObj))
    return step.diag.refuse(Rule::kArgNoRoot, {i});
  if (reg.kind == RegKind::kHostStruct && reg.ref_obj_id == 0) return step.diag.refuse(Rule::kObjectNotOwned);
  if (!reg.val.is_const()) return step.diag.refuse(Rule::kGraphConstant, {regno, field_struct(kind)});
  call.root = field_at(step, reg, kind, place(reg));
  if (call.root == nullptr) return step.diag.refuse(Rule::kGraphNoField, {field_struct(kind), place(reg)});
  return check_root_locked(step, reg, kind);
}

Result<void> check_graph_node(Step& step, unsigned i, KfuncCall& call) {
  const unsigned regno = i + 1;
  const RegState& reg = step.reg(regno);
  const bool list = call.proto.args[i].kind == KfuncArgKind::kListNode;
  const FieldKind kind = list ? FieldKind::kListNode : FieldKind::kRbNode;
  if (call.special == KfuncSpecial::kRbtreeRemove) {
    const bool usable = is_object(reg) && reg.has(model::kNonOwning) && reg.ref_obj_id == 0;
    if (!usable) return step.diag.refuse(Rule::kRemoveOwning);
    if (in_tree_callback(step.prog, step.path)) return step.diag.refuse(Rule::kRemoveInCallback);
  } else {
    if (reg.kind != RegKind::kHostStruct || reg.flags != model::kAllocObj) return step.diag.refuse(Rule::kArgNoObject, {i});
    if (reg.ref_obj_id == 0) return step.diag.refuse(Rule::kObjectNotOwned);
  }
  if (!reg.val.is_const()) return step.diag.refuse(Rule::kGraphConstant, {regno, field_struct(kind)});
  const std::int64_t at = place(reg);
  if (field_at(step, reg, kind, at) == nullptr) return step.diag.refuse(Rule::kGraphNoField, {field_struct(kind), at});
  const model::Field& root = *call.root;
  const std::string_view element = root.btf->type(root.type)->name;
  if (!struct_holds(step.prog, *step.prog.btfs[reg.btf], reg.btf_type, 0, *root.btf, root.type, true))
    return step.diag.refuse(Rule::kGraphNodeType, {field_struct(root.kind), field_struct(kind), root.node_off, element, at,
                                                   step.prog.btf_name(reg.btf, reg.btf_type)});
  if (at != root.node_off) return step.diag.refuse(Rule::kGraphNodeOffset, {at, field_struct(kind), root.node_off, element});
  call.object_btf = reg.btf;
  call.object_type = reg.btf_type;
  call.ref_obj_id = reg.ref_obj_id;
  return {};
}

Result<void> give_node_to_root(Step& step, const KfuncCall& call) {
  // In a callback of the tree a second insertion would move what the first one walks over.
  if (call.special == KfuncSpecial::kRbtreeAdd && in_tree_callback(step.prog, step.path))
    return step.diag.refuse(Rule::kAddInCallback);
  InsnFacts& facts = step.facts();
  if (facts.object != UINT32_MAX && facts.node_off != call.root->node_off) return step.diag.refuse(Rule::kMixedObjects);
  RING3_TRY(note_object(step, call.object_btf, call.object_type, false));
  facts.node_off = call.root->node_off;
  const std::uint32_t id = call.ref_obj_id;
  if (!forget_reference(step, id)) return step.diag.refuse(Rule::kReleaseNotOwned, {id});
  const std::uint16_t flags = non_owning_flags(step, call.object_btf, call.object_type);
  step.path.for_each_reg([&](RegState& reg) {
    if (reg.ref_obj_id != id || !reg.is_pointer()) return;
    reg.ref_obj_id = 0;
    reg.flags = static_cast<std::uint16_t>(reg.flags | flags);
  });
  return {};
}

void set_less_arguments(Step& step, FrameState& callee, const model::Field& root) {
  const std::uint16_t flags = non_owning_flags(step, step.prog.btf_index(root.btf.get()), root.type);
  for (const unsigned regno : {1u, 2u}) point_to_node(step, callee.regs[regno], root, flags);
}

bool in_tree_callback(const Program& prog, const PathState& path) {
  for (const FramePtr& frame : path.frames)
    if (frame->role == FrameRole::kCallback && prog.insn(frame->callsite).op == isa::Op::kCallKfunc) return true;
  return false;
}

void set_node_result(Step& step, const KfuncCall& call, std::uint16_t null) {
  RegState& r0 = step.reg(0);
  const model::Field& root = *call.root;
  std::uint16_t flags = model::kAllocObj;
  if (call.special == KfuncSpecial::kRbtreeFirst) flags = non_owning_flags(step, step.prog.btf_index(root.btf.get()), root.type);
  point_to_node(step, r0, root, static_cast<std::uint16_t>(flags | null));
}

}  // namespace ring3::verifier
