// What the verifier never walked goes. Sound because every instruction a run can reach was walked: a
// conditional jump with an unwalked side never goes that way, so it becomes a jump, or nothing.
#include <algorithm>
#include <vector>

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

/// Nothing was walked behind the last call of a function: the callee always throws. The slot behind it becomes an exit that
/// nobody reaches, so that every function ends like one. Slots that stay although they are dead.
std::vector<std::uint32_t> end_functions(Rewriting& r) {
  std::vector<std::uint32_t> stays;
  for (const verifier::Subprog& sub : r.in.verified.subprogs) {
    std::uint32_t behind = sub.end_idx;
    while (behind > sub.start_idx && !r.facts(behind - 1).reachable) --behind;
    if (behind == sub.start_idx || behind == sub.end_idx || r.copy.at(behind - 1).op != Op::kCallSubprog) continue;
    r.copy.at(behind) = isa::Insn{.op = Op::kExit, .bits = 64};
    stays.push_back(behind);
  }
  return stays;
}

}  // namespace

Result<void> remove_dead_code(Rewriting& r) {
  hard_wire_branches(r);
  const std::vector<std::uint32_t> stays = end_functions(r);
  for (std::uint32_t idx = 0; idx < r.copy.size(); ++idx) {
    // The second slot of a wide immediate lives and dies with the first.
    if (std::find(stays.begin(), stays.end(), idx) != stays.end()) continue;
    const bool high = r.copy.at(idx).op == Op::kLdImm64Hi && idx > 0;
    if (!r.facts(high ? idx - 1 : idx).reachable) r.copy.remove(idx);
  }
  remove_empty_jumps(r);
  return {};
}

}  // namespace ring3::rewrite
