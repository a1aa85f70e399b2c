// Objects the program makes: bpf_obj_new, bpf_obj_drop, their per-CPU forms, bpf_refcount_acquire.
//
// Soundness: what bpf_obj_new returns is owned, zeroed, of a struct of the program's BTF, and its special fields are
// found by the same parse that destroys them. bpf_obj_drop takes exactly an owning pointer to the start of such an
// object. Another reference is only handed out of memory that is still valid (owned, in a collection under its lock, or
// seen in the running read section); unless it was owned, the last owner may be gone, so the result may be null.
#include "model/field_kinds.h"
#include "verifier/call/kfunc_call.h"
#include "verifier/kinds/access.h"
#include "verifier/kinds/object.h"
#include "verifier/transfer/regs.h"

namespace ring3::verifier {
namespace {

using model::KfuncSpecial;

constexpr std::uint32_t kMaxPercpuBytes = 512;

/// The struct that bpf_obj_new was asked for.
Result<std::uint32_t> wanted_struct(Step& step, const KfuncCall& call) {
  const bool percpu = call.special == KfuncSpecial::kPercpuObjNew;
  if (call.constant > UINT32_MAX) return step.diag.refuse(Rule::kObjectTypeRange);
  const auto id = static_cast<btf::TypeId>(call.constant);
  const btf::Btf* btf = step.prog.in.btf.get();
  if (btf == nullptr) return step.diag.refuse(Rule::kObjectNoBtf);
  const btf::Type* type = id == 0 ? nullptr : btf->type(id);
  if (type == nullptr || type->kind != btf::Kind::kStruct) return step.diag.refuse(Rule::kObjectNoStruct);
  if (percpu && type->size > kMaxPercpuBytes) return step.diag.refuse(Rule::kPercpuObjectSize, {type->size, kMaxPercpuBytes});
  const std::uint32_t index = step.prog.btf_index(btf);
  const model::FieldTable* fields = fields_of_type(step.prog, index, id);
  if (fields == nullptr) return step.diag.refuse(Rule::kObjectFields, {type->name});
  if (percpu && model::judge_scalar_struct(*btf, id) != model::ScalarStruct::kYes) return step.diag.refuse(Rule::kPercpuObjectScalars);
  if (percpu && !fields->empty()) return step.diag.refuse(Rule::kPercpuObjectFields);
  return index;
}

}  // namespace

Result<void> check_alloc_arg(Step& step, unsigned i, KfuncCall& call) {
  const RegState& reg = step.reg(i + 1);
  const bool object = reg.kind == RegKind::kHostStruct && reg.flags == model::kAllocObj;
  const bool percpu = reg.kind == RegKind::kHostStruct && reg.flags == (model::kAllocObj | model::kPercpuPtr);
  if (object && call.special == KfuncSpecial::kPercpuObjDrop) return step.diag.refuse(Rule::kArgObjDrop, {i, "bpf_obj_drop_impl"});
  if (percpu && call.special != KfuncSpecial::kPercpuObjDrop)
    return step.diag.refuse(Rule::kArgObjDrop, {i, "bpf_percpu_obj_drop_impl"});
  if (!object && !percpu) return step.diag.refuse(Rule::kArgNoObject, {i});
  if (reg.ref_obj_id == 0) return step.diag.refuse(Rule::kObjectNotOwned);
  call.object_btf = reg.btf;
  call.object_type = reg.btf_type;
  return {};
}

Result<void> check_refcounted_arg(Step& step, unsigned i, KfuncCall& call) {
  const unsigned regno = i + 1;
  const RegState& reg = step.reg(regno);
  if (!is_object(reg)) return step.diag.refuse(Rule::kArgNoOwner, {i});
  if (!fields_of(step.prog, reg).has(model::FieldKind::kRefcount)) return step.diag.refuse(Rule::kArgNoRefcount, {i});
  // The function counts at the start of the object, wherever its argument points to.
  if (reg.off != 0) return step.diag.refuse(Rule::kModifiedPointer, {kind_name(reg), regno, reg.off});
  call.object_btf = reg.btf;
  call.object_type = reg.btf_type;
  call.owning = reg.ref_obj_id != 0;
  return {};
}

Result<void> note_dropped_object(Step& step, const KfuncCall& call) {
  return note_object(step, call.object_btf, call.object_type, call.special == KfuncSpecial::kPercpuObjDrop, ObjectUse::kEnd);
}

Result<void> set_object_result(Step& step, const KfuncCall& call, std::uint16_t null) {
  RegState& r0 = step.reg(0);
  const bool percpu = call.special == KfuncSpecial::kPercpuObjNew;
  std::uint32_t btf = call.object_btf;
  btf::TypeId type = call.object_type;
  if (call.special != KfuncSpecial::kRefcountAcquire) {
    btf = RING3_TRY(wanted_struct(step, call));
    type = static_cast<btf::TypeId>(call.constant);
  }
  set_pointer(r0, RegKind::kHostStruct, static_cast<std::uint16_t>(model::kAllocObj | (percpu ? model::kPercpuPtr : 0) | null));
  r0.btf = btf;
  r0.btf_type = type;
  return note_object(step, btf, type, percpu);
}

}  // namespace ring3::verifier
