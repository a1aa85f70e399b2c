#include "exec/jit/carried.h"

#include <algorithm>

namespace ring3::exec::jit {
namespace {

using isa::Insn;
using isa::Op;

// Longer loops, and programs of more loops, are not looked at: compiling stays linear.
constexpr std::uint32_t kLongestLoop = 192;
constexpr std::size_t kMostLoops = 64;

/// The shortest loop around two instructions; null: none.
const Loop* loop_around(const ProgramShape& shape, std::uint32_t first, std::uint32_t last) {
  const Loop* found = nullptr;
  for (const Loop& loop : shape.loops)
    if (loop.start <= first && last <= loop.end && (found == nullptr || loop.end - loop.start < found->end - found->start)) found = &loop;
  return found;
}

/// Which registers depend on one, instruction by instruction.
class Dependence {
 public:
  Dependence(std::span<const Insn> insns, const Plan& plan, unsigned on) : insns_(insns), plan_(plan), registers_(1u << on) {}

  void walk(std::uint32_t from, std::uint32_t to) {
    std::uint32_t skipped_until = from;  // what comes before may not be run at all
    for (std::uint32_t idx = from; idx < to; ++idx) {
      const Insn& insn = insns_[idx];
      if (insn.op >= Op::kJa && insn.op <= Op::kMayGoto && insn.jump > 0)
        skipped_until = std::max(skipped_until, idx + 1 + static_cast<std::uint32_t>(insn.jump));
      if (plan_.dropped(idx)) continue;
      const bool loads = insn.op == Op::kLoad || insn.op == Op::kLoadSx || plan_.steps[idx].action == Step::kGather;
      if (!loads && (plan_.reads[idx] & registers_) != 0) registers_ |= plan_.writes[idx];
      else if (idx >= skipped_until) registers_ &= ~unsigned{plan_.writes[idx]};
    }
  }

  bool reaches(std::uint32_t jump) const { return (registers_ & plan_.reads[jump]) != 0; }

 private:
  const std::span<const Insn> insns_;
  const Plan& plan_;
  unsigned registers_;
};

}  // namespace

bool is_carried(std::span<const Insn> insns, const ProgramShape& shape, const Plan& plan, std::uint32_t jump, std::uint32_t chosen) {
  if (shape.loops.size() > kMostLoops) return false;
  const Loop* const loop = loop_around(shape, jump, chosen);
  if (loop == nullptr || loop->end - loop->start > kLongestLoop) return false;
  Dependence dependence(insns, plan, insns[chosen].dst);
  dependence.walk(chosen + 1, loop->end + 1);
  dependence.walk(loop->start, jump);
  return dependence.reaches(jump);
}

}  // namespace ring3::exec::jit
