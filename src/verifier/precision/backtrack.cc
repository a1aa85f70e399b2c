#include "verifier/precision/backtrack.h"

#include <algorithm>
#include <bit>
#include <span>

#include "isa/reg_use.h"
#include "uapi/bpf.h"
#include "verifier/diag/kernel_log.h"
#include "verifier/explore/checkpoints.h"
#include "verifier/flow/flow.h"

namespace ring3::verifier {
namespace {

using isa::Op;

constexpr std::uint16_t kArgRegs = 0x3e;

constexpr std::uint16_t bit(unsigned reg) { return static_cast<std::uint16_t>(1u << reg); }

class Walk {
 public:
  Walk(const Program& prog, ValueSet set) : prog_(prog), set_(set) {}

  const ValueSet& set() const { return set_; }
  ValueSet& set() { return set_; }

  /// The entry's instruction leaves the set as it is.
  bool passes_by(const HistoryEntry& e) const {
    return e.only_makes != HistoryEntry::kDoesMore && (set_.regs[e.frameno] >> e.only_makes & 1) == 0;
  }
  /// One instruction backwards. later: the entry executed after it.
  /// False: not understood.
  bool step(const HistoryEntry& e, const HistoryEntry* later);

 private:
  std::uint16_t& regs(std::uint32_t frame) { return set_.regs[frame]; }
  bool has(std::uint32_t frame, unsigned reg) { return (regs(frame) & bit(reg)) != 0; }
  void drop(std::uint32_t frame, unsigned reg) { regs(frame) = static_cast<std::uint16_t>(regs(frame) & ~bit(reg)); }
  void add(std::uint32_t frame, unsigned reg) {
    if (reg != isa::kFrameReg) regs(frame) = static_cast<std::uint16_t>(regs(frame) | bit(reg));
  }

  bool alu(const HistoryEntry& e, const isa::Insn& insn);
  void load(const HistoryEntry& e, unsigned dst);
  void store(const HistoryEntry& e, const isa::Insn& insn);
  bool call(const HistoryEntry& e, const isa::Insn& insn, const HistoryEntry* later);
  bool exit(const HistoryEntry& e, const HistoryEntry* later);
  void branch(const HistoryEntry& e, const isa::Insn& insn);

