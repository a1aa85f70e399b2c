// Pointer plus or minus a number.
//
// Soundness: a pointer is base + off + val, off a constant and val the variable part. Constants move off,
// anything else moves val through the domain, so the sum of both always contains the address. Offsets are
// kept below 2^29 in magnitude, hence no later sum of an offset, an access and an object's size can wrap.
// A packet pointer that moved by a variable amount starts a family of its own (a new id) and loses what was
// proved about its range, unless it moved towards the start of the packet.
#include "verifier/domain/scalar_alu.h"
#include "verifier/transfer/regs.h"
#include "verifier/transfer/speculation.h"
#include "verifier/transfer/transfer.h"

namespace ring3::verifier {
namespace {

using isa::Op;

/// Number and pointer are in a range in which their sum means something.
Result<void> check_sane_offset(Step& step, const RegState& reg, const std::string& pointer) {
  const bool constant = reg.val.is_const();
  const auto value = static_cast<std::int64_t>(reg.val.const_value());
  if (constant && (value >= kMaxVarOff || value <= -kMaxVarOff))
    return step.diag.refuse(Rule::kMathWithConstant, {pointer, value});
  if (reg.off >= kMaxVarOff || reg.off <= -kMaxVarOff) return step.diag.refuse(Rule::kPointerOffset, {pointer, reg.off});
  if (smin(reg) == INT64_MIN) return step.diag.refuse(Rule::kMathUnbounded, {pointer});
  if (smin(reg) >= kMaxVarOff || smin(reg) <= -kMaxVarOff) {
    // What Linux would say of a number that lies as low, had it kept less of it.
    if (smin(reg) < INT32_MIN) step.diag.explain(Rule::kMathUnbounded, {pointer});
    return step.diag.refuse(Rule::kMathOutOfBounds, {smin(reg), pointer});
  }
  return {};
}

Result<void> check_movable(Step& step, const RegState& ptr, const RegState& value) {
  const isa::Insn& insn = step.insn();
  const std::string pointer = kind_name(ptr);
  if (insn.bits == 32) return step.diag.refuse(Rule::kPointerArith32, {insn.dst});
  if (ptr.maybe_null()) return step.diag.refuse(Rule::kArithMaybeNull, {insn.dst, pointer});
  const bool known = value.val.is_const();
  switch (model::kind_row(ptr.kind).arith) {
    case model::PtrArith::kAny: break;
    case model::PtrArith::kKnown:
      if (known) break;
      return step.diag.refuse(Rule::kArithProhibited, {insn.dst, pointer});
    case model::PtrArith::kNo:
      if (ptr.kind == RegKind::kMapPtr && insn.op == Op::kAdd && value.val.is_const(0)) break;
      return step.diag.refuse(Rule::kArithProhibited, {insn.dst, pointer});
  }
  RING3_TRY(check_sane_offset(step, value, pointer));
  return check_sane_offset(step, ptr, pointer);
}

Result<void> check_operator(Step& step, const RegState& ptr, bool value_first) {
  const isa::Insn& insn = step.insn();
  if (insn.op == Op::kAnd || insn.op == Op::kOr || insn.op == Op::kXor)
    return step.diag.refuse(Rule::kBitwiseOnPointer, {insn.dst, operator_text(insn.op)});
  if (insn.op != Op::kAdd && insn.op != Op::kSub)
    return step.diag.refuse(Rule::kArithOperator, {insn.dst, operator_text(insn.op)});
  if (insn.op == Op::kSub && value_first) return step.diag.refuse(Rule::kPointerFromScalar, {insn.dst});
  if (insn.op == Op::kSub && ptr.kind == RegKind::kStack) return step.diag.refuse(Rule::kSubFromStack, {insn.dst});
  return {};
}

bool is_packet(RegKind kind) { return kind == RegKind::kPacket || kind == RegKind::kPacketMeta; }

}  // namespace

std::string_view operator_text(Op op) {
  switch (op) {
    case Op::kAdd: return "+=";
    case Op::kSub: return "-=";
    case Op::kMul: return "*=";
    case Op::kDiv: case Op::kSdiv: return "/=";
    case Op::kMod: case Op::kSmod: return "%=";
    case Op::kAnd: return "&=";
    case Op::kOr: return "|=";
    case Op::kXor: return "^=";
    case Op::kLsh: return "<<=";
    case Op::kRsh: return ">>=";
    case Op::kArsh: return "s>>=";
    default: return "?";
  }
}

Result<void> transfer_pointer_arith(Step& step, const RegState& ptr, const RegState& value, bool value_first) {
  const isa::Insn& insn = step.insn();
  RegState& dst = step.reg(insn.dst);
  if (insn.bits == 32 && insn.op == Op::kSub && step.prog.allow_ptr_leaks) {
    set_scalar(dst, zero_extend(Scalar64::unknown(), 32));
    return {};
  }
  RING3_TRY(check_movable(step, ptr, value));
  PointerMasking masking(step, ptr, value, !value_first);
  RING3_TRY(masking.begin());
  RING3_TRY(check_operator(step, ptr, value_first));

  const bool subtract = insn.op == Op::kSub;
  RegState result = ptr;
  result.written = true;
  if (is_packet(ptr.kind)) result.range = std::max(ptr.range, 0);  // the marks are of the unmoved pointer
  const std::int64_t amount = subtract ? -smin(value) : smin(value);
  const std::int64_t moved = std::int64_t{ptr.off} + amount;
  if (value.val.is_const() && moved == static_cast<std::int32_t>(moved)) {
    result.off = static_cast<std::int32_t>(moved);
  } else {
    result.val = binary_alu(insn.op, Half::kFull, ptr.val, value.val);
    if (is_packet(ptr.kind)) {
      result.id = step.search.new_id();
      const bool towards_start = subtract && smin(value) >= 0;
      if (!towards_start) result.range = 0;
    }
  }
  RING3_TRY(check_sane_offset(step, result, kind_name(result)));
  dst = result;
  RING3_TRY(check_moved_pointer(step));
  return masking.finish(result);
}

}  // namespace ring3::verifier
