#include "verifier/kinds/kptr_field.h"

#include "model/field_kinds.h"
#include "verifier/call/call.h"
#include "verifier/kinds/object.h"
#include "verifier/kinds/type_match.h"
#include "verifier/transfer/regs.h"

namespace ring3::verifier {
namespace {

using model::FieldKind;

/// Filled by exchange alone, with what the path owns.
bool is_exchanged(const model::Field& field) { return field.kind != FieldKind::kKptrUntrusted; }

const model::KptrType* host_type(const Program& prog, const model::Field& field) {
  for (const model::KptrType& type : prog.facts.kptr_types)
    if (type.btf == field.btf && type.type == field.type) return &type;
  return nullptr;
}

/// The pointee's memory lasts to the end of every read section in which it was seen.
bool outlives_sections(const Program& prog, const model::Field& field) {
  if (!is_exchanged(field)) return false;
  if (field.kind == FieldKind::kKptrPercpu || !is_host_btf(prog, field.btf.get())) return true;
  const model::KptrType* type = host_type(prog, field);
  return type != nullptr && type->rcu_safe;
}

std::uint16_t loaded_flags(const Step& step, const model::Field& field) {
  unsigned flags = model::kMaybeNull;
  if (!outlives_sections(step.prog, field) || !in_read_section(step)) return static_cast<std::uint16_t>(flags | model::kUntrusted);
  flags |= model::kRcuPtr;
  if (field.kind == FieldKind::kKptrPercpu) flags |= model::kPercpuPtr;
  else if (!is_host_btf(step.prog, field.btf.get())) flags |= model::kAllocObj;
  return static_cast<std::uint16_t>(flags);
}

void set_pointee(Step& step, RegState& reg, const model::Field& field) {
  reg.btf = step.prog.btf_index(field.btf.get());
  reg.btf_type = field.type;
}

/// Qualifiers a pointer may carry into the field.
std::uint16_t storable_flags(const Program& prog, const RegState& reg, const model::Field& field) {
  unsigned flags = model::kMaybeNull;
  if (is_host_type(prog, reg)) {
    flags |= model::kTrusted | model::kRcuPtr;
    if (field.kind == FieldKind::kKptrUntrusted) flags |= model::kUntrusted;
  } else {
    flags |= model::kAllocObj;
    if (field.kind == FieldKind::kKptrPercpu) flags |= model::kPercpuPtr;
  }
  return static_cast<std::uint16_t>(flags);
}

}  // namespace

Result<void> check_kptr_access(Step& step, const RegState& reg, const model::Field& field, std::int32_t off, std::uint32_t size) {
  if (!reg.val.is_const()) return step.diag.refuse(Rule::kKptrVariable);
  const std::int64_t at = static_cast<std::int64_t>(reg.val.const_value()) + off;
  if (at != field.off) return step.diag.refuse(Rule::kKptrMisaligned, {field.off, at});
  if (size != field.size) return step.diag.refuse(Rule::kKptrSize);
  return {};
}

Result<void> check_kptr_value(Step& step, unsigned regno, const model::Field& field) {
  const RegState& reg = step.reg(regno);
  const std::string_view wanted = field.btf->type(field.type)->name;
  const auto refuse = [&]() -> Errno {
    const std::string_view have = reg.kind == RegKind::kHostStruct ? step.prog.btf_name(reg.btf, reg.btf_type) : std::string_view{};
    std::string expected = "ptr_" + std::string(wanted);
    if (field.kind == FieldKind::kKptrUntrusted) expected += " or untrusted_ptr_" + std::string(wanted);
    return step.diag.refuse(Rule::kKptrType, {regno, kind_name(reg), have, expected});
  };
  if (reg.kind != RegKind::kHostStruct || (reg.flags & ~storable_flags(step.prog, reg, field)) != 0) return refuse();
  // The one copy per CPU is another kind of memory than the object: neither is taken for the other.
  const bool percpu = reg.has(model::kPercpuPtr);
  if (percpu != (field.kind == FieldKind::kKptrPercpu)) return refuse();
  RING3_TRY(check_no_offset(step, reg, regno, true));
  if (!struct_holds(step.prog, *step.prog.btfs[reg.btf], reg.btf_type, reg.off, *field.btf, field.type, is_exchanged(field)))
    return refuse();
  return {};
}

Result<void> access_kptr(Step& step, const Access& access, const model::Field& field) {
  if (access.atomic || access.sign_extend) return step.diag.refuse(Rule::kKptrMode);
  if (access.write && is_exchanged(field)) return step.diag.refuse(Rule::kKptrStore);
  if (access.is_imm) {
    if (access.imm != 0) return step.diag.refuse(Rule::kKptrImmediate, {field.off});
    return {};
  }
  if (access.value == kNoReg) return {};
  const auto regno = static_cast<unsigned>(access.value);
  if (access.write) {
    if (is_null_constant(step.reg(regno))) return step.search.mark_precise(step.path, regno);
    if (!check_kptr_value(step, regno, field).ok()) return Errno::kAcces;
    return {};
  }
  RegState& dst = step.reg(regno);
  set_pointer(dst, RegKind::kHostStruct, loaded_flags(step, field));
  set_pointee(step, dst, field);
  dst.id = step.search.new_id();
  return {};
}

Result<const model::Field*> kptr_slot(Step& step, unsigned regno) {
  const RegState& reg = step.reg(regno);
  const bool in_object = reg.kind == RegKind::kHostStruct && reg.flags == model::kAllocObj && reg.ref_obj_id != 0;
  if (!in_object && (reg.kind != RegKind::kMapValue || reg.flags != 0))
    return step.diag.refuse(Rule::kRegType, {regno, kind_name(reg), "map_value, ptr_"});
  if (in_object) RING3_TRY(check_no_offset(step, reg, regno, true));
  if (reg.kind == RegKind::kMapValue && step.prog.maps[reg.map]->btf == nullptr)
    return step.diag.refuse(Rule::kKptrNoBtf, {step.prog.maps[reg.map]->name});
  if (!reg.val.is_const()) return step.diag.refuse(Rule::kKptrConstant, {regno});
  const model::FieldTable& fields = fields_of(step.prog, reg);
  if ((fields.kinds() & model::kKptrFields) == 0) return step.diag.refuse(Rule::kKptrNone, {regno});
  const std::int64_t at = static_cast<std::int64_t>(reg.val.const_value()) + reg.off;
  for (const model::Field& f : fields.fields) {
    if (f.off != at || !model::is_kptr(f.kind)) continue;
    if (!is_exchanged(f)) return step.diag.refuse(Rule::kKptrNotOwned, {at});
    return &f;
  }
  return step.diag.refuse(Rule::kKptrOffset, {at});
}

Result<std::uint32_t> kptr_source(Step& step, unsigned regno, const model::Field& field) {
  const RegState& reg = step.reg(regno);
  unsigned kind = reg.flags & ~unsigned{model::kMaybeNull};
  if (reg.has(model::kAllocObj)) kind &= ~unsigned{model::kAllocObj | model::kPercpuPtr};
  if (reg.kind != RegKind::kHostStruct || (kind != 0 && kind != model::kTrusted && kind != model::kRcuPtr))
    return step.diag.refuse(Rule::kRegType, {regno, kind_name(reg), "ptr_, trusted_ptr_, rcu_ptr_"});
  if (reg.maybe_null()) return step.diag.refuse(Rule::kHelperMaybeNull, {regno});
  if (!check_kptr_value(step, regno, field).ok()) return Errno::kAcces;
  if (reg.off != 0) return step.diag.refuse(Rule::kReleaseOffset, {regno});
  if (reg.ref_obj_id == 0) return step.diag.refuse(Rule::kReleaseUnowned, {regno});
  return reg.ref_obj_id;
}

Result<void> note_exchange(Step& step, const model::Field& field) {
  const WeakType* weak = nullptr;
  if (field.kind == FieldKind::kKptrWeak) {
    const model::KptrType* type = host_type(step.prog, field);
    weak = type == nullptr ? nullptr : type->weak;
    // The host's functions run in this exchange.
    if (weak == nullptr) return step.diag.refuse(Rule::kNotSupported, {"a weak pointer to a type that this host has not registered for it"});
    if (step.path.lock.held) return step.diag.refuse(Rule::kKptrWeakLocked);
  }
  if (step.first_note(Step::kFactWeak)) step.facts().weak = weak;
  else if (step.facts().weak != weak) return step.diag.refuse(Rule::kMixedPointers);
  return {};
}

bool store_reference(Step& step, std::uint32_t id) {
  if (!forget_reference(step, id)) return false;
  const bool section = in_read_section(step);
  step.path.for_each_reg([&](RegState& reg) {
    if (reg.ref_obj_id != id || !reg.is_pointer()) return;
    // A stored object lasts to the end of the section; of per-CPU ones that is what programs go on with.
    if (section && reg.has(model::kAllocObj) && reg.has(model::kPercpuPtr)) {
      reg.ref_obj_id = 0;
      reg.flags = static_cast<std::uint16_t>((reg.flags & ~model::kAllocObj) | model::kRcuPtr);
      return;
    }
    forget_pointer(step, reg);
  });
  return true;
}

void set_taken_kptr(Step& step, const model::Field& field) {
  RegState& r0 = step.reg(0);
  unsigned flags = model::kMaybeNull;
  if (!is_host_btf(step.prog, field.btf.get())) {
    flags |= model::kAllocObj;
    if (field.kind == FieldKind::kKptrPercpu) flags |= model::kPercpuPtr;
  }
  set_pointer(r0, RegKind::kHostStruct, static_cast<std::uint16_t>(flags));
  set_pointee(step, r0, field);
  step.search.new_id();  // Linux numbers the null test first
  r0.id = r0.ref_obj_id = acquire_reference(step);
}

}  // namespace ring3::verifier
