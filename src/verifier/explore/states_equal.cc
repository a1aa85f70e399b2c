// State subsumption.
//
// Soundness of kCovered: suppose the walk from `old` is complete and refused nothing. Every check on it that
// relied on a scalar's exact bounds made that scalar precise in `old` (precision/); every check on a pointer
// saw its kind, object and offset. If `cur` agrees in all of these, with ranges inside the old ones, the same
// checks succeed from `cur`, and no path leaves the walked ones. Ids only say which values are the same;
// they match if one renaming maps all old ids to the current ones, one to one.
// Dead registers of `old` were forgotten when it was kept, so they match anything; dead stack slots (flow/stack_liveness.cc) are
// passed over.
#include "verifier/explore/states_equal.h"

#include <cstring>
#include <vector>

#include "verifier/flow/flow.h"
#include "verifier/kinds/owned_args.h"

namespace ring3::verifier {
namespace {

class IdMap {
 public:
  /// The renaming maps a to b, or is extended to do so.
  bool match(std::uint32_t a, std::uint32_t b) {
    if ((a == 0) != (b == 0)) return false;
    if (a == 0) return true;
    for (std::size_t i = 0; i < count_; ++i) {
      const Pair& p = i < kInPlace ? first_[i] : more_[i - kInPlace];
      if (p.old == a) return p.cur == b;
      if (p.cur == b) return false;
    }
    if (count_ < kInPlace) first_[count_] = {a, b};
    else more_.push_back({a, b});
    ++count_;
    return true;
  }
  /// Scalars without an id equal only themselves: each is its own group.
  bool match_scalars(std::uint32_t a, std::uint32_t b) {
    if (a == 0) a = next_--;
    if (b == 0) b = next_--;
    return match(a, b);
  }

