// Pointers that move by a register, in programs of callers without CAP_PERFMON: the amount is replaced by 0 unless
// it is what was proved of it, without a branch the CPU could guess wrong (verifier/transfer/speculation.h).
//
//   x = limit - amount; x |= amount      below 0 if the amount is below 0 or above the limit (as signed numbers,
//                                        limit < 2^32)
//   x s>>= 63; x ^= -1; x &= amount      the amount, or 0
//
// On every path the program itself takes the amount is in range, so nothing changes but time.
#include "rewrite/passes.h"

namespace ring3::rewrite {
namespace {

using isa::Insn;
using isa::Op;

Insn by_constant(Op op, std::uint8_t dst, std::int64_t imm) { return Insn{.op = op, .bits = 64, .dst = dst, .imm = imm}; }
Insn by_register(Op op, std::uint8_t dst, std::uint8_t src) {
  return Insn{.op = op, .bits = 64, .src_is_reg = true, .dst = dst, .src = src};
}

Insn load_limit(std::uint32_t limit) {
  return Insn{.op = Op::kMov, .bits = 32, .dst = kRewriteReg, .imm = static_cast<std::int32_t>(limit)};
}

void mask(const Insn& insn, const verifier::ArithMask& how, std::vector<Insn>& out) {
  const std::uint8_t amount = how.amount_in_src ? insn.src : insn.dst;
  const bool flip = how.negative;
  out.clear();
  if (how.constant) {
    out.push_back(load_limit(how.limit));
  } else {
    if (flip) out.push_back(by_constant(Op::kNeg, amount, 0));
    out.push_back(load_limit(how.limit));
    out.push_back(by_register(Op::kSub, kRewriteReg, amount));
    out.push_back(by_register(Op::kOr, kRewriteReg, amount));
    out.push_back(by_constant(Op::kArsh, kRewriteReg, 63));
    out.push_back(by_constant(Op::kXor, kRewriteReg, -1));
    out.push_back(by_register(Op::kAnd, kRewriteReg, amount));
  }
  if (!how.amount_in_src) out.push_back(by_register(Op::kMov, insn.dst, insn.src));
  const bool adds = (insn.op == Op::kAdd) != flip;
  out.push_back(by_register(adds ? Op::kAdd : Op::kSub, insn.dst, kRewriteReg));
  if (flip && how.amount_in_src && !how.constant) out.push_back(by_constant(Op::kNeg, amount, 0));
}

}  // namespace

Result<void> mask_arithmetic(Rewriting& r) {
  std::vector<Insn> sequence;
  for (std::uint32_t idx = 0; idx < r.copy.size(); ++idx) {
    const verifier::ArithMask& how = r.facts(idx).mask;
    if (r.copy.removed(idx) || how.kind != verifier::ArithMask::Kind::kPointer) continue;
    mask(r.copy.at(idx), how, sequence);
    r.copy.replace(idx, sequence);
  }
  return {};
}

}  // namespace ring3::rewrite
