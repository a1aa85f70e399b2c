// Stack liveness: for each instruction the slots of its function's frame that some path from it may look at before it
// overwrites them whole. Pruning compares only those, as it compares only live registers (liveness.cc).
//
// First, forwards: which registers hold an address in the frame, and at which offset (a number from r10, or anywhere). Then, backwards,
//   in = uses | (out & ~overwritten).
//
// Soundness: a slot is looked at by an instruction that holds an address in the frame, or by whoever such an address was given to.
//   - A load, an atomic access and a store that leaves a part of the slot use it (the rest of a slot decides what a partial store may
//     do); at an unknown offset they use every slot. Only a store of a whole slot overwrites. A whole slot loaded into a register that
//     nothing reads is no use: that is allowed whatever it holds.
//   - A helper or kfunc uses everything from the address it is given upwards; a function of the program, or a helper that calls
//     one back, every slot.
//   - An address that is stored in memory could come back by any load: then every slot of the function is live everywhere. The
//     verifier lets no address of a caller's frame be stored into a frame, and none be returned; r0 of a call that got one counts
//     as one all the same.
// Without all rights every store is a use and nothing overwrites: what a store needs there (a barrier) and what it may hit depend on
// what the slot held, although nothing reads that any more. Slots with iterators and dynptrs are compared whatever is said here.
#include <array>
#include <vector>

#include "isa/reg_use.h"
#include "verifier/flow/flow.h"
#include "verifier/flow/worklist.h"
#include "verifier/state/path_state.h"

namespace ring3::verifier {
namespace {

using isa::Op;

constexpr std::uint64_t kEverySlot = ~std::uint64_t{0};

/// What a register holds, as far as the frame goes: no address, one at an offset from r10, or one anywhere. Two bytes: there is one for
/// each register of each instruction.
struct Held {
  static constexpr std::int16_t kNone = INT16_MIN, kAnywhere = INT16_MIN + 1;
  static_assert(isa::kMaxStackBytes < -kAnywhere);
  std::int16_t off = kNone;

  bool is_address() const { return off != kNone; }
  bool is_at() const { return off > kAnywhere; }
  friend bool operator==(const Held&, const Held&) = default;
};
constexpr Held kSomewhere{Held::kAnywhere};

Held join(const Held& a, const Held& b) { return a == b ? a : kSomewhere; }

struct Registers {
  bool reached = false;
  std::array<Held, isa::kRegCount> at{};
};

/// Slots that hold bytes [lo, hi) from r10.
std::uint64_t slots_of(std::int64_t lo, std::int64_t hi) {
  if (lo >= 0 || lo < -isa::kMaxStackBytes || hi > 0) return kEverySlot;  // the walk refuses it
  std::uint64_t slots = 0;
  for (std::int64_t at = lo; at < hi; ++at) slots |= std::uint64_t{1} << ((-at - 1) / kSlotBytes);
  return slots;
}

class Frames {
 public:
  explicit Frames(Program& prog) : prog_(prog), before_(prog, false), work_(prog.size()), held_(prog.size()) {}

  void find(const SubprogInfo& sub) {
    Registers entry;
    entry.reached = true;
    entry.at[isa::kFrameReg] = {0};
    held_[sub.start] = entry;
    work_.add(sub.start);
    while (!work_.empty()) spread(work_.take());
    if (leaked_) {
      for (std::uint32_t i = sub.start; i < sub.end; ++i) prog_.stack_live[i] = kEverySlot;
      leaked_ = false;
      return;
    }
    for (std::uint32_t i = sub.start; i < sub.end; ++i)
      if (held_[i].reached) work_.add(i);
    while (!work_.empty()) look_back(work_.take());
  }

 private:
  /// To the instructions behind.
  void spread(std::uint32_t i) {
    Registers after = held_[i];
    step(i, after);
    const Successors next = successors(prog_, i);
    for (unsigned e = 0; e < next.count; ++e) {
      Registers& there = held_[next.next[e]];
      if (!there.reached) {
        there = after;
        work_.add(next.next[e]);
        continue;
      }
      bool changed = false;
      for (unsigned r = 0; r < isa::kRegCount; ++r) {
        const Held both = join(there.at[r], after.at[r]);
        changed |= both != there.at[r];
        there.at[r] = both;
      }
      if (changed) work_.add(next.next[e]);
    }
  }

