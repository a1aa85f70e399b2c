#include "rewrite/working_copy.h"

#include <algorithm>

#include "base/check.h"

namespace ring3::rewrite {

bool has_jump(isa::Op op) {
  return (op >= isa::Op::kJa && op <= isa::Op::kMayGoto) || op == isa::Op::kCallSubprog;
}

WorkingCopy::WorkingCopy(std::span<const isa::Insn> insns)
    : slots_(insns.begin(), insns.end()), count_(insns.size(), 1) {}

const WorkingCopy::Replacement* WorkingCopy::at_replacement(std::uint32_t idx) const {
  const auto it = std::lower_bound(replacements_.begin(), replacements_.end(), idx,
                                   [](const Replacement& r, std::uint32_t i) { return r.idx < i; });
  return it != replacements_.end() && it->idx == idx ? &*it : nullptr;
}

void WorkingCopy::replace(std::uint32_t idx, std::span<const isa::Insn> sequence) {
  RING3_CHECK(!sequence.empty() && !replaced(idx), "an instruction is replaced once, by something");
  const auto it = std::lower_bound(replacements_.begin(), replacements_.end(), idx,
                                   [](const Replacement& r, std::uint32_t i) { return r.idx < i; });
  replacements_.insert(it, Replacement{idx, {sequence.begin(), sequence.end()}});
  count_[idx] = static_cast<std::uint32_t>(sequence.size());
}

std::uint32_t WorkingCopy::jump_target(std::uint32_t idx) const {
  const std::int64_t target = std::int64_t{idx} + 1 + slots_[idx].jump;
  RING3_CHECK(target >= 0 && target < size(), "a verified jump stays inside the program");
  return static_cast<std::uint32_t>(target);
}

WorkingCopy::Layout WorkingCopy::layout() const {
  Layout out;
  out.start.resize(slots_.size() + 1);
  std::uint32_t total = entry_size();
  for (std::uint32_t idx = 0; idx < size(); ++idx) {
    out.start[idx] = total;
    total += count_[idx];
  }
  out.start[size()] = total;
  out.insns.reserve(total);
  out.original_idx.reserve(total);

  out.insns.insert(out.insns.end(), entry_.begin(), entry_.end());
  out.original_idx.insert(out.original_idx.end(), entry_.size(), 0);
  auto next = replacements_.begin();
  for (std::uint32_t idx = 0; idx < size(); ++idx) {
    while (next != replacements_.end() && next->idx < idx) ++next;
    if (removed(idx)) continue;
    if (next != replacements_.end() && next->idx == idx) {
      out.insns.insert(out.insns.end(), next->insns.begin(), next->insns.end());
      out.original_idx.insert(out.original_idx.end(), next->insns.size(), idx);
      continue;
    }
    isa::Insn insn = slots_[idx];
    if (has_jump(insn.op))
      insn.jump = static_cast<std::int32_t>(out.start[jump_target(idx)]) -
                  static_cast<std::int32_t>(out.start[idx] + 1);
    out.insns.push_back(insn);
    out.original_idx.push_back(idx);
  }
  return out;
}

}  // namespace ring3::rewrite
