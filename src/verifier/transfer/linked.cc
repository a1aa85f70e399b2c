// Scalars that hold the same value, or values at a constant distance, learn together.
//
// Soundness: equal ids mean equal values (minus `delta` each) on this path, in whatever frame: an id is given when a register
// is copied, kept by copies (arguments of calls too), spills and fills of the full value, and dropped by every other write.
// What one comparison narrows together is kept in its history entry: who relies on one of them later relies on all.
#include "verifier/domain/scalar_alu.h"
#include "verifier/transfer/regs.h"
#include "verifier/transfer/transfer.h"

namespace ring3::verifier {
namespace {

bool linked(const RegState& reg, std::uint32_t id) { return reg.is_scalar() && reg.id == id; }

std::int64_t distance(const RegState& reg) { return reg.delta_linked ? reg.delta : 0; }

void learn(RegState& reg, const RegState& known) {
  const std::int64_t shift = distance(reg) - distance(known);
  if (shift == 0) {
    reg.val = known.val;
    return;
  }
  Scalar64 moved = binary_alu(isa::Op::kAdd, Half::kFull, known.val,
                              Scalar64::constant(static_cast<std::uint64_t>(shift)));
  // What the register itself knew stays true.
  if (moved.intersect_with(reg.val)) reg.val = moved;
}

}  // namespace

void collect_linked(PathState& path, std::uint32_t id, LinkedValues& out) {
  const auto add = [&](RegState& reg, std::size_t frame, bool is_slot, std::size_t number) {
    if (!linked(reg, id)) return;
    if (out.full()) return unlink(reg);
    out.push_back({static_cast<std::uint8_t>(frame & 7), is_slot, static_cast<std::uint8_t>(number)});
  };
  for (std::size_t f = path.frames.size(); f-- > 0;) {
    FrameState& frame = *path.frames[f];
    for (unsigned i = 0; i < isa::kRegCount; ++i) add(frame.regs[i], f, false, i);
    for (std::size_t s = 0; s < frame.stack.size(); ++s)
      if (frame.stack[s].is_spilled()) add(frame.stack[s].spilled, f, true, s);
  }
}

void sync_linked(PathState& path, const RegState& known_ref, const LinkedValues& collected) {
  const RegState known = known_ref;
  if (!known.is_scalar() || known.id == 0) return;
  for (const LinkedValue v : collected) {
    FrameState& frame = *path.frames[v.frame];
    RegState& reg = v.is_slot ? frame.stack[v.number].spilled : frame.regs[v.number];
    if (linked(reg, known.id)) learn(reg, known);
  }
}

}  // namespace ring3::verifier
