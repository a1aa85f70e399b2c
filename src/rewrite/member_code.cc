// What a host wants run around the programs of a struct_ops member (model::StructOpsMember): a prologue before the first
// instruction, where no jump of the program leads, and an epilogue in the place of the main function's exits. Of those the
// first becomes the epilogue, the others jump to it. The epilogue finds the context in r1 again: it was kept in a slot
// below the stack that the program uses, which the program cannot reach.
#include <vector>

#include "rewrite/passes.h"

namespace ring3::rewrite {
namespace {

using isa::Insn;
using isa::Op;

constexpr std::uint32_t kSlot = 8;
constexpr std::uint32_t kNowhere = UINT32_MAX;

const model::StructOpsMember* member_of(const Rewriting& r) {
  const model::AttachTarget& target = r.in.program.target;
  if (target.kind != model::AttachTarget::Kind::kStructOpsMember || target.ops == nullptr) return nullptr;
  return target.member < target.ops->members.size() ? &target.ops->members[target.member] : nullptr;
}

/// off: of the slot with the context, from r10.
void end_with(Rewriting& r, const std::vector<Insn>& epilogue, std::int16_t off) {
  std::vector<Insn> end{{.op = Op::kLoad, .bits = 64, .size = 8, .src_is_reg = true, .dst = 1, .src = isa::kFrameReg, .off = off}};
  end.insert(end.end(), epilogue.begin(), epilogue.end());
  std::uint32_t first = kNowhere;
  for (std::uint32_t idx = 0; idx < r.in.verified.subprogs.front().end_idx; ++idx) {
    if (r.copy.removed(idx) || r.copy.at(idx).op != Op::kExit) continue;
    if (first == kNowhere) {
      r.copy.replace(idx, end);
      first = idx;
    } else {
      r.copy.at(idx) = {.op = Op::kJa, .bits = 32, .jump = static_cast<std::int32_t>(first) - static_cast<std::int32_t>(idx) - 1};
    }
  }
}

}  // namespace

Result<void> add_member_code(Rewriting& r) {
  const model::StructOpsMember* member = member_of(r);
  if (member == nullptr || (member->prologue.empty() && member->epilogue.empty())) return {};
  std::vector<Insn> entry = member->prologue;
  if (!member->epilogue.empty()) {
    const std::uint32_t used = r.in.verified.subprogs.front().stack_bytes;
    r.main_stack_bytes = (used + kSlot - 1) / kSlot * kSlot + kSlot;
    if (r.main_stack_bytes > isa::kMaxStackBytes) return r.refuse(Errno::kInval, 0, "the program leaves no stack for its member's epilogue");
    const auto off = static_cast<std::int16_t>(-static_cast<std::int32_t>(r.main_stack_bytes));
    entry.push_back({.op = Op::kStore, .bits = 64, .size = 8, .src_is_reg = true, .dst = isa::kFrameReg, .src = 1, .off = off});
    end_with(r, member->epilogue, off);
  }
  r.copy.set_entry(entry);
  return {};
}

}  // namespace ring3::rewrite
