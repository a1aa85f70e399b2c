#include "isa/reg_use.h"

#include "isa/rows.h"

namespace ring3::isa {
namespace {

constexpr RegMask kCallArgs = 0x3e;     // r1 … r5
constexpr RegMask kCallLost = 0x3f;     // r0 … r5

constexpr RegMask bit(unsigned reg) { return static_cast<RegMask>(1u << reg); }

/// Whether the upper half of a register operand of this instruction matters. A 32-bit operation ignores it, and
/// so does a store or a sign extension of at most 4 bytes; the base of a memory access is always 64 bits.
bool upper_src_matters(const Insn& insn) {
  switch (insn.op) {
    case Op::kMovsx: return false;
    case Op::kStore: return insn.size == 8;
    case Op::kAtomicAdd: case Op::kAtomicOr: case Op::kAtomicAnd: case Op::kAtomicXor:
    case Op::kAtomicFetchAdd: case Op::kAtomicFetchOr: case Op::kAtomicFetchAnd: case Op::kAtomicFetchXor:
    case Op::kAtomicXchg: case Op::kAtomicCmpxchg: return insn.size == 8;
    default: return insn.bits == 64;
  }
}

bool upper_dst_matters(const Insn& insn) {
  switch (insn.op) {
    case Op::kToLe: case Op::kToBe: case Op::kBswap: return insn.imm == 64;
    default: return insn.bits == 64;
  }
}

/// 32-bit results leave the upper half zero; loads of less than 8 bytes do as well.
bool zeroes_upper(const Insn& insn, const Row& row) {
  if (insn.bits == 32) return true;
  if (insn.op == Op::kLoad) return insn.size < 8;
  if (insn.op == Op::kToLe || insn.op == Op::kToBe || insn.op == Op::kBswap) return insn.imm < 64;
  return row.form == Form::kAtomic && insn.size == 4;
}

}  // namespace

RegUse reg_use(const Insn& insn) {
  RegUse use;
  const int found = find_row(insn);
  if (found < 0) return use;
  const Row& row = kRows[static_cast<std::size_t>(found)];
  const RegMask dst = row.dst.is_register() ? bit(insn.dst) : RegMask{0};
  const RegMask src = row.src.is_register() ? bit(insn.src) : RegMask{0};
  auto add = [](RegMask& mask, unsigned bits) { mask = static_cast<RegMask>(mask | bits); };

  if (row.dst.reads()) add(use.reads, dst);
  if (row.src.reads()) add(use.reads, src);
  if (row.dst.reads() && upper_dst_matters(insn)) add(use.reads_upper, dst);
  if (row.src.reads() && upper_src_matters(insn)) add(use.reads_upper, src);
  if (row.dst.writes()) add(use.writes, dst);
  if (row.src.writes()) add(use.writes, src);
  if (row.effects & kReadsR0) {
    add(use.reads, bit(0));
    if (insn.op == Op::kExit || insn.size == 8) add(use.reads_upper, bit(0));
  }
  if (row.effects & kWritesR0) add(use.writes, bit(0));
  if (zeroes_upper(insn, row)) use.zero_upper = use.writes;
  if (row.effects & kCalls) {
    add(use.reads, kCallArgs);
    add(use.reads_upper, kCallArgs);
    add(use.writes, kCallLost);
  }
  if (row.effects & kReadsPacket) {
    add(use.reads, bit(6));
    add(use.reads_upper, bit(6));
    add(use.writes, kCallLost);
  }
  return use;
}

}  // namespace ring3::isa
