// Sockets and flow keys: pointers that show a few fields of something the host keeps elsewhere.
//
// Soundness: nothing is written through a socket pointer, and it is never moved; which fields may be read is the rows'
// to say (model/sock_fields.def). The pointers of one socket share its reference, so they all go when it is released.
#include "model/sock_fields.h"
#include "verifier/domain/scalar_alu.h"
#include "verifier/kinds/access.h"
#include "verifier/transfer/regs.h"

namespace ring3::verifier {

Result<void> access_sock(Step& step, const Access& access, std::int32_t off) {
  const RegState& reg = step.reg(access.base);
  const std::string kind = kind_name(reg);
  if (access.write) return step.diag.refuse(Rule::kReadOnlyMem, {access.base, kind});
  if (smin(reg) < 0) return step.diag.refuse(Rule::kMinNegative, {access.base});
  if (!reg.val.is_const(0) || !model::sock_field_readable(reg.kind, off, access.size))
    return step.diag.refuse(Rule::kSockField, {access.base, kind, off, access.size});
  load_unknown(step, access);
  return {};
}

/// The keys are plain memory of that size, which stands behind the context (rewrite/convert_context.cc).
Result<void> access_flow_keys(Step& step, const Access& access, std::int32_t off) {
  const RegState& reg = step.reg(access.base);
  if (!reg.val.is_const(0) || off < 0 || static_cast<std::uint32_t>(off) + access.size > model::kFlowKeysBytes)
    return step.diag.refuse(Rule::kFlowKeysBounds, {off, access.size});
  if (!access.write) load_unknown(step, access);
  return {};
}

}  // namespace ring3::verifier
