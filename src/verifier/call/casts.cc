// bpf_rdonly_cast and bpf_cast_to_kern_ctx: a pointer under another type, the same address.
//
// Soundness: what a cast to a type gives is untrusted, so it is read by loads that may fault and never written or passed on. The
// struct that Linux keeps behind a context is not what stands behind one here: a program that looks at the result of that
// cast is judged and then refused.
#include "verifier/call/kfunc_call.h"
#include "verifier/kinds/context_struct.h"
#include "verifier/transfer/regs.h"

namespace ring3::verifier {
bool is_cast(model::KfuncSpecial special) {
  return special == model::KfuncSpecial::kRdonlyCast || special == model::KfuncSpecial::kCastToKernCtx;
}

Result<void> set_cast_result(Step& step, const KfuncCall& call) {
  const bool context = call.special == model::KfuncSpecial::kCastToKernCtx;
  btf::TypeId type = 0;
  if (context) {
    type = behind_context(step.prog, *step.prog.kind);
    if (type == 0) return step.diag.refuse(Rule::kKfuncShape, {call.proto.name, "finds no struct behind this context"});
    const bool looked_at = step.idx + 1 >= step.prog.size() || (step.prog.live_in[step.idx + 1] & 1) != 0;
    if (looked_at) step.out.not_runnable = "the kernel's struct behind a context";
  } else {
    type = call.constant <= UINT32_MAX ? static_cast<btf::TypeId>(call.constant) : 0;
    const btf::Type* wanted = type == 0 ? nullptr : step.prog.facts.host_btf->type(type);
    if (wanted == nullptr || (wanted->kind != btf::Kind::kStruct && wanted->kind != btf::Kind::kUnion))
      return step.diag.refuse(Rule::kCastNoStruct);
  }
  RegState& r0 = step.reg(0);
  set_pointer(r0, RegKind::kHostStruct, context ? model::kTrusted : model::kUntrusted);
  r0.btf = 0;
  r0.btf_type = type;
  return {};
}

}  // namespace ring3::verifier
