#include "verifier/call/call.h"
#include "verifier/transfer/regs.h"

namespace ring3::verifier {

std::uint32_t acquire_reference(Step& step) {
  const std::uint32_t id = step.search.new_id();
  step.path.refs.push_back({id, step.idx, step.path.depth()});
  return id;
}

void forget_arguments(Step& step) {
  for (unsigned i = 1; i <= 5; ++i) {
    step.reg(i) = RegState{};
    step.diag.scratched.regs |= 1u << i;
  }
}

void forget_pointer(const Step& step, RegState& reg) {
  if (step.prog.allow_ptr_leaks) set_unknown(reg);
  else reg = RegState{};
}

namespace {

/// Trusted structs that the reference vouched for may be gone with it.
void end_trust(PathState& path, std::uint32_t voucher) {
  path.for_each_reg([voucher](RegState& reg) {
    if (reg.voucher() != voucher) return;
    reg.flags = static_cast<std::uint16_t>((reg.flags & ~(model::kTrusted | model::kMaybeNull)) | model::kUntrusted);
    reg.id = 0;
    reg.set_voucher(0);
  });
}

}  // namespace

bool forget_reference(Step& step, std::uint32_t id) {
  // A callback runs any number of times: it may not give back what its callers own.
  std::uint32_t oldest_frame = 0;
  for (std::uint32_t f = step.path.depth(); f > 0; --f) {
    if (step.path.frames[f]->role != FrameRole::kCallback) continue;
    oldest_frame = f;
    break;
  }
  const auto owned = [&](const Reference& r) { return r.id == id && r.frameno >= oldest_frame; };
  if (std::erase_if(step.path.refs, owned) == 0) return false;
  end_trust(step.path, id);
  return true;
}

bool release_reference(Step& step, std::uint32_t id) {
  if (!forget_reference(step, id)) return false;
  step.path.for_each_reg([&](RegState& reg) {
    if (reg.ref_obj_id == id && reg.is_pointer()) forget_pointer(step, reg);
  });
  return true;
}

void forget_packet_pointers(const Program& prog, PathState& path) {
  path.for_each_reg([&](RegState& reg) {
    const bool packet = reg.kind == RegKind::kPacket || reg.kind == RegKind::kPacketMeta || reg.kind == RegKind::kPacketEnd;
    if (!packet && !(reg.kind == RegKind::kMem && reg.has(model::kPacketSlice))) return;
    if (prog.allow_ptr_leaks) set_unknown(reg);
    else reg = RegState{};
  });
}

Result<void> check_no_leak(Step& step, bool all) {
  const FrameState& frame = step.path.frame();
  const bool callback = frame.role == FrameRole::kCallback;
  if (!all && !callback) return {};
  const Reference* lost = nullptr;
  for (const Reference& r : step.path.refs) {
    if (callback && !all && r.frameno < frame.frameno) continue;
    if (lost != nullptr) step.diag.explain(Rule::kUnreleased, {lost->id, lost->insn_idx});
    lost = &r;
  }
  if (lost != nullptr) return step.diag.refuse(Rule::kUnreleased, {lost->id, lost->insn_idx});
  return {};
}

}  // namespace ring3::verifier
