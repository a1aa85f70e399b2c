// Scalars that hold the same value, or values at a constant distance, learn together.
//
// Soundness: equal ids mean equal values (minus `delta` each) on this path: an id is given when a register
// is copied, kept by copies, spills and fills of the full value, and dropped by every other write.
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

LinkedValues linked_values(const PathState& path, std::uint32_t id) {
  LinkedValues out;
  if (id == 0) return out;
  const FrameState& frame = path.frame();
  for (unsigned i = 0; i < isa::kRegCount; ++i)
    if (linked(frame.regs[i], id)) out.regs = static_cast<std::uint16_t>(out.regs | 1u << i);
  for (std::size_t s = 0; s < frame.stack.size(); ++s)
    if (frame.stack[s].is_spilled() && linked(frame.stack[s].spilled, id)) out.slots |= std::uint64_t{1} << s;
  return out;
}

void sync_linked(PathState& path, const RegState& known_ref) {
  const RegState known = known_ref;
  if (!known.is_scalar() || known.id == 0) return;
  FrameState& frame = path.frame();
  for (RegState& reg : frame.regs)
    if (linked(reg, known.id)) learn(reg, known);
  for (StackSlot& slot : frame.stack)
    if (slot.is_spilled() && linked(slot.spilled, known.id)) learn(slot.spilled, known);
}

}  // namespace ring3::verifier
