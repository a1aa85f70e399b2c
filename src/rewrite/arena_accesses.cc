// Pointers into an arena: casts, arithmetic, and the accesses themselves.
//
//   to the host    dst = low half of src
//   to the client  dst = low half of src; if (dst != 0) dst |= upper half of the client's addresses
//   access         x = window; x += pointer; access through x
//
// The upper half of a pointer is 0 (verifier/kinds/arena.h), so an access is in the window or its guards. One that hits no page
// faults, which finish.cc notes: a load gives 0, a store does nothing.
#include <array>

#include "maps/arena.h"
#include "rewrite/passes.h"
#include "uapi/bpf.h"

namespace ring3::rewrite {
namespace {

using isa::Insn;
using isa::Op;

constexpr std::int64_t kToHost = 1;  // (dst space << 16) | src space

Insn copy_low(std::uint8_t dst, std::uint8_t src) { return Insn{.op = Op::kMov, .bits = 32, .src_is_reg = true, .dst = dst, .src = src}; }
Insn wide(std::uint8_t dst, std::uint64_t value) {
  return Insn{.op = Op::kLdImm64, .bits = 64, .dst = dst, .imm = static_cast<std::int64_t>(value)};
}
constexpr Insn kWideSecond{.op = Op::kLdImm64Hi, .bits = 64};
Insn by_register(Op op, std::uint8_t dst, std::uint8_t src) {
  return Insn{.op = op, .bits = 64, .src_is_reg = true, .dst = dst, .src = src};
}

maps::Map* find_arena(const Rewriting& r) {
  for (maps::Map* map : r.in.maps)
    if (map != nullptr && map->spec().type == uapi::BPF_MAP_TYPE_ARENA) return map;
  return nullptr;
}

void cast(Rewriting& r, std::uint32_t idx, const maps::Map& arena) {
  const Insn insn = r.copy.at(idx);
  if (insn.imm == kToHost || arena.has_flag(uapi::BPF_F_NO_USER_CONV)) {
    r.copy.at(idx) = copy_low(insn.dst, insn.src);
    return;
  }
  const std::uint64_t upper = maps::arena_user_start(arena) & ~std::uint64_t{UINT32_MAX};
  const Insn skip{.op = Op::kJeq, .bits = 64, .dst = insn.dst, .jump = 3, .imm = 0};
  r.copy.replace(idx, std::array{copy_low(insn.dst, insn.src), skip, wide(kRewriteReg, upper), kWideSecond,
                                 by_register(Op::kOr, insn.dst, kRewriteReg)});
}

void access(Rewriting& r, std::uint32_t idx, const maps::Map& arena) {
  Insn insn = r.copy.at(idx);
  const bool loads = insn.op == Op::kLoad;
  const std::uint8_t pointer = loads ? insn.src : insn.dst;
  (loads ? insn.src : insn.dst) = kRewriteReg;
  r.copy.replace(idx, std::array{wide(kRewriteReg, maps::arena_window(arena)), kWideSecond,
                                 by_register(Op::kAdd, kRewriteReg, pointer), insn});
}

}  // namespace

Result<void> arena_accesses(Rewriting& r) {
  maps::Map* const arena = find_arena(r);
  if (arena == nullptr) return {};
  maps::arena_hold_start(*arena);
  for (std::uint32_t idx = 0; idx < r.copy.size(); ++idx) {
    if (r.copy.removed(idx)) continue;
    if (r.facts(idx).arena_arith) r.copy.at(idx).bits = 32;
    if (r.copy.at(idx).op == Op::kAddrSpaceCast) cast(r, idx, *arena);
    else if (r.facts(idx).access == model::AccessKind::kArena) access(r, idx, *arena);
  }
  return {};
}

}  // namespace ring3::rewrite
