// A tail call through an array that is the same on every path: bounds, the slot, and a call that only enters what is there.
//
//   if w3 >= max_entries goto done
//   w3 = w3; r3 <<= 3; r2 = slots; r2 += r3; r2 = *(u64 *)(r2 +0)
//   call enter_tail
//   done:
//
// An empty slot is the call's business.
// Callers who may not learn addresses keep the helper: guard_tail_calls.
#include "maps/prog_array.h"
#include "rewrite/passes.h"
#include "rewrite/tail_calls.h"

namespace ring3::rewrite {
namespace {

using isa::Insn;
using isa::Op;

constexpr std::uint8_t kArrayReg = 2, kIndexReg = 3;

std::vector<Insn> inlined(const maps::Map& array, std::uint32_t enter) {
  const auto slots = static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(maps::slots_of(array)));
  std::vector<Insn> out;
  out.push_back({.op = Op::kJge, .bits = 32, .dst = kIndexReg, .imm = static_cast<std::int32_t>(array.max_entries())});
  out.push_back({.op = Op::kMov, .bits = 32, .src_is_reg = true, .dst = kIndexReg, .src = kIndexReg});
  out.push_back({.op = Op::kLsh, .bits = 64, .dst = kIndexReg, .imm = 3});
  out.push_back({.op = Op::kLdImm64, .bits = 64, .dst = kArrayReg, .src = static_cast<std::uint8_t>(isa::Pseudo::kImm), .imm = slots});
  out.push_back({.op = Op::kLdImm64Hi, .bits = 64});
  out.push_back({.op = Op::kAdd, .bits = 64, .src_is_reg = true, .dst = kArrayReg, .src = kIndexReg});
  out.push_back({.op = Op::kLoad, .bits = 64, .size = 8, .src_is_reg = true, .dst = kArrayReg, .src = kArrayReg});
  out.push_back({.op = Op::kCallHelper, .bits = 64, .imm = enter});
  out[0].jump = static_cast<std::int32_t>(out.size()) - 1;
  return out;
}

}  // namespace

Result<void> inline_tail_calls(Rewriting& r) {
  if (hides_addresses(r) || r.in.find_helper == nullptr || r.in.find_helper(kEnterTailHelper) == nullptr) return {};
  for (std::uint32_t idx = 0; idx < r.copy.size(); ++idx) {
    const Insn& insn = r.copy.at(idx);
    if (r.copy.removed(idx) || insn.op != Op::kCallHelper || insn.imm != uapi::BPF_FUNC_tail_call) continue;
    const std::uint32_t map = r.facts(idx).map;
    // A bound that is an immediate: what an array of 2^31 programs would need nobody has.
    if (map >= r.in.maps.size() || r.in.maps[map]->max_entries() > INT32_MAX) continue;
    const auto enter = helper_index(r, idx, kEnterTailHelper);
    if (!enter) return enter.error();
    r.copy.replace(idx, inlined(*r.in.maps[map], enter.value()));
  }
  return {};
}

}  // namespace ring3::rewrite
