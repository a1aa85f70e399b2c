// Tests of one bit by a variable number: (x >> n) & 1 or x & (1 << n), and a jump by whether that is zero. The machine has
// `bt x, n` for them, which takes the number modulo the width as BPF's shifts do.
//
// Soundness: everything is within one block, before the jump that ends it. The shift, the `and` and the mask are dropped only
// when nobody but the jump comes to read what they make, there or behind it; x and n are read by the jump instead, from
// registers that nothing writes in between.
#include <optional>

#include "exec/jit/plan.h"

namespace ring3::exec::jit {
namespace {

using isa::Insn;
using isa::Op;
using isa::RegMask;

/// Looking back further than this is not worth it, and would not be linear.
constexpr std::uint32_t kFarthest = 24;

bool is_by_constant(const Insn& insn, Op op, std::int64_t imm) { return insn.op == op && !insn.src_is_reg && insn.imm == imm; }

class BitTest {
 public:
  BitTest(std::span<const Insn> insns, const Block& block, Plan& plan)
      : insns_(insns), plan_(plan), start_(block.start), jump_(block.end - 1), live_out_(block.live_out) {}

  void find() {
    const Insn& jump = insns_[jump_];
    if (plan_.steps[jump_].action != Step::kKeep) return;
    const bool found = jump.op == Op::kJset ? jump.src_is_reg ? by_mask(jump, jump_) : jump.imm == 1 && by_shift(jump.dst, jump_)
                       : is_by_constant(jump, Op::kJeq, 0) || is_by_constant(jump, Op::kJne, 0) ? of_zero(jump.dst)
                                                                                              : false;
    if (found) apply();
  }

 private:
  /// The instruction in front of `reader` that made what is in `reg`, when nobody between them reads it.
  std::optional<std::uint32_t> maker(unsigned reg, std::uint32_t reader) const {
    const std::uint32_t from = reader - start_ > kFarthest ? reader - kFarthest : start_;
    for (std::uint32_t idx = reader; idx-- > from;) {
      if (plan_.writes[idx] >> reg & 1) return plan_.steps[idx].action == Step::kKeep ? std::optional(idx) : std::nullopt;
      if (plan_.reads[idx] >> reg & 1) return std::nullopt;
    }
    return std::nullopt;
  }
  /// Whether `reg` holds at the jump what it held in front of `from`, but for what is dropped.
  bool lasts(unsigned reg, std::uint32_t from) const {
    for (std::uint32_t idx = from; idx < jump_; ++idx)
      if ((plan_.writes[idx] >> reg & 1) && !is_dropped(idx)) return false;
    return true;
  }
  bool ends_with_the_jump(unsigned reg) const { return (live_out_ >> reg & 1) == 0; }
  bool is_dropped(std::uint32_t idx) const {
    for (std::uint32_t n = 0; n < dropped_count_; ++n)
      if (dropped_[n] == idx) return true;
    return false;
  }
  void drop(std::uint32_t idx) { dropped_[dropped_count_++] = idx; }

  bool of_zero(unsigned reg) {
    const std::optional<std::uint32_t> idx = maker(reg, jump_);
    if (!idx || insns_[*idx].op != Op::kAnd || !ends_with_the_jump(reg)) return false;
    const Insn& masks = insns_[*idx];
    drop(*idx);
    return masks.src_is_reg ? by_mask(masks, *idx) : masks.imm == 1 && by_shift(reg, *idx);
  }

  /// reg was shifted right by a number.
  bool by_shift(unsigned reg, std::uint32_t reader) {
    const std::optional<std::uint32_t> idx = maker(reg, reader);
    if (!idx || !ends_with_the_jump(reg)) return false;
    const Insn& shift = insns_[*idx];
    if ((shift.op != Op::kRsh && shift.op != Op::kArsh) || !shift.src_is_reg || shift.src == reg) return false;
    drop(*idx);
    step_.bits = shift.bits;
    return number(shift.src, *idx) && tested(reg, *idx);
  }

