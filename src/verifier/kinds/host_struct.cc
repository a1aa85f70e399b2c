// Pointers to host structs, read through BTF.
//
// Trust decides what may be done (behaviour.md A.1.5, C.3.3):
//   trusted, or owning a reference   valid memory: direct loads, writes to fields the type names
//   RCU                              valid while the read section lasts
//   none, untrusted                  may dangle: every load may fault and then reads zero
// A pointer loaded from a struct is not trusted, unless the host says so (model::MemberTrustRow). Inside a read section a member
// tagged `rcu` of a valid object is RCU-valid, but may be null; outside one, what a valid object points to is untrusted.
// A trusted pointer that was loaded from what an iterator or a reference vouches for is trusted as long as that lives (RegState::voucher()).
// What was loaded through an untrusted pointer is untrusted. What a valid struct's last array holds beyond the struct is read like
// through an untrusted pointer (nobody says how long it is), and not at all by callees or in objects of programs.
#include "verifier/call/call.h"
#include "verifier/kinds/access.h"
#include "verifier/kinds/object.h"
#include "verifier/kinds/struct_walk.h"
#include "verifier/transfer/regs.h"

namespace ring3::verifier {
namespace {

bool is_valid(const RegState& reg) {
  return !reg.has(model::kUntrusted) && (reg.ref_obj_id != 0 || reg.has(model::kTrusted | model::kRcuPtr));
}

Result<void> check_write_allowed(Step& step, const Access& access, const RegState& reg, std::int32_t off) {
  const model::AttachTarget& target = step.prog.in.target;
  const std::string_view name = step.prog.btf_name(reg.btf, reg.btf_type);
  if (target.ops == nullptr || !is_valid(reg)) return step.diag.refuse(Rule::kOnlyRead);
  bool any = false;
  for (const model::WritableField& f : target.ops->writable) {
    if (f.type_name != name) continue;
    any = true;
    if (static_cast<std::uint32_t>(off) < f.off || static_cast<std::uint32_t>(off) >= f.off + f.size) continue;
    if (static_cast<std::uint32_t>(off) + access.size <= f.off + f.size) return {};
    return step.diag.refuse(Rule::kWriteBeyondField, {off, access.size, name, f.off + f.size});
  }
  return any ? step.diag.refuse(Rule::kNoWritableField, {name, off}) : step.diag.refuse(Rule::kOnlyRead);
}

/// The pointer in member `walk.member` of a valid object: what is known of it beyond its type.
unsigned trust_of_member(const Step& step, const RegState& base, const StructWalk& walk) {
  const unsigned tags = (walk.user_tag ? unsigned{model::kUserMem} : 0u) | (walk.percpu_tag ? unsigned{model::kPercpuPtr} : 0u);
  const model::MemberTrust known = step.prog.facts.trust_of(walk.owner, walk.member);
  // What is seen in a read section alone vouches for nothing beyond it.
  const unsigned trust = base.ref_obj_id != 0 || base.has(model::kTrusted) ? model::kTrusted : model::kRcuPtr;
  if (known == model::MemberTrust::kTrusted) return tags | trust;
  if (known == model::MemberTrust::kTrustedOrNull) return tags | trust | model::kMaybeNull;
  // Outside a read section, or inside an object that may be null, it may be gone already.
  if (!in_read_section(step) || base.maybe_null()) return tags | model::kUntrusted;
  if (known == model::MemberTrust::kRcu) return tags | model::kRcuPtr;
  if (known == model::MemberTrust::kRcuOrNull || walk.rcu_tag) return tags | model::kRcuPtr | model::kMaybeNull;
  return tags;
}

std::uint16_t trust_of_loaded(const Step& step, const RegState& base, const StructWalk& walk) {
  unsigned flags = 0;
  if (walk.user_tag) flags |= model::kUserMem;
  if (walk.percpu_tag) flags |= model::kPercpuPtr;
  if (base.has(model::kUntrusted) || walk.through_union) flags |= model::kUntrusted;
  else if (is_valid(base)) flags = trust_of_member(step, base, walk);
  return static_cast<std::uint16_t>(flags);
}

}  // namespace

namespace {

/// Who may look, and where: what loads and callees have in common.
Result<void> check_struct_place(Step& step, unsigned regno, std::int32_t off) {
  const RegState& reg = step.reg(regno);
  const std::string_view name = step.prog.btf_name(reg.btf, reg.btf_type);
  if (!step.prog.allow_host_fields) return step.diag.refuse(Rule::kStructNeedsRights, {name});
  if (!step.prog.in.gpl_compatible && is_host_type(step.prog, reg)) return step.diag.refuse(Rule::kStructNeedsGpl, {name});
  if (off < 0) return step.diag.refuse(Rule::kStructNegative, {regno, name, off});
  if (!reg.val.is_const(0)) return step.diag.refuse(Rule::kStructVariable, {regno, name, off, tnum_text(reg.val)});
  if (reg.has(model::kPercpuPtr)) return step.diag.refuse(Rule::kStructPercpu, {regno, name, off});
  return {};
}

Errno refuse_beyond(Step& step, const RegState& reg, std::int32_t off, std::uint32_t size) {
  return step.diag.refuse(Rule::kStructBeyond, {step.prog.btf_name(reg.btf, reg.btf_type), off, size});
}

}  // namespace

Result<void> region_in_host_struct(Step& step, unsigned regno, std::uint32_t size, bool zero_ok) {
  const RegState& reg = step.reg(regno);
  RING3_TRY(check_struct_place(step, regno, reg.off));
  if (size == 0 && zero_ok) return {};
  const StructWalk walk = walk_struct(*step.prog.btfs[reg.btf], reg.btf_type, static_cast<std::uint32_t>(reg.off), size);
  if (walk.result == StructWalk::Result::kRefused) return step.diag.refuse(Rule::kStructField, {walk.refusal});
  if (walk.beyond) return refuse_beyond(step, reg, reg.off, size);
  return {};
}

Result<void> access_host_struct(Step& step, const Access& access, std::int32_t off) {
  const RegState reg = step.reg(access.base);
  const btf::Btf* btf = step.prog.btfs[reg.btf];
  RING3_TRY(check_struct_place(step, access.base, off));
  if (reg.has(model::kAllocObj)) {
    if (!is_object(reg)) return step.diag.refuse(Rule::kInvalidMemAccess, {access.base, kind_name(reg)});
    RING3_TRY(check_object_fields(step, reg, off, access.size));
  } else if (access.write) {
    return check_write_allowed(step, access, reg, off);
  }

  const StructWalk walk = walk_struct(*btf, reg.btf_type, static_cast<std::uint32_t>(off), access.size);
  if (walk.result == StructWalk::Result::kRefused) return step.diag.refuse(Rule::kStructField, {walk.refusal});
  // Objects of programs end where their struct does.
  if (walk.beyond && reg.has(model::kAllocObj)) return refuse_beyond(step, reg, off, access.size);
  if (walk.beyond) RING3_TRY(note_access(step, model::AccessKind::kUntrusted));
  if (access.write) return {};
  // A pointer out of a program's object is whatever the program left there.
  if (walk.result == StructWalk::Result::kScalar || access.value == kNoReg || access.sign_extend || reg.has(model::kAllocObj)) {
    load_unknown(step, access);
    return {};
  }
  RegState& dst = step.reg(static_cast<unsigned>(access.value));
  const std::uint16_t flags = trust_of_loaded(step, reg, walk);
  set_pointer(dst, RegKind::kHostStruct, flags);
  dst.btf = reg.btf;
  dst.btf_type = walk.pointee;
  if (dst.maybe_null()) dst.id = step.search.new_id();
  if (dst.has(model::kTrusted)) dst.set_voucher(reg.ref_obj_id != 0 ? reg.ref_obj_id : reg.voucher());
  return {};
}

}  // namespace ring3::verifier
