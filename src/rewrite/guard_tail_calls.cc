// Tail calls of callers without CAP_PERFMON: an index outside the program array falls through here, by all of its 64
// bits, and is 0 in the array's eyes where the CPU guesses that it does not.
//
//   if r3 >= max_entries goto done
//   x = max_entries - 1 - r3; x |= r3; x s>>= 63; x ^= -1; r3 &= x
//   call bpf_tail_call
//   done:
//
// After resolve_calls: the call keeps its number.
#include "rewrite/passes.h"
#include "uapi/bpf.h"

namespace ring3::rewrite {
namespace {

using isa::Insn;
using isa::Op;

constexpr std::uint8_t kIndexReg = 3;

Insn by_constant(Op op, std::uint8_t bits, std::uint8_t dst, std::int64_t imm) {
  return Insn{.op = op, .bits = bits, .dst = dst, .imm = imm};
}
Insn by_register(Op op, std::uint8_t dst, std::uint8_t src) {
  return Insn{.op = op, .bits = 64, .src_is_reg = true, .dst = dst, .src = src};
}

std::vector<Insn> guarded(const Insn& call, std::uint32_t max_entries) {
  std::vector<Insn> out;
  // In a register: as an immediate a large number would be sign extended.
  out.push_back(by_constant(Op::kMov, 32, kRewriteReg, static_cast<std::int32_t>(max_entries)));
  out.push_back(by_register(Op::kJge, kIndexReg, kRewriteReg));
  out.push_back(by_constant(Op::kMov, 32, kRewriteReg, static_cast<std::int32_t>(max_entries - 1)));
  out.push_back(by_register(Op::kSub, kRewriteReg, kIndexReg));
  out.push_back(by_register(Op::kOr, kRewriteReg, kIndexReg));
  out.push_back(by_constant(Op::kArsh, 64, kRewriteReg, 63));
  out.push_back(by_constant(Op::kXor, 64, kRewriteReg, -1));
  out.push_back(by_register(Op::kAnd, kIndexReg, kRewriteReg));
  out.push_back(call);
  out[1].jump = static_cast<std::int32_t>(out.size() - 2);
  return out;
}

}  // namespace

Result<void> guard_tail_calls(Rewriting& r) {
  if (!hides_addresses(r)) return {};
  for (std::uint32_t idx = 0; idx < r.copy.size(); ++idx) {
    const Insn& insn = r.copy.at(idx);
    if (r.copy.removed(idx) || r.copy.replaced(idx) || insn.op != Op::kCallHelper) continue;
    if (r.out.helpers[static_cast<std::size_t>(insn.imm)].id != uapi::BPF_FUNC_tail_call) continue;
    const std::uint32_t map = r.facts(idx).map;
    if (map >= r.in.program.maps.size()) return r.refuse(Errno::kInval, idx, "a tail call through several arrays");
    r.copy.replace(idx, guarded(insn, r.in.program.maps[map].max_entries));
  }
  return {};
}

}  // namespace ring3::rewrite
