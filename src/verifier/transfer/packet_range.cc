// Soundness: with p = base + off (plus a variable part shared by all pointers of one id), p <= end says that
// off bytes from base are inside the packet, p < end one more. All pointers of the same id may use it.
// Nothing is learned when the variable part could carry the sum past the largest packet.
#include "verifier/transfer/packet_range.h"

#include <algorithm>

#include "verifier/transfer/regs.h"

namespace ring3::verifier {
namespace {

using isa::Op;

constexpr std::uint64_t kMaxPacketOff = 0xffff;

void extend_range(PathState& path, const RegState& bound_ref, bool strictly_below_end) {
  const RegState bound = bound_ref;
  if (bound.off < 0 || (bound.off == 0 && strictly_below_end)) return;
  if (umax(bound) > kMaxPacketOff || umax(bound) + static_cast<std::uint64_t>(bound.off) > kMaxPacketOff) return;
  const std::int32_t range = bound.off + (strictly_below_end ? 1 : 0);
  path.for_each_reg([&](RegState& reg) {
    if (reg.kind == bound.kind && reg.id == bound.id) reg.range = std::max(reg.range, range);
  });
}

bool is_packet_start(const RegState& reg) {
  return reg.kind == RegKind::kPacket && reg.off == 0 && reg.id == 0 && reg.val.is_const(0);
}

/// `end` bounds `ptr`: the packet's end bounds data, its start bounds meta data.
bool bounds(const RegState& ptr, const RegState& end) {
  return (ptr.kind == RegKind::kPacket && end.kind == RegKind::kPacketEnd) ||
         (ptr.kind == RegKind::kPacketMeta && is_packet_start(end));
}

}  // namespace

bool tests_packet_range(const isa::Insn& insn, const RegState& dst, const RegState& src) {
  const bool order = insn.op == Op::kJgt || insn.op == Op::kJlt || insn.op == Op::kJge || insn.op == Op::kJle;
  return order && insn.bits == 64 && (bounds(dst, src) || bounds(src, dst));
}

void learn_packet_range(const isa::Insn& insn, PathState& fall, PathState& taken) {
  const RegState dst = fall.reg(insn.dst);
  const RegState src = fall.reg(insn.src);
  const bool dst_is_ptr = bounds(dst, src);
  if (!dst_is_ptr && !bounds(src, dst)) return;
  const RegState& ptr = dst_is_ptr ? dst : src;
  // As seen from the pointer: ptr OP end.
  switch (insn.op) {
    case Op::kJgt: dst_is_ptr ? extend_range(fall, ptr, false) : extend_range(taken, ptr, true); return;
    case Op::kJlt: dst_is_ptr ? extend_range(taken, ptr, true) : extend_range(fall, ptr, false); return;
    case Op::kJge: dst_is_ptr ? extend_range(fall, ptr, true) : extend_range(taken, ptr, false); return;
    case Op::kJle: dst_is_ptr ? extend_range(taken, ptr, false) : extend_range(fall, ptr, true); return;
    default: return;
  }
}

}  // namespace ring3::verifier