  const Program& prog_;
  ValueSet set_;
};

bool Walk::alu(const HistoryEntry& e, const isa::Insn& insn) {
  const std::uint32_t f = e.frameno;
  if (!has(f, insn.dst)) return true;
  if (insn.op == Op::kMov || insn.op == Op::kMovsx || insn.op == Op::kAddrSpaceCast) {
    drop(f, insn.dst);
    if (insn.src_is_reg) add(f, insn.src);
    return true;
  }
  // dst stays: its old value flows into the new one.
  if (insn.src_is_reg) add(f, insn.src);
  return true;
}

void Walk::load(const HistoryEntry& e, unsigned dst) {
  if (!has(e.frameno, dst)) return;
  drop(e.frameno, dst);
  if (e.stack_access) set_.slots[e.slot_frame] |= std::uint64_t{1} << e.slot;
}

void Walk::store(const HistoryEntry& e, const isa::Insn& insn) {
  if (!e.stack_access) return;
  std::uint64_t& slots = set_.slots[e.slot_frame];
  const std::uint64_t mask = std::uint64_t{1} << e.slot;
  if ((slots & mask) == 0) return;
  slots &= ~mask;
  if (insn.src_is_reg) add(e.frameno, insn.src);
}

bool Walk::call(const HistoryEntry& e, const isa::Insn& insn, const HistoryEntry* later) {
  const std::uint32_t f = e.frameno;
  const bool enters = later != nullptr && later->frameno == f + 1;
  if (enters) {
    // Into a function walked with its caller's values, or into a callback whose arguments the helper made.
    const std::uint16_t callee = regs(f + 1);
    if ((callee & ~kArgRegs) != 0 || set_.slots[f + 1] != 0) return false;
    regs(f + 1) = 0;
    if (insn.op == Op::kCallSubprog) {
      for (unsigned r = 1; r <= 5; ++r)
        if ((callee & bit(r)) != 0) add(f, r);
    } else {
      // The context argument is a register of the caller, passed on unchanged.
      if (callee != 0) {
        for (unsigned r = 1; r <= 5; ++r)
          if ((callee & bit(r)) != 0) add(f, insn.imm == uapi::BPF_FUNC_find_vma ? 4 : 3);
      }
    }
    return true;
  }
  // The result comes from outside. Arguments that mattered were asked for by the call itself, and are asked for
  // again each time it runs; what is asked for after it is not theirs.
  drop(f, 0);
  return (regs(f) & kArgRegs) == 0;
}

bool Walk::exit(const HistoryEntry& e, const HistoryEntry* later) {
  // From a caller's instruction back into the function that returned to it.
  if (later == nullptr || later->frameno + 1 != e.frameno) return true;
  const std::uint32_t caller = later->frameno;
  regs(e.frameno) = 0;
  set_.slots[e.frameno] = 0;
  if (e.callback_exit) return true;  // its result goes to the helper; the caller's arguments are the caller's still
  if (has(caller, 0)) {
    drop(caller, 0);
    add(e.frameno, 0);
  }
  return (regs(caller) & kArgRegs) == 0;
}

void Walk::branch(const HistoryEntry& e, const isa::Insn& insn) {
  const std::uint32_t f = e.frameno;
  // Values that learn together: if one matters, what all of them knew does.
  const auto add_linked = [&] {
    const auto wanted = [this](LinkedValue v) {
      return v.is_slot ? (set_.slots[v.frame] >> v.number & 1) != 0 : has(v.frame, v.number);
    };
    if (std::none_of(e.linked.begin(), e.linked.end(), wanted)) return;
    for (const LinkedValue v : e.linked) {
      if (v.is_slot) set_.add_slots(v.frame, std::uint64_t{1} << v.number);
      else add(v.frame, v.number);
    }
  };
  add_linked();
  // A comparison of two registers narrows each by the other.
  if (insn.src_is_reg && (has(f, insn.dst) || has(f, insn.src))) {
    if (!e.dst_on_stack) add(f, insn.dst);
    if (!e.src_on_stack) add(f, insn.src);
    add_linked();
  }
}

bool Walk::step(const HistoryEntry& e, const HistoryEntry* later) {
  const isa::Insn& insn = prog_.insn(e.idx);
  switch (insn.op) {
    case Op::kAdd: case Op::kSub: case Op::kMul: case Op::kDiv: case Op::kSdiv: case Op::kMod: case Op::kSmod:
    case Op::kOr: case Op::kAnd: case Op::kXor: case Op::kLsh: case Op::kRsh: case Op::kArsh: case Op::kNeg:
    case Op::kMov: case Op::kMovsx: case Op::kAddrSpaceCast: case Op::kToLe: case Op::kToBe: case Op::kBswap:
      return alu(e, insn);
    case Op::kJa: case Op::kMayGoto: return true;
    case Op::kJeq: case Op::kJne: case Op::kJgt: case Op::kJge: case Op::kJlt: case Op::kJle: case Op::kJset:
    case Op::kJsgt: case Op::kJsge: case Op::kJslt: case Op::kJsle:
      branch(e, insn);
      return true;
    case Op::kCallHelper: case Op::kCallKfunc: case Op::kCallSubprog: return call(e, insn, later);
    case Op::kExit: return exit(e, later);
    case Op::kLoad: case Op::kLoadSx: load(e, insn.dst); return true;
    case Op::kStore: store(e, insn); return true;
    case Op::kLdImm64: case Op::kLdImm64Hi: drop(e.frameno, insn.dst); return true;
    case Op::kLdAbs: case Op::kLdInd:
      // Outside the packet its function ended with 0, whatever went before.
      if (later != nullptr && later->frameno + 1 == e.frameno) {
        regs(e.frameno) = 0;
        set_.slots[e.frameno] = 0;
        drop(later->frameno, 0);
        return (regs(later->frameno) & kArgRegs) == 0;
      }
      drop(e.frameno, 0);
      return (regs(e.frameno) & kArgRegs) == 0;
    case Op::kAtomicAdd: case Op::kAtomicOr: case Op::kAtomicAnd: case Op::kAtomicXor: return true;
    case Op::kAtomicFetchAdd: case Op::kAtomicFetchOr: case Op::kAtomicFetchAnd: case Op::kAtomicFetchXor:
    case Op::kAtomicXchg: load(e, insn.src); return true;
    case Op::kAtomicCmpxchg: load(e, 0); return true;
  }
  return false;
}

/// Marks the set in a checkpoint's state; what was precise already needs no further walk, and pointers and
/// unwritten slots carry no scalar.
void apply(PathState& state, ValueSet& set) {
  for (std::uint32_t f = 0; f < state.frames.size(); ++f) {
    FrameState& frame = *state.frames[f];
    for (std::uint16_t left = set.regs[f]; left != 0; left = static_cast<std::uint16_t>(left & (left - 1))) {
      RegState& reg = frame.regs[static_cast<std::size_t>(std::countr_zero(left))];
      if (!reg.is_scalar() || reg.precise) set.regs[f] = static_cast<std::uint16_t>(set.regs[f] & ~(left & -left));
      else reg.precise = true;
    }
    for (std::uint64_t left = set.slots[f]; left != 0; left &= left - 1) {
      const auto s = static_cast<std::uint32_t>(std::countr_zero(left));
      if (s >= frame.stack.size() || !frame.stack[s].is_spilled() || !frame.stack[s].spilled.is_scalar() ||
          frame.stack[s].spilled.precise)
        set.slots[f] &= ~(std::uint64_t{1} << s);
      else
        frame.stack[s].spilled.precise = true;
    }
  }
}

}  // namespace

void mark_all_precise(PathState& path) {
  for (Checkpoint* c = path.parent; c != nullptr; c = c->state.parent)
    c->state.for_each_reg([](RegState& reg) {
      if (reg.is_scalar()) reg.precise = true;
    });
}

namespace {

std::string reg_list(std::uint16_t regs) {
  std::string out;
  for (unsigned r = 0; r < isa::kRegCount; ++r)
    if ((regs & bit(r)) != 0) out += (out.empty() ? "r" : ",r") + std::to_string(r);
  return out;
}
std::string slot_list(std::uint64_t slots) {
  std::string out;
  for (int s = 0; s < 64; ++s)
    if ((slots >> s & 1) != 0) out += (out.empty() ? "-" : ",-") + std::to_string((s + 1) * kSlotBytes);
  return out;
}

/// The walk as Linux logs it.
struct Trace {
  Diag& diag;
  bool on = diag.wants(kLogStates);

