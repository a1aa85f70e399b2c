#include "verifier/transfer/speculation.h"

#include <cstdlib>

#include "verifier/transfer/regs.h"

namespace ring3::verifier {
namespace {

using isa::Op;

/// Constants in the instruction itself cannot be anything else.
bool needs_mask(const Step& step) { return step.prog.follow_wrong_guesses && step.insn().src_is_reg; }

/// One instruction has one mask on all paths.
bool note_mask(Step& step, const ArithMask& mask) {
  ArithMask& noted = step.facts().mask;
  if (noted.kind != ArithMask::Kind::kNone && noted != mask) return false;
  noted = mask;
  return true;
}

const char* verb(const isa::Insn& insn) { return insn.op == Op::kAdd ? "add" : "sub"; }

}  // namespace

PointerMasking::PointerMasking(Step& step, const RegState& ptr, const RegState& amount, bool amount_in_src)
    : step_(step),
      ptr_(ptr),
      amount_(amount),
      needed_(needs_mask(step) && (step.insn().op == Op::kAdd || step.insn().op == Op::kSub)),
      amount_in_src_(amount_in_src),
      adds_(step.insn().op == Op::kAdd),
      constant_(amount.val.is_const()),
      negative_(smin(amount) < 0) {}

Errno PointerMasking::refuse(Rule rule) {
  const isa::Insn& insn = step_.insn();
  switch (rule) {
    case Rule::kMaskMixedSigns: return step_.diag.refuse(rule, {amount_in_src_ ? insn.src : insn.dst});
    case Rule::kMaskKind: return step_.diag.refuse(rule, {amount_in_src_ ? insn.dst : insn.src});
    case Rule::kMaskStack: return step_.diag.refuse(rule, {insn.dst});
    default: return step_.diag.refuse(rule, {insn.dst, verb(insn)});
  }
}

/// How far the pointer is from the side of its object it moves to.
PointerMasking::Limit PointerMasking::limit_of(const RegState& ptr, std::int64_t& limit) const {
  std::int64_t most = 0;
  switch (ptr.kind) {
    case RegKind::kStack:
      most = std::int64_t{step_.prog.limits.max_stack_bytes} + (towards_start_ ? 1 : 0);
      limit = -(static_cast<std::int64_t>(ptr.val.const_value()) + ptr.off);
      break;
    case RegKind::kMapValue:
      most = step_.prog.maps[ptr.map]->value_size;
      limit = (towards_start_ ? smin(ptr) : static_cast<std::int64_t>(umax(ptr))) + ptr.off;
      break;
    default: return Limit::kKind;
  }
  return limit < 0 || limit >= most ? Limit::kOutside : Limit::kNone;
}

Result<void> PointerMasking::check_limit(const RegState& ptr, std::int64_t& limit) {
  switch (limit_of(ptr, limit)) {
    case Limit::kNone: return {};
    case Limit::kKind: return refuse(Rule::kMaskKind);
    case Limit::kOutside: break;
  }
  return refuse(Rule::kMaskLimit);
}

Result<void> PointerMasking::begin() {
  if (!needed_) return {};
  // A speculative path meets the mask the other paths have made.
  if (!step_.path.speculative) {
    if (!constant_ && (smin(amount_) < 0) != (smax(amount_) < 0)) return refuse(Rule::kMaskMixedSigns);
    towards_start_ = adds_ == negative_;
    RING3_TRY(check_limit(ptr_, before_));
    if (!constant_) step_.prog.exact_numbers = true;
  }
  return constant_ ? Result<void>() : walk_unmoved();
}

Result<void> PointerMasking::walk_unmoved() {
  PathState* other = step_.search.fork(step_.path, step_.idx + 1, step_.idx);
  if (other == nullptr) return refuse(Rule::kMaskStack);
  other->speculative = true;
  RegState& dst = other->reg(step_.insn().dst);
  dst = ptr_;
  dst.written = true;
  return {};
}

Result<void> PointerMasking::finish(const RegState& result) {
  if (!needed_ || step_.path.speculative) return {};
  std::int64_t after = 0;
  RING3_TRY(check_limit(result, after));
  const ArithMask mask{.kind = ArithMask::Kind::kPointer,
                       .negative = negative_,
                       .constant = constant_,
                       .amount_in_src = amount_in_src_,
                       .limit = static_cast<std::uint32_t>(std::llabs(after - before_))};
  return note_mask(step_, mask) ? Result<void>() : refuse(Rule::kMaskPaths);
}

Result<void> note_number_arith(Step& step) {
  const isa::Insn& insn = step.insn();
  if (!needs_mask(step) || (insn.op != Op::kAdd && insn.op != Op::kSub)) return {};
  if (note_mask(step, {.kind = ArithMask::Kind::kNumbers})) return {};
  return step.diag.refuse(Rule::kMaskPaths, {insn.dst, verb(insn)});
}

Result<void> check_moved_pointer(Step& step) {
  if (!step.prog.follow_wrong_guesses) return {};
  const unsigned dst = step.insn().dst;
  const RegState& reg = step.reg(dst);
  if (reg.kind == RegKind::kStack) {
    if (!reg.val.is_const()) return step.diag.refuse(Rule::kMaskStackVariable, {dst, tnum_text(reg.val), reg.off});
    const std::int64_t off = reg.off + static_cast<std::int64_t>(reg.val.const_value());
    if (off < 0 && off >= -static_cast<std::int64_t>(step.prog.limits.max_stack_bytes)) return {};
    return step.diag.refuse(Rule::kMaskStackRange, {dst, off});
  }
  if (reg.kind != RegKind::kMapValue) return {};
  if (check_inside_map_value(step, dst).ok()) return {};
  return step.diag.refuse(Rule::kMaskValueRange, {dst});
}

void make_wrong_guess(const isa::Insn& insn, PathState& path) {
  path.speculative = true;
  path.dead = false;
  set_unknown(path.reg(insn.dst));
  if (insn.src_is_reg) set_unknown(path.reg(insn.src));
}

Result<void> walk_wrong_guess(Step& step, std::uint32_t target) {
  if (!step.prog.follow_wrong_guesses) return {};
  PathState* other = step.search.fork(step.path, target, step.idx);
  if (other == nullptr) return Errno::kFault;
  make_wrong_guess(step.insn(), *other);
  return {};
}

void note_stack_store(Step& step, const Access& access, const StackSlot& slot, unsigned first_byte) {
  if (!step.prog.fence_stores) return;
  bool fence = access.value != kNoReg && step.reg(static_cast<unsigned>(access.value)).is_pointer();
  for (unsigned i = 0; i < access.size && i <= first_byte; ++i) {
    const SlotByte was = slot.bytes[first_byte - i];
    fence |= was != SlotByte::kMisc && was != SlotByte::kZero;
  }
  step.facts().needs_nospec |= fence;
}

}  // namespace ring3::verifier
