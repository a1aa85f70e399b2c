#include "isa/encode.h"

#include <limits>

#include "base/try.h"
#include "isa/rows.h"

namespace ring3::isa {
namespace {

template <typename T>
bool fits(std::int64_t value) {
  return value >= std::numeric_limits<T>::min() && value <= std::numeric_limits<T>::max();
}

/// The off field, made from jump or from the row where it is not free.
std::int64_t off_of(const Row& row, const Insn& insn) {
  switch (row.off.role) {
    case Role::kMem: case Role::kAny: return insn.off;
    case Role::kJump: return insn.jump;
    case Role::kIs: return row.off.value;
    default: return 0;
  }
}

std::int64_t imm_of(const Row& row, const Insn& insn) {
  if (insn.op == Op::kLdImm64) return static_cast<std::int32_t>(insn.imm);
  switch (row.imm.role) {
    case Role::kZero: return 0;
    case Role::kJump: return insn.jump;
    case Role::kIs: return row.imm.value;
    default: return insn.imm;
  }
}

}  // namespace

Result<RawInsn> encode(const Insn& insn) {
  const int found = find_row(insn);
  if (found < 0) return Errno::kInval;
  const Row& row = kRows[static_cast<std::size_t>(found)];
  const std::int64_t off = off_of(row, insn);
  const std::int64_t imm = imm_of(row, insn);
  if (!fits<std::int16_t>(off) || !fits<std::int32_t>(imm)) return Errno::kRange;

  RawInsn raw{};
  raw.code = row.code;
  raw.dst = (row.dst.is_register() ? insn.dst : 0) & 0x0f;
  raw.src = (row.src.is_register() ? insn.src : row.src.value) & 0x0f;
  raw.off = static_cast<std::int16_t>(off);
  raw.imm = static_cast<std::int32_t>(imm);
  return raw;
}

Result<std::vector<RawInsn>> encode(std::span<const Insn> insns) {
  std::vector<RawInsn> out;
  out.reserve(insns.size());
  for (std::size_t idx = 0; idx < insns.size(); ++idx) {
    Insn insn = insns[idx];
    if (insn.op == Op::kJa && !fits<std::int16_t>(insn.jump)) insn.bits = 32;
    if (insn.op == Op::kLdImm64Hi && idx > 0) insn.imm = insns[idx - 1].imm >> 32;
    out.push_back(RING3_TRY(encode(insn)));
  }
  return out;
}

}  // namespace ring3::isa
