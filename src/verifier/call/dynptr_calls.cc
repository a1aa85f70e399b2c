// Host functions that make, use and slice dynptrs. What a dynptr is: kinds/dynptr.h.
#include "verifier/call/kfunc_call.h"
#include "verifier/transfer/regs.h"

namespace ring3::verifier {

using model::KfuncSpecial;

Result<void> check_dynptr_arg(Step& step, unsigned i, KfuncCall& call) {
  const unsigned regno = i + 1;
  if (!call.proto.args[i].uninit) {
    call.dynptr = RING3_TRY(use_dynptr(step, regno, model::kDynptrAny));
    return {};
  }
  switch (call.special) {
    case KfuncSpecial::kDynptrFromSkb: return make_dynptr(step, regno, model::kDynptrSkb, 0);
    case KfuncSpecial::kDynptrFromXdp: return make_dynptr(step, regno, model::kDynptrXdp, 0);
    case KfuncSpecial::kDynptrClone: return make_dynptr(step, regno, call.dynptr.kind, call.dynptr.ref_obj_id);
    default: return step.diag.refuse(Rule::kKfuncShape, {call.proto.name, "makes a dynptr of unknown kind"});
  }
}

namespace {

/// Of a packet in several buffers the slice is a copy in the buffer the program gave: it lives no longer than that, and on the stack
/// it is known for what it is there (lent_stack()).
Result<void> lend_buffer(Step& step, const RegState& buffer) {
  RegState& r0 = step.reg(0);
  const bool on_stack = buffer.kind == RegKind::kStack || buffer.lent_stack();
  if (on_stack && !buffer.val.is_const()) return step.diag.refuse(Rule::kObjectOffset, {"buffer of a slice"});
  if (buffer.is_pointer() && r0.ref_obj_id == 0) r0.ref_obj_id = buffer.ref_obj_id;
  if (!on_stack) return {};
  r0.frameno = buffer.frameno;
  r0.delta = static_cast<std::int32_t>(buffer.delta + buffer.off + static_cast<std::int64_t>(buffer.val.const_value()));
  step.prog.lends_stack = true;
  return {};
}

}  // namespace

/// A slice has the size of the buffer that is given for it.
Result<void> set_slice_result(Step& step, const KfuncCall& call) {
  const bool read_only = call.proto.name == "bpf_dynptr_slice";
  if (!call.ret_size_known || call.dynptr.id == 0)
    return step.diag.refuse(Rule::kKfuncShape, {call.proto.name, "returns memory of unknown size"});
  if (!read_only && (step.prog.kind->flags & model::kProgPacketWrite) == 0) return step.diag.refuse(Rule::kSliceNoWrite);
  set_slice(step, call.dynptr, call.ret_bytes, read_only);
  return is_packet_dynptr(call.dynptr.kind) ? lend_buffer(step, call.buffer) : Result<void>{};
}

}  // namespace ring3::verifier