  void step(std::uint32_t i, Registers& regs) {
    const isa::Insn& insn = prog_.insn(i);
    const Held src = insn.src_is_reg ? regs.at[insn.src] : Held{};
    switch (insn.op) {
      case Op::kMov:
        regs.at[insn.dst] = insn.bits == 64 || !src.is_address() ? src : kSomewhere;
        return;
      case Op::kAdd: case Op::kSub: {
        Held& dst = regs.at[insn.dst];
        if (dst.is_at() && !insn.src_is_reg && insn.bits == 64) {
          const std::int64_t off = insn.op == Op::kAdd ? dst.off + insn.imm : dst.off - insn.imm;
          if (off >= -isa::kMaxStackBytes && off <= isa::kMaxStackBytes) {
            dst.off = static_cast<std::int16_t>(off);
            return;
          }
        }
        if (dst.is_address() || src.is_address()) dst = kSomewhere;
        return;
      }
      case Op::kCallHelper: case Op::kCallKfunc: case Op::kCallSubprog: {
        bool given = false;
        for (unsigned r = 1; r <= 5; ++r) given |= regs.at[r].is_address();
        for (unsigned r = 0; r <= 5; ++r) regs.at[r] = {};
        if (given && insn.op == Op::kCallSubprog) regs.at[0] = kSomewhere;
        return;
      }
      case Op::kStore:
        leaked_ |= src.is_address();
        return;
      default: break;
    }
    if (insn.op >= Op::kAtomicAdd) leaked_ |= regs.at[insn.src].is_address();
    const std::uint16_t writes = isa::reg_use(insn).writes;
    const bool arithmetic = insn.op <= Op::kBswap;
    for (unsigned r = 0; r < isa::kRegCount; ++r) {
      if ((writes >> r & 1) == 0) continue;
      regs.at[r] = arithmetic && (regs.at[r].is_address() || src.is_address()) ? kSomewhere : Held{};
    }
  }

  struct Effect {
    std::uint64_t uses = 0, overwrites = 0;
  };
  Effect access(const Held& base, const isa::Insn& insn, bool store) const {
    if (!base.is_address()) return {};
    if (!base.is_at()) return {kEverySlot, 0};
    const std::int64_t lo = std::int64_t{base.off} + insn.off;
    const std::uint64_t slots = slots_of(lo, lo + insn.size);
    if (store && prog_.stores_forget && insn.size == kSlotBytes && lo % kSlotBytes == 0 && slots != kEverySlot) return {0, slots};
    return {slots, 0};
  }
  Effect call(std::uint32_t i, const Registers& regs) const {
    const isa::Insn& insn = prog_.insn(i);
    Effect effect;
    for (unsigned r = 1; r <= 5; ++r) {
      const Held& arg = regs.at[r];
      if (!arg.is_address()) continue;
      const bool all = !arg.is_at() || insn.op == Op::kCallSubprog || arg.off >= 0 || calls_callback(prog_, insn);
      effect.uses |= all ? kEverySlot : slots_of(arg.off, 0);
    }
    return effect;
  }
  /// A whole slot into a register that nothing reads: whatever is there may be loaded.
  bool looks_away(std::uint32_t i, const Held& base) const {
    const isa::Insn& insn = prog_.insn(i);
    return prog_.stores_forget && insn.size == kSlotBytes && base.is_at() && (base.off + insn.off) % kSlotBytes == 0 &&
           (prog_.live_in[i + 1] >> insn.dst & 1) == 0;
  }
  Effect effect_of(std::uint32_t i) const {
    const isa::Insn& insn = prog_.insn(i);
    const Registers& regs = held_[i];
    switch (insn.op) {
      case Op::kLoad: case Op::kLoadSx: return looks_away(i, regs.at[insn.src]) ? Effect{} : access(regs.at[insn.src], insn, false);
      case Op::kStore: return access(regs.at[insn.dst], insn, true);
      case Op::kCallHelper: case Op::kCallKfunc: case Op::kCallSubprog: return call(i, regs);
      default: break;
    }
    if (insn.op >= Op::kAtomicAdd) return access(regs.at[insn.dst], insn, false);
    return {};
  }

  void look_back(std::uint32_t i) {
    std::uint64_t out = 0;
    const Successors next = successors(prog_, i);
    for (unsigned e = 0; e < next.count; ++e) out |= prog_.stack_live[next.next[e]];
    const Effect effect = effect_of(i);
    const std::uint64_t live = effect.uses | (out & ~effect.overwrites);
    if (live == prog_.stack_live[i]) return;
    prog_.stack_live[i] = live;
    for (const std::uint32_t p : before_.of(i))
      if (held_[p].reached) work_.add(p);
  }

  Program& prog_;
  const Predecessors before_;
  Worklist work_;
  std::vector<Registers> held_;  // before each instruction
  bool leaked_ = false;
};

}  // namespace

void find_stack_liveness(Program& prog) {
  prog.stack_live.assign(prog.size(), 0);
  Frames frames(prog);
  for (const SubprogInfo& sub : prog.subprogs) frames.find(sub);
}

std::uint64_t live_slots(const Program& prog, const PathState& state, std::size_t frame) {
  // Slices may look at their buffers where no address in the frame is seen.
  if (prog.stack_live.empty() || prog.lends_stack) return kEverySlot;
  // A caller goes on behind its call, or runs it again when it was a helper's: what the call itself uses covers both.
  return frame + 1 == state.frames.size() ? prog.stack_live[state.insn_idx] : prog.stack_live[state.frames[frame + 1]->callsite];
}

}  // namespace ring3::verifier
