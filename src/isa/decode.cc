#include "isa/decode.h"

#include "isa/rows.h"

namespace ring3::isa {
namespace {

Insn decode_slot(const RawInsn& raw, const Row& row) {
  Insn insn{};
  insn.op = row.op;
  insn.bits = row.bits;
  insn.size = row.size;
  insn.src_is_reg = row.src_is_reg();
  insn.dst = raw.dst;
  insn.src = raw.src;
  insn.off = raw.off;
  insn.jump = row.off.role == Role::kJump ? raw.off : row.imm.role == Role::kJump ? raw.imm : 0;
  insn.imm = raw.imm;
  return insn;
}

std::int64_t join(std::int32_t low, std::int32_t high) {
  const auto upper = static_cast<std::uint64_t>(static_cast<std::uint32_t>(high)) << 32;
  return static_cast<std::int64_t>(upper | static_cast<std::uint32_t>(low));
}

}  // namespace

Result<std::vector<Insn>> decode(std::span<const RawInsn> raw, FieldError* error) {
  if (raw.empty()) {
    if (error) *error = {0, Errno::kInval, "program has no instructions"};
    return Errno::kInval;
  }
  if (auto found = check_fields(raw)) {
    if (error) *error = *found;
    return found->error;
  }
  std::vector<Insn> insns;
  insns.reserve(raw.size());
  for (std::size_t idx = 0; idx < raw.size(); ++idx) {
    const RawInsn& slot = raw[idx];
    insns.push_back(decode_slot(slot, kRows[static_cast<std::size_t>(find_row(slot))]));
    if (insns.back().op == Op::kLdImm64) insns.back().imm = join(slot.imm, raw[idx + 1].imm);
  }
  return insns;
}

}  // namespace ring3::isa