  /// `reader` takes dst and src together, and one of them is 1 shifted left by a number.
  bool by_mask(const Insn& insn, std::uint32_t reader) {
    if (insn.dst == insn.src) return false;
    for (const auto& [mask, other] : {std::pair(insn.src, insn.dst), std::pair(insn.dst, insn.src)}) {
      const std::optional<std::uint32_t> idx = maker(mask, reader);
      if (!idx || insns_[*idx].op != Op::kLsh || !insns_[*idx].src_is_reg || insns_[*idx].src == mask || !ends_with_the_jump(mask) ||
          !unread(mask, reader))
        continue;
      const std::optional<std::uint32_t> one = maker(mask, *idx);
      if (!one || !is_by_constant(insns_[*one], Op::kMov, 1)) continue;
      step_.bits = insns_[*idx].bits;
      // What looks at 32 bits does not see a bit above them.
      if (step_.bits == 64 && (insn.bits == 32 || insns_[jump_].bits == 32)) return false;
      drop(*idx);
      return number(insns_[*idx].src, *idx) && tested(other, reader);
    }
    return false;
  }

  /// Where the number stands that the shift at `reader` takes from reg. A mask of as many bits as count is left out.
  bool number(unsigned reg, std::uint32_t reader) {
    step_.index = static_cast<std::uint8_t>(reg);
    const std::int64_t most = step_.bits - 1;
    const std::optional<std::uint32_t> idx = maker(reg, reader);
    if (idx && insns_[*idx].op == Op::kAnd && !insns_[*idx].src_is_reg && (insns_[*idx].imm & most) == most && ends_with_the_jump(reg) &&
        unread(reg, reader) && (plan_.reads[jump_] >> reg & 1) == 0) {
      drop(*idx);
      if (!lasts(reg, *idx)) return false;
      take_what_was_copied(step_.index, *idx, 32);
      return true;
    }
    return lasts(reg, reader);
  }

  /// Where the value stands that has the bit; `reader` takes it from reg.
  bool tested(unsigned reg, std::uint32_t reader) {
    step_.base = static_cast<std::uint8_t>(reg);
    if (!lasts(reg, reader)) return false;
    if (ends_with_the_jump(reg)) take_what_was_copied(step_.base, reader, step_.bits);
    return true;
  }

  /// The copy itself is dropped by drop_unread(), when nobody reads it any more.
  void take_what_was_copied(std::uint8_t& reg, std::uint32_t reader, unsigned bits) {
    const std::optional<std::uint32_t> idx = maker(reg, reader);
    if (!idx) return;
    const Insn& copy = insns_[*idx];
    if (copy.op == Op::kMov && copy.src_is_reg && copy.bits >= bits && lasts(copy.src, *idx)) reg = copy.src;
  }

  /// Nobody reads it between `from` and the jump, whatever it holds there.
  bool unread(unsigned reg, std::uint32_t from) const {
    for (std::uint32_t idx = from + 1; idx < jump_; ++idx)
      if (plan_.reads[idx] >> reg & 1) return false;
    return true;
  }

  void apply() {
    for (std::uint32_t n = 0; n < dropped_count_; ++n) {
      plan_.steps[dropped_[n]].action = Step::kDrop;
      plan_.reads[dropped_[n]] = plan_.writes[dropped_[n]] = 0;
    }
    step_.bit_test = true;
    plan_.steps[jump_] = step_;
    plan_.reads[jump_] = static_cast<RegMask>(1u << step_.base | 1u << step_.index);
  }

  const std::span<const Insn> insns_;
  Plan& plan_;
  const std::uint32_t start_, jump_;
  const RegMask live_out_;
  Step step_{};
  std::uint32_t dropped_[3] = {};  // the `and`, the shift, the mask of the number
  std::uint32_t dropped_count_ = 0;
};

}  // namespace

void test_bits(std::span<const isa::Insn> insns, Plan& plan) {
  for (const Block& block : plan.blocks) BitTest(insns, block, plan).find();
}

}  // namespace ring3::exec::jit
