// Contexts: rows of model/ctx_layouts.def, or plain bytes; arguments of an attach target are in target_args.cc.
#include "model/ctx_layout.h"
#include "verifier/domain/scalar_alu.h"
#include "verifier/kinds/access.h"
#include "verifier/transfer/regs.h"

namespace ring3::verifier {
namespace {

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

}  // namespace

/// Judged by the last byte, as Linux does: what is read of the context is a prefix of it. Contexts that rewriting
/// replaces, and arguments of a target, are not memory.
Result<void> region_in_ctx(Step& step, unsigned regno, std::uint32_t size, bool zero_ok, bool write) {
  const model::CtxRule rule = step.prog.kind->ctx_rule;
  if (rule != model::CtxRule::kBytes && rule != model::CtxRule::kReadBytes)
    return step.diag.refuse(Rule::kRegType, {regno, kind_name(step.reg(regno)), "fp, pkt, pkt_meta, map_key, map_value, mem"});
  RING3_TRY(check_no_offset(step, step.reg(regno), regno, rule == model::CtxRule::kBytes));
  const std::int32_t start = step.reg(regno).off;
  if (size == 0) return zero_ok ? Result<void>{} : step.diag.refuse(Rule::kZeroSizedRead);
  if (size > step.prog.kind->ctx_bytes)
    return step.diag.refuse(Rule::kInvalidCtxAccess, {std::int64_t{start} + size - 1, 1});
  const Access last{.base = regno, .off = 0, .size = 1, .write = write};
  return access_bytes(step, last, start + static_cast<std::int32_t>(size) - 1);
}

Result<void> access_ctx(Step& step, const Access& access, std::int32_t off) {
  RING3_TRY(check_no_offset(step, step.reg(access.base), access.base, step.prog.kind->ctx_rule == model::CtxRule::kBytes));
  if (access.atomic) return step.diag.refuse(Rule::kAtomicTarget, {access.base, kind_name(step.reg(access.base))});
  switch (step.prog.kind->ctx_rule) {
    case model::CtxRule::kLayout: return access_layout(step, access, off);
    case model::CtxRule::kBtfArgs: return access_target_args(step, access, off);
    case model::CtxRule::kBytes:
    case model::CtxRule::kReadBytes: return access_bytes(step, access, off);
    case model::CtxRule::kTarget: break;
  }
  return refuse_ctx(step, access, off);
}

}  // namespace ring3::verifier
