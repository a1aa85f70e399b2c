// What the verifier never walked goes. Sound because every instruction a run can reach was walked: a
// conditional jump with an unwalked side never goes that way, so it becomes a jump, or nothing.
#include "rewrite/passes.h"

namespace ring3::rewrite {
namespace {

using isa::Op;

bool is_conditional(Op op) { return op >= Op::kJeq && op <= Op::kJsle; }

void hard_wire_branches(Rewriting& r) {
  for (std::uint32_t idx = 0; idx < r.copy.size(); ++idx) {
    isa::Insn& insn = r.copy.at(idx);
    if (!r.facts(idx).reachable || !is_conditional(insn.op)) continue;
    const std::uint32_t target = r.copy.jump_target(idx);
    const bool falls_through = idx + 1 < r.copy.size() && r.facts(idx + 1).reachable;
    if (!falls_through)
      insn = isa::Insn{.op = Op::kJa, .bits = 64, .jump = insn.jump};
    else if (!r.facts(target).reachable)
      r.copy.remove(idx);
  }
}

/// A jump over nothing but removed instructions is nothing. From the end, so that chains collapse.
void remove_empty_jumps(Rewriting& r) {
  std::uint32_t next_live = r.copy.size();
  for (std::uint32_t idx = r.copy.size(); idx-- > 0;) {
    if (r.copy.removed(idx)) continue;
    const isa::Insn& insn = r.copy.at(idx);
    if (insn.op == Op::kJa && insn.jump >= 0 && r.copy.jump_target(idx) <= next_live &&
        next_live < r.copy.size()) {
      r.copy.remove(idx);
      continue;
    }
    next_live = idx;
  }
}

}  // namespace

Result<void> remove_dead_code(Rewriting& r) {
  hard_wire_branches(r);
  for (std::uint32_t idx = 0; idx < r.copy.size(); ++idx) {
    // The second slot of a wide immediate lives and dies with the first.
    const bool high = r.copy.at(idx).op == Op::kLdImm64Hi && idx > 0;
    if (!r.facts(high ? idx - 1 : idx).reachable) r.copy.remove(idx);
  }
  remove_empty_jumps(r);
  return {};
}

}  // namespace ring3::rewrite