 private:
  static constexpr std::size_t kInPlace = 32;  // few states have more values that are told apart
  struct Pair {
    std::uint32_t old, cur;
  };
  Pair first_[kInPlace];
  std::size_t count_ = 0;
  std::vector<Pair> more_;
  std::uint32_t next_ = UINT32_MAX;
};

bool exact(const RegState& a, const RegState& b, IdMap& ids) {
  const bool same_delta = a.kind == RegKind::kHostStruct ? ids.match(a.voucher(), b.voucher()) : a.delta == b.delta;
  return a.kind == b.kind && a.flags == b.flags && a.frameno == b.frameno && a.off == b.off && a.payload == b.payload &&
         a.btf == b.btf && a.delta_linked == b.delta_linked && same_delta && a.val == b.val &&
         ids.match(a.id, b.id) && ids.match(a.ref_obj_id, b.ref_obj_id);
}

bool scalars_match(const Program& prog, const RegState& old, const RegState& cur, IdMap& ids, Compare how) {
  if (how == Compare::kExact) return exact(old, cur, ids);
  // A mask was computed from bounds: the same instruction may need another one for other numbers.
  if (prog.exact_numbers)
    return old.val == cur.val && old.delta_linked == cur.delta_linked && old.delta == cur.delta && ids.match_scalars(old.id, cur.id);
  if (!old.precise && how == Compare::kCovered && !prog.compare_imprecise) return true;
  if (old.delta_linked != cur.delta_linked || old.delta != cur.delta) return false;
  return cur.val.is_subset_of(old.val) && ids.match_scalars(old.id, cur.id);
}

bool regs_match(const Program& prog, const RegState& old, const RegState& cur, IdMap& ids, Compare how) {
  if (old.kind == RegKind::kNotInit) return true;  // dead, or never read on the walked paths
  if (old.kind != cur.kind) return false;
  switch (old.kind) {
    case RegKind::kScalar: return scalars_match(prog, old, cur, ids, how);
    case RegKind::kMapKey: case RegKind::kMapValue: case RegKind::kMem: case RegKind::kBuf: case RegKind::kTpBuffer:
      if (how == Compare::kExact) return exact(old, cur, ids);
      return old.flags == cur.flags && old.off == cur.off && old.payload == cur.payload && old.frameno == cur.frameno &&
             old.delta == cur.delta && cur.val.is_subset_of(old.val) && ids.match(old.id, cur.id) && ids.match(old.ref_obj_id, cur.ref_obj_id) &&
             (old.btf == 0 ? cur.btf == 0 : ids.match(old.btf, cur.btf));
    case RegKind::kPacket: case RegKind::kPacketMeta:
      if (how == Compare::kExact) return exact(old, cur, ids);
      // More proved range is more permission; what lies at the end or behind it is compared with the like.
      if ((old.range < 0 || cur.range < 0) && old.range != cur.range) return false;
      return old.range <= cur.range && old.off == cur.off && cur.val.is_subset_of(old.val) && ids.match(old.id, cur.id);
    case RegKind::kArena: return true;  // anywhere in its arena
    case RegKind::kMapPtr:
      return old.payload == cur.payload && old.off == cur.off && old.flags == cur.flags &&
             (old.btf == 0 ? cur.btf == 0 : ids.match(old.btf, cur.btf));
    default: return exact(old, cur, ids);
  }
}

/// The scalar that a slot can be read as, if all of its bytes are one.
const RegState* slot_scalar(const Program& prog, const StackSlot& slot, const RegState& unknown) {
  if (slot.is_full_spill()) return slot.spilled.is_scalar() ? &slot.spilled : nullptr;
  if (slot.is_spilled()) return nullptr;
  if (slot.is_all(SlotByte::kMisc)) return &unknown;
  if (!prog.allow_uninit_stack) return nullptr;
  for (SlotByte b : slot.bytes)
    if (b != SlotByte::kMisc && b != SlotByte::kInvalid) return nullptr;
  return &unknown;
}

/// Depths may differ: what an iterator yields does not depend on how often it was advanced.
bool objects_match(const SlotObject& a, const SlotObject& b, IdMap& ids) {
  return a.state == b.state && a.first == b.first && a.rcu == b.rcu && a.untrusted == b.untrusted && a.btf == b.btf &&
         a.type == b.type && a.dynptr == b.dynptr && ids.match(a.id, b.id) && ids.match(a.ref_obj_id, b.ref_obj_id);
}

bool holds_object(SlotByte b) { return b == SlotByte::kIter || b == SlotByte::kDynptr; }

/// Whether a byte of `old` that no spill is compared for covers one of `cur`. What an earlier walk found there unwritten or
/// ordinary it may have read as a number, or written over in part; addresses and objects refuse some of that.
bool byte_covers(const Program& prog, SlotByte old, SlotByte cur, bool cur_holds_address) {
  if (old == cur) return true;
  if (holds_object(cur) || (cur == SlotByte::kSpill && cur_holds_address)) return false;
  if (old == SlotByte::kInvalid) return true;
  return old == SlotByte::kMisc && (cur != SlotByte::kInvalid || prog.allow_uninit_stack);
}

bool slots_match(const Program& prog, const StackSlot& old, const StackSlot& cur, IdMap& ids, Compare how) {
  static const RegState unknown = [] {
    RegState r;
    r.kind = RegKind::kScalar;
    return r;
  }();
  const RegState* a = slot_scalar(prog, old, unknown);
  const RegState* b = slot_scalar(prog, cur, unknown);
  if (how != Compare::kExact && a != nullptr && b != nullptr) return regs_match(prog, *a, *b, ids, how);
  if (old.packed() != cur.packed()) {
    if (how == Compare::kExact) return false;
    for (unsigned i = 0; i < kSlotBytes; ++i)
      if (!byte_covers(prog, old.bytes[i], cur.bytes[i], cur.holds_address())) return false;
  }
  const bool object = old.is_object(SlotByte::kIter) || old.is_object(SlotByte::kDynptr);
  if (object && !objects_match(old.object, cur.object, ids)) return false;
  return !old.is_spilled() || regs_match(prog, old.spilled, cur.spilled, ids, how);
}

/// A slot that no access looks at any more. An object of the host's that lives there still has to be ended.
/// overwritten: it may be written over, which some objects refuse.
bool unused_slots_match(const StackSlot& old, const StackSlot& cur, IdMap& ids, bool overwritten) {
  if (!old.has_object() && (!overwritten || !cur.has_object())) return true;
  return old.bytes == cur.bytes && objects_match(old.object, cur.object, ids);
}

constexpr std::uint16_t kEveryReg = 0x7ff;

/// Registers and slots of a frame that tell states apart.
struct Looked {
  std::uint16_t regs;
  std::uint64_t slots;
  std::uint64_t accessed;  // slots that are looked at or written over
};

bool frames_match(const Program& prog, const FrameState& old, const FrameState& cur, const Looked& looked, IdMap& ids, Compare how) {
  if (old.callsite != cur.callsite || old.subprog != cur.subprog || old.role != cur.role) return false;
  if (old.callback_depth > cur.callback_depth || !ids.match(old.lent_dynptr, cur.lent_dynptr)) return false;
  for (unsigned i = 0; i < isa::kRegCount; ++i)
    if ((looked.regs >> i & 1) != 0 && !regs_match(prog, old.regs[i], cur.regs[i], ids, how)) return false;
  static const StackSlot nothing{};
  const std::size_t slots = std::max(old.stack.size(), cur.stack.size());
  for (std::size_t s = 0; s < slots; ++s) {
    const StackSlot& a = s < old.stack.size() ? old.stack[s] : nothing;
    const StackSlot& b = s < cur.stack.size() ? cur.stack[s] : nothing;
    const bool same = (looked.slots >> s & 1) != 0 ? slots_match(prog, a, b, ids, how)
                                                   : unused_slots_match(a, b, ids, how == Compare::kExact || (looked.accessed >> s & 1) != 0);
    if (!same) return false;
  }
  return true;
}

}  // namespace

std::uint16_t live_regs(const Program& prog, const PathState& state, std::size_t frame) {
  constexpr std::uint16_t kFrameBit = 1u << isa::kFrameReg;
  if (prog.live_in.empty()) return kEveryReg;
  std::uint16_t live = 0;
  if (frame + 1 == state.frames.size()) {
    live = prog.live_in[state.insn_idx];
  } else {
    const FrameState& callee = *state.frames[frame + 1];
    live = callee.role == FrameRole::kCall ? static_cast<std::uint16_t>(prog.live_in[callee.callsite + 1] & ~1u)
                                           : prog.live_in[callee.callsite];
  }
  return static_cast<std::uint16_t>(live | kFrameBit);
}

bool states_equal(const Program& prog, const PathState& old, const PathState& cur, Compare how, const ValueSet* read, bool everything) {
  if (everything && how == Compare::kCovered) how = Compare::kWithin;
  if (old.frames.size() != cur.frames.size() || old.refs.size() != cur.refs.size()) return false;
  if (old.rcu_depth != cur.rcu_depth || old.preempt_depth != cur.preempt_depth || old.in_sleepable != cur.in_sleepable)
    return false;
  // What only happens after a wrong guess says nothing about what happens.
  if (old.speculative && !cur.speculative) return false;
  IdMap ids;
  if (old.lock.held != cur.lock.held || old.lock.in_map != cur.lock.in_map || old.lock.object != cur.lock.object) return false;
  if (!ids.match(old.lock.id, cur.lock.id)) return false;
  for (std::size_t f = 0; f < old.frames.size(); ++f) {
    const std::uint64_t slots = live_slots(prog, cur, f);
    const Looked looked = everything      ? Looked{kEveryReg, UINT64_MAX, UINT64_MAX}
                          : read != nullptr ? Looked{read->regs[f], read->slots[f], UINT64_MAX} : Looked{live_regs(prog, old, f), slots, slots};
    if (!frames_match(prog, *old.frames[f], *cur.frames[f], looked, ids, how)) return false;
  }
  // Owned arguments can be loaded again by their number, so they match only themselves.
  const std::uint32_t named = owned_arguments(prog);
  for (std::size_t i = 0; i < old.refs.size(); ++i) {
    const Reference &a = old.refs[i], &b = cur.refs[i];
    if ((a.id <= named || b.id <= named) && a.id != b.id) return false;
    if (!ids.match(a.id, b.id) || a.frameno != b.frameno) return false;
  }
  return true;
}

}  // namespace ring3::verifier
