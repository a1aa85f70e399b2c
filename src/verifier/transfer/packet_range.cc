// Soundness: with p = base + off (plus a variable part shared by all pointers of one id), p <= end says that
// off bytes from base are inside the packet, p < end one more. All pointers of the same id may use it.
// Nothing is learned when the variable part could carry the sum past the largest packet.
// On the other side p itself is known to lie at the end, or behind it: that holds of this very value, so it goes with copies of
// it, and is forgotten when anything is added. The same comparison is then decided. Such a pointer has no range at all.
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

/// The pointer is known to lie at the packet's end or behind it. Of meta data nothing is kept, nor of other pointers of the id.
void mark_end(PathState& path, unsigned regno, bool beyond) {
  RegState& reg = path.reg(regno);
  if (reg.kind == RegKind::kPacket) reg.range = beyond ? kBeyondPacketEnd : kAtPacketEnd;
}

/// The comparison as seen from the pointer: `end OP ptr` turned round.
Op turned(Op op) {
  switch (op) {
    case Op::kJgt: return Op::kJlt;
    case Op::kJlt: return Op::kJgt;
    case Op::kJge: return Op::kJle;
    case Op::kJle: return Op::kJge;
    default: return op;
  }
}

}  // namespace

Taken decide_packet_range(const isa::Insn& insn, const RegState& dst, const RegState& src) {
  const bool dst_is_ptr = bounds(dst, src);
  const RegState& ptr = dst_is_ptr ? dst : src;
  if (!tests_packet_range(insn, dst, src) || ptr.kind != RegKind::kPacket || ptr.range >= 0) return Taken::kUnknown;
  switch (dst_is_ptr ? insn.op : turned(insn.op)) {
    case Op::kJgt: return ptr.range == kBeyondPacketEnd ? Taken::kAlways : Taken::kUnknown;
    case Op::kJle: return ptr.range == kBeyondPacketEnd ? Taken::kNever : Taken::kUnknown;
    case Op::kJge: return Taken::kAlways;
    case Op::kJlt: return Taken::kNever;
    default: return Taken::kUnknown;
  }
}

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
  const unsigned regno = dst_is_ptr ? insn.dst : insn.src;
  // On the one side the pointer is in front of the end (strictly: below it), on the other at it or behind it.
  const auto learn = [&](PathState& inside, PathState& outside, bool strictly_below) {
    extend_range(inside, ptr, strictly_below);
    mark_end(outside, regno, !strictly_below);
  };
  switch (dst_is_ptr ? insn.op : turned(insn.op)) {
    case Op::kJgt: learn(fall, taken, false); return;
    case Op::kJlt: learn(taken, fall, true); return;
    case Op::kJge: learn(fall, taken, true); return;
    case Op::kJle: learn(taken, fall, false); return;
    default: return;
  }
}

}  // namespace ring3::verifier
