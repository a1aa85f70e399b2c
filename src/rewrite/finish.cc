// The final order: jumps, subprograms, faulting loads, original indices. Also the last check that what a
// tier gets cannot run off its end.
#include <algorithm>

#include "rewrite/passes.h"

namespace ring3::rewrite {
namespace {

using isa::Op;

inline constexpr std::uint32_t kGone = UINT32_MAX;

/// New index per subprogram of the loaded program; those without any live instruction are gone.
std::vector<std::uint32_t> lay_out_subprogs(Rewriting& r, const WorkingCopy::Layout& layout) {
  std::vector<std::uint32_t> renumbered;
  for (const verifier::Subprog& sub : r.in.verified.subprogs) {
    // Main begins with what was put before its first instruction.
    const std::uint32_t start = sub.start_idx == 0 ? 0 : layout.start[sub.start_idx];
    const std::uint32_t end = layout.start[sub.end_idx];
    if (sub.is_exception_callback && start != end) r.out.exception_callback = static_cast<std::uint32_t>(r.out.subprogs.size());
    if (start == end) {
      renumbered.push_back(kGone);
      continue;
    }
    renumbered.push_back(static_cast<std::uint32_t>(r.out.subprogs.size()));
    const std::uint32_t stack = sub.start_idx == 0 ? std::max(sub.stack_bytes, r.main_stack_bytes) : sub.stack_bytes;
    r.out.subprogs.push_back({.start_idx = start, .end_idx = end, .stack_bytes = stack});
  }
  return renumbered;
}

/// The subprogram of the loaded program that starts at idx, or kGone.
std::uint32_t subprog_at(const Rewriting& r, std::uint32_t idx) {
  const auto& subs = r.in.verified.subprogs;
  const auto it = std::lower_bound(subs.begin(), subs.end(), idx,
                                   [](const verifier::Subprog& s, std::uint32_t i) { return s.start_idx < i; });
  return it != subs.end() && it->start_idx == idx ? static_cast<std::uint32_t>(it - subs.begin()) : kGone;
}

/// Callback references and calls name subprograms by their new number.
Result<void> number_callees(Rewriting& r, const std::vector<std::uint32_t>& renumbered) {
  for (std::uint32_t idx = 0; idx < r.copy.size(); ++idx) {
    if (r.copy.removed(idx)) continue;
    isa::Insn& insn = r.copy.at(idx);
    const bool call = insn.op == Op::kCallSubprog;
    if (!call && !(insn.op == Op::kLdImm64 && insn.pseudo() == isa::Pseudo::kFunc)) continue;
    // A reference counts its displacement in imm, a call in jump; both from the next slot.
    const std::int64_t target = std::int64_t{idx} + 1 + (call ? std::int64_t{insn.jump} : std::int64_t{static_cast<std::int32_t>(insn.imm)});
    const std::uint32_t sub = target >= 0 ? subprog_at(r, static_cast<std::uint32_t>(target)) : kGone;
    // A function that is referred to and never called went with the dead code: nobody looks at what its reference is.
    if (!call && sub != kGone && renumbered[sub] == kGone) {
      insn = {.op = Op::kLdImm64, .bits = 64, .dst = insn.dst};
      continue;
    }
    if (sub == kGone || renumbered[sub] == kGone)
      return r.refuse(Errno::kInval, idx, "a function reference that leads nowhere");
    insn.imm = renumbered[sub];
  }
  return {};
}

bool ends_flow(Op op) { return op == Op::kExit || op == Op::kJa; }

}  // namespace

Result<void> finish(Rewriting& r) {
  WorkingCopy::Layout sizes = r.copy.layout();
  const std::vector<std::uint32_t> renumbered = lay_out_subprogs(r, sizes);
  if (Result<void> done = number_callees(r, renumbered); !done) return done;
  WorkingCopy::Layout layout = r.copy.layout();

  for (const XlatedSubprog& sub : r.out.subprogs)
    if (!ends_flow(layout.insns[sub.end_idx - 1].op))
      return r.refuse(Errno::kInval, layout.original_idx[sub.end_idx - 1], "a function does not end in exit or a jump");
  for (std::uint32_t i = r.copy.entry_size(); i < layout.insns.size(); ++i) {
    const std::uint32_t from = layout.original_idx[i];
    const Op op = layout.insns[i].op;
    if (r.facts(from).access == model::AccessKind::kUntrusted && (op == Op::kLoad || op == Op::kLoadSx))
      r.out.faulting.push_back(i);
    // Of the sequence that stands for an access to an arena, the access itself.
    const bool memory = op == Op::kLoad || op == Op::kStore || op >= Op::kAtomicAdd;
    if (r.facts(from).access == model::AccessKind::kArena && memory) r.out.faulting.push_back(i);
    if (r.facts(from).needs_nospec && op == Op::kStore) r.out.nospec.push_back(i);
  }
  r.out.insns = std::move(layout.insns);
  r.out.original_idx = std::move(layout.original_idx);
  return {};
}

}  // namespace ring3::rewrite
