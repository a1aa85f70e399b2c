// The end of a frame, and of the program: references, sections, and what may be returned.
#include "uapi/bpf.h"
#include "verifier/call/call.h"
#include "verifier/kinds/owned_args.h"
#include "verifier/transfer/regs.h"
#include "verifier/transfer/transfer.h"

namespace ring3::verifier {
namespace {

std::string bounds_text(const RegState& reg) {
  std::string out;
  if (smin(reg) > INT64_MIN) out += " smin=" + std::to_string(smin(reg));
  if (smax(reg) < INT64_MAX) out += " smax=" + std::to_string(smax(reg));
  return out.empty() ? " unknown scalar value" : out;
}

/// What main may return.
model::ReturnRange returns(const Program& prog) {
  const TargetProto& target = prog.target;
  if (prog.type != uapi::BPF_PROG_TYPE_LSM || target.btf == nullptr)
    return model::return_range(*prog.kind, prog.attach_type);
  const btf::Type* proto = target.btf->type(target.proto);
  return model::lsm_return_range(prog.attach_type, target.name, proto == nullptr || proto->type == btf::kVoid);
}

bool returns_nothing(const Program& prog) {
  const model::AttachTarget& t = prog.in.target;
  if (prog.type == uapi::BPF_PROG_TYPE_LSM && !prog.replaces) return returns(prog).any;
  if (t.kind != model::AttachTarget::Kind::kStructOpsMember || t.ops == nullptr || t.member >= t.ops->members.size()) return false;
  const btf::Type* proto = t.ops->btf->type(t.ops->members[t.member].proto);
  return proto != nullptr && proto->type == btf::kVoid;
}

}  // namespace

Result<void> check_program_result(Step& step, unsigned regno) {
  if (regno == 0 && returns_nothing(step.prog)) return {};
  RING3_TRY(check_read(step, regno));
  const RegState& value = step.reg(regno);
  if (leaks_pointer(step, regno)) return step.diag.refuse(Rule::kLeakAsReturn, {regno});
  model::ReturnRange range = returns(step.prog);
  // What is no owned pointer of the right type can only be null.
  if (returns_pointer(step.prog)) range = {.any = false, .min = 0, .max = 0};
  if (range.any) {
    // A struct_ops member's result goes to the host, which takes it for a number.
    if (step.prog.type == uapi::BPF_PROG_TYPE_STRUCT_OPS && !value.is_scalar())
      return step.diag.refuse(Rule::kReturnNotScalar, {"At program exit", regno, kind_name(value)});
    return {};
  }
  if (!value.is_scalar()) return step.diag.refuse(Rule::kReturnNotScalar, {"At program exit", regno, kind_name(value)});
  RING3_TRY(step.search.mark_precise(step.path, regno));
  // A hook's result is an int: the lower half counts.
  const bool half = step.prog.type == uapi::BPF_PROG_TYPE_LSM && step.prog.attach_type != uapi::BPF_LSM_CGROUP;
  const std::int64_t lowest = half ? value.val.sub.smin : smin(value), highest = half ? value.val.sub.smax : smax(value);
  if (lowest < range.min || highest > range.max)
    return step.diag.refuse(Rule::kReturnRange,
                            {"At program exit", "R" + std::to_string(regno), bounds_text(value), range.min, range.max});
  return {};
}

namespace {

/// Nobody takes the result of a timer's or work item's callback: it is 0.
Result<void> check_async_result(Step& step) {
  RING3_TRY(check_read(step, 0));
  const RegState& value = step.reg(0);
  if (leaks_pointer(step, 0)) return step.diag.refuse(Rule::kLeakAsReturn, {0});
  if (!value.is_scalar()) return step.diag.refuse(Rule::kReturnNotScalar, {"At async callback return", 0, kind_name(value)});
  RING3_TRY(step.search.mark_precise(step.path, 0));
  if (smin(value) != 0 || smax(value) != 0)
    return step.diag.refuse(Rule::kReturnRange, {"At async callback return", "R0", bounds_text(value), 0, 0});
  return {};
}

/// The function whose walk this is: main, the exception callback, or a global function walked on its own.
Result<void> check_return_value(Step& step) {
  const FrameState& frame = step.frame();
  if (frame.role == FrameRole::kAsyncCallback) return check_async_result(step);
  if (frame.subprog == 0 || frame.role == FrameRole::kExceptionCallback) return check_program_result(step, 0);
  if (step.prog.subprogs[frame.subprog].returns_void) return {};
  RING3_TRY(check_read(step, 0));
  if (!step.reg(0).is_scalar()) return step.diag.refuse(Rule::kSubprogReturn, {0, kind_name(step.reg(0))});
  return {};
}

}  // namespace

Result<void> transfer_exit(Step& step) {
  const bool ends_program = step.path.depth() == 0;
  if (ends_program) RING3_TRY(check_sections_closed(step));
  const bool given = ends_program && step.frame().subprog == 0 && give_to_host(step);
  RING3_TRY(check_no_leak(step, ends_program));
  if (!ends_program) return return_from_frame(step);
  if (!given) RING3_TRY(check_return_value(step));
  step.path_ended = true;
  return {};
}

}  // namespace ring3::verifier
