// Contexts: rows of model/ctx_layouts.def, arguments typed by the BTF of the attach target, or plain bytes.
#include "model/ctx_layout.h"
#include "verifier/domain/scalar_alu.h"
#include "verifier/kinds/access.h"
#include "verifier/kinds/owned_args.h"
#include "verifier/transfer/regs.h"

namespace ring3::verifier {
namespace {

using btf::Kind;

Errno refuse_ctx(Step& step, const Access& access, std::int32_t off) {
  return step.diag.refuse(Rule::kInvalidCtxAccess, {off, access.size});
}

Result<void> access_layout(Step& step, const Access& access, std::int32_t off) {
  const model::CtxAccess field =
      model::check_ctx_layout(step.prog.view(), off, access.size, access.write, step.prog.in.rights.has_bpf());
  if (field.row == model::kNoCtxRow) return refuse_ctx(step, access, off);
  std::uint16_t& noted = step.facts().ctx_row;
  if (noted != model::kNoCtxRow && noted != field.row) return step.diag.refuse(Rule::kMixedPointers);
  noted = field.row;
  if (access.write || access.value == kNoReg) return {};
  RegState& dst = step.reg(static_cast<unsigned>(access.value));
  if (field.kind == RegKind::kScalar) {
    load_unknown(step, access);
  } else {
    if (access.sign_extend) return refuse_ctx(step, access, off);
    set_pointer(dst, field.kind, field.flags);
    if ((field.flags & model::kMaybeNull) != 0) dst.id = step.search.new_id();
    if (field.kind == RegKind::kHostStruct) {
      const auto& host = step.prog.facts.host_btf;
      dst.btf_type = host == nullptr ? 0 : host->find(model::ctx_fields()[field.row].host_struct, btf::Kind::kStruct);
      if (dst.btf_type == 0) return refuse_ctx(step, access, off);
    }
  }
  return {};
}

Result<void> access_bytes(Step& step, const Access& access, std::int32_t off) {
  const model::ProgKindRow& kind = *step.prog.kind;
  const std::int64_t end = std::int64_t{off} + access.size;
  if (off < 0 || end > kind.ctx_bytes || off % access.size != 0) return refuse_ctx(step, access, off);
  if (access.write && kind.ctx_rule == model::CtxRule::kReadBytes) return refuse_ctx(step, access, off);
  step.out.max_ctx_offset = std::max(step.out.max_ctx_offset, static_cast<std::uint32_t>(end));
  if (!access.write) load_unknown(step, access);
  return {};
}

/// The function whose arguments the context holds.
struct TargetProto {
  const btf::Btf* btf = nullptr;
  btf::TypeId proto = 0;
  std::string_view name;
  std::uint32_t nullable = 0;
};

TargetProto target_proto(const Program& prog) {
  const model::AttachTarget& t = prog.in.target;
  if (t.kind == model::AttachTarget::Kind::kStructOpsMember && t.ops != nullptr && t.member < t.ops->members.size()) {
    const model::StructOpsMember& member = t.ops->members[t.member];
    return {t.ops->btf.get(), member.proto, member.name, member.nullable_args};
  }
  return {};
}

/// Argument whose slots cover `slot`; arguments wider than 8 bytes take several.
std::optional<std::uint32_t> argument_at(const TargetProto& target, std::uint32_t slot, std::uint32_t& first_slot) {
  std::uint32_t at = 0, i = 0;
  for (const btf::Param& p : target.btf->params(target.proto)) {
    const std::uint32_t slots = (target.btf->size_of(p.type).value_or(8) + 7) / 8;
    if (slot < at + slots) {
      first_slot = at;
      return i;
    }
    at += slots;
    ++i;
  }
  return std::nullopt;
}

Result<void> load_pointer_argument(Step& step, const Access& access, std::int32_t off, const TargetProto& target,
                                   std::uint32_t arg, const btf::Type& pointer) {
  const btf::TypeId pointee_id = target.btf->skip_modifiers(pointer.type);
  const btf::Type* pointee = target.btf->type(pointee_id);
  if (access.size != 8) return step.diag.refuse(Rule::kCtxArgSize, {target.name, access.size});
  // Pointers to anything but a struct are numbers to the program.
  if (pointee_id == 0 || pointee == nullptr || pointee->kind == Kind::kInt || pointee->kind == Kind::kPtr ||
      pointee->kind == Kind::kEnum || pointee->kind == Kind::kFuncProto || pointee->kind == Kind::kFloat ||
      pointee->kind == Kind::kArray) {
    load_unknown(step, access);
    return {};
  }
  if (pointee->kind != Kind::kStruct && pointee->kind != Kind::kUnion) {
    step.diag.explain(Rule::kCtxArgNotStruct, {target.name, arg, pointee->name});
    return refuse_ctx(step, access, off);
  }
  const bool nullable = (target.nullable >> arg & 1) != 0;
  const std::uint32_t owned = owned_argument(step.prog, arg);
  if (owned != 0 && !step.path.has_ref(owned)) return step.diag.refuse(Rule::kOwnedArgReleased, {off});
  RegState& dst = step.reg(static_cast<unsigned>(access.value));
  set_pointer(dst, RegKind::kHostStruct,
              static_cast<std::uint16_t>(model::kTrusted | (nullable ? model::kMaybeNull : 0)));
  dst.btf_type = pointee_id;
  dst.btf = step.prog.btf_index(target.btf);
  dst.ref_obj_id = owned;
  if (nullable) dst.id = step.search.new_id();
  return {};
}

Result<void> access_btf_args(Step& step, const Access& access, std::int32_t off) {
  const TargetProto target = target_proto(step.prog);
  if (access.write || off < 0 || off % access.size != 0 || target.btf == nullptr) return refuse_ctx(step, access, off);
  if (off % 8 != 0) {
    step.diag.explain(Rule::kCtxArgOffset, {target.name, off});
    return refuse_ctx(step, access, off);
  }
  std::uint32_t first_slot = 0;
  const std::optional<std::uint32_t> arg = argument_at(target, static_cast<std::uint32_t>(off) / 8, first_slot);
  if (!arg.has_value()) {
    step.diag.explain(Rule::kCtxArgCount, {target.name, static_cast<std::uint32_t>(off) / 8 + 1});
    return refuse_ctx(step, access, off);
  }
  if (access.value == kNoReg) return {};
  const btf::Type* type = target.btf->type(target.btf->skip_modifiers(target.btf->param(target.proto, *arg).type));
  if (type != nullptr && type->kind == Kind::kPtr) {
    if (access.sign_extend) return refuse_ctx(step, access, off);
    return load_pointer_argument(step, access, off, target, *arg, *type);
  }
  load_unknown(step, access);
  return {};
}

}  // namespace

Result<void> access_ctx(Step& step, const Access& access, std::int32_t off) {
  RING3_TRY(check_no_offset(step, step.reg(access.base), access.base, step.prog.kind->ctx_rule == model::CtxRule::kBytes));
  if (access.atomic) return step.diag.refuse(Rule::kAtomicTarget, {access.base, kind_name(step.reg(access.base))});
  switch (step.prog.kind->ctx_rule) {
    case model::CtxRule::kLayout: return access_layout(step, access, off);
    case model::CtxRule::kBtfArgs: return access_btf_args(step, access, off);
    case model::CtxRule::kBytes:
    case model::CtxRule::kReadBytes: return access_bytes(step, access, off);
    case model::CtxRule::kTarget: break;
  }
  return refuse_ctx(step, access, off);
}

}  // namespace ring3::verifier