  void segment(std::uint32_t frame, std::uint32_t last, std::uint32_t first, std::int64_t after) {
    if (on) diag.print("mark_precise: frame{}: last_idx {} first_idx {} subseq_idx {} \n", {frame, last, first, after});
  }
  void step(const Program& prog, const ValueSet& set, std::uint32_t frame, std::uint32_t idx) {
    if (!on) return;
    diag.print("mark_precise: frame{}: regs={} stack={} before {}: {}\n",
               {frame, reg_list(set.regs[frame]), slot_list(set.slots[frame]), idx, insn_text(prog, idx)});
  }
  void parent(const Program& prog, const ValueSet& set, const Checkpoint& checkpoint, std::uint32_t frame) {
    if (!on) return;
    const PathState& state = checkpoint.state;
    for (std::uint32_t f = frame + 1; f-- > 0;) {
      const std::string known = frame_line(diag, prog, state, *state.frames[f], checkpoint.read);
      diag.print("mark_precise: frame{}: parent state regs={} stack={}: {}\n",
                 {f, reg_list(set.regs[f]), slot_list(set.slots[f]), known});
    }
  }
};

}  // namespace

void mark_chain_precise(const Program& prog, Diag& diag, PathState& path, ValueSet wanted, bool include_last) {
  Walk walk(prog, wanted);
  Trace trace{diag};
  std::span<const HistoryEntry> history = path.history;
  Checkpoint* checkpoint = path.parent;
  // Values are wanted on entry to the instruction about to run (or the last one recorded).
  HistoryEntry later{.idx = path.insn_idx, .frameno = static_cast<std::uint8_t>(path.depth())};
  std::size_t count = history.size();
  if (!include_last && count > 0) later = history[--count];
  std::uint32_t last_idx = later.idx;
  std::int64_t after = -1;
  while (true) {
    const std::uint32_t first_idx = checkpoint != nullptr   ? checkpoint->state.insn_idx
                                    : history.empty()       ? last_idx
                                                            : history.front().idx;
    trace.segment(later.frameno, last_idx, first_idx, after);
    for (std::size_t i = count; i-- > 0;) {
      const HistoryEntry& entry = history[i];
      trace.step(prog, walk.set(), later.frameno, entry.idx);
      if (walk.passes_by(entry)) {
        later = entry;
        continue;
      }
      if (!walk.step(entry, &later)) {
        mark_all_precise(path);
        return;
      }
      later = entry;
      if (walk.set().empty()) return;
    }
    if (checkpoint == nullptr) return;  // the program's own arguments
    apply(checkpoint->state, walk.set());
    trace.parent(prog, walk.set(), *checkpoint, later.frameno);
    if (walk.set().empty()) return;
    after = first_idx;
    history = checkpoint->history;
    count = history.size();
    if (count > 0) last_idx = history.back().idx;
    checkpoint = checkpoint->state.parent;
  }
}

}  // namespace ring3::verifier
