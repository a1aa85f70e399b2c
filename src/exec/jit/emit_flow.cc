// Jumps and calls.
#if defined(__x86_64__)

#include <utility>

#include "exec/jit/emitter.h"
#include "exec/jit/jumps.h"
#include "rewrite/tail_calls.h"

namespace ring3::exec::jit {
namespace {

using isa::Insn;
using isa::Op;

constexpr std::uint32_t kLostByCalls = 0x3f;  // r0 … r5

}  // namespace

void Emitter::jump(std::uint32_t idx, const Insn& insn) {
  const std::uint32_t target = target_of(idx, insn);
  if (target == idx + 1) return;
  if (is_near(idx, target)) a_.short_();
  a_.jmp(label_of(target));
}

void Emitter::conditional_jump(std::uint32_t idx, const Insn& insn) {
  if (select(idx, insn) || jump_the_other_way(idx, insn)) return;
  const std::uint32_t target = target_of(idx, insn);
  const x86::CondCode met = decide(idx, insn, std::exchange(flags_, {}));
  if (is_near(idx, target)) a_.short_();
  a_.j(met, label_of(target));
}

/// Whether what the last instruction left in the flags answers the comparison.
bool Emitter::is_in_flags(const Insn& insn, const Flags& known) const {
  const bool tests_zero = (insn.op == Op::kJeq || insn.op == Op::kJne) && !insn.src_is_reg && insn.imm == 0;
  // A 32-bit result is zero exactly when its whole register is.
  return tests_zero && known.reg == insn.dst && (known.wide == (insn.bits == 64) || !known.wide);
}

/// Puts into the flags what the jump asks, unless it is there, and says what it reads as when the jump is taken.
x86::CondCode Emitter::decide(std::uint32_t idx, const Insn& insn, const Flags& known) {
  const Step& step = plan_.steps[idx];
  if (step.bit_test) {
    const bool wide = step.bits == 64;
    a_.bt(sized(step.base, wide), sized(step.index, wide));
    return insn.op == Op::kJeq ? x86::CondCode::kNC : x86::CondCode::kC;
  }
  if (!is_in_flags(insn, known)) compare(insn);
  return condition(insn.op);
}

void Emitter::compare(const Insn& insn) {
  const bool wide = insn.bits == 64;
  const Gp dst = sized(insn.dst, wide);
  const bool bits = insn.op == Op::kJset;
  if (insn.src_is_reg) {
    if (bits) a_.test(dst, sized(insn.src, wide));
    else a_.cmp(dst, sized(insn.src, wide));
  } else if (insn.imm == 0 && !bits) {
    a_.test(dst, dst);
  } else if (!may_embed(insn.imm, wide)) {
    if (bits) a_.test(dst, resized(kScratch3, wide));
    else a_.cmp(dst, resized(kScratch3, wide));
  } else if (!bits) {
    a_.cmp(dst, static_cast<std::int32_t>(insn.imm));
  } else if (insn.imm > 0 && insn.imm <= 0x7f) {
    a_.test(dst.r8(), static_cast<std::int32_t>(insn.imm));
  } else {
    a_.test(resized(dst, wide && insn.imm < 0), asmjit::Imm(static_cast<std::int32_t>(insn.imm)));
  }
}

void Emitter::may_goto(std::uint32_t idx, const Insn& insn) {
  // Signed and 64 bits wide: once used up it stays so.
  a_.dec(x86::qword_ptr(x86::rbp, frame_.budget));
  a_.js(label_of(target_of(idx, insn)));
}

void Emitter::call_address(const void* target) {
  a_.mov(x86::rax, asmjit::Imm(reinterpret_cast<std::uintptr_t>(target)));
  a_.call(x86::rax);
}

/// Where nothing else was put in its register, it is still there.
void Emitter::load_run() {
  if (frame_.run != 0) a_.mov(kScratch, x86::qword_ptr(x86::rbp, frame_.run));
}

/// Helpers that are a few instructions. True: done.
bool Emitter::inline_call(const Insn& insn) {
  switch (inline_helper(program_, insn)) {
    case InlineHelper::kNone: return false;
    case InlineHelper::kCurrentCpu:
      load_run();
      a_.mov(x86::eax, x86::dword_ptr(kScratch, static_cast<int>(offsetof(RunContext, cpu))));
      upper_zero_ |= 1u;
      return true;
    case InlineHelper::kExchange:
      a_.mov(x86::rax, r64(2));
      a_.xchg(x86::qword_ptr(r64(1)), x86::rax);  // locks by itself
      upper_zero_ &= ~1u;
      return true;
  }
  return false;
}

void Emitter::call_helper(std::uint32_t idx, const Insn& insn) {
  const rewrite::HelperCall& helper = program_.helpers[static_cast<std::size_t>(insn.imm)];
  if (inline_call(insn)) return;
  upper_zero_ &= ~kLostByCalls;
  if (loop_over_callback(idx)) return;
  if (helper.needs_run) load_run();
  const bool tail = rewrite::is_tail_call(helper);
  if (tail && frame_.tail_ctx != 0) {
    a_.mov(x86::rax, x86::qword_ptr(kScratch, static_cast<int>(offsetof(RunContext, entry))));
    a_.mov(x86::qword_ptr(x86::rbp, frame_.tail_ctx), x86::rdi);
    a_.mov(x86::qword_ptr(x86::rbp, frame_.tail_entry), x86::rax);
  }
  call_address(reinterpret_cast<const void*>(helper.fn));
  if (!tail) {
    if (frame_.shape->may_throw && helper.needs_run) leave_if_thrown();
    return;
  }
  const Label leave = a_.newLabel();
  a_.mov(kScratch, x86::qword_ptr(x86::rbp, frame_.run));
  a_.cmp(x86::qword_ptr(kScratch, static_cast<int>(offsetof(RunContext, tail_target))), 0);
  a_.jne(leave);
  // The main function only returns: Code::run() goes on with the target.
  cold_.push_back({frame_.tail_ctx != 0 ? Cold::kLeaveByTailCall : Cold::kReturn, 0, leave, Label(), UINT32_MAX});
}

void Emitter::call_kfunc(const Insn& insn) {
  const rewrite::KfuncCall& kfunc = program_.kfuncs[static_cast<std::size_t>(insn.imm)];
  upper_zero_ &= ~kLostByCalls;
  if (kfunc.throws) return throw_exception();
  call_address(kfunc.address);
  const Gp result = x86::rax;
  switch (kfunc.ret_bytes) {
    case 1: kfunc.ret_signed ? a_.movsx(result, result.r8()) : a_.movzx(result.r32(), result.r8()); return;
    case 2: kfunc.ret_signed ? a_.movsx(result, result.r16()) : a_.movzx(result.r32(), result.r16()); return;
    case 4: kfunc.ret_signed ? a_.movsxd(result, result.r32()) : a_.mov(result.r32(), result.r32()); return;
    default: return;
  }
}

void Emitter::call_subprog(std::uint32_t idx) {
  const auto callee = static_cast<std::size_t>(checked_.callee(program_, idx));
  const FunctionShape& shape = shape_.functions[callee];
  upper_zero_ &= ~kLostByCalls;
  if (shape.needs_run) load_run();
  a_.call(entry_of(shape));
  if (shape.may_throw) leave_if_thrown();
}

/// An exception leaves frame by frame; the one who entered the main function ends it (Code::thrown_result).
void Emitter::throw_exception() {
  a_.mov(kScratch, x86::qword_ptr(x86::rbp, frame_.run));
  a_.mov(x86::byte_ptr(kScratch, static_cast<int>(offsetof(RunContext, thrown))), 1);
  a_.mov(x86::qword_ptr(kScratch, static_cast<int>(offsetof(RunContext, exception_cookie))), x86::rdi);
  epilogue();
}

void Emitter::leave_if_thrown() {
  a_.mov(kScratch, x86::qword_ptr(x86::rbp, frame_.run));
  a_.cmp(x86::byte_ptr(kScratch, static_cast<int>(offsetof(RunContext, thrown))), 0);
  const Label leave = a_.newLabel();
  a_.jne(leave);
  cold_.push_back({Cold::kReturn, 0, leave, Label(), UINT32_MAX});
}

}  // namespace ring3::exec::jit

#endif
